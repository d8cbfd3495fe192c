// The stage of Certify: shows each step of a run, from plain values. It knows nothing about statistics, holds no words of
// its own, and sets a visitor's text only as text.
import { one, save, setText, still } from "./dom.js";
import { lose, onLoss } from "./losses.js";
import { isBusy, onStop, showProgress } from "./progress.js";
import { arrive } from "./returns.js";
import { drawRuler } from "./ruler.js";
import { showRuns } from "./runs.js";
import { isMoved, onMoved, show as showSettings } from "./settings.js";
import { redrawNoise, showStrip } from "./strip.js";
import { record } from "./tape.js";
import { showMarks, showReport, showWords } from "./verdict.js";
import { drawChart, fillTable } from "./votes.js";
import { recorder, saidChart } from "./waiting.js";
import { onLocale, translated } from "./words.js";

let tell = () => {};

const beginning = [];

// Calls `listener` when another run begins.
export const onLoading = (listener) => beginning.push(listener);

// Calls `listener` with how far a certificate reaches, or null.
export const onReach = (listener) => (tell = listener);

// The sha256 of the crop of the run that is shown, or nothing.
let certificate = null;
const showing = [];

// Calls `listener` whenever that may be another one.
export const onShown = (listener) => showing.push(listener);
export const shownCrop = () => certificate && JSON.parse(certificate).crop_sha256;

const GONE = ["failed", "idle", "stopped"]; // nothing that was shown before holds for what is asked now

// Another run begins: the classes and known changes stand, and nothing that the last one found.
const unvoted = (chart) => {
  const none = chart.labels.map(() => 0);
  return { ...chart, counts: none, shares: none, selection: none, selection_shares: none, total: 0, chosen: false, certified: false, wrong: false, caption: "" };
};
const unreached = (ruler) => ({ ...ruler, radius: null, place: null, rows: ruler.rows.map(([text, size, place]) => [text, size, place, false]) });

function keptOf({ chart, ruler }, state) {
  return chart && isBusy(state) ? { chart: unvoted(chart), ruler: unreached(ruler) } : { chart, ruler };
}

function showBudget(budget) {
  budget.scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
  one(budget, "input").focus({ preventScroll: true });
}

const PAPER = { room: 205, least: 20 }; // one page holds the chart and all that is told of it

export function mountStage(element, props, watch, trigger) {
  const root = one(element, ".ps-stage");
  const chart = one(root, ".ps-chart");
  const words = translated(props.words);
  const recording = recorder(one(root, ".ps-votes"), words);
  let value = null;
  let waiting = 0;
  let room; // the usual one, or the paper's

  function draw() {
    clearTimeout(waiting);
    if (value.chart && !drawChart(chart, value.chart, room)) waiting = setTimeout(draw, 60);
  }

  function print(on) {
    root.classList.toggle("ps-printing", on);
    room = on ? PAPER : undefined;
    draw();
  }

  // Steps that come faster than this computer can draw are passed over; the last one never is.
  let next = null;
  let pause = 0;
  let drawn = 0;
  function show(step) {
    if (!step || !step.state) return;
    steps += 1;
    if (step.state === "loading") beginning.forEach((listener) => listener()); // however fast the next step follows
    record(step);
    next = step;
    clearTimeout(pause);
    pause = setTimeout(paint, Math.max(0, drawn - performance.now()));
  }

  function paint() {
    const started = performance.now();
    const kept = keptOf((!GONE.includes(next.state) && value) || {}, next.state);
    value = { ...next, chart: next.chart || kept.chart, ruler: next.ruler || kept.ruler };
    showSettings(value.settings);
    certificate = value.certificate;
    showing.forEach((listener) => listener());
    root.classList.toggle("ps-empty", !value.chart);
    if (value.forgotten) showStrip({});
    if (value.state === "queued") recording.play();
    else recording.end();
    if (value.chart) showChart(); // first: it reads how wide the page is, which what follows may change
    root.dataset.state = value.state;
    root.dataset.truth = value.truth || "";
    showWords(root, value, words);
    showMarks(one(root, ".ps-marks"), value.badge, value.facts, value.truth);
    setText(one(root, "#ps-about-kind"), value.badge ? value.badge.about : "");
    showProgress(root, value);
    one(root, ".ps-bar").setAttribute("aria-valuetext", value.line);
    if (value.ruler) drawRuler(root, value.ruler, words);
    one(root, ".ps-download").disabled = one(root, ".ps-print").disabled = !value.certificate;
    showReport(one(root, ".ps-report"), value.report);
    showRuns(one(root, ".ps-runs"), value.runs);
    tell(!isBusy(value.state) && value.reach ? { size: value.reach, text: value.radius.text, frozen: value.frozen } : null);
    if (value.certificate && value.settings) arrive(value.certificate);
    showMoved();
    one(root, ".ps-how").disabled = isBusy(value.state) || !value.reach;
    if (["selecting", "estimating"].includes(value.state) && !still.matches) redrawNoise();
    drawn = performance.now() + 3 * (performance.now() - started);
    performance.measure("psmooth.step", { start: started });
    performance.clearMeasures("psmooth.step"); // told to whoever observes, kept for nobody
  }

  // The chip is text, and told to those who do not see it.
  function showMoved() {
    const moved = isMoved();
    one(root, ".ps-moved").hidden = !moved;
    if (root.classList.toggle("ps-stale", moved)) setText(one(root, "[role=status]"), words.moved);
    else setText(one(root, "[role=status]"), value.announce || "");
  }

  function showChart() {
    setText(one(root, ".ps-caption"), value.chart.caption);
    fillTable(one(root, "tbody"), value.chart);
    draw();
  }

  onStop(root, trigger);
  one(root, ".ps-how").addEventListener("click", () => showBudget(one(root, ".ps-budget")));
  one(root, ".ps-print").addEventListener("click", () => window.print());
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  one(root, ".ps-check").addEventListener("click", () => {
    const input = one(document, "#ps-stage-column input[type=file]");
    input.accept = ".json";
    input.value = ""; // a browser is silent about a file that it has chosen already
    input.click();
  });
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
  onMoved(showMoved);
  one(root, ".ps-moved").addEventListener("click", () => one(document, "#ps-certify").click());
  // Until a run shows its first step, what stands here was made before anybody's language was known.
  let steps = 0;
  function open() {
    if (steps) return;
    next = { ...props.value, chart: props.value.chart && saidChart(props.value.chart) };
    paint();
  }
  open();
  onLocale(open);
  watch("value", () => show(props.value));
}
