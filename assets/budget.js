// Shows what a radius allows on this very crop: the same L2 budget spent in ways that people know, and changes that cost
// more. A difference is shown amplified, with the factor written. It knows nothing about votes and holds no words.
(() => {
  "use strict";
  const psmooth = (window.psmooth = window.psmooth || {});
  if (psmooth.budget) return;
  const one = (root, selector) => root.querySelector(selector);
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // The same places for the same crop, so that nothing flickers while the slider moves.
  function shuffled(count) {
    let seed = 1;
    const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
    const order = Uint32Array.from({ length: count }, (_, index) => index);
    for (let i = count - 1; i > 0; i -= 1) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  // Floored where it is covered, as the radius is: nothing covered looks larger than what is certified.
  function sizeText(cost, covered) {
    const digits = cost < 1 || covered ? 3 : 1;
    const near = cost.toFixed(digits);
    return covered && Number(near) > cost ? (Number(near) - 10 ** -digits).toFixed(digits) : near;
  }

  const l2 = (change) => Math.sqrt(change.reduce((sum, value) => sum + value * value, 0)) / 255;

  // ---- ways to spend a budget: each gives the change of every value, in grey levels

  function scattered(count, levels, values, order) {
    const change = new Float32Array(values);
    for (let i = 0; i < Math.min(count, values); i += 1) change[order[i]] = order[i] % 2 ? levels : -levels;
    return change;
  }

  function patch(radius, levels, size) {
    const side = Math.min(size, Math.floor(Math.sqrt((radius * 255) ** 2 / (3 * levels * levels))));
    const change = new Float32Array(3 * size * size);
    const from = Math.floor((size - side) / 2);
    for (let y = from; y < from + side; y += 1) for (let x = from; x < from + side; x += 1) change.fill(levels, 3 * (y * size + x), 3 * (y * size + x) + 3);
    return { change, side };
  }

  function difference(pixels, other) {
    const change = new Float32Array((pixels.length / 4) * 3);
    for (let i = 0, j = 0; i < pixels.length; i += 4) for (let c = 0; c < 3; c += 1, j += 1) change[j] = other[i + c] - pixels[i + c];
    return change;
  }

  function shifted(pixels, size) {
    const other = new Uint8ClampedArray(pixels);
    for (let y = 0; y < size; y += 1) other.set(pixels.subarray(4 * y * size, 4 * (y * size + size - 1)), 4 * (y * size + 1));
    return difference(pixels, other);
  }

  // ---- tiles

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

  psmooth.budget = (root, english) => {
    const words = psmooth.translated(english);
    const [slider, said, tiles] = [one(root, "input"), one(root, "output"), one(root, ".ps-budget-tiles")];
    for (let i = 0; i < 5; i += 1) tiles.append(buildTile());
    let state = null;

    function draw() {
      if (!state) return;
      const { pixels, size, radius, frozen, jpeg } = state;
      const values = 3 * size * size;
      if (!state.order || state.order.length !== values) state.order = shuffled(values);
      const levels = levelsAt(slider.value / 100);
      const count = Math.min(values, Math.ceil(((radius * 255) / levels) ** 2) - 1);
      const square = patch(radius * 0.9999, levels, size);
      said.textContent = fill(words.spent, { levels, count: psmooth.count(count) });
      const scenes = [
        { name: fill(words.values, { levels, count: psmooth.count(count) }), change: scattered(count, levels, values, state.order) },
        { name: fill(words.patch, { levels, side: square.side }), change: square.change },
        { name: words.every, change: new Float32Array(values).map((_, index) => (index % 2 ? 1 : -1)) },
        { name: words.shift, change: shifted(pixels, size) },
        { name: words.jpeg, change: difference(pixels, jpeg || pixels) },
      ];
      scenes.forEach((scene, index) => showTile(tiles.children[index], { ...scene, pixels, size, radius, frozen }, words));
    }
    slider.addEventListener("input", draw);

    return (reach, pictures) => {
      root.hidden = !reach || !pictures.pixels;
      if (root.hidden) return;
      const { size: radius, text, frozen } = reach;
      one(root, ".ps-budget-radius").textContent = fill(frozen ? words.of_frozen : words.of, { radius: text });
      state = { ...(state || {}), radius, frozen, pixels: pictures.pixels, size: pictures.size, jpeg: pictures.jpeg };
      draw();
    };
  };
})();
