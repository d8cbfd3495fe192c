// Makes the elements of a drawing. It knows nothing about what is drawn.
const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, className, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  if (className) node.setAttribute("class", className);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  if (text !== undefined) node.textContent = text;
  return node;
}

export const near = (value) => Math.round(value * 10) / 10;
export const line = (className, x1, y1, x2, y2) => shape("line", className, { x1: near(x1), y1: near(y1), x2: near(x2), y2: near(y2) });
export const rect = (className, x, y, width, height) =>
  shape("rect", className, { x: near(x), y: near(y), width: near(Math.max(0, width)), height: near(Math.max(0, height)) });
export const dot = (className, x, y, r) => shape("circle", className, { cx: near(x), cy: near(y), r });
export const caption = (className, x, y, words, anchor = "start") => shape("text", className, { x: near(x), y: near(y), "text-anchor": anchor }, words);
export const trace = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${near(x)} ${near(y)}`).join("");
export const path = (className, points) => shape("path", className, { d: typeof points === "string" ? points : trace(points) });
export const cross = (className, x, y, r) => path(className, `M${near(x - r)} ${near(y - r)}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`);

export function together(className, nodes) {
  const group = shape("g", className);
  group.append(...nodes);
  return group;
}

// Tells two grounds apart without a colour.
export function hatching(id) {
  const pattern = shape("pattern", "", { id, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
  pattern.append(shape("rect", "ps-u-hatch-ground", { width: 7, height: 7 }), line("ps-u-hatch", 0, 0, 0, 7));
  const box = shape("defs");
  box.append(pattern);
  return box;
}

export const hatched = (id, x, y, width, height) => {
  const node = rect("", x, y, width, height);
  node.setAttribute("fill", `url(#${id})`);
  return node;
};

export function sized(svg) {
  const [width, height] = [svg.clientWidth, svg.clientHeight];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  return { width, height, narrow: width < 520 };
}
