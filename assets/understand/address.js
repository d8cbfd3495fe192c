// What the address says of a card, by names such as votes-p, so that a link restores it: whatever is not as the view opens.
// It knows nothing about any card: each brings what its sliders stand for.
import { keep } from "../page/address.js";
import { clamp } from "../page/dom.js";
import { FIRST_SEED, MOST_SEEDS } from "./chance.js";

export const unless = (usual, value) => (value === usual ? null : value);

// A slider whose steps are not numbers of its matter is written as what it stands for.
export const listed = (values) => ({ tell: (step) => values[step], step: (value) => nearest(values, value) });

function nearest(values, wanted) {
  const away = (value) => Math.abs(Math.log(value / wanted));
  return values.reduce((best, value, step) => (away(value) < away(values[best]) ? step : best), 0);
}

// A number of the address, moved within its ends; null where there is none that could be read.
export function asked(card, key, low, high) {
  const text = new URLSearchParams(location.search).get(`${card.name}-${key}`);
  const value = text ? Number(text) : NaN;
  return Number.isFinite(value) ? clamp(value, low, high) : null;
}

export const askedSeed = (card) => Math.round(asked(card, "seed", FIRST_SEED, MOST_SEEDS) ?? FIRST_SEED);

// A slider keeps what it is set to within its ends and on its steps by itself.
export function recall(card) {
  for (const key in card.inputs) {
    const meaning = card.meanings[key];
    const value = meaning ? asked(card, key, 1e-9, 1e9) : asked(card, key, -Infinity, Infinity);
    if (value !== null) card.inputs[key].value = meaning ? meaning.step(value) : value;
  }
}

function standing(card) {
  const changes = {};
  for (const [key, input] of Object.entries(card.inputs)) {
    const meaning = card.meanings[key];
    changes[key] = input.value === input.defaultValue ? null : meaning ? meaning.tell(input.value) : input.value;
  }
  return changes;
}

// Written once a control rests: browsers refuse an address that changes many times a second.
export function keeper(card) {
  let waiting = 0;
  return (more) => {
    clearTimeout(waiting);
    const changes = Object.entries({ ...standing(card), ...more }).map(([key, value]) => [`${card.name}-${key}`, value]);
    waiting = setTimeout(() => keep(Object.fromEntries(changes)), 300);
  };
}
