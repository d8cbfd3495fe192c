// The list of runs on one scan. It knows nothing about what a run found.
import { make, one, setText } from "./dom.js";

export function showRuns(root, runs) {
  root.hidden = !runs;
  if (!runs || root.dataset.shown === JSON.stringify(runs)) return;
  root.dataset.shown = JSON.stringify(runs);
  setText(one(root, "summary"), runs.title);
  setText(one(root, "p"), runs.about);
  one(root, "thead tr").replaceChildren(...runs.head.map((text) => Object.assign(make("th", "", text), { scope: "col" })));
  one(root, "tbody").replaceChildren(
    ...runs.rows.map((row) => {
      const line = make("tr");
      line.append(...row.map((text) => make("td", "", text)));
      return line;
    }),
  );
}
