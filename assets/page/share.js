// Copies the address for somebody else: where a run of Certify is shown, with the settings that it was made with. It knows
// nothing about what stands in it.
import { changed, settle, shareable } from "./address.js";
import { make, one, setText } from "./dom.js";
import { ofResult } from "./settings.js";

// Browsers give a page the clipboard only where it comes over a safe way; elsewhere the old way is left.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = make("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
}

async function share({ currentTarget: button }) {
  settle();
  const settings = document.body.dataset.view === "certify" ? ofResult() : {};
  await copy(shareable(changed(new URL(location.href), settings)).href);
  for (const node of [button, button.nextElementSibling]) setText(node, button.dataset.done);
  setTimeout(() => {
    setText(button, button.dataset.name);
    setText(button.nextElementSibling, "");
  }, 2000);
}

export const offerLink = (element) => one(element, ".ps-share").addEventListener("click", share);
