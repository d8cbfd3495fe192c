// Says the page's words in the visitor's language, and in words or in symbols. It knows nothing about what they are about:
// the page is written in English, and a catalogue holds what stands for each of its texts.

// The tag that asks for the page's modules names the languages that are spoken.
const known = document.querySelector("script[data-languages]").dataset.languages.split(" ");

const query = new URLSearchParams(location.search);
const wanted = [query.get("lang") || "", ...navigator.languages].map((name) => name.slice(0, 2).toLowerCase());

export const locale = { language: wanted.find((name) => known.includes(name)) || known[0], symbols: query.get("words") === "symbols" };
const catalogues = { [known[0]]: {} };
const ATTRIBUTES = ["aria-label", "aria-valuetext", "title", "placeholder", "alt"];

// Alone; sentences come with theirs. A comma says nothing: 1,211 is a count in English and a radius in German.
const NUMBER = /^[−+-]?\d+\.\d+( %)?$/;
const LIST = " · ";

const FIELD = /^(number input|range slider) for (.+)$/; // as Gradio names the two parts of a slider

// A list is said part by part.
export const translate = (text) => (text.includes(LIST) && !said(text) ? text.split(LIST).map(translate).join(LIST) : translateOne(text));

const said = (text) => (catalogues[locale.language] || {})[text];

function translateOne(text) {
  if (NUMBER.test(text)) return decimal(text);
  const field = FIELD.exec(text);
  if (field) return (said(`${field[1]} for {name}`) || `${field[1]} for {name}`).replace("{name}", () => translate(field[2]));
  const chosen = (locale.symbols && catalogues.symbols && catalogues.symbols[text]) || text;
  return said(chosen) || chosen;
}

// A comma between thousands is read as a decimal one in some languages: they get a narrow space.
export const count = (number) => number.toLocaleString("en").replaceAll(",", ["en", "zh"].includes(locale.language) ? "," : "\u202f");

// A number with a point, as the language writes it; files, links and fields that are typed into keep the point.
export function decimal(number) {
  const text = String(number);
  return ["de", "fr", "es"].includes(locale.language) && /^[^\p{L}]*\d\.\d[^\p{L}]*$/u.test(text) ? text.replace(".", ",") : text;
}

export const percent = (share) => `${Math.round(100 * share)} %`;

export const translated = (words) => new Proxy(words, { get: (all, key) => (typeof all[key] === "string" ? translate(all[key]) : all[key]) });

// ---- what stands in the document: each text is remembered in English, so that it can be said anew

const written = new WeakMap(); // node → { name → [English, what was put in its place] }

function inLocale(node, name, now) {
  const texts = written.get(node) || written.set(node, {}).get(node);
  const [first, before] = texts[name] || [];
  const source = texts[name] && now === before ? first : now;
  const english = source.trim();
  const text = english ? source.replace(english, () => translate(english)) : source;
  texts[name] = [source, text];
  return text;
}

function translateNode(node) {
  if (node.nodeType === Node.TEXT_NODE) {
    if (node.parentElement && node.parentElement.closest("[translate=no], script, style, textarea")) return;
    const text = inLocale(node, "text", node.data);
    if (text !== node.data) node.data = text;
  } else if (node.nodeType === Node.ELEMENT_NODE) {
    ATTRIBUTES.forEach((name) => node.hasAttribute(name) && translateAttribute(node, name));
  }
}

function translateAttribute(node, name) {
  const now = node.getAttribute(name);
  if (now === null) return;
  const text = inLocale(node, name, now);
  if (text !== now) node.setAttribute(name, text);
}

function translateAll(root) {
  translateNode(root);
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) translateNode(walker.currentNode);
}

const watcher = new MutationObserver((changes) => {
  for (const { type, target, addedNodes, attributeName } of changes) {
    if (type === "attributes") translateAttribute(target, attributeName);
    else if (type === "characterData") translateNode(target);
    else addedNodes.forEach(translateAll);
  }
});

// ---- the locale

async function fetchCatalogues() {
  const needed = [locale.language, ...(locale.symbols ? ["symbols"] : [])].filter((name) => !catalogues[name]);
  await Promise.all(
    needed.map(async (name) => (catalogues[name] = await (await fetch(new URL(`../words/${name}.json`, import.meta.url))).json())),
  );
}

// Gradio names the browser's language there when it starts.
const nameLanguage = () => document.documentElement.lang !== locale.language && (document.documentElement.lang = locale.language);
new MutationObserver(nameLanguage).observe(document.documentElement, { attributes: true, attributeFilter: ["lang"] });

// Calls `listener` when another locale is spoken: whoever has put values into sentences says them anew.
const speaking = [];
export const onLocale = (listener) => speaking.push(listener);

export async function useLocale() {
  await fetchCatalogues();
  nameLanguage();
  translateAll(document.documentElement);
  speaking.forEach((listener) => listener());
  if (locale.symbols || locale.language !== known[0])
    watcher.observe(document.documentElement, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ATTRIBUTES });
  window.dispatchEvent(new Event("resize"));
}

useLocale();
