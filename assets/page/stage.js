// The stage of Certify: shows each step of a run, from plain values. It knows nothing about statistics, holds no words of
// its own, and sets a visitor's text only as text.
import { one, save, setText, still } from "./dom.js";
import { lose, onLoss } from "./losses.js";
import { isBusy, onStop, showProgress } from "./progress.js";
import { drawRuler } from "./ruler.js";
import { showRuns } from "./runs.js";
import { redrawNoise, showStrip } from "./strip.js";
import { showMarks, showReport, showWords } from "./verdict.js";
import { drawChart, fillTable } from "./votes.js";
import { recorder } from "./waiting.js";
import { translated } from "./words.js";

let tell = () => {};

// Calls `listener` with how far a certificate reaches, or null.
export const onReach = (listener) => (tell = listener);

const GONE = ["failed", "idle", "stopped"]; // nothing that was shown before holds for what is asked now

function showBudget(budget) {
  budget.scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
  one(budget, "input").focus({ preventScroll: true });
}

export function mountStage(element, props, watch, trigger) {
  const root = one(element, ".ps-stage");
  const chart = one(root, ".ps-chart");
  const words = translated(props.words);
  const recording = recorder(one(root, ".ps-votes"), words);
  let value = null;
  let waiting = 0;

  function draw() {
    clearTimeout(waiting);
    if (value.chart && !drawChart(chart, value.chart, words)) waiting = setTimeout(draw, 60);
  }

  // Steps that come faster than this computer can draw are passed over; the last one never is.
  let next = null;
  let pause = 0;
  let drawn = 0;
  function show(step) {
    if (!step || !step.state) return;
    next = step;
    clearTimeout(pause);
    pause = setTimeout(paint, Math.max(0, drawn - performance.now()));
  }

  function paint() {
    const started = performance.now();
    const kept = (!GONE.includes(next.state) && value) || {}; // whose votes are these?
    value = { ...next, chart: next.chart || kept.chart, ruler: next.ruler || kept.ruler };
    root.classList.toggle("ps-empty", !value.chart);
    if (value.forgotten) showStrip({});
    if (value.state === "queued") recording.play();
    else recording.end();
    if (value.chart) showChart(); // first: it reads how wide the page is, which what follows may change
    root.dataset.state = value.state;
    showWords(root, value);
    showMarks(one(root, ".ps-marks"), value.badge, value.facts);
    showProgress(root, value);
    one(root, ".ps-bar").setAttribute("aria-valuetext", value.line);
    if (value.ruler) drawRuler(root, value.ruler, words);
    one(root, ".ps-download").disabled = one(root, ".ps-print").disabled = !value.certificate;
    showReport(one(root, ".ps-report"), value.report);
    showRuns(one(root, ".ps-runs"), value.runs);
    if (!isBusy(value.state)) tell(value.reach ? { size: value.reach, text: value.radius.text, frozen: value.frozen } : null);
    one(root, ".ps-how").disabled = isBusy(value.state) || !value.reach;
    if (["selecting", "estimating"].includes(value.state) && !still.matches) redrawNoise();
    drawn = performance.now() + 3 * (performance.now() - started);
    performance.measure("psmooth.step", { start: started });
    performance.clearMeasures("psmooth.step"); // told to whoever observes, kept for nobody
  }

  function showChart() {
    setText(one(root, ".ps-caption"), value.chart.caption);
    fillTable(one(root, "tbody"), value.chart);
    draw();
  }

  onStop(root, trigger);
  one(root, ".ps-how").addEventListener("click", () => showBudget(one(root, ".ps-budget")));
  one(root, ".ps-print").addEventListener("click", () => print());
  one(root, ".ps-check").addEventListener("click", () => one(document, "#ps-stage-column input[type=file]").click());
  one(root, ".ps-download").addEventListener("click", () => value.certificate && save(value.certificate, words.file));
  new MutationObserver(() => value && draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  new ResizeObserver(() => value && value.chart && showChart()).observe(chart);
  document.fonts.ready.then(() => value && draw());
  onLoss("certify", () =>
    show({ state: "failed", headline: [words.lost_title, "", ""], sentence: words.lost, aside: "", line: words.lost_line, fraction: 0, announce: words.lost }),
  );
  onLoss("scan", () => {
    lose(document.body.dataset.view);
    if (document.body.dataset.view !== "certify") return;
    showStrip({});
    trigger("lost");
  });
  next = props.value;
  paint();
  watch("value", () => show(props.value));
}
