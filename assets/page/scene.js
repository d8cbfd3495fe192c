// The scene of the lecture: a crop, noise, copies that vote, the bounds, the radius, each as it happened in a run. It knows
// nothing about the words that are said to it, and computes no statistics: every bound is one that the server sent.
import { clamp, fill, make, one, setText, still } from "./dom.js";
import { drawNoise } from "./noise.js";
import { pictures } from "./strip.js";
import { tape } from "./tape.js";
import { drawChart } from "./votes.js";
import { chartBox, fetchTape, saidChart } from "./waiting.js";

const COPIES = 8; // seen at once
const ONE_BY_ONE = 24;
const AROUND = 66; // what a chart has above and below its bars

async function recorded(words) {
  const { picture, sigma, steps: english } = await fetchTape();
  const image = new Image();
  image.src = picture;
  await image.decode();
  const canvas = make("canvas");
  const size = (canvas.width = canvas.height = image.naturalWidth);
  canvas.getContext("2d").drawImage(image, 0, 0);
  const unit = fill(words.recorded_unit, { side: size });
  const steps = english.map((step) => ({ ...step, chart: saidChart(step.chart), radius: { ...step.radius, unit } }));
  return { recorded: true, steps, size, sigma, pixels: canvas.getContext("2d").getImageData(0, 0, size, size).data };
}

// The run on the page, if it has come to a radius; else one that was recorded, with everything that belongs to it.
function source(words) {
  const { size, sigma, pixels } = pictures;
  const whole = pixels && tape.length > 1 && tape.at(-1).chart.certified;
  return whole ? { recorded: false, steps: [...tape], size, sigma, pixels } : recorded(words);
}

function paint(canvas, { size, pixels }, sigma) {
  const draw = sigma ? drawNoise(3 * size * size) : null;
  const image = new ImageData(size, size);
  canvas.width = canvas.height = size;
  for (let i = 0, j = 0; i < pixels.length; i += 4, j += 3) {
    for (let c = 0; c < 3; c += 1) image.data[i + c] = pixels[i + c] + (draw ? Math.round(255 * sigma * draw[j + c]) : 0);
    image.data[i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The first votes of a run in some order: the server sends counts, a few dozen at a time.
function firstVotes(counts) {
  const votes = counts.flatMap((count, index) => Array(count).fill(index));
  for (let i = votes.length - 1; i > 0; i -= 1) {
    const j = Math.floor(Math.random() * (i + 1));
    [votes[i], votes[j]] = [votes[j], votes[i]];
  }
  return votes.slice(0, ONE_BY_ONE);
}

// Calls `tellWrong` with the verdict and why it can be wrong, or with null.
export function sceneOf(root, words, tellWrong) {
  const copies = one(root, ".ps-scene-copies");
  const noisy = one(root, ".ps-scene-noisy");
  const chart = chartBox();
  let run = null;
  let timer = 0;
  let shown = null;

  // `turn` is called for each number up to the last; where no motion is wanted, for the last alone.
  function turns(last, pause, turn, then = () => {}) {
    let at = still.matches ? last : 0;
    const next = () => {
      turn(at);
      at += 1;
      if (at <= last) timer = setTimeout(next, pause);
      else then();
    };
    next();
  }

  // What the scene leaves to the chart, in its own pixels: it is shown larger than it is drawn.
  function room() {
    const left = root.clientHeight - Math.max(one(root, ".ps-scene-radius").offsetHeight, copies.offsetHeight);
    return { room: clamp(0.92 * left / getComputedStyle(chart).zoom - AROUND, 140, 330), least: 14 };
  }

  function drawVotes() {
    if (shown && !drawChart(chart, shown, room())) setTimeout(drawVotes, 100);
  }
  new ResizeObserver(drawVotes).observe(root);
  const recolour = () => chart.offsetParent && drawVotes(); // light or dark, while it is seen
  new MutationObserver(recolour).observe(document.body, { attributes: true, attributeFilter: ["class"] });

  function showStep(index, changes = {}) {
    const { chart: votes, radius, truth, headline, aside } = run.steps[index];
    shown = { ...votes, ...changes };
    drawVotes();
    setText(one(root, ".ps-scene-radius b"), radius.text);
    setText(one(root, ".ps-scene-radius small"), radius.unit);
    tellWrong(shown.chosen && truth === "wrong" ? [headline.join(""), aside] : null);
  }

  function showNoise(sigma) {
    paint(one(noisy, "canvas"), run, sigma);
    setText(one(noisy, "figcaption"), `σ = ${+sigma.toFixed(3)}`);
  }

  function cast(label) {
    const copy = make("span");
    copy.append(make("canvas"), label);
    paint(copy.firstChild, run, run.sigma);
    copies.append(copy);
    if (copies.children.length > COPIES) copies.firstChild.remove();
  }

  const counted = () => run.steps.findIndex(({ chart }) => chart.total > 0);
  const lastStep = () => run.steps.length - 1;
  const through = (pause) => turns(lastStep() - counted(), pause, (at) => showStep(counted() + at));

  const acts = {
    showCrop: () => paint(one(root, ".ps-scene-crop canvas"), run, 0),
    addNoise: () => turns(20, 120, (at) => showNoise((run.sigma * at) / 20), () => turns(600, 500, () => showNoise(run.sigma))),
    castVotes() {
      const { labels, counts: all } = run.steps[counted()].chart;
      const votes = firstVotes(all);
      copies.replaceChildren();
      const counts = all.map(() => 0);
      turns(votes.length - 1, 420, (at) => {
        if (still.matches) votes.slice(-COPIES).forEach((vote) => cast(labels[vote]));
        else cast(labels[votes[at]]);
        counts.fill(0);
        votes.slice(0, at + 1).forEach((vote) => (counts[vote] += 1));
        showStep(counted(), { counts: [...counts], shares: counts.map((count) => count / (at + 1)), total: at + 1, chosen: false });
      });
    },
    growBounds: () => through(450),
    growRadius: () => through(450),
    rest: () => showStep(lastStep()),
  };

  function stop() {
    clearTimeout(timer);
  }

  return {
    stop,
    isReady: () => run !== null,
    isRecorded: () => run.recorded,
    async choose() {
      run = await source(words);
      one(root, ".ps-scene-votes").append(chart);
    },
    play(name) {
      stop();
      tellWrong(null);
      acts.showCrop();
      if (name !== "addNoise") showNoise(run.sigma);
      acts[name]();
    },
  };
}
