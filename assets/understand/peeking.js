// What happens to a bound when somebody looks while votes come in. It knows nothing about how that is drawn.
import { clamp } from "../page/dom.js";
import { chance } from "./chance.js";
import { betaTails, halve, logEvidence } from "./mathematics.js";

export const RUNS = 100;
export const LENGTH = 2000;
export const TRUTH = 0.5;

export const looksAt = (batch) => Array.from({ length: LENGTH / batch }, (_, i) => (i + 1) * batch);

// The fewest votes for which `isFalse(votes, total)`, or more than there are.
function fewest(total, isFalse) {
  let [low, high] = [Math.floor(total * TRUTH), total + 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (isFalse(middle, total)) high = middle;
    else low = middle;
  }
  return high;
}

// A bound is above the truth exactly where the votes are as many as this.
export function criticalCounts(looks, alpha) {
  const needed = 1e-8 - Math.log(alpha);
  const naive = (votes, total) => betaTails(TRUTH, votes, total - votes + 1)[0] < alpha;
  const anytime = (votes, total) => logEvidence(TRUTH, votes, total) >= needed;
  return { naive: looks.map((total) => fewest(total, naive)), anytime: looks.map((total) => fewest(total, anytime)) };
}

// The exact chance that a run is ever told something false: all ways that the votes can go, step by step.
export function everFalse(looks, critical) {
  const chances = new Float64Array(LENGTH + 2);
  chances[0] = 1;
  let wrong = 0;
  for (let total = 1, look = 0; total <= LENGTH; total += 1) {
    for (let votes = total; votes > 0; votes -= 1) chances[votes] = chances[votes] * (1 - TRUTH) + chances[votes - 1] * TRUTH;
    chances[0] *= 1 - TRUTH;
    if (total !== looks[look]) continue;
    for (let votes = critical[look]; votes <= total; votes += 1) {
      wrong += chances[votes];
      chances[votes] = 0;
    }
    look += 1;
  }
  return wrong;
}

export function castRuns(seed) {
  const draw = chance(seed * 7919);
  return Array.from({ length: RUNS }, () => {
    const counts = new Uint16Array(LENGTH + 1);
    for (let t = 1; t <= LENGTH; t += 1) counts[t] = counts[t - 1] + (draw() < TRUTH);
    return counts;
  });
}

// How far each bound lies below the share seen, in standard errors, at five counts a look: between them it is all but
// straight, so a hundred small lines need no hundred thousand roots.
export function boundTable(looks, alpha) {
  return looks.map((total) => {
    const spread = Math.sqrt(total) / 2;
    const at = [-3.5, -1.75, 0, 1.75, 3.5].map((step) => clamp(Math.round(total / 2 + step * spread), 1, total - 1));
    const gap = (bound, times) => at.map((votes) => votes / total - bound(votes, total, alpha, times));
    return { at, naive: gap(clopperPearsonQuick), anytime: gap(anytimeQuick) };
  });
}

const below = (votes, total) => Math.max(0, votes / total - 4 / Math.sqrt(total));
const clopperPearsonQuick = (votes, total, alpha) =>
  halve(below(votes, total), votes / total, (share) => betaTails(share, votes, total - votes + 1)[0] < alpha, 14);
const anytimeQuick = (votes, total, alpha) =>
  halve(below(votes, total), votes / total, (share) => logEvidence(share, votes, total) >= 1e-8 - Math.log(alpha), 14);

function between(xs, ys, x) {
  let i = 0;
  while (i < xs.length - 2 && x > xs[i + 1]) i += 1;
  const width = xs[i + 1] - xs[i];
  return width ? ys[i] + ((x - xs[i]) / width) * (ys[i + 1] - ys[i]) : ys[i];
}

// The first look at which the bound is false, or -1.
export const firstFalse = (counts, looks, critical) => looks.findIndex((total, i) => counts[total] >= critical[i]);

// What a viewer is told in one run, look by look.
export function toldIn(counts, look, kind) {
  return look.looks.map((total, i) => {
    const { at } = look.table[i];
    return [total, counts[total] / total - between(at, look.table[i][kind], counts[total])];
  });
}
