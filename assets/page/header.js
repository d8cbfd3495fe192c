// The top of the page: language, light or dark, the links to the views. It knows nothing about what a view holds.
import { one } from "./dom.js";
import { offerLink } from "./share.js";
import { followLinks } from "./views.js";
import { offerVoices } from "./voice.js";

export function mount(element, props, watch, trigger) {
  one(element, ".ps-theme").addEventListener("click", () => document.body.classList.toggle("dark"));
  followLinks(element);
  offerLink(element);
  offerVoices(element, trigger);
}
