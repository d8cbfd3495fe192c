// A recording for those who wait in the queue: in a place of its own, and never in that of a result. It knows nothing about
// queues.
import { make, one, setText, still } from "./dom.js";
import { COMPACT, drawChart } from "./votes.js";
import { decimal, translate } from "./words.js";

const RECORDING = new URL("../recording.json", import.meta.url);
const FRAME = 350; // milliseconds
const LAST_FRAME = 4000;
let tape = null; // fetched once, and only by those who wait

export const fetchTape = () => (tape = tape || fetch(RECORDING).then((answer) => answer.json(), () => (tape = null)));

export function chartBox() {
  const chart = make("div", "ps-chart");
  const notes = make("div", "ps-notes");
  notes.append(make("span", "ps-least"), make("span", "ps-most"), make("span", "ps-between"));
  chart.append(make("div", "ps-plot"), make("div", "ps-rows"), notes);
  return chart;
}

function recordingBox(picture, words) {
  const box = make("section", "ps-recording");
  const label = make("p", "ps-recording-label");
  label.append(make("b", "", words.recording), ` ${words.recording_label}`);
  const run = make("div", "ps-recording-run");
  run.setAttribute("aria-hidden", "true");
  const scan = make("img");
  [scan.src, scan.alt] = [picture, ""];
  const answer = make("p");
  answer.append(make("em"), make("small", "", words.recording_radius), make("b"));
  answer.setAttribute("translate", "no");
  run.append(scan, answer, chartBox());
  box.append(label, run);
  return box;
}

// What was recorded is in English; its classes are said as those of a run are.
const unsaid = { at_least: "", at_most: "", between: "" }; // no place shows them
export const saidChart = (chart) => ({ ...chart, ...unsaid, labels: chart.labels.map(translate) });

function showRecorded(box, step) {
  const chart = saidChart(step.chart);
  setText(one(box, "em"), chart.chosen ? chart.labels[0] : "…");
  setText(one(box, ".ps-recording-run b"), decimal(step.radius.text));
  drawChart(one(box, ".ps-chart"), chart, COMPACT);
}

export function recorder(place, words) {
  let [box, timer, wanted] = [null, 0, false];

  async function play() {
    if (wanted) return;
    wanted = true;
    const recorded = await fetchTape();
    if (!wanted || box || !recorded) return;
    place.append((box = recordingBox(recorded.picture, words)));
    place.classList.add("ps-recorded-here");
    turn(recorded.steps, still.matches ? recorded.steps.length - 1 : 0);
  }

  function turn(steps, at) {
    showRecorded(box, steps[at]);
    if (still.matches) return;
    timer = setTimeout(() => turn(steps, (at + 1) % steps.length), at + 1 === steps.length ? LAST_FRAME : FRAME);
  }

  function end() {
    wanted = false;
    clearTimeout(timer);
    place.classList.remove("ps-recorded-here");
    if (box) box.remove();
    box = null;
  }
  return { play, end };
}
