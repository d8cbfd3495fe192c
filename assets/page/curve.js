// Certified radius against noise level, a curve a method; and the same as a table. It knows nothing about statistics.
import { make, one } from "./dom.js";
import { CLEAR, FONT, colours, escape, hoverLabel } from "./plotly.js";

const DASHES = ["solid", "8px,3px", "12px,3px,3px,3px"];
const MARKS = ["circle", "square", "diamond", "triangle-up", "x"];

function curveTraces(curve, look) {
  const seen = { unconditional: 0, frozen_prompt: 0 };
  return curve.series.map((series) => {
    const place = seen[series.kind]++;
    const frozen = series.kind === "frozen_prompt";
    const ink = frozen ? look.bar : [look.accent, look.ink, look.edge, look.faint, look.accent][place % 5];
    return {
      type: "scatter", mode: "lines+markers", name: escape(series.name), legendgroup: series.kind, connectgaps: true,
      legendgrouptitle: place ? undefined : { text: frozen ? curve.frozen : curve.plain },
      x: curve.levels, y: series.radii.map((radius) => radius || 0),
      line: { color: ink, width: frozen ? 1.5 : 2, dash: frozen ? "dot" : DASHES[place % 3] },
      marker: { color: ink, symbol: MARKS[place % 5] + (frozen ? "-open" : ""), size: curve.other.map((other) => (other ? 5 : 10)) },
      text: series.hovers, hovertemplate: "%{text}<extra>%{fullData.name}</extra>",
    };
  });
}

export function drawCurve(card, value, words) {
  card.hidden = false;
  const plot = one(card, ".ps-curve");
  if (!window.Plotly || !plot.clientWidth) return false;
  const look = colours();
  const [plain, frozen] = value.groups.map((group) => group.title);
  const axis = { gridcolor: look.grid, zeroline: false, tickfont: { size: 11.5, color: look.faint }, fixedrange: true };
  const wide = plot.clientWidth > 620;
  const layout = {
    width: plot.clientWidth, height: wide ? 300 : 420, margin: { l: 44, r: 12, t: 8, b: 40 }, uirevision: "compare",
    ...CLEAR, font: { family: FONT, size: 12.5, color: look.ink },
    xaxis: { ...axis, tickvals: value.curve.levels, title: { text: words.compare_level }, range: [0, 1.05] },
    yaxis: { ...axis, rangemode: "tozero" }, dragmode: false,
    legend: wide ? { x: 1.02, y: 1, font: { size: 12.5 } } : { orientation: "h", y: -0.2, font: { size: 12 } },
    hoverlabel: hoverLabel(look),
  };
  const curve = { ...value.curve, plain, frozen };
  window.Plotly.react(plot, curveTraces(curve, look), layout, { displayModeBar: false, responsive: false });
  return true;
}

export function fillCurveTable(card, { curve, groups }, words) {
  const head = one(card, "thead tr");
  const titles = [words.compare_method, ...curve.heads];
  head.replaceChildren(...titles.map((title) => Object.assign(make("th", "", title), { scope: "col" })));
  card.querySelectorAll("tbody").forEach((body) => body.remove());
  one(card, "table").append(...groups.filter((group) => group.cards.length).map((group) => curveRows(group, curve)));
}

// A body of its own for each kind of guarantee: a frozen radius never stands among the others.
function curveRows(group, curve) {
  const body = make("tbody");
  const head = Object.assign(make("th", "", group.title), { scope: "rowgroup", colSpan: curve.heads.length + 1 });
  body.append(make("tr"));
  body.firstChild.append(head);
  for (const series of curve.series.filter((one) => one.kind === group.kind)) {
    const row = make("tr");
    row.append(Object.assign(make("th", "", series.name), { scope: "row" }), ...series.texts.map((text) => make("td", "", text)));
    body.append(row);
  }
  return body;
}
