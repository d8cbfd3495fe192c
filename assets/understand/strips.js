// Draws runs: one large, and a hundred small. It knows nothing about how their bounds were made.
import { clamp } from "../page/dom.js";
import { count } from "../page/words.js";
import { caption, cross, dot, line, path, rect, shape, sized } from "../page/svg.js";
import { LENGTH, RUNS, TRUTH, toldIn } from "./peeking.js";

const SHOWN = { low: 0.3, high: 0.62, first: 10 };

function stripScale(x, y, width, height) {
  const span = Math.log(LENGTH / SHOWN.first);
  return {
    x: (total) => x + (Math.log(Math.max(total, SHOWN.first) / SHOWN.first) / span) * width,
    y: (share) => y + ((SHOWN.high - clamp(share, SHOWN.low, SHOWN.high)) / (SHOWN.high - SHOWN.low)) * height,
  };
}

const scaled = (points, scale) => points.map(([total, share]) => [scale.x(total), scale.y(share)]);

export function drawLarge(svg, look, index, said) {
  const { width, height, narrow } = sized(svg);
  const [left, right, top, bottom] = [42, width - 8, 8, height - 34];
  const scale = stripScale(left, top, right - left, bottom - top);
  const nodes = [];
  for (const share of [0.3, 0.4, 0.5, 0.6]) {
    nodes.push(line("ps-u-grid", left, scale.y(share), right, scale.y(share)), caption(share === TRUTH ? "ps-u-tick ps-u-truth-tick" : "ps-u-tick", left - 6, scale.y(share) + 4, `${100 * share} %`, "end"));
  }
  for (const total of narrow ? [10, 100, 2000] : [10, 30, 100, 300, 1000, 2000]) {
    nodes.push(caption("ps-u-tick", clamp(scale.x(total), left + 8, right - 14), bottom + 15, count(total), "middle"));
  }
  nodes.push(caption("ps-u-tick", (left + right) / 2, bottom + 30, said.looks_axis, "middle"));
  const counts = look.runs[index];
  const shares = Array.from({ length: 200 }, (_, i) => Math.round(SHOWN.first * (LENGTH / SHOWN.first) ** (i / 199)));
  nodes.push(path("ps-u-share", scaled(shares.map((total) => [total, counts[total] / total]), scale)));
  nodes.push(line("ps-u-truth-line", left, scale.y(TRUTH), right, scale.y(TRUTH)));
  nodes.push(...drawTold(look, index, scale, 6));
  svg.replaceChildren(...nodes, ...drawFlag(look, index, scale, said, right));
}

function drawFlag(look, index, scale, said, right) {
  const first = look.wrong.naive[index];
  if (first < 0) return [];
  const x = scale.x(look.looks[first]);
  const end = x + 90 > right;
  return [caption("ps-u-note ps-u-strong-slate ps-u-halo", end ? x - 10 : x - 4, scale.y(TRUTH) - 22, said.looks_wrong, end ? "end" : "start")];
}

function drawTold(look, index, scale, mark) {
  const counts = look.runs[index];
  const nodes = [path("ps-u-naive", scaled(toldIn(counts, look, "naive"), scale)), path("ps-u-anytime", scaled(toldIn(counts, look, "anytime"), scale))];
  if (look.looks.length === 1) {
    nodes.push(...["naive", "anytime"].map((kind) => dot(`ps-u-only-${kind}`, ...scaled(toldIn(counts, look, kind), scale)[0], mark / 2)));
  }
  const [naive, anytime] = [look.wrong.naive[index], look.wrong.anytime[index]];
  if (naive >= 0) nodes.push(cross("ps-u-cross", scale.x(look.looks[naive]), scale.y(TRUTH) - mark - 1, mark));
  if (anytime >= 0) nodes.push(dot("ps-u-stain", scale.x(look.looks[anytime]), scale.y(TRUTH) + mark + 2, mark));
  return nodes;
}

// Where a run has its small picture.
export function stripBox(index, { width, height, narrow }) {
  const columns = narrow ? 10 : 20;
  const [wide, high] = [width / columns, height / (RUNS / columns)];
  return { x: (index % columns) * wide + 2, y: Math.floor(index / columns) * high + 2, width: wide - 4, height: high - 4, columns };
}

export function drawStrip(look, index, size) {
  const box = stripBox(index, size);
  const scale = stripScale(box.x, box.y, box.width, box.height);
  const wrong = look.wrong.naive[index] >= 0;
  const strip = shape("g", `ps-u-strip${wrong ? " ps-u-wrong" : ""}`);
  strip.append(rect("ps-u-cell", box.x, box.y, box.width, box.height));
  strip.append(line("ps-u-truth-line", box.x, scale.y(TRUTH), box.x + box.width, scale.y(TRUTH)));
  strip.append(...drawTold(look, index, scale, 3));
  return strip;
}
