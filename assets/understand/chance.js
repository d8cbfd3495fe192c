// Chance, the same again for the same seed (mulberry32). It knows nothing about what is drawn.

export function chance(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function bellPairs(count, seed) {
  const draw = chance(seed);
  return Array.from({ length: count }, () => {
    const [length, angle] = [Math.sqrt(-2 * Math.log(1 - draw())), 2 * Math.PI * draw()];
    return [length * Math.cos(angle), length * Math.sin(angle)];
  });
}

export const FIRST_SEED = 1;
export const MOST_SEEDS = 999999;
export const nextSeed = (seed) => (seed % MOST_SEEDS) + 1;
