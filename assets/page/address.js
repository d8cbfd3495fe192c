// Keeps the state of the controls in the page's address. It knows nothing about what a control does.

// Every control stands in the address, so that a link restores what is seen; a visitor's own scan never does. It is
// written when typing or sliding rests, and before it is read: Safari takes 100 changes in 30 seconds and no more.
const REST = 400;
let pending = null;
let resting = 0;
let latest = new URL(location.href);

export function keep(changes) {
  pending = changed(pending || new URL(location.href), changes);
  clearTimeout(resting);
  resting = setTimeout(settle, REST);
}

export function changed(url, changes) {
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === undefined || String(value).startsWith("bank:")) url.searchParams.delete(key);
    else url.searchParams.set(key, value);
  }
  return url;
}

export function settle() {
  const url = pending;
  pending = null;
  if (!url || url.href === location.href) return;
  history.replaceState(null, "", (latest = url));
  tellSpace(url);
}
for (const leaving of ["blur", "pagehide"]) window.addEventListener(leaving, settle);

// Another entry of the history; the one that is left stands for what it says itself, or for `before`.
export function push(changes, before = {}) {
  settle();
  latest = changed(new URL(location.href), changes);
  history.replaceState(null, "", changed(new URL(location.href), before));
  history.pushState(null, "", latest);
  tellSpace(latest);
}

// Calls `listener` with the address of an entry that is returned to, and the one that was left.
const returning = [];
export const onReturn = (listener) => returning.push(listener);

const EVERYWHERE = ["lang", "words", "theme"]; // they are not moved back with an entry

window.addEventListener("popstate", () => {
  const [left, entered] = [pending || latest, new URL(location.href)];
  pending = null; // it was of the entry that was left
  latest = entered;
  keep(Object.fromEntries(EVERYWHERE.map((key) => [key, left.searchParams.get(key)])));
  returning.forEach((listener) => listener(entered, left));
});

// What a Space adds for its own use, a token among it, is no part of a link.
export function shareable(url) {
  for (const key of [...url.searchParams.keys()]) if (key.startsWith("__")) url.searchParams.delete(key);
  return url;
}

// On its page at huggingface.co a Space stands in a frame, whose address nobody sees.
export function tellSpace(url) {
  const { search, hash } = shareable(new URL(url));
  if (window.parent !== window) window.parent.postMessage({ queryString: search, hash }, "https://huggingface.co");
}
