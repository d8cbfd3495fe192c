// Curves against radius, a panel for each kind of guarantee, with their names above as switches. It knows nothing about
// statistics or where the curves come from.
import { make, one, setText } from "./dom.js";
import { CLEAR, FONT, colours, hoverLabel, plot } from "./plotly.js";
import { shape } from "./svg.js";
import { decimal } from "./words.js";

// A piece of the curve, as it is drawn beside its name.
export function swatch({ ink, dash, width }) {
  const picture = shape("svg", "ps-results-swatch", { viewBox: "0 0 26 8", width: 26, height: 8, "aria-hidden": "true" });
  const dashes = dash === "solid" ? "none" : dash === "dot" ? "2 3" : dash.replaceAll("px", "");
  picture.append(shape("path", "", { d: "M0 4h26", stroke: `var(--ps-${ink})`, "stroke-width": width, "stroke-dasharray": dashes, fill: "none" }));
  return picture;
}

function buildPanel(kind, about) {
  const panel = make("figure", "ps-results-panel");
  panel.dataset.kind = kind.id;
  const head = make("figcaption");
  const mark = make("span", "ps-kind", kind.name);
  mark.dataset.kind = kind.id;
  head.append(mark, make("small", "", about));
  const picture = make("div", "ps-results-plot");
  picture.setAttribute("role", "img");
  panel.append(head, make("div", "ps-results-chips"), picture);
  return panel;
}

function chip(line, hooks) {
  const button = make("button", "ps-results-chip");
  button.type = "button";
  button.append(swatch(line), make("span", "", line.name));
  button.addEventListener("click", () => hooks.toggle(line.key));
  for (const coming of ["pointerenter", "focus"]) button.addEventListener(coming, () => hooks.lift(line.key));
  return button;
}

function fillChips(box, lines, off, hooks) {
  const said = JSON.stringify(lines.map(({ key, name, ink }) => [key, name, ink]));
  if (box.dataset.said !== said) box.replaceChildren(...lines.map((line) => (hooks ? chip(line, hooks) : still(line))));
  box.dataset.said = said;
  if (hooks) lines.forEach(({ key }, place) => box.children[place].setAttribute("aria-pressed", !off.includes(key)));
}

function still(line) {
  const name = make("span", "ps-results-chip");
  name.append(swatch(line), make("span", "", line.name));
  return name;
}

// `lines` by kind, each { key, name, ink, dash, width, x, y, low, high, text }; those of `off` are not drawn.
export function showPanels(box, kinds, view) {
  const shown = kinds.filter((kind) => kind.lines.length);
  const said = JSON.stringify(shown.map(({ id, name, about }) => [id, name, about]));
  if (box.dataset.said !== said) box.replaceChildren(...shown.map((kind) => buildPanel(kind, kind.about)));
  box.dataset.said = said;
  box.classList.toggle("ps-results-pair", shown.length > 1);
  return shown.map((kind, place) => {
    const panel = box.children[place];
    fillChips(one(panel, ".ps-results-chips"), kind.lines, view.off, view.hooks);
    one(panel, ".ps-results-plot").setAttribute("aria-label", view.words.results_alt);
    return drawPanel(one(panel, ".ps-results-plot"), kind.lines.filter(({ key }) => !view.off.includes(key)), view);
  }).every(Boolean);
}

function drawPanel(node, lines, { furthest, lifted, words }) {
  if (!window.Plotly || !node.clientWidth) return false;
  const look = colours();
  const axis = { gridcolor: look.grid, zeroline: false, tickfont: { size: 11.5, color: look.faint }, fixedrange: true };
  const layout = {
    width: node.clientWidth, height: 320, margin: { l: 54, r: 10, t: 8, b: 42 }, ...CLEAR, showlegend: false, hovermode: "closest", dragmode: false,
    separators: decimal(".") === "," ? ",\u202f" : ".,", font: { family: FONT, size: 12.5, color: look.ink }, hoverlabel: { ...hoverLabel(look), align: "left" },
    xaxis: { ...axis, range: [0, 1.03 * furthest || 1], title: { text: words.results_radius, standoff: 6, font: { size: 12 } } },
    yaxis: { ...axis, range: [0, 1.02], tickformat: ".0%", title: { text: words.results_accuracy, standoff: 8, font: { size: 12 } } },
  };
  const raised = lines.find(({ key }) => key === lifted);
  const traces = lines.map((line) => trace(line, look, raised && raised !== line));
  plot(node, [...(raised && raised.low ? band(raised, look) : []), ...traces], layout, { displayModeBar: false, responsive: false });
  return true;
}

const trace = ({ name, x, y, text, ink, dash, width, points }, look, back) => ({
  type: "scatter", mode: points ? "lines+markers" : "lines", name, x, y, text, hovertemplate: "%{text}<extra>%{fullData.name}</extra>", opacity: back ? 0.72 : 1,
  line: { color: look[ink], width: points ? 1.2 : width, dash, shape: points ? "linear" : "hv" }, marker: { color: look[ink], size: 8, symbol: points }, cliponaxis: false,
});

function band({ x, low, high, ink }, look) {
  const edge = { type: "scatter", mode: "lines", x, hoverinfo: "skip", line: { width: 0, shape: "hv" } };
  return [{ ...edge, y: low }, { ...edge, y: high, fill: "tonexty", fillcolor: `${look[ink]}24` }];
}
