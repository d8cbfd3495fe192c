// Asks for Plotly, and holds what every chart of the page has in common: letters, colours, labels. It knows nothing about
// what is drawn.
const script = document.createElement("script");
script.src = new URL("../plotly/plotly-basic.min.js", import.meta.url);
document.head.append(script);

export const FONT = '"Inter Variable", system-ui, sans-serif';
export const CLEAR = { paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)" };

// Read once for light and once for dark: asked for at every step, they would make the browser lay out the page again.
const SERIES = Array.from({ length: 7 }, (_, ink) => `series-${ink}`);
const COLOURS = ["card", "ink", "edge", "accent", "soft", "bar", "grid", "faint", "wrong", "wrong-soft", ...SERIES];
const looks = {};
export function colours() {
  const name = document.body.classList.contains("dark") ? "dark" : "light";
  const style = getComputedStyle(document.body);
  if (!looks[name] || !looks[name].ink) looks[name] = Object.fromEntries(COLOURS.map((part) => [part, style.getPropertyValue(`--ps-${part}`).trim()]));
  return looks[name];
}

// Where a page has a base, Plotly would name its patterns and clips by the address that the page had at first, and lose
// them when the address changes. A name alone is of this page in every browser.
export function plot(node, traces, layout, config) {
  if (!node._context) {
    window.Plotly.newPlot(node, [], {}, config);
    node._context._baseUrl = "";
  }
  window.Plotly.react(node, traces, layout); // with a configuration it would begin with a context anew
}

export const hoverLabel = (look) => ({ bgcolor: look.ink, bordercolor: look.ink, font: { family: FONT, color: look.card, size: 13 } });

// Plotly reads tags in what it shows on hover, so a visitor's text is escaped.
export const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
