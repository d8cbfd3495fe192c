// The view Learn prompts: how far it is, the loss, scores, the facts of the bank. It knows nothing about learning, holds no
// words of its own, and sets a visitor's text only as text.
import { one, save, setPairs, setText } from "./dom.js";
import { drawLoss } from "./loss.js";
import { onLoss } from "./losses.js";
import { onStop, showProgress } from "./progress.js";
import { showScores } from "./scores.js";
import { openView } from "./views.js";
import { translated } from "./words.js";

const saveBank = ({ file, name }) => save(Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0)), name, "application/octet-stream");

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-learn");
  const words = translated(props.words);
  let value = null;

  function draw() {
    const { losses, steps } = value;
    if (losses.length) drawLoss(one(root, ".ps-loss"), losses, steps[0], steps[1], words);
  }

  function show(step) {
    if (!step || !step.state) return;
    value = step;
    root.dataset.state = value.state;
    setText(one(root, ".ps-sentence"), value.sentence);
    setText(one(root, ".ps-line"), value.line);
    showProgress(root, value);
    for (const button of [".ps-download", ".ps-use"]) one(root, button).disabled = !value.bank;
    one(root, ".ps-learned").hidden = !value.losses.length;
    showScores(one(root, ".ps-scores"), value.scores, words);
    if (["done", "failed", "stopped"].includes(value.state)) setText(one(root, "[role=status]"), value.sentence);
    if (!value.losses.length) return;
    draw();
    setText(one(root, ".ps-last"), value.losses[value.losses.length - 1].toFixed(3));
    setPairs(one(root, ".ps-bank"), value.bank ? value.bank.facts : []);
  }

  onStop(root, trigger);
  one(root, ".ps-download").addEventListener("click", () => value.bank && saveBank(value.bank));
  one(root, ".ps-use").addEventListener("click", () => {
    trigger("use");
    openView("certify");
  });
  new ResizeObserver(() => value && draw()).observe(one(root, ".ps-loss"));
  onLoss("learn", () =>
    show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, losses: [], steps: [0, 1], bank: null, scores: null }));
  show(props.value);
  watch("value", () => show(props.value));
}
