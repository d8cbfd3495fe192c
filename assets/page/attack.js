// The view Attack: how far it is, what was found, and the crop at which the hand stands. It knows nothing about how a change
// is looked for, holds no words of its own, and sets a visitor's text only as text.
import { mountAxis } from "./attack_axis.js";
import { fillPlaces, showPlace } from "./attack_scene.js";
import { one, save, setText } from "./dom.js";
import { onLoss } from "./losses.js";
import { onStop, showProgress } from "./progress.js";
import { translated } from "./words.js";

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-attack");
  const card = one(root, ".ps-attack-found");
  const words = translated(props.words);
  const axis = mountAxis(one(card, ".ps-attack-axis"), words, look);
  let value = null;
  let chosen = null; // the distance at which a visitor has put the hand

  function look(waypoint, byHand) {
    if (byHand) chosen = value.waypoints[waypoint].distance;
    showPlace(card, value, waypoint, words);
    axis.point(waypoint);
  }

  function show(step) {
    if (!step || !step.state) return;
    if (step.state === "loading") chosen = null;
    value = step;
    root.dataset.state = value.state;
    setText(one(root, "h2"), value.sentence);
    setText(one(root, ".ps-attack-about"), value.about || "");
    setText(one(root, ".ps-line"), value.line);
    setText(one(root, "[role=status]"), value.announce);
    showProgress(root, value);
    one(root, ".ps-download").disabled = !value.record;
    showFound();
  }

  function showFound() {
    card.hidden = !value.waypoints || !value.waypoints.length;
    if (card.hidden) return;
    axis.draw(value);
    fillPlaces(card, value, words);
    look(placeNow(), false);
  }

  // Where a visitor has left the hand; else at what was found first.
  function placeNow() {
    const wanted = chosen ?? value.marked.falls_at ?? value.marked.turns_at ?? 0;
    const apart = value.waypoints.map((waypoint) => Math.abs(waypoint.distance - wanted));
    return apart.indexOf(Math.min(...apart));
  }

  const redraw = () => value && !card.hidden && card.isConnected && axis.draw(value);
  onStop(root, trigger);
  one(root, ".ps-download").addEventListener("click", () => save(JSON.stringify(value.record, null, 1), words.attack_file));
  new MutationObserver(redraw).observe(document.body, { attributes: true, attributeFilter: ["class", "data-view"] });
  new ResizeObserver(redraw).observe(root);
  onLoss("attack", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, announce: words.lost }));
  show(props.value);
  watch("value", () => show(props.value));
}
