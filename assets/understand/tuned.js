// The fourth card: a prompt tuned to one scan, frozen or tuned again. It knows nothing about how a prompt is tuned.
import { clamp, fill, one, setText } from "../page/dom.js";
import { caption, cross, dot, hatched, hatching, line, near, path, rect, shape, sized } from "../page/svg.js";
import { cardOf, drawnBy, onInput, spoken } from "./card.js";
import { ease, move, whenSeen } from "./motion.js";
import { floored, raised, signed } from "./numbers.js";
import { draggable } from "./pointer.js";
import { RATE, answersA, tuned } from "./tuning.js";

function lineFrame(svg) {
  const { width, height } = sized(svg);
  return { width, height, top: 22, bottom: height - 20, x: (value) => width / 2 + value * (width / 2 - 12) };
}

function drawLine(svg, row, state, said) {
  const frame = lineFrame(svg);
  const { width, top, bottom, x } = frame;
  const border = clamp(x(-row.b), 0, width);
  const nodes = [
    hatching(`ps-u-tuned-${row.name}`), hatched(`ps-u-tuned-${row.name}`, 0, top, border, bottom - top),
    rect("ps-u-region-a", border, top, width - border, bottom - top), line("ps-u-border", border, top, border, bottom),
    caption("ps-u-note ps-u-strong", width - 10, (top + bottom) / 2 + 5, said.tuned_a, "end"),
    caption("ps-u-note ps-u-strong-slate ps-u-halo", 10, (top + bottom) / 2 + 5, said.tuned_b),
  ];
  for (let tick = -1; tick <= 1; tick += 0.5) nodes.push(caption("ps-u-tick", clamp(x(tick), 12, width - 12), bottom + 15, signed(tick, 1), "middle"));
  svg.replaceChildren(...nodes, ...drawClaim(frame, row, state, said), ...drawScans(frame, row, state));
}

function drawClaim({ x, top, width }, row, state, said) {
  const [from, to] = [x(state.scan - row.radius), x(state.scan + row.radius)];
  const y = top - 7;
  const className = row.name === "again" ? "ps-u-claim ps-u-broken" : "ps-u-claim";
  const label = caption("ps-u-note ps-u-strong ps-u-halo", clamp(to + 8, 0, width - 64), y + 4, fill(said.tuned_reach, { radius: floored(row.radius, 3) }));
  return [path(className, `M${near(from)} ${y + 5}V${y}H${near(to)}V${y + 5}`), label];
}

function drawScans({ x, top, bottom }, row, state) {
  const middle = (top + bottom) / 2;
  const right = answersA(state.altered, row.b);
  const nodes = [dot("ps-u-scan", x(state.scan), middle, 5.5)];
  if (row.name === "again" && !right && Math.abs(state.altered - state.scan) < row.radius) nodes.push(cross("ps-u-cross", x(state.altered), middle, 5));
  else nodes.push(shape("rect", "ps-u-altered", { x: x(state.altered) - 4.5, y: middle - 4.5, width: 9, height: 9, transform: `rotate(45 ${x(state.altered)} ${middle})` }));
  return nodes;
}

export function tunedPiece(root, said) {
  const card = cardOf(root, said, "tuned");
  const lines = [...card.node.querySelectorAll(".ps-u-line")];
  const state = { scan: card.value("scan"), altered: card.value("scan") };
  const ask = drawnBy(card, draw);
  let stop = null;

  // The radius is exact for the frozen prompt: σ Φ⁻¹(Φ(|x + b| / σ)) = |x + b|, with an unlimited number of votes.
  function rows() {
    const steps = card.value("steps");
    const frozen = tuned(state.scan, steps);
    const radius = state.scan + frozen;
    return { hand: { b: 0, radius: state.scan }, frozen: { b: frozen, radius }, again: { b: tuned(state.altered, steps), radius } };
  }

  function sentence(row) {
    const away = Math.abs(state.altered - state.scan);
    const [inside, kept] = [away < row.radius, answersA(state.altered, row.b)];
    const key = inside ? (kept ? "tuned_holds" : "tuned_broken") : "tuned_outside";
    return [key.slice(6), card.tell(key, { distance: inside ? floored(away, 3) : raised(away, 3), name: kept ? said.tuned_a : said.tuned_b })];
  }

  function draw() {
    const all = rows();
    const told = lines.map((node) => {
      const row = { name: node.dataset.row, ...all[node.dataset.row] };
      drawLine(one(node, "svg"), row, state, said);
      const [outcome, text] = sentence(row);
      node.dataset.outcome = outcome;
      setText(one(node, "p"), text);
      return `${one(node, "h3").firstChild.textContent.trim()}: ${text}`;
    });
    card.announce(told.join(" "));
    card.show("radius", floored(all.frozen.radius, 3));
    card.show("truth", card.tell("tuned_truth", { distance: floored(state.scan, 3) }));
    Object.assign(card.node.dataset, { radius: all.frozen.radius });
  }

  function labels() {
    for (const key of ["scan", "altered"]) card.label(key, card.tell("tuned_place", { x: signed(card.value(key), 3) }));
    card.label("steps", card.tell("tuned_steps", { steps: card.value("steps"), rate: RATE }));
  }

  for (const node of lines) {
    const svg = one(node, "svg");
    draggable(svg, svg, (x) => {
      const { width } = lineFrame(svg);
      card.set("altered", clamp((x - width / 2) / (width / 2 - 12), -1, 1));
    });
  }
  onInput(card, () => {
    if (stop) stop();
    [state.scan, state.altered] = [card.value("scan"), card.value("altered")];
    labels();
    card.keep({});
    ask();
  });
  spoken(labels, ask);
  whenSeen(card.node, () => {
    const [from, to] = [card.value("scan"), card.value("altered")];
    stop = move(2400, (share) => {
      state.altered = from + (to - from) * ease(share);
      ask();
    });
  });
}
