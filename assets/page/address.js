// Keeps the state of the controls in the page's address. It knows nothing about what a control does.

// Every control stands in the address, so that a link restores what is seen; a visitor's own scan never does. It is
// written when typing or sliding rests, and before it is read: Safari takes 100 changes in 30 seconds and no more.
const REST = 400;
let pending = null;
let resting = 0;

export function keep(changes) {
  pending = pending || new URL(location.href);
  for (const [key, value] of Object.entries(changes)) {
    if (value === null || value === "" || value === undefined || String(value).startsWith("bank:")) pending.searchParams.delete(key);
    else pending.searchParams.set(key, value);
  }
  clearTimeout(resting);
  resting = setTimeout(settle, REST);
}

export function settle() {
  const url = pending;
  pending = null;
  if (!url || url.href === location.href) return;
  history.replaceState(null, "", url);
  tellSpace(url);
}
for (const leaving of ["blur", "pagehide"]) window.addEventListener(leaving, settle);

window.addEventListener("popstate", () => (pending = null)); // it was of the entry that was left

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
