// Explanations that a tap or a key opens: each is a popover, put beside the button that asks for it. It knows nothing about
// what is explained.
import { clamp, one } from "./dom.js";

let asker = null;
document.addEventListener("click", (event) => (asker = event.target.closest("[popovertarget]") || asker), true);

function place(box) {
  const from = (asker && asker.getAttribute("popovertarget") === box.id ? asker : one(document, `[popovertarget=${box.id}]`)).getBoundingClientRect();
  const width = Math.min(340, innerWidth - 24);
  const above = from.bottom > 0.65 * innerHeight; // there is more room above
  box.style.left = `${scrollX + clamp(from.left, 12, innerWidth - width - 12)}px`;
  box.style.top = `${scrollY + (above ? from.top - 6 : from.bottom + 6)}px`;
  box.style.translate = above ? "0 -100%" : "";
}

document.addEventListener("beforetoggle", (event) => {
  if (event.newState === "open" && event.target.matches(".ps-about[popover]")) place(event.target);
}, true);
addEventListener("resize", () => document.querySelectorAll(".ps-about:popover-open").forEach(place)); // a phone is turned

export function mount() {}
