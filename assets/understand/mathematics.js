// The mathematics of a certificate: the normal law, the beta law, the bounds of psmooth/bounds.py. It knows nothing about
// pictures.

// ---- the bell curve

const ROOT_TAU = Math.sqrt(2 * Math.PI);
const bell = (z) => Math.exp((-z * z) / 2) / ROOT_TAU;

// The share of the bell curve beyond z >= 0: near the middle by Marsaglia's series, far out by Laplace's fraction.
function beyond(z) {
  if (z > 3) {
    let below = z;
    for (let k = 60; k >= 1; k -= 1) below = z + k / below;
    return bell(z) / below;
  }
  let [term, sum] = [z, z];
  for (let k = 3; term > 1e-18; k += 2) sum += term *= (z * z) / k;
  return 0.5 - bell(z) * sum;
}

export const normalShare = (z) => (z < 0 ? beyond(-z) : 1 - beyond(z));

// Φ⁻¹: Hastings' rough value, then Newton's steps on the logarithm of the tail.
export function normalQuantile(share) {
  const tail = Math.min(share, 1 - share);
  if (tail <= 0) return share < 0.5 ? -Infinity : Infinity;
  const t = Math.sqrt(-2 * Math.log(tail));
  let z = Math.max(0, t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
  for (let step = 0; step < 4; step += 1) {
    const out = beyond(z);
    z += (Math.log(out / tail) * out) / bell(z);
  }
  return share < 0.5 ? -z : z;
}

// ---- the beta law

// ln Γ(x) less Stirling's formula; small x climb to where the series holds.
function stirlingRest(x) {
  let rest = 0;
  for (; x < 12; x += 1) rest += (x + 0.5) * Math.log1p(1 / x) - 1;
  const y = 1 / (x * x);
  return rest + (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - (y * 1) / 1188)))) / x;
}

// u - ln(1 + u), without the loss of digits near 0.
function drift(u) {
  if (Math.abs(u) > 0.1) return u - Math.log1p(u);
  let [power, sum] = [u, 0];
  for (let k = 2; k < 20; k += 1) sum += (power *= -u) / -k;
  return sum;
}

// ln of x^a (1-x)^b / B(a, b), by deviances: it keeps its digits for a hundred thousand votes.
function logKernel(x, a, b) {
  const n = a + b;
  const rest = stirlingRest(n) - stirlingRest(a) - stirlingRest(b) + 0.5 * Math.log((a * b) / (2 * Math.PI * n));
  return rest - a * drift((n * x - a) / a) - b * drift((n * (1 - x) - b) / b);
}

// The continued fraction of the incomplete beta function, by Lentz's way.
function betaFraction(x, a, b) {
  const away = (value) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let result = d;
  for (let m = 1, change = 0; m < 20000 && Math.abs(change - 1) > 1e-15; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    [c, d] = [away(1 + even / c), 1 / away(1 + even * d)];
    result *= c * d;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    [c, d] = [away(1 + odd / c), 1 / away(1 + odd * d)];
    result *= change = c * d;
  }
  return result;
}

// Both tails of the beta law at x: neither is got from the other where it is the small one.
export function betaTails(x, a, b) {
  if (x <= 0) return [0, 1];
  if (x >= 1) return [1, 0];
  const kernel = Math.exp(logKernel(x, a, b));
  if (x < (a + 1) / (a + b + 2)) {
    const lower = (kernel * betaFraction(x, a, b)) / a;
    return [lower, 1 - lower];
  }
  const upper = (kernel * betaFraction(1 - x, b, a)) / b;
  return [1 - upper, upper];
}

// ---- the bounds, as in psmooth/bounds.py

export function halve(low, high, holds, times = 52) {
  for (let i = 0; i < times; i += 1) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low;
}

export function clopperPearsonLower(votes, total, alpha) {
  if (votes === 0) return 0;
  if (votes === total) return alpha ** (1 / total);
  return halve(0, votes / total, (share) => betaTails(share, votes, total - votes + 1)[0] < alpha);
}

// ln M: the evidence of the one-sided Jeffreys mixture against every share up to `share`.
export function logEvidence(share, votes, total) {
  const [a, b] = [votes + 0.5, total - votes + 0.5];
  const kernel = logKernel(share, a, b) - 0.5 * Math.log(share * (1 - share));
  const prior = (2 / Math.PI) * Math.asin(Math.sqrt(1 - share));
  return Math.log(betaTails(share, a, b)[1] / prior) - kernel - Math.log(Math.PI);
}

export function anytimeLower(votes, total, alpha) {
  if (votes === 0) return 0;
  const needed = 1e-8 - Math.log(alpha);
  return halve(0, votes / total, (share) => logEvidence(share, votes, total) >= needed, 44);
}

export const certifiedRadius = (lower, sigma) => (lower > 0.5 ? sigma * normalQuantile(lower) : 0);
