// Shows what a radius allows on this very crop: the same L2 budget spent in ways that people know, and changes that cost
// more. A difference is shown amplified, with the factor written. It knows nothing about votes and holds no words.
import { checkered, difference, l2, patch, scattered, shifted, shuffled } from "./changes.js";
import { fill, make, one } from "./dom.js";
import { onReach } from "./stage.js";
import { onPictures, pictures } from "./strip.js";
import { count, translated } from "./words.js";

let show = () => {}; // until the budget stands
let reach = null;

onPictures(() => show());
onReach((next) => {
  reach = next;
  show();
});

// Floored where it is covered, as the radius is: nothing covered looks larger than what is certified.
function sizeText(cost, covered) {
  const digits = cost < 1 || covered ? 3 : 1;
  const near = cost.toFixed(digits);
  return covered && Number(near) > cost ? (Number(near) - 10 ** -digits).toFixed(digits) : near;
}

function paint(canvas, pixels, change, size, factor) {
  canvas.width = canvas.height = size;
  const image = new ImageData(size, size);
  for (let i = 0, j = 0; i < image.data.length; i += 4, j += 3) {
    for (let c = 0; c < 3; c += 1) image.data[i + c] = factor ? 128 + factor * change[j + c] : pixels[i + c] + change[j + c];
    image.data[i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function buildTile() {
  const tile = make("figure");
  const pair = make("div", "ps-pair");
  pair.append(make("canvas"), make("canvas"));
  tile.append(pair, make("figcaption"), make("small"), make("small", "ps-cost"));
  return tile;
}

function showTile(tile, scene, words) {
  const { name, change, pixels, size, radius, frozen } = scene;
  const largest = change.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const factor = Math.max(1, Math.floor(100 / Math.max(1, largest)));
  const [looks, shows] = tile.querySelectorAll("canvas");
  paint(looks, pixels, change, size, 0);
  paint(shows, pixels, change, size, factor);
  [looks, shows].forEach((canvas, index) => canvas.setAttribute("aria-label", index ? fill(words.amplified, { factor }) : name));
  [looks, shows].forEach((canvas) => canvas.setAttribute("role", "img"));
  const cost = l2(change);
  const covered = cost < radius;
  tile.classList.toggle("ps-covered", covered);
  const [caption, amplified, spent] = [one(tile, "figcaption"), ...tile.querySelectorAll("small")];
  caption.textContent = name;
  amplified.textContent = fill(words.amplified, { factor });
  const inside = frozen ? words.inside_frozen : words.inside;
  spent.textContent = fill(covered ? inside : words.outside, { size: sizeText(cost, covered) });
}

// A slider of whole grey levels from 1 to 255, on a logarithmic scale.
const levelsAt = (share) => Math.round(255 ** share);

export function mountBudget(root, english) {
  const words = translated(english);
  const [slider, said, tiles] = [one(root, "input"), one(root, "output"), one(root, ".ps-budget-tiles")];
  for (let i = 0; i < 5; i += 1) tiles.append(buildTile());
  let state = null;

  function draw() {
    if (!state) return;
    const { pixels, size, radius, frozen, jpeg } = state;
    const values = 3 * size * size;
    if (!state.order || state.order.length !== values) state.order = shuffled(values);
    const levels = levelsAt(slider.value / 100);
    const changed = Math.min(values, Math.ceil(((radius * 255) / levels) ** 2) - 1);
    const square = patch(radius * 0.9999, levels, size);
    said.textContent = fill(words.spent, { levels, count: count(changed) });
    const some = Math.max(1, changed); // where not even one fits, the picture shows that one, which is not covered
    const scenes = [
      { name: fill(some === 1 ? words.value : words.values, { levels, count: count(some) }), change: scattered(some, levels, values, state.order) },
      { name: fill(words.patch, { levels, side: square.side }), change: square.change },
      { name: words.every, change: checkered(values) },
      { name: words.shift, change: shifted(pixels, size) },
      { name: words.jpeg, change: difference(pixels, jpeg || pixels) },
    ];
    scenes.forEach((scene, index) => showTile(tiles.children[index], { ...scene, pixels, size, radius, frozen }, words));
  }
  slider.addEventListener("input", draw);

  show = () => {
    root.hidden = !reach || !pictures.pixels;
    if (root.hidden) return;
    const { size: radius, text, frozen } = reach;
    one(root, ".ps-budget-radius").textContent = fill(frozen ? words.of_frozen : words.of, { radius: text });
    state = { ...(state || {}), radius, frozen, pixels: pictures.pixels, size: pictures.size, jpeg: pictures.jpeg };
    draw();
  };
}
