// The axis of distances: the certified stretch, what falls where, two curves above it, and a hand that goes from crop to
// crop. It knows nothing about pictures.
import { clamp, one, setText } from "./dom.js";
import { CLEAR, FONT, colours, plot } from "./plotly.js";
import { decimal } from "./words.js";

const MARGIN = { l: 52, r: 14, t: 56, b: 64 };
const HEIGHT = { screen: 264, paper: 206 };
const LINE = 17; // of the words above the curves

// How far the axis goes: a little beyond what stands on it.
function endOf({ marked, waypoints }) {
  const furthest = Math.max(marked.reach, marked.falls_at || 0, marked.turns_at || 0, waypoints.at(-1).distance);
  return 1.08 * furthest || 1;
}

function curve(waypoints, key, look, style) {
  const asked = waypoints.filter((waypoint) => waypoint[key] !== null);
  return { type: "scatter", mode: "lines+markers", x: asked.map((waypoint) => waypoint.distance), y: asked.map((waypoint) => waypoint[key]), hoverinfo: "skip", cliponaxis: false, ...style };
}

function traces(waypoints, look) {
  const edge = { mode: "lines", line: { width: 0 } };
  return [
    curve(waypoints, "low", look, edge),
    curve(waypoints, "high", look, { ...edge, fill: "tonexty", fillcolor: `${look.accent}33` }),
    curve(waypoints, "votes_share", look, { line: { color: look.accent, width: 2.5 }, marker: { color: look.accent, size: 7 } }),
    curve(waypoints, "probability", look, { line: { color: look.ink, width: 2.5, dash: "6px,4px" }, marker: { color: look.ink, size: 7, symbol: "square" } }),
  ];
}

function shapes(marked, look) {
  const upright = (at, color, width, dash) => ({ type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1, line: { color, width, dash } });
  const drawn = [];
  if (marked.reach) {
    drawn.push({ type: "rect", xref: "x", yref: "paper", x0: 0, x1: marked.reach, y0: 0, y1: 1, fillcolor: look.soft, opacity: 0.8, line: { width: 0 }, layer: "below" });
    drawn.push(upright(marked.reach, look.accent, 2.5, marked.is_frozen ? "dash" : "solid"));
  }
  if (marked.falls_at !== null) drawn.push(upright(marked.falls_at, look.ink, 1.5, "5px,4px"));
  if (marked.turns_at !== null) drawn.push(upright(marked.turns_at, look.wrong, 2, "solid"));
  return drawn;
}

export function mountAxis(box, words, look) {
  const [node, hand] = [one(box, ".ps-attack-plot"), one(box, ".ps-attack-hand")];
  let value = null;
  let waiting = 0;

  const leftOf = (distance) => MARGIN.l + ((node.clientWidth - MARGIN.l - MARGIN.r) * distance) / endOf(value);

  function draw(next) {
    value = next;
    clearTimeout(waiting);
    if (!node.clientWidth) return;
    if (!window.Plotly) return void (waiting = setTimeout(() => box.isConnected && draw(value), 200));
    const ink = colours();
    const axis = { gridcolor: ink.grid, zeroline: false, fixedrange: true, tickfont: { size: 11.5, color: ink.faint } };
    const layout = {
      width: node.clientWidth, height: HEIGHT[box.closest(".ps-attack-printing") ? "paper" : "screen"], margin: MARGIN, ...CLEAR, showlegend: false, hovermode: false, dragmode: false, font: { family: FONT, size: 12.5, color: ink.ink },
      separators: decimal(".") === "," ? ",\u202f" : ".,", shapes: shapes(value.marked, ink),
      xaxis: { ...axis, range: [0, endOf(value)], title: { text: words.attack_distance, standoff: 22, font: { size: 12, color: ink.faint } } },
      yaxis: { ...axis, range: [0, 1.03], ticks: "outside", ticklen: 7, tickcolor: "transparent", tickvals: [0, 0.5, 1], ticktext: ["0", "50 %", "100 %"] },
    };
    plot(node, traces(value.waypoints, ink), layout, { displayModeBar: false, responsive: false, staticPlot: true });
    writeNotes();
    stand(Number(hand.getAttribute("aria-valuenow")));
  }

  // Each in a line of its own, so that none covers another however near they stand.
  function writeNotes() {
    const { marked } = value;
    const frozen = marked.is_frozen ? `, ${words.attack_frozen}` : "";
    note(0, marked.reach || null, `${words.attack_certified} ${marked.reach_text}${frozen}`);
    note(1, marked.falls_at, `${words.attack_falls} ${marked.falls_text}`);
    note(2, marked.turns_at, `${words.attack_turns} ${marked.turns_text}`);
  }

  function note(line, distance, text) {
    const span = box.querySelectorAll(".ps-attack-notes span")[line];
    setText(span, distance === null ? "" : text);
    if (distance === null) return;
    span.style.top = `${line * LINE}px`;
    span.style.left = `${clamp(leftOf(distance) - span.offsetWidth / 2, 0, node.clientWidth - span.offsetWidth)}px`;
  }

  function stand(number) {
    const at = value.waypoints[clamp(number, 0, value.waypoints.length - 1)];
    hand.style.left = `${leftOf(at.distance)}px`;
    setText(one(hand, "output"), at.distance_text);
    const said = [`${words.attack_distance} ${at.distance_text}`, `${words.attack_plain}: ${at.named || words.attack_unasked}`, `${words.attack_votes}: ${at.voted || words.attack_unasked}`];
    for (const [name, content] of [["valuenow", number], ["valuemax", value.waypoints.length - 1], ["valuetext", said.join(" · ")]]) hand.setAttribute(`aria-${name}`, content);
  }

  function drag(event) {
    const x = event.clientX - node.getBoundingClientRect().left;
    const apart = value.waypoints.map((one) => Math.abs(leftOf(one.distance) - x));
    look(apart.indexOf(Math.min(...apart)), true);
  }

  box.addEventListener("pointerdown", (event) => {
    box.setPointerCapture(event.pointerId);
    hand.focus({ preventScroll: true });
    drag(event);
    event.preventDefault();
  });
  box.addEventListener("pointermove", (event) => box.hasPointerCapture(event.pointerId) && drag(event));
  hand.addEventListener("keydown", (event) => {
    const [now, last] = [Number(hand.getAttribute("aria-valuenow")), value.waypoints.length - 1];
    const next = { ArrowRight: now + 1, ArrowUp: now + 1, ArrowLeft: now - 1, ArrowDown: now - 1, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    look(clamp(next, 0, last), true);
  });
  return { draw, point: stand };
}
