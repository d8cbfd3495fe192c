// The line of the loss, step by step. It knows nothing about learning.
import { shape } from "./svg.js";

export function drawLoss(svg, losses) {
  const top = Math.max(...losses) || 1;
  const points = losses.map((loss, index) => `${(600 * index) / Math.max(1, losses.length - 1)},${215 - (205 * loss) / top}`);
  const line = svg.firstChild || svg.appendChild(shape("polyline"));
  line.setAttribute("points", points.join(" "));
}
