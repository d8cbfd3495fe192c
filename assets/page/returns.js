// Back and Forward move through runs as through views: one that has ended with other settings than the last has an entry of
// its own, and where an entry is returned to, the server is asked for what its address says. It knows nothing about what a
// control does.
import { changed, keep, onReturn, push, settle } from "./address.js";
import { latest } from "./dom.js";
import { ofControls, ofResult } from "./settings.js";

let entry = null; // what a link to the run says for which this entry stands
let result = null; // the same of the run that is shown
let known = null; // its certificate: it is shown anew in another language
let returned = false; // nobody has asked for a run since; one that ends now has its entry

for (const asking of ["click", "drop", "paste"]) addEventListener(asking, () => (returned = false), true);

function scanOf({ searchParams: query }) {
  const [example, scan] = [query.get("example"), query.get("scan")];
  return { example: scan ? null : example || "0", scan };
}

const linkOf = (said) => changed(new URL(location.origin), said).search;

const partOf = ({ searchParams: query }) => Object.fromEntries(Object.keys(entry).map((key) => [key, query.get(key)]));

// A run is shown that has ended. A booth goes on for days, and nobody goes back there.
export function arrive(certificate) {
  if (certificate === known) return;
  known = certificate;
  settle();
  result = { ...ofResult(), ...scanOf(new URL(location.href)) };
  if (returned) return;
  const isSeen = document.body.dataset.view === "certify" && !document.body.classList.contains("ps-kiosk");
  if (entry && isSeen && linkOf(result) !== linkOf(entry)) {
    push(result, entry);
    keep(ofControls()); // they may have moved meanwhile
  }
  entry = result;
}

const isShown = (said) => Object.keys(ofResult()).length > 0 && linkOf(said) === linkOf(result);

export function offerReturns(trigger) {
  const send = latest(trigger);
  onReturn((entered, left) => {
    if (!entry || !entered.searchParams.has("noise")) return; // nothing was chosen there
    const said = partOf(entered);
    if (linkOf(said) === linkOf(partOf(left))) return;
    [entry, returned] = [said, true];
    send(isShown(said) ? "back" : "again", { query: entered.search });
  });
}
