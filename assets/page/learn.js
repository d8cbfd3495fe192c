// The view Learn prompts: how far it is, the loss, the facts of the bank. It knows nothing about learning, holds no words of
// its own, and sets a visitor's text only as text.
import { one, save, setPairs } from "./dom.js";
import { drawLoss } from "./loss.js";
import { onLoss } from "./losses.js";
import { onStop, showProgress } from "./progress.js";
import { translated } from "./words.js";

const saveBank = ({ file, name }) => save(Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0)), name, "application/octet-stream");

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-learn");
  const words = translated(props.words);
  let value = null;

  function show(step) {
    if (!step || !step.state) return;
    value = step;
    root.dataset.state = value.state;
    one(root, ".ps-sentence").textContent = value.sentence;
    one(root, ".ps-line").textContent = value.line;
    showProgress(root, value);
    one(root, ".ps-download").disabled = !value.bank;
    one(root, ".ps-learned").hidden = !value.losses.length;
    if (["done", "failed", "stopped"].includes(value.state)) one(root, "[role=status]").textContent = value.sentence;
    if (!value.losses.length) return;
    drawLoss(one(root, ".ps-loss"), value.losses);
    one(root, ".ps-last").textContent = value.losses[value.losses.length - 1].toFixed(3);
    setPairs(one(root, ".ps-bank"), value.bank ? value.bank.facts : []);
  }

  onStop(root, trigger);
  one(root, ".ps-download").addEventListener("click", () => value.bank && saveBank(value.bank));
  onLoss("learn", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, losses: [], bank: null }));
  show(props.value);
  watch("value", () => show(props.value));
}
