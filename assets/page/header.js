// The top of the page: language, light or dark, the links to the views. It knows nothing about what a view holds.
import { one } from "./dom.js";
import { offerReturns } from "./returns.js";
import { offerLink } from "./share.js";
import { stands } from "./standing.js";
import { followLinks } from "./views.js";
import { offerLocales } from "./locale.js";
import { offerTheme } from "./theme.js";

function offerAbout(element) {
  const about = one(element, ".ps-project");
  one(element, ".ps-project-open").addEventListener("click", () => about.showModal());
  about.addEventListener("click", (event) => event.target === about && about.close()); // beside it
}

export function mount(element, props, watch, trigger) {
  offerAbout(element);
  offerTheme(one(element, ".ps-theme"));
  followLinks(element);
  offerLink(element);
  offerLocales(element, trigger);
  offerReturns(trigger);
  stands("header");
}
