// The crop at which the hand stands: the change, amplified with its factor written, the attacked crop, both answers and
// their shares. It knows nothing about the axis.
import { fill, make, one, setText } from "./dom.js";
import { fillBars } from "./methods.js";
import { percent } from "./words.js";

const BRIGHT = 100; // of 128: how far from grey the largest change is drawn

const pixels = new Map(); // of the pictures of this attack, by their address

async function pixelsOf(address) {
  const image = Object.assign(new Image(), { src: address });
  await image.decode();
  const canvas = Object.assign(make("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
}

function remembered(address) {
  if (!pixels.has(address)) pixels.set(address, pixelsOf(address));
  return pixels.get(address);
}

export function showPlace(card, value, number, words) {
  const waypoint = value.waypoints[number];
  card.dataset.waypoint = number;
  one(card, ".ps-attack-original").src = value.original;
  one(card, ".ps-attack-attacked").src = waypoint.attacked;
  paintChange(card, value.original, waypoint, words);
  showAnswer(one(card, "[data-who=plain]"), waypoint.named, waypoint.fell, waypoint.named_bars, words);
  showAnswer(one(card, "[data-who=votes]"), waypoint.voted, waypoint.turned, waypoint.voted_bars, words);
}

function showAnswer(box, answer, turned, bars, words) {
  const name = one(box, "b");
  name.dataset.unasked = words.attack_unasked;
  setText(name, answer);
  box.classList.toggle("ps-turned", turned);
  fillBars(one(box, "ul"), bars);
}

async function paintChange(card, original, waypoint, words) {
  const [before, after] = await Promise.all([remembered(original), remembered(waypoint.attacked)]);
  if (one(card, ".ps-attack-attacked").getAttribute("src") !== waypoint.attacked) return; // the hand has moved on
  const change = Int16Array.from(after.data, (level, at) => level - before.data[at]);
  const largest = change.reduce((most, level) => Math.max(most, Math.abs(level)), 0);
  const factor = Math.max(1, Math.floor(BRIGHT / Math.max(1, largest)));
  const image = new ImageData(before.width, before.height);
  change.forEach((level, at) => (image.data[at] = at % 4 === 3 ? 255 : 128 + factor * level));
  const canvas = one(card, "canvas");
  Object.assign(canvas, { width: before.width, height: before.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  const said = largest ? fill(words.attack_amplified, { factor }) : words.attack_none;
  canvas.setAttribute("aria-label", said);
  const [, amplified, levels] = card.querySelectorAll("small");
  setText(amplified, said);
  setText(levels, largest ? fill(words.attack_levels, { levels: largest }) : "");
}

// The same as a table, for those who do not see the curves; pictures of an attack before are let go.
export function fillPlaces(card, { original, waypoints }, words) {
  const shown = new Set([original, ...waypoints.map((waypoint) => waypoint.attacked)]);
  [...pixels.keys()].forEach((address) => shown.has(address) || pixels.delete(address));
  const heads = [words.attack_distance, words.attack_plain, words.attack_probability, words.attack_votes, words.attack_share];
  one(card, "thead tr").replaceChildren(...heads.map((head) => Object.assign(make("th", "", head), { scope: "col" })));
  one(card, "tbody").replaceChildren(...waypoints.map((waypoint) => row(waypoint)));
}

const row = (waypoint) => {
  const cells = [waypoint.named, waypoint.probability === null ? "" : percent(waypoint.probability), waypoint.voted, waypoint.votes_share === null ? "" : percent(waypoint.votes_share)];
  const line = make("tr");
  line.append(Object.assign(make("th", "", waypoint.distance_text), { scope: "row" }), ...cells.map((text) => make("td", "", text)));
  return line;
};
