// The second card: a ragged boundary in the plane, smoothed, and the ball around a point that it cannot enter. It knows
// nothing about votes.
import { clamp, one, setText } from "../page/dom.js";
import { caption, dot, hatched, hatching, line, near, path, shape, sized, trace } from "../page/svg.js";
import { asked, unless } from "./address.js";
import { ISLANDS, PLANE, halfLines, nearestPiece, ragged, saysA, shareAt, smoothedShares } from "./boundary.js";
import { cardOf, drawnBy, ghost, onInput, spoken } from "./card.js";
import { bellPairs } from "./chance.js";
import { certifiedRadius } from "./mathematics.js";
import { ease, move, whenSeen } from "./motion.js";
import { atLeast, floored } from "./numbers.js";
import { draggable, place, placeIn } from "./pointer.js";

function groundOf(width, height) {
  const points = Array.from({ length: Math.ceil(width / 2) + 2 }, (_, i) => [2 * i, height * (1 - ragged((2 * i) / height))]);
  const holes = ISLANDS.map(({ x, y, rx, ry }) => {
    const [cx, cy, a, b] = [x, 1 - y, rx, ry].map((value) => near(value * height));
    return `M${near(cx - a)} ${cy}a${a} ${b} 0 1 0 ${2 * a} 0a${a} ${b} 0 1 0 ${-2 * a} 0z`;
  });
  return { area: `${trace(points)}V${height}H0z${holes.join("")}`, edge: trace(points) + holes.join("") };
}

const cloud = bellPairs(260, 7);

function drawCloud(state, height) {
  return cloud.map(([a, b]) => {
    const [x, y] = [state.x + a * state.sigma, state.y + b * state.sigma];
    return dot(saysA(x, y) ? "ps-u-for" : "ps-u-against", x * height, (1 - y) * height, 2.6);
  });
}

const POINT = { x: 0.62, y: 0.3 };
// As fine as the address writes it, so that a link brings back this very point.
const onGrid = (value) => Math.round(value * 1e4) / 1e4;

export function planePiece(root, said) {
  const card = cardOf(root, said, "plane");
  const picture = one(card.node, ".ps-u-picture");
  const [svg, knob] = [one(picture, "svg"), one(picture, ".ps-u-knob")];
  const start = { x: asked(card, "x", 0, PLANE.right - 1) ?? POINT.x, y: asked(card, "y", 0, 1) ?? POINT.y };
  const state = { ...start, sigma: card.value("sigma"), shown: "", pieces: [] };
  const ask = drawnBy(card, draw);
  let stop = null;

  function smooth(width, height) {
    const asked = `${state.sigma} ${width} ${height}`;
    if (state.shown === asked) return;
    state.shown = asked;
    state.pieces = halfLines(smoothedShares(state.sigma, width / height));
  }

  function read() {
    const share = shareAt(state.x, state.y, state.sigma);
    state.name = share >= 0.5 ? said.plane_a : said.plane_b;
    state.share = Math.max(share, 1 - share);
    state.radius = certifiedRadius(state.share, state.sigma);
    state.nearest = nearestPiece(state.pieces, state.x, state.y);
  }

  function tell() {
    const distance = state.nearest.distance;
    const text = card.tell(distance < Infinity ? "plane_certified" : "plane_far", {
      share: atLeast(state.share), name: state.name, radius: floored(state.radius, 3), distance: floored(distance, 3),
      plain: saysA(state.x, state.y) ? said.plane_a : said.plane_b,
    });
    setText(one(card.node, ".ps-u-said"), text);
    card.announce(text);
    card.show("radius", floored(state.radius, 3));
    Object.assign(card.node.dataset, { radius: state.radius, distance, x: state.x, y: state.y });
  }

  function draw() {
    const { width, height } = sized(svg);
    state.x = clamp(state.x, 0, width / height);
    smooth(width, height);
    read();
    tell();
    const ground = groundOf(width, height);
    const smoothed = state.pieces.map((piece) => piece.map((value, i) => near(i % 2 ? (1 - value) * height : value * height)));
    svg.replaceChildren(
      hatching("ps-u-plane-hatch"), hatched("ps-u-plane-hatch", 0, 0, width, height),
      shape("path", "ps-u-region-a", { d: ground.area, "fill-rule": "evenodd" }), path("ps-u-plain", ground.edge),
      ...drawCloud(state, height), ...drawBall(height),
      path("ps-u-smooth", smoothed.map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`).join("")),
      caption("ps-u-note ps-u-strong ps-u-halo", 14, height - 14, said.plane_region_a),
      caption("ps-u-note ps-u-strong-slate ps-u-halo", 14, 24, said.plane_region_b),
    );
    place(knob, state.x * height, (1 - state.y) * height);
    state.size = { width, height };
  }

  function drawBall(height) {
    const [x, y] = [state.x * height, (1 - state.y) * height];
    const nodes = [shape("circle", "ps-u-ball", { cx: x, cy: y, r: state.radius * height })];
    if (state.nearest.distance < Infinity) nodes.unshift(line("ps-u-gap", x, y, state.nearest.x * height, (1 - state.nearest.y) * height));
    return nodes;
  }

  function labels() {
    card.label("sigma", card.value("sigma").toFixed(3));
  }

  function goTo(x, y) {
    const { width, height } = state.size;
    [state.x, state.y] = [onGrid(clamp(x, 0, width / height)), onGrid(clamp(y, 0, 1))];
    keep();
    ask();
  }

  const keep = () => card.keep({ x: unless(POINT.x, state.x), y: unless(POINT.y, state.y) });

  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  knob.addEventListener("keydown", (event) => {
    const way = KEYS[event.key];
    if (!way) return;
    event.preventDefault();
    const step = event.shiftKey ? 0.1 : 0.02;
    goTo(state.x + way[0] * step, state.y + way[1] * step);
  });
  const toPoint = (x, y) => goTo(x / state.size.height, 1 - y / state.size.height);
  draggable(knob, picture, toPoint);
  svg.addEventListener("click", (event) => toPoint(...placeIn(svg, event)));
  onInput(card, () => {
    if (stop) stop();
    state.sigma = card.value("sigma");
    labels();
    keep();
    ask();
  });
  spoken(() => {
    ghost(card, "plane_far", { share: "88.8 %", name: "A", radius: "0.888", plain: "B" });
    labels();
  }, ask);
  whenSeen(card.node, () => {
    const end = card.value("sigma");
    stop = move(1800, (share) => {
      state.sigma = share === 1 ? end : 0.02 + (end - 0.02) * ease(share);
      ask();
    });
  });
}
