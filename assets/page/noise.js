// Draws standard normal numbers, as fast as a picture needs them. It knows nothing about pictures.

// 65,536 standard normal numbers; a draw is a table look-up, as in the engine.
const normal = (() => {
  const table = new Float32Array(65536);
  for (let i = 0; i < table.length; i += 2) {
    const length = Math.sqrt(-2 * Math.log(1 - Math.random()));
    const angle = 2 * Math.PI * Math.random();
    table[i] = length * Math.cos(angle);
    table[i + 1] = length * Math.sin(angle);
  }
  return table;
})();

export function drawNoise(count) {
  const draw = new Float32Array(count);
  for (let i = 0; i < count; i += 1) draw[i] = normal[(Math.random() * 65536) | 0];
  return draw;
}
