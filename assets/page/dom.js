// What every part of the page does with its elements: find, make, fill, save. It knows nothing about any part, and sets
// text only as text.
import { decimal } from "./words.js";

export const still = window.matchMedia("(prefers-reduced-motion: reduce)");
export const one = (root, selector) => root.querySelector(selector);
export const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
export const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => decimal(values[name]));

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// A description list of terms and what is said of them.
export const setPairs = (list, pairs) => list.replaceChildren(...pairs.flatMap(([term, text]) => [make("dt", "", term), make("dd", "", text)]));

export function save(content, name, type = "application/json") {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Sends an event of which the latest counts. Where one waits for the one before, Gradio sends what it was given with the
// first that waited: so that is always the same object, with what was sent last.
export function latest(trigger) {
  const asked = {};
  return (name, data) => trigger(name, Object.assign((asked[name] ??= {}), data));
}

// A link that is opened elsewhere is the browser's own.
export const opensElsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey;
