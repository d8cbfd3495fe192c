// Certified radius against noise level, a curve a method; and the same as a table. It knows nothing about statistics.
import { make, one } from "./dom.js";
import { CLEAR, FONT, colours, escape, hoverLabel, plot } from "./plotly.js";
import { decimal, translate } from "./words.js";

const DASHES = ["solid", "8px,3px", "12px,3px,3px,3px"];
const MARKS = ["circle", "square", "diamond", "triangle-up", "star-diamond", "circle-open", "square-open"];

function curveTraces(curve, look, words) {
  const seen = { unconditional: 0, frozen_prompt: 0 };
  const traces = curve.series.map((series) => {
    const place = seen[series.kind]++;
    const frozen = series.kind === "frozen_prompt";
    const ink = look[`series-${series.ink}`];
    return {
      type: "scatter", mode: "lines+markers", name: escape(translate(series.name)), legendgroup: series.kind,
      legendgrouptitle: place ? undefined : { text: frozen ? curve.frozen : curve.plain },
      x: curve.levels, y: series.radii,
      line: { color: ink, width: 2, dash: frozen ? "dot" : DASHES[place % 3] },
      marker: { color: ink, symbol: MARKS[series.ink], size: curve.other.map((other) => (other ? 6 : 11)) },
      text: series.hovers, hovertemplate: "%{text}<extra>%{fullData.name}</extra>",
    };
  });
  return [...traces, ...abstained(curve, look, words)];
}

// Where a method abstained there is no radius to draw: a cross on the axis, beside those of the others.
function abstained(curve, look, words) {
  const points = curve.series.flatMap((series, row) =>
    series.radii.flatMap((radius, at) => (radius === null ? [{ series, x: curve.levels[at] + 0.008 * (row - (curve.series.length - 1) / 2) }] : [])),
  );
  if (!points.length) return [];
  const ink = points.map(({ series }) => look[`series-${series.ink}`]);
  return [{
    type: "scatter", mode: "markers", name: words.compare_abstained, legendgroup: "abstained", x: points.map(({ x }) => x), y: points.map(() => 0),
    cliponaxis: false, marker: { color: ink, symbol: "x-thin", size: 9, line: { color: ink, width: 2 } },
    text: points.map(({ series }) => escape(translate(series.name))), hovertemplate: "%{text}<extra>%{fullData.name}</extra>",
  }];
}

export function drawCurve(card, value, words) {
  card.hidden = false;
  const node = one(card, ".ps-curve");
  if (!window.Plotly || !node.clientWidth) return false;
  const look = colours();
  const [plain, frozen] = value.groups.map((group) => translate(group.title));
  const separators = decimal(".") === "," ? ",\u202f" : ".,";
  const axis = { gridcolor: look.grid, zeroline: false, tickfont: { size: 11.5, color: look.faint }, fixedrange: true };
  const wide = node.clientWidth > 620;
  const layout = {
    width: node.clientWidth, height: wide ? 320 : 480, margin: { l: 56, r: 12, t: 8, b: 40 }, uirevision: "compare",
    ...CLEAR, separators, font: { family: FONT, size: 12.5, color: look.ink },
    xaxis: { ...axis, ticks: "outside", ticklen: 9, tickcolor: "rgba(0,0,0,0)", tickvals: value.curve.levels, title: { text: words.compare_level }, range: [0, 1.05] },
    yaxis: { ...axis, rangemode: "tozero", title: { text: words.compare_radius, standoff: 8 } }, dragmode: false,
    legend: wide ? { x: 1.02, y: 1, font: { size: 12.5 } } : { orientation: "h", y: 1.05, yanchor: "bottom", font: { size: 12 } },
    hoverlabel: hoverLabel(look),
  };
  const curve = { ...value.curve, plain, frozen };
  plot(node, curveTraces(curve, look, words), layout, { displayModeBar: false, responsive: false });
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
