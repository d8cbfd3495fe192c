// The chart of votes: Plotly draws bars, bounds and axis; words and numbers lie over it as plain text. It knows nothing
// about statistics.
import { clamp, make, setText } from "./dom.js";
import { CLEAR, FONT, colours, escape, hoverLabel, plot } from "./plotly.js";
import { count } from "./words.js";

const TOP = 22;
const BOTTOM = 44;
const NARROW = 460;
const paper = document.createElement("canvas").getContext("2d");
const widthOf = (text, weight = 400, size = 13) => {
  paper.font = `${weight} ${size}px ${FONT}`;
  return Math.ceil(paper.measureText(text).width);
};

// Where things stand, in pixels; `row` is the height of one class.
function frameOf(data, node, { room, least }) {
  const rows = data.labels.length;
  const whole = node.clientWidth;
  const narrow = whole < NARROW;
  const names = Math.min(narrow ? 0.34 * whole : 180, Math.max(40, ...data.labels.map((label) => widthOf(label, 650))));
  const left = names + 12;
  const right = widthOf(count(data.most), 650) + 16;
  const row = clamp(room / (rows + 0.7), narrow ? 36 : least, 64);
  return {
    rows, narrow, left, right, row, width: whole - left - right,
    height: Math.round(TOP + row * (rows + 0.7) + BOTTOM),
  };
}

function bars(data, rows, frame, marker) {
  return {
    type: "bar", orientation: "h", marker,
    x: rows.map((row) => data.shares[row]), y: rows,
    width: Math.min(0.52, 27 / frame.row),
    text: rows.map((row) => `${escape(data.labels[row])}: ${count(data.counts[row])}`),
    textposition: "none", hovertemplate: "%{text} · %{x:.1%}<extra></extra>",
  };
}

function traces(data, frame, look) {
  const rows = data.labels.map((_, row) => row);
  const outlines = bars(data, rows, frame, { color: "rgba(0,0,0,0)", line: { color: look.edge, width: 1 } });
  const hatch = { shape: "/", fgcolor: look.card, fgopacity: 0.3, size: 7, solidity: 0.28, fillmode: "overlay" };
  const first = data.chosen ? 1 : 0;
  return [
    { ...outlines, x: data.selection_shares.map((share) => share || null), width: outlines.width + 0.2, hoverinfo: "skip", hovertemplate: null },
    bars(data, rows.slice(first), frame, { color: look.bar }),
    bars(data, rows.slice(0, first), frame, { color: look.accent, pattern: hatch }),
  ];
}

function shapes(data, look) {
  if (!data.chosen || !data.total) return [];
  const upright = { xref: "x", yref: "paper", y0: 0, y1: 1 };
  const line = (at, style) => ({ ...upright, type: "line", x0: at, x1: at, line: style });
  const bounds = [
    line(data.upper, { color: look.ink, width: 1.5, dash: "5px,4px" }),
    line(data.lower, { color: look.accent, width: 2.5 }),
  ];
  const gap = { ...upright, type: "rect", x0: data.upper, x1: data.lower, layer: "below", fillcolor: look.soft, opacity: 0.8, line: { width: 0 } };
  return data.certified ? [gap, ...bounds] : bounds;
}

function layout(data, frame, look) {
  return {
    width: frame.left + frame.width + frame.right, height: frame.height,
    margin: { l: frame.left, r: frame.right, t: TOP, b: BOTTOM },
    barmode: "overlay", barcornerradius: 3, showlegend: false, uirevision: "votes", dragmode: false, hovermode: "closest",
    ...CLEAR,
    hoverlabel: hoverLabel(look),
    xaxis: {
      range: [0, 1], fixedrange: true, tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0", "25", "50", "75", "100 %"],
      gridcolor: look.grid, zeroline: false, ticklen: 0, tickfont: { family: FONT, size: 11.5, color: look.faint },
    },
    yaxis: { range: [frame.rows + 0.2, -0.5], fixedrange: true, showticklabels: false, showgrid: false, zeroline: false },
    shapes: shapes(data, look),
  };
}

function drawPlot(node, data, frame) {
  if (!window.Plotly) return false;
  const usual = colours();
  const look = data.wrong ? { ...usual, accent: usual.wrong, soft: usual["wrong-soft"] } : usual;
  const config = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false };
  plot(node, traces(data, frame, look), layout(data, frame, look), config);
  return true;
}

function writeRows(box, data, frame) {
  while (box.children.length > 2 * frame.rows) box.lastChild.remove();
  while (box.children.length < 2 * frame.rows) box.append(make("span"), make("span"));
  data.labels.forEach((label, row) => {
    const [name, number] = [box.children[2 * row], box.children[2 * row + 1]];
    const leads = data.chosen && row === 0 ? " ps-leads" : "";
    name.className = `ps-name${leads}`;
    number.className = `ps-count${leads}`;
    setText(name, label);
    setText(number, count(data.counts[row]));
    const middle = TOP + (row + 0.5) * frame.row;
    name.style.top = number.style.top = `${middle}px`;
    name.style.width = `${frame.left - 10}px`;
  });
}

// Measured on paper: the page need not be laid out in the middle of a step.
function writeNote(node, text, share, top, frame, room = Infinity) {
  setText(node, text);
  const half = Math.min(room, widthOf(text, 600, 12.5)) / 2;
  const whole = frame.left + frame.width + frame.right;
  node.style.left = `${clamp(frame.left + share * frame.width, half, whole - half)}px`;
  if (top !== null) node.style.top = `${top}px`;
}

function writeNotes(box, data, frame) {
  const [least, most, between] = box.children;
  box.hidden = !data.chosen || !data.total;
  if (box.hidden) return;
  const floor = frame.height - BOTTOM;
  writeNote(least, data.at_least, data.lower, 1, frame);
  writeNote(most, data.at_most, data.upper, floor + 20, frame);
  const room = data.certified ? (data.lower - data.upper) * frame.width - 10 : frame.width;
  between.style.maxWidth = `${Math.max(0, room)}px`;
  between.style.visibility = room < 64 ? "hidden" : "";
  const middle = data.certified ? (data.lower + data.upper) / 2 : 0.5;
  writeNote(between, data.between || "", middle, null, frame, Math.max(0, room));
  between.style.bottom = `${BOTTOM + 6}px`;
}

const ROOMY = { room: 262, least: 27 };
export const COMPACT = { room: 174, least: 20 };

// True once Plotly is there and has drawn.
export function drawChart(chart, data, room = ROOMY) {
  if (!chart.clientWidth) return false;
  const [plot, rows, notes] = chart.children;
  const frame = frameOf(data, chart, room);
  chart.style.height = `${frame.height}px`;
  chart.classList.toggle("ps-narrow", frame.narrow);
  writeRows(rows, data, frame);
  writeNotes(notes, data, frame);
  return drawPlot(plot, data, frame);
}

export function fillTable(body, data) {
  while (body.rows.length > data.labels.length) body.deleteRow(-1);
  data.labels.forEach((label, index) => {
    const row = body.rows[index] || body.insertRow();
    if (!row.cells.length) {
      const head = make("th");
      head.scope = "row";
      row.append(head, make("td"), make("td"));
    }
    [label, data.selection[index], data.counts[index]].forEach((text, cell) => setText(row.cells[cell], String(text)));
  });
}
