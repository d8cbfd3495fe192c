// Numbers in words: a bound or a radius is floored, never rounded, and so is what lies inside it. It knows nothing about what
// they count.

const next = (text, digits, step) => (Number(text) + step * 10 ** -digits).toFixed(digits);
export const floored = (value, digits, near = value.toFixed(digits)) => (Number(near) <= value ? near : next(near, digits, -1));
export const raised = (value, digits, near = value.toFixed(digits)) => (Number(near) >= value ? near : next(near, digits, 1));

export const percent = (share) => `${(100 * share).toFixed(1)} %`;
export const atLeast = (share) => `${floored(100 * share, 1)} %`;
export const certainty = (alpha) => `${+(100 * (1 - alpha)).toFixed(6)} %`;
export const plain = (value) => value.toLocaleString("en", { maximumSignificantDigits: 1, maximumFractionDigits: 7 });
export const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
