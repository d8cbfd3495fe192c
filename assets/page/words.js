// Says the page's words in the visitor's language, and in words or in symbols. It knows nothing about what they are about:
// the page is written in English, and a catalogue holds what stands for each of its texts.

// The tag that asks for the page's modules names the languages that are spoken.
const known = document.querySelector("script[data-languages]").dataset.languages.split(" ");

const query = new URLSearchParams(location.search);
const wanted = [query.get("lang") || "", ...navigator.languages].map((name) => name.slice(0, 2).toLowerCase());

export const voice = { language: wanted.find((name) => known.includes(name)) || known[0], symbols: query.get("words") === "symbols" };
const catalogues = { [known[0]]: {} };
const ATTRIBUTES = ["aria-label", "title", "placeholder", "alt"];

function say(text) {
  const chosen = (voice.symbols && catalogues.symbols && catalogues.symbols[text]) || text;
  return (catalogues[voice.language] || {})[chosen] || chosen;
}

// A comma between thousands is read as a decimal one in some languages: they get a narrow space.
export const count = (number) => number.toLocaleString("en").replaceAll(",", ["en", "zh"].includes(voice.language) ? "," : "\u202f");

export const translated = (words) => new Proxy(words, { get: (all, key) => (typeof all[key] === "string" ? say(all[key]) : all[key]) });

// ---- what stands in the document: each text is remembered in English, so that it can be said anew

const written = new WeakMap(); // node → { name → [English, what was put in its place] }

function said(node, name, now) {
  const texts = written.get(node) || written.set(node, {}).get(node);
  const [first, before] = texts[name] || [];
  const source = texts[name] && now === before ? first : now;
  const english = source.trim();
  const text = english ? source.replace(english, () => say(english)) : source;
  texts[name] = [source, text];
  return text;
}

function sayNode(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.parentElement && node.parentElement.closest("[translate=no], script, style, textarea")) return;
    const text = said(node, "text", node.data);
    if (text !== node.data) node.data = text;
  } else if (node.nodeType === Node.ELEMENT_NODE) {
    ATTRIBUTES.forEach((name) => node.hasAttribute(name) && sayAttribute(node, name));
  }
}

function sayAttribute(node, name) {
  const now = node.getAttribute(name);
  if (now === null) return;
  const text = said(node, name, now);
  if (text !== now) node.setAttribute(name, text);
}

function sayAll(root) {
  sayNode(root);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) sayNode(walker.currentNode);
}

const watcher = new MutationObserver((changes) => {
  for (const { type, target, addedNodes, attributeName } of changes) {
    if (type === "attributes") sayAttribute(target, attributeName);
    else if (type === "characterData") sayNode(target);
    else addedNodes.forEach(sayAll);
  }
});

// ---- the voice

async function fetchCatalogues() {
  const needed = [voice.language, ...(voice.symbols ? ["symbols"] : [])].filter((name) => !catalogues[name]);
  await Promise.all(
    needed.map(async (name) => (catalogues[name] = await (await fetch(new URL(`../words/${name}.json`, import.meta.url))).json())),
  );
}

// Gradio names the browser's language there when it starts.
const nameLanguage = () => document.documentElement.lang !== voice.language && (document.documentElement.lang = voice.language);
new MutationObserver(nameLanguage).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });

export async function speak() {
  await fetchCatalogues();
  nameLanguage();
  sayAll(document.documentElement);
  if (voice.symbols || voice.language !== known[0])
    watcher.observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  window.dispatchEvent(new Event("resize"));
}

speak();
