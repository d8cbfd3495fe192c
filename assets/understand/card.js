// What the cards have in common: controls, sentences, a picture that is redrawn once a frame. It knows nothing about what a
// card shows.
import { fill, one, setText } from "../page/dom.js";
import { onLocale } from "../page/words.js";
import { keeper, recall } from "./address.js";

export const ALPHAS = [0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 5e-6, 2e-6, 1e-6];

// `meanings`: what a slider stands for, where its steps are not numbers of its matter.
export function cardOf(root, said, name, meanings = {}) {
  const node = one(root, `#understand-${name}`);
  const inputs = {};
  for (const input of node.querySelectorAll("input")) inputs[input.name] = input;
  const card = { name, node, meanings, inputs, said, value: (key) => Number(inputs[key].value) };
  recall(card);
  card.keep = keeper(card);
  card.tell = (key, values) => fill(said[key], values);
  card.show = (key, text) => setText(one(node, `[data-show=${key}]`), text);
  card.set = (key, value) => {
    inputs[key].value = value;
    inputs[key].dispatchEvent(new Event("input", { bubbles: true }));
  };
  card.label = (key, text) => {
    card.show(key, text);
    inputs[key].setAttribute("aria-valuetext", text);
    markFill(inputs[key]);
  };
  card.announce = announcer(one(node, "[role=status]"));
  return card;
}

export function markFill(input) {
  const share = (input.value - input.min) / (input.max - input.min);
  input.style.setProperty("--fill", `${100 * share}%`);
}

// A screen reader is told once a slider rests, not at each of its steps.
function announcer(node) {
  let waiting = 0;
  return (text) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => setText(node, text), 700);
  };
}

// `draw` runs at most once a frame, and only where there is room to draw on.
export function drawnBy(card, draw) {
  let asked = 0;
  const picture = one(card.node, ".ps-u-picture");
  const now = () => {
    asked = 0;
    if (picture.clientWidth) draw();
  };
  const ask = () => (asked = asked || requestAnimationFrame(now));
  new ResizeObserver(ask).observe(picture);
  return ask;
}

// What is said beside the picture is said now, and again, with the picture, in another language.
export function spoken(say, ask) {
  say();
  onLocale(() => {
    say();
    ask();
  });
}

export function onInput(card, react) {
  for (const key in card.inputs) card.inputs[key].addEventListener("input", () => react(key));
}

// Keeps the height of the longest sentence free, so that nothing jumps.
export function ghost(card, key, values) {
  setText(one(card.node, ".ps-ghost"), card.tell(key, values));
}
