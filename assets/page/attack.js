// The view Attack: how far it is, what was found, and the crop at which the hand stands. It knows nothing about how a change
// is looked for, holds no words of its own, and sets a visitor's text only as text.
import { mountAxis } from "./attack_axis.js";
import { fillPlaces, showPlace } from "./attack_scene.js";
import { one, save, setText } from "./dom.js";
import { onLoss } from "./losses.js";
import { onStop, showProgress } from "./progress.js";
import { showReport } from "./verdict.js";
import { locale, translated } from "./words.js";

const RECORDING = new URL("../attack.json", import.meta.url);
let tape = null; // fetched once, and only by those who look
const fetchRecording = () => (tape = tape || fetch(RECORDING).then((answer) => answer.json(), () => (tape = null)));

// A recorded attack as a step has it: its pictures once for all, its words in the visitor's language.
function inLanguage({ original, attacked, said }) {
  const words = said[locale.language];
  return { ...words, original, waypoints: words.waypoints.map((waypoint, place) => ({ ...waypoint, attacked: attacked[place] })) };
}

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-attack");
  const card = one(root, ".ps-attack-found");
  const words = translated(props.words);
  const axis = mountAxis(one(card, ".ps-attack-axis"), words, look);
  let value = null;
  let found = null; // what the card shows: of this step, or a recording
  let chosen = null; // the distance at which a visitor has put the hand

  function look(waypoint, byHand) {
    if (byHand) chosen = found.waypoints[waypoint].distance;
    showPlace(card, found, waypoint, words);
    axis.point(waypoint);
  }

  function show(step) {
    if (!step || !step.state) return;
    if (step.state === "loading") chosen = null;
    value = step;
    root.dataset.state = value.state;
    setText(one(root, "h2"), value.sentence);
    setText(one(root, ".ps-attack-about"), value.about || "");
    setText(one(root, ".ps-restart"), value.notice || "");
    setText(one(root, ".ps-line"), value.line);
    setText(one(root, "[role=status]"), value.announce);
    showReport(one(root, ".ps-report"), value.report);
    showProgress(root, value);
    one(root, ".ps-download").disabled = !value.record;
    showFound(value.waypoints && value.waypoints.length ? value : null, false);
    playRecording();
  }

  function showFound(step, recorded) {
    found = step;
    card.hidden = !found;
    one(root, ".ps-attack-recorded").hidden = !recorded;
    root.toggleAttribute("data-recorded", recorded);
    setText(one(card, ".ps-attack-told"), recorded ? found.sentence : "");
    if (!found) return;
    axis.draw(found);
    fillPlaces(card, found, words);
    look(placeNow(), false);
  }

  // Before the first attack of one's own, a recorded one shows what comes.
  async function playRecording() {
    const wanted = () => value.state === "idle" && !found && document.body.dataset.view === "attack";
    if (!wanted()) return;
    const recorded = await fetchRecording();
    if (recorded && wanted()) showFound(inLanguage(recorded), true);
  }

  // Where a visitor has left the hand; else at what was found first.
  function placeNow() {
    const wanted = chosen ?? found.marked.falls_at ?? found.marked.turns_at ?? 0;
    const apart = found.waypoints.map((waypoint) => Math.abs(waypoint.distance - wanted));
    return apart.indexOf(Math.min(...apart));
  }

  const redraw = () => found && card.isConnected && axis.draw(found);
  const seen = () => value && (redraw(), playRecording());
  const print = (on) => (root.classList.toggle("ps-attack-printing", on), redraw());
  onStop(root, trigger);
  one(root, ".ps-attack-print").addEventListener("click", () => window.print());
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
  one(root, ".ps-download").addEventListener("click", () => save(JSON.stringify(value.record, null, 1), words.attack_file));
  new MutationObserver(seen).observe(document.body, { attributes: true, attributeFilter: ["class", "data-view"] });
  new ResizeObserver(redraw).observe(root);
  onLoss("attack", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, announce: words.lost }));
  show(props.value);
  watch("value", () => show(props.value));
}
