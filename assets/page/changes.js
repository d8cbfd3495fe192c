// Ways to spend an L2 budget on the pixels of a crop: each gives the change of every value, in grey levels. It knows
// nothing about votes, and draws nothing.
import { clamp } from "./dom.js";

// The same places for the same crop, so that nothing flickers while the slider moves.
export function shuffled(count) {
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const order = Uint32Array.from({ length: count }, (_, index) => index);
  for (let i = count - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

export const l2 = (change) => Math.sqrt(change.reduce((sum, value) => sum + value * value, 0)) / 255;

export function scattered(count, levels, values, order) {
  const change = new Float32Array(values);
  for (let i = 0; i < Math.min(count, values); i += 1) change[order[i]] = order[i] % 2 ? levels : -levels;
  return change;
}

export function patch(radius, levels, size) {
  const side = clamp(Math.floor(Math.sqrt((radius * 255) ** 2 / (3 * levels * levels))), 1, size); // one pixel may be too much
  const change = new Float32Array(3 * size * size);
  const from = Math.floor((size - side) / 2);
  for (let y = from; y < from + side; y += 1) for (let x = from; x < from + side; x += 1) change.fill(levels, 3 * (y * size + x), 3 * (y * size + x) + 3);
  return { change, side };
}

export const checkered = (values) => new Float32Array(values).map((_, index) => (index % 2 ? 1 : -1));

export function difference(pixels, other) {
  const change = new Float32Array((pixels.length / 4) * 3);
  for (let i = 0, j = 0; i < pixels.length; i += 4) for (let c = 0; c < 3; c += 1, j += 1) change[j] = other[i + c] - pixels[i + c];
  return change;
}

export function shifted(pixels, size) {
  const other = new Uint8ClampedArray(pixels);
  for (let y = 0; y < size; y += 1) other.set(pixels.subarray(4 * y * size, 4 * (y * size + size - 1)), 4 * (y * size + 1));
  return difference(pixels, other);
}
