// The view Compare: how far it is, and its results. It knows nothing about statistics, holds no words of its own, and sets a
// visitor's text only as text.
import { drawCurve, fillCurveTable } from "./curve.js";
import { one, save, setText } from "./dom.js";
import { onLoss } from "./losses.js";
import { showGroups } from "./methods.js";
import { onStop, showProgress } from "./progress.js";
import { translated } from "./words.js";

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-compare");
  const card = one(root, ".ps-curve-card");
  const words = translated(props.words);
  let value = null;
  let waiting = 0;

  function draw() {
    clearTimeout(waiting);
    if (value.curve && !drawCurve(card, value, words) && card.isConnected) waiting = setTimeout(draw, 200);
  }

  function show(step) {
    if (!step || !step.state) return;
    const kept = (!["failed", "idle"].includes(step.state) && value) || {}; // whose results are these?
    value = step.groups ? step : { ...kept, ...step };
    root.dataset.state = value.state;
    setText(one(root, ".ps-sentence"), value.sentence);
    setText(one(root, ".ps-restart"), value.notice || "");
    setText(one(root, ".ps-line"), value.line);
    setText(one(root, "[role=status]"), value.announce);
    showProgress(root, value);
    one(root, ".ps-download").disabled = !value.certificates;
    for (const part of [".ps-groups", ".ps-curve-card"]) one(root, part).classList.toggle("ps-gone", !value.groups);
    if (!value.groups) return;
    showGroups(one(root, ".ps-groups"), value);
    draw();
    setText(one(card, ".ps-curve-note"), value.curve.note);
    fillCurveTable(card, value, words);
  }

  onStop(root, trigger);
  one(root, ".ps-download").addEventListener("click", () => save(JSON.stringify(value.certificates, null, 1), words.compare_file));
  new MutationObserver(() => value && draw()).observe(document.body, { attributes: true, attributeFilter: ["class", "data-view"] });
  new ResizeObserver(() => value && draw()).observe(root);
  onLoss("compare", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, announce: words.lost }));
  show(props.value);
  watch("value", () => show(props.value));
}
