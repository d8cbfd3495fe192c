// A classifier made up in the plane, and its smoothed self; 1 is the height of the picture. It knows nothing about how they
// are drawn.
import { clamp } from "../page/dom.js";
import { normalShare } from "./mathematics.js";

const CELL = 0.0125;
export const PLANE = { left: -1, right: 3.4, bottom: -1, top: 2 };
export const ISLANDS = [
  { x: 0.36, y: 0.78, rx: 0.07, ry: 0.055 },
  { x: 1.28, y: 0.26, rx: 0.085, ry: 0.06 },
  { x: 0.78, y: 0.2, rx: 0.04, ry: 0.045 },
];
export const ragged = (x) => 0.5 + 0.12 * Math.sin(4.3 * x + 0.5) + 0.075 * Math.sin(11 * x + 2) + 0.055 * Math.sin(27 * x) + 0.018 * Math.sin(63 * x);

// The made-up classifier: A below the ragged line; the islands answer the other way round.
export function saysA(x, y) {
  let answer = y < ragged(x);
  for (const { x: cx, y: cy, rx, ry } of ISLANDS) if (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1) answer = !answer;
  return answer;
}

// How much of each cell says A. The share of votes is exact for the classifier made of these cells.
const cells = (() => {
  const [width, height] = [Math.round((PLANE.right - PLANE.left) / CELL), Math.round((PLANE.top - PLANE.bottom) / CELL)];
  return { width, height, values: null };
})();

// Filled when the picture is first drawn, not while the page loads.
function cellValues() {
  if (cells.values) return cells.values;
  const { width, height } = cells;
  cells.values = new Float64Array(width * height);
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) cells.values[row * width + column] = cellShare(column, row);
  }
  return cells.values;
}

function cellShare(column, row) {
  let count = 0;
  for (let i = 0.25; i < 1; i += 0.5) {
    for (let j = 0.25; j < 1; j += 0.5) count += saysA(PLANE.left + (column + i) * CELL, PLANE.bottom + (row + j) * CELL);
  }
  return count / 4;
}

// The mass that Gaussian noise around `from` puts on each cell of a line; the outermost cells reach to infinity.
function lineMasses(from, start, count, sigma) {
  const masses = new Float64Array(count);
  let before = 0;
  for (let i = 0; i < count; i += 1) {
    const z = (start + (i + 1) * CELL - from) / sigma;
    const until = i === count - 1 || z > 9 ? 1 : z < -9 ? 0 : normalShare(z);
    masses[i] = until - before;
    before = until;
  }
  return masses;
}

export function shareAt(x, y, sigma) {
  const across = lineMasses(x, PLANE.left, cells.width, sigma);
  const up = lineMasses(y, PLANE.bottom, cells.height, sigma);
  const values = cellValues();
  let share = 0;
  for (let row = 0; row < cells.height; row += 1) {
    if (up[row] === 0) continue;
    let sum = 0;
    for (let column = 0, at = row * cells.width; column < cells.width; column += 1, at += 1) sum += across[column] * values[at];
    share += up[row] * sum;
  }
  return share;
}

// Along a line of cells the same masses come again at each middle of a cell.
function cellKernel(sigma) {
  const reach = Math.ceil((5.5 * sigma) / CELL);
  const kernel = new Float64Array(2 * reach + 1);
  const edge = (i) => normalShare(((i + 0.5) * CELL) / sigma);
  for (let i = -reach; i <= reach; i += 1) kernel[i + reach] = edge(i) - edge(i - 1);
  return { kernel, reach };
}

// The share of votes for A at the middles of the cells of the picture, and one cell beyond: columns first, then rows.
export function smoothedShares(sigma, width) {
  const { kernel, reach } = cellKernel(sigma);
  const values = cellValues();
  const [first, low] = [Math.round(-PLANE.left / CELL) - 1, Math.round(-PLANE.bottom / CELL) - 1];
  const [columns, rows] = [Math.ceil(width / CELL) + 2, Math.round(1 / CELL) + 2];
  const shares = new Float64Array(columns * rows);
  const upright = new Float64Array(cells.width);
  for (let row = 0; row < rows; row += 1) {
    upright.fill(0);
    for (let i = -reach; i <= reach; i += 1) {
      const at = clamp(low + row + i, 0, cells.height - 1) * cells.width;
      for (let column = 0, mass = kernel[i + reach]; column < cells.width; column += 1) upright[column] += mass * values[at + column];
    }
    for (let column = 0; column < columns; column += 1) {
      let sum = 0;
      for (let i = -reach; i <= reach; i += 1) sum += kernel[i + reach] * upright[clamp(first + column + i, 0, cells.width - 1)];
      shares[row * columns + column] = sum;
    }
  }
  return { shares, columns, rows };
}

// Marching squares at one half: pieces of the smoothed boundary as [x1, y1, x2, y2].
export function halfLines({ shares, columns, rows }) {
  const pieces = [];
  for (let row = 0; row + 1 < rows; row += 1) {
    for (let column = 0; column + 1 < columns; column += 1) {
      const at = row * columns + column;
      const corners = [shares[at], shares[at + 1], shares[at + columns + 1], shares[at + columns]];
      const cuts = cutsOf(corners).map(([x, y]) => [(column + x - 0.5) * CELL, (row + y - 0.5) * CELL]);
      for (let i = 0; i + 1 < cuts.length; i += 2) pieces.push([...cuts[i], ...cuts[i + 1]]);
    }
  }
  return pieces;
}

const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];

function cutsOf(corners) {
  const cuts = [];
  for (let i = 0; i < 4; i += 1) {
    const [from, to] = [corners[i], corners[(i + 1) % 4]];
    if (from < 0.5 === to < 0.5) continue;
    const share = (0.5 - from) / (to - from);
    const [[x1, y1], [x2, y2]] = [CORNERS[i], CORNERS[(i + 1) % 4]];
    cuts.push([x1 + share * (x2 - x1), y1 + share * (y2 - y1)]);
  }
  return cuts;
}

export function nearestPiece(pieces, x, y) {
  let best = { distance: Infinity };
  for (const [x1, y1, x2, y2] of pieces) {
    const [dx, dy] = [x2 - x1, y2 - y1];
    const along = clamp(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1), 0, 1);
    const [nx, ny] = [x1 + along * dx, y1 + along * dy];
    const distance = Math.hypot(nx - x, ny - y);
    if (distance < best.distance) best = { distance, x: nx, y: ny };
  }
  return best;
}
