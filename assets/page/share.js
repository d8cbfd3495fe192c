// Copies the address for somebody else. It knows nothing about what stands in it.
import { settle, shareable } from "./address.js";
import { make, one, setText } from "./dom.js";

// Browsers give a page the clipboard only where it comes over a safe way; elsewhere the old way is left.
async function copy(text) {
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
  await copy(shareable(new URL(location.href)).href);
  for (const node of [button, button.nextElementSibling]) setText(node, button.dataset.done);
  setTimeout(() => {
    setText(button, button.dataset.name);
    setText(button.nextElementSibling, "");
  }, 2000);
}

export const offerLink = (element) => one(element, ".ps-share").addEventListener("click", share);
