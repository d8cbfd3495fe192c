// The strip: the scan, the crop that the model sees, and one noisy copy of it. It knows nothing about votes.
import { make, one, setText } from "./dom.js";
import { drawNoise } from "./noise.js";
import { decimal } from "./words.js";

export const pictures = { size: 0, pixels: null, jpeg: null, draw: null, sigma: 0.25 };
let tell = () => {};
let open = () => {};
const listeners = [];

// Calls `listener` whenever there is another crop, or none.
export const onPictures = (listener) => (tell = listener);

// Calls `listener` with what is shown, whenever there is a scan.
export const onStrip = (listener) => listeners.push(listener);

// Calls `listener` with what is shown, to show it large, and whether a box is to be drawn.
export const onOpen = (listener) => (open = listener);

// The noise is rounded to whole grey levels, as in a vote; the sum is clipped for showing alone.
function paintNoisy() {
  const canvas = one(document, ".ps-noisy");
  if (!canvas || !pictures.pixels) return;
  const { size, pixels, draw, sigma } = pictures;
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  for (let i = 0, j = 0; i < pixels.length; i += 4, j += 3) {
    for (let c = 0; c < 3; c += 1) image.data[i + c] = pixels[i + c] + Math.round(255 * sigma * draw[j + c]);
    image.data[i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  setText(one(document, ".ps-sigma"), `σ = ${decimal(+sigma.toFixed(3))}`);
}

export function redrawNoise() {
  if (!pictures.pixels) return;
  pictures.draw = drawNoise(pictures.size * pictures.size * 3);
  paintNoisy();
}

export function showStrip(value) {
  const root = one(document, ".ps-stage");
  if (!root) return void setTimeout(() => showStrip(value), 30);
  root.classList.toggle("ps-blank", !value || !value.scan);
  root.classList.remove("ps-leaving");
  one(root, ".ps-open").onclick = () => open(value, false);
  one(root, ".ps-draw").onclick = () => open(value, true);
  one(root, ".ps-draw").hidden = !(value && value.written);
  if (!value || !value.scan) {
    pictures.pixels = null;
    tell();
    for (const canvas of root.querySelectorAll(".ps-tile canvas")) canvas.width = canvas.height = 0;
    one(root, ".ps-scan").removeAttribute("src");
    for (const facts of [".ps-scan-facts", ".ps-crop-facts"]) setText(one(root, facts), "");
    return;
  }
  const whole = one(root, ".ps-whole");
  whole.style.aspectRatio = `${value.width} / ${value.height}`;
  whole.style.width = `${Math.min(1, value.width / value.height) * 100}%`;
  one(root, ".ps-scan").src = value.scan;
  setText(one(root, ".ps-scan-facts"), value.about);
  setText(one(root, ".ps-crop-facts"), `${value.size} × ${value.size}`);
  const [left, top, width, height] = value.frame;
  const frame = { left, top, width, height };
  for (const side in frame) one(root, ".ps-frame").style[side] = `${frame[side] * 100}%`;
  const crop = new Image();
  crop.onload = () => {
    const canvas = one(root, ".ps-crop");
    canvas.width = canvas.height = value.size;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const large = canvas.clientWidth * devicePixelRatio >= value.size;
    for (const tile of [canvas, one(root, ".ps-noisy")]) tile.classList.toggle("ps-large", large);
    context.drawImage(crop, 0, 0);
    pictures.size = value.size;
    pictures.pixels = context.getImageData(0, 0, value.size, value.size).data;
    redrawNoise();
    showJpeg(value);
  };
  crop.src = value.crop;
  for (const listener of listeners) listener(value);
}

function showJpeg(value) {
  const image = new Image();
  image.onload = () => {
    const canvas = make("canvas");
    canvas.width = canvas.height = value.size;
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    pictures.jpeg = context.getImageData(0, 0, value.size, value.size).data;
    tell();
  };
  image.src = value.jpeg;
}

export function setNoise(sigma) {
  if (!(sigma > 0 && sigma <= 10) || sigma === pictures.sigma) return;
  pictures.sigma = sigma;
  paintNoisy();
}

export function mount(element, props, watch) {
  showStrip(props.value);
  watch("value", () => {
    const { scan, about, leaving } = props.value || {};
    if (leaving) one(document, ".ps-stage").classList.add("ps-leaving"); // another scan, whose pictures are still to come
    else if (about && !scan) setText(one(document, ".ps-scan-facts"), about); // the same scan in another language
    else showStrip(props.value);
  });
}
