// The foot of a view that runs: how far it is, and Stop. It knows nothing about what runs.
import { one } from "./dom.js";

const BUSY = ["loading", "queued", "selecting", "estimating", "running"];

export const isBusy = (state) => BUSY.includes(state);

export function showProgress(root, { state, fraction }) {
  one(root, ".ps-bar i").style.transform = `scaleX(${fraction})`;
  one(root, ".ps-bar").setAttribute("aria-valuenow", String(Math.round(100 * fraction)));
  one(root, ".ps-stop").disabled = !isBusy(state);
}

export function onStop(root, trigger) {
  one(root, ".ps-stop").addEventListener("click", (event) => {
    event.target.disabled = true;
    trigger("stop");
  });
}
