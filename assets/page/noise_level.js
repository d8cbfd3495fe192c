// The noise level: its ticks, and the noisy copy that follows it at once. It knows nothing about how noise is drawn.
import { one } from "./dom.js";
import { setNoise } from "./strip.js";

export function mount(element) {
  for (const button of element.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const input = one(document, "#ps-noise input[type=range]");
      input.value = button.dataset.value;
      for (const name of ["input", "change", "pointerup"]) input.dispatchEvent(new Event(name, { bubbles: true }));
    });
  }
}

document.addEventListener("input", (event) => {
  if (!event.target.closest || !event.target.closest("#ps-noise")) return;
  setNoise(Number(event.target.value));
});
