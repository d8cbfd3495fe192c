// The picture of the card on votes: share, bound, z and radius, each on its axis. It knows nothing about controls.
import { fill } from "../page/dom.js";
import { count } from "../page/words.js";
import { caption, cross, dot, hatched, hatching, line, near, path, rect, together } from "../page/svg.js";
import { normalQuantile, normalShare } from "./mathematics.js";
import { atLeast, floored, percent } from "./numbers.js";

export const LEAST_SHOWN = 0.25;
const Z_END = 4.2;
const BOUND = "ps-u-note ps-u-strong ps-u-halo";

// Where things stand in the picture, in pixels.
export function votesFrame({ width, height, narrow }) {
  const axis = Math.round(width * (narrow ? 0.36 : 0.4));
  const left = axis + (narrow ? 42 : 62);
  const [top, bottom, ruler] = [30, height - 148, height - 42];
  const right = width - 14;
  const shareY = (share) => bottom - ((Math.max(share, LEAST_SHOWN) - LEAST_SHOWN) / (1 - LEAST_SHOWN)) * (bottom - top);
  return {
    width, height, narrow, axis, left, right, top, bottom, ruler, start: 6, shareY, half: shareY(0.5),
    zX: (z) => left + (z / Z_END) * (right - left),
  };
}

// The running share after about every hundredth of the way, evenly in log votes.
function runningShares(draws, total, share, until) {
  const stops = 160;
  const points = [];
  for (let i = 0, t = 0, count = 0; i <= stops; i += 1) {
    const next = Math.round(total ** (i / stops));
    for (; t < next; t += 1) if (draws[t] < share) count += 1;
    points.push([t, count / t]);
    if (t >= until) break;
  }
  return points;
}

function drawGrid(frame, lower, said) {
  const { start, axis, left, right, top, bottom, half, shareY, zX, narrow } = frame;
  const nodes = [hatching("ps-u-votes-hatch"), hatched("ps-u-votes-hatch", start, half, axis - start, bottom - half)];
  for (const share of [0.25, 0.5, 0.75, 1]) {
    const y = shareY(share);
    nodes.push(line("ps-u-grid", start, y, axis, y));
    if (Math.abs(y - shareY(lower)) > 8) nodes.push(caption("ps-u-tick", (axis + left) / 2 + 3, y + 4, `${100 * share}${narrow ? "" : " %"}`, "middle"));
    if (share > 0.5) nodes.push(line("ps-u-grid", left, y, right, y));
  }
  nodes.push(line("ps-u-axis", axis, top - 6, axis, bottom), line("ps-u-axis", left, half, right, half), line("ps-u-half", start, half, axis, half));
  nodes.push(caption("ps-u-note", start, 14, said.votes_axis_share), caption("ps-u-note", right, half - 10, said.votes_axis_z, "end"));
  nodes.push(caption("ps-u-note ps-u-halo", start + (narrow ? 2 : 8), half + 22, said.votes_half));
  nodes.push(path("ps-u-curve", Array.from({ length: 90 }, (_, i) => (i / 89) * Z_END).map((z) => [zX(z), shareY(normalShare(z))])));
  return nodes;
}

// Each z on the upper axis goes to σ z on the ruler below: a bundle of lines that σ opens and closes.
function drawLens(frame, sigma, said) {
  const { left, right, half, ruler, zX, narrow } = frame;
  const nodes = [];
  for (let z = 0; z <= 4; z += 1) {
    nodes.push(caption("ps-u-tick", zX(z), half + 16, String(z), "middle"), line("ps-u-fan", zX(z), half + 22, zX(z * sigma), ruler - 12));
    nodes.push(line("ps-u-axis", zX(z), ruler + 12, zX(z), ruler + 16), caption("ps-u-tick", zX(z), ruler + 28, String(z), "middle"));
  }
  nodes.push(rect("ps-u-ruler", left, ruler - 12, right - left, 24));
  nodes.push(caption("ps-u-note ps-u-halo", right, ruler - 22, fill(said.votes_times, { sigma: sigma.toFixed(2) }), "end"));
  nodes.push(caption("ps-u-note", left - 8, ruler + 4, narrow ? said.votes_axis_radius.split(" ").pop() : said.votes_axis_radius, "end"));
  return nodes;
}

// Votes in their order, from the left: a column is filled by the share of its votes that are for the answer.
function drawVotes(frame, state, said) {
  const { start, axis, bottom, ruler } = frame;
  const [top, height] = [bottom + 34, ruler + 12 - bottom - 34];
  const nodes = [];
  const columns = Math.floor((axis - start) / 5);
  const ends = Array.from({ length: columns + 1 }, (_, i) => Math.floor(state.n ** (i / columns)));
  for (let i = 0, t = 0; i < columns; i += 1) {
    const end = i === columns - 1 ? state.n : Math.max(ends[i + 1], t + 1);
    let votes = 0;
    const [from, to] = [t, Math.min(end, state.n)];
    for (; t < to; t += 1) if (state.draws[t] < state.p) votes += 1;
    if (from >= state.until || from >= to) break;
    const filled = (height * votes) / (to - from);
    const x = start + i * ((axis - start) / columns);
    nodes.push(rect("ps-u-column-against", x, top, 3.6, height - filled), rect("ps-u-column-for", x, top + height - filled, 3.6, filled));
  }
  nodes.push(caption("ps-u-tick", start, bottom + 26, "1"));
  nodes.push(caption("ps-u-tick", axis, bottom + 26, fill(said.votes_count, { n: count(state.n) }), "end"));
  return [...nodes, ...drawVotesKey(frame, said)];
}

function drawVotesKey({ start, axis, ruler, narrow }, said) {
  const y = ruler + 28;
  const x = narrow ? start : axis - 112;
  const key = [rect("ps-u-column-for", x, y - 9, 8, 9), caption("ps-u-note", x + 13, y, said.votes_for)];
  key.push(rect("ps-u-column-against", x + 40, y - 9, 8, 9), caption("ps-u-note", x + 53, y, said.votes_against));
  return narrow ? key : [caption("ps-u-note", start, y, said.votes_axis_count), ...key];
}

function drawShare(frame, state, points) {
  const { start, axis, bottom, shareY } = frame;
  const x = (t) => start + (Math.log(t) / Math.log(state.n)) * (axis - start);
  const last = points[points.length - 1];
  const [lastX, lastY] = [x(last[0]), shareY(last[1])];
  return [
    line("ps-u-truth", start, shareY(state.p), axis, shareY(state.p)),
    path("ps-u-share", points.map(([t, share]) => [x(t), Math.min(bottom, shareY(share))])),
    dot("ps-u-dot", lastX, lastY, 3.5),
  ];
}

// The way of the bound: along its share to the curve, down to z, through the lens to the ruler.
function drawWay(frame, state, said) {
  const { axis, left, narrow, shareY } = frame;
  const y = shareY(state.lower);
  const certified = state.lower > 0.5;
  const label = fill(said[certified || narrow ? "votes_bound" : "votes_no_bound"], { lower: atLeast(state.lower) });
  const nodes = [dot("ps-u-dot-accent", axis, y, 4.5)];
  if (certified) return [together("ps-u-provisional", [...nodes, ...drawReach(frame, state, said), caption(BOUND, left + 8, y - 8 < frame.top + 12 ? y + 18 : y - 8, label)])];
  nodes.push(line("ps-u-way", axis, y, left + 10, y), cross("ps-u-cross", left + 18, y, 5), caption(BOUND, left + 32, y + 4.5, label));
  return [together("ps-u-provisional", nodes)];
}

function drawReach({ axis, left, right, half, ruler, shareY, zX }, { lower, radius }, said) {
  const [y, x, end] = [shareY(lower), zX(normalQuantile(lower)), zX(radius)];
  const beside = end + 90 < right;
  return [
    path("ps-u-way", `M${axis} ${near(y)}H${near(x)}V${near(half + 22)}L${near(end)} ${ruler - 12}`),
    rect("ps-u-reach", left, ruler - 12, end - left, 24), line("ps-u-reach-end", end, ruler - 14, end, ruler + 14),
    dot("ps-u-dot-accent", x, y, 4.5), dot("ps-u-dot-accent", x, half, 3.5),
    caption(BOUND, end + (beside ? 9 : -9), ruler + 5, fill(said.votes_radius, { radius: floored(radius, 3) }), beside ? "start" : "end"),
  ];
}

function drawTruth(frame, state, said) {
  const y = frame.shareY(state.p);
  const words = frame.narrow ? percent(state.p) : fill(said.votes_truth, { p: percent(state.p) });
  return [caption("ps-u-note ps-u-halo", frame.axis - 14, state.p > 0.6 ? y + 36 : y - 24, words, "end")];
}

export function drawVotesPicture(svg, frame, state, said) {
  const points = runningShares(state.draws, state.n, state.p, state.until);
  svg.replaceChildren(
    ...drawGrid(frame, state.lower, said), ...drawLens(frame, state.sigma, said), ...drawVotes(frame, state, said),
    ...drawShare(frame, state, points), ...drawWay(frame, state, said), ...drawTruth(frame, state, said),
  );
}
