// A prompt tuned to one number, as PromptSmooth tunes one to a scan. It knows nothing about pictures.
import { normalQuantile } from "./mathematics.js";

const NOISE = 0.25;
const STEEP = 20; // logits ±10 (x + b): their difference
export const RATE = 0.1;
const copies = Array.from({ length: 200 }, (_, i) => NOISE * normalQuantile((i + 0.5) / 200));

// The slope in b of the entropy of the mean answer of the noisy copies.
function entropySlope(x, b) {
  let [mean, slope] = [0, 0];
  for (const noise of copies) {
    const share = 1 / (1 + Math.exp(-STEEP * (x + b + noise)));
    mean += share / copies.length;
    slope += (STEEP * share * (1 - share)) / copies.length;
  }
  return Math.log((1 - mean) / mean) * slope;
}

// Adam's steps, as the tuning of a prompt takes them; it sees x, and nothing else.
export function tuned(x, steps) {
  let [b, first, second] = [0, 0, 0];
  for (let step = 1; step <= steps; step += 1) {
    const slope = entropySlope(x, b);
    first = 0.9 * first + 0.1 * slope;
    second = 0.999 * second + 0.001 * slope * slope;
    b -= (RATE * (first / (1 - 0.9 ** step))) / (Math.sqrt(second / (1 - 0.999 ** step)) + 1e-8);
  }
  return b;
}

// What the smoothed classifier of prompt b answers at x: A where x + b > 0, and the boundary lies at -b.
export const answersA = (x, b) => x + b >= 0;
