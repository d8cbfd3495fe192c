// Spreads grey values over black to white through a window, as psmooth/scans/windows.py does on the server. It knows
// nothing about hands or where a picture stands.
import { clamp } from "./dom.js";

const CODES = 65536;

// What the server sent: numbers from 0 to 65,535, of which each stands for `low` + number × `step`.
export async function unpack(levels) {
  const packed = Uint8Array.from(atob(levels.codes), (letter) => letter.charCodeAt(0));
  const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const view = new DataView(await new Response(unpacked).arrayBuffer());
  return Uint16Array.from({ length: levels.columns * levels.rows }, (_, index) => view.getUint16(2 * index, true));
}

function spread(value, { center, width, kind }) {
  if (kind === "sigmoid") return 255 / (1 + Math.exp(clamp((-4 * (value - center)) / width, -700, 700)));
  if (kind === "linear" && width > 1) return 255 * ((value - (center - 0.5)) / (width - 1) + 0.5);
  if (kind === "linear") return value <= center - 0.5 ? 0 : 255;
  return (255 * (value - (center - width / 2))) / width;
}

// The grey of each number.
export function greys({ low, step, inverted }, window) {
  return Uint8Array.from({ length: CODES }, (_, code) => {
    const grey = Math.floor(clamp(spread(low + code * step, window), 0, 255) + 0.5);
    return inverted ? 255 - grey : grey;
  });
}

export function paint(canvas, codes, levels, window) {
  const table = Uint32Array.from(greys(levels, window), (grey) => 0xff000000 | (grey * 0x10101)); // alpha, blue, green, red
  const image = new ImageData(levels.columns, levels.rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < codes.length; i += 1) pixels[i] = table[codes[i]];
  Object.assign(canvas, { width: levels.columns, height: levels.rows });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The window after a hand has moved so many pixels: to the side it becomes wider, downwards its centre rises and the
// picture darkens. Both move the faster the wider it is, and stand at numbers that can be read.
export function moved({ center, width }, right, down, levels) {
  const range = (CODES - 1) * levels.step;
  const wider = clamp(width * Math.exp(right / 200), levels.whole ? 1 : range / CODES, 4 * range);
  return { width: legible(wider, wider, levels.whole), center: legible(clamp(center + (down * width) / 300, levels.low - range, levels.low + 2 * range), wider, levels.whole) };
}

function legible(number, width, whole) {
  const unit = whole ? 1 : 10 ** Math.floor(Math.log10(width) - 2);
  return Number((Math.round(number / unit) * unit).toPrecision(12));
}
