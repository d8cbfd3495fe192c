// The view Compare: how far it is, and its results. It knows nothing about statistics, holds no words of its own, and sets a
// visitor's text only as text.
import { drawCurve, fillCurveTable } from "./curve.js";
import { fill, one, save, setText } from "./dom.js";
import { onLoss } from "./losses.js";
import { showGroups } from "./methods.js";
import { onStop, showProgress } from "./progress.js";
import { count, decimal, onLocale, translate, translated } from "./words.js";

const RECORDING = new URL("../comparison.json", import.meta.url);
let tape = null;
const fetchRecording = () => (tape = tape || fetch(RECORDING).then((answer) => answer.json(), () => (tape = null)));

// What was recorded is in English: its sentences with numbers in them are said as those of a run are.
function saidRecording(recorded, words) {
  const { levels, heads, series } = recorded.curve;
  const votes = heads.map((head) => count(Number(/([\d,]+) votes/.exec(head)[1].replaceAll(",", ""))));
  const counted = (bar) => ({ ...bar, count: count(Number(bar.count.replaceAll(",", ""))) });
  const hover = (text, index) => `σ = ${decimal(levels[index])}: ${translate(text)} · ${fill(words.compare_votes, { votes: votes[index] })}`;
  return {
    ...recorded,
    groups: recorded.groups.map((group) => ({ ...group, cards: group.cards.map((card) => ({ ...card, bars: card.bars.map(counted) })) })),
    curve: {
      ...recorded.curve,
      heads: levels.map((noise, index) => fill(words.compare_head, { noise, votes: votes[index] })),
      series: series.map((one) => ({ ...one, hovers: one.texts.map(hover) })),
    },
  };
}

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-compare");
  const card = one(root, ".ps-curve-card");
  const words = translated(props.words);
  let value = null;
  let waiting = 0;
  let drawn = null;

  function draw() {
    clearTimeout(waiting);
    if (drawn && !drawCurve(card, drawn, words) && card.isConnected) waiting = setTimeout(draw, 200);
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
    showResults(value.groups ? value : null, false);
    playRecording();
  }

  function showResults(found, recorded) {
    for (const part of [".ps-groups", ".ps-curve-card"]) one(root, part).classList.toggle("ps-gone", !found);
    one(root, ".ps-recorded").hidden = !recorded;
    root.toggleAttribute("data-recorded", recorded);
    drawn = found;
    if (!found) return;
    showGroups(one(root, ".ps-groups"), found);
    draw();
    setText(one(card, ".ps-curve-note"), found.curve.note);
    fillCurveTable(card, found, words);
  }

  // Before the first run of one's own, a recorded one shows what comes; it is fetched by those who look.
  async function playRecording() {
    const wanted = () => value.state === "idle" && document.body.dataset.view === "compare";
    if (!wanted() || drawn) return;
    const recorded = await fetchRecording();
    if (recorded && wanted() && !drawn) showResults(saidRecording(recorded, words), true);
  }

  onStop(root, trigger);
  onLocale(() => {
    if (!root.hasAttribute("data-recorded")) return;
    drawn = null;
    playRecording();
  });
  one(root, ".ps-download").addEventListener("click", () => save(JSON.stringify(value.certificates, null, 1), words.compare_file));
  new MutationObserver(() => value && (draw(), playRecording())).observe(document.body, { attributes: true, attributeFilter: ["class", "data-view"] });
  new ResizeObserver(() => value && draw()).observe(root);
  onLoss("compare", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, announce: words.lost }));
  show(props.value);
  watch("value", () => show(props.value));
}
