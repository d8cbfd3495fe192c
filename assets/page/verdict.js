// The words above the chart: the verdict, its sentence, the radius, the facts; and those for paper alone. It knows nothing
// about statistics, and holds no words of its own.
import { make, one, setPairs, setText } from "./dom.js";

export function showWords(root, value) {
  const parts = one(root, "h2.ps-headline").children;
  value.headline.forEach((text, index) => setText(parts[index], text));
  const [said, aside] = one(root, "p.ps-sentence").children;
  setText(said, value.sentence);
  setText(aside, value.aside);
  if (value.ghosts) showGhosts(root, value.ghosts);
  const radius = value.radius || { text: "–", unit: "", status: "" };
  setText(one(root, ".ps-radius b"), radius.text);
  setText(one(root, ".ps-unit"), radius.unit);
  setText(one(root, ".ps-status"), radius.status);
  setText(one(root, ".ps-line"), value.line);
  setText(one(root, ".ps-restart"), value.notice || "");
  setText(one(root, "[role=status]"), value.announce || "");
}

// Unseen, they keep free the height of the longest words that this run may come to, so that nothing jumps.
function showGhosts(root, ghosts) {
  setText(one(root, ".ps-headline.ps-ghost"), ghosts.headline);
  setText(one(root, ".ps-sentence.ps-ghost"), ghosts.sentence);
  showMarks(one(root, ".ps-marks.ps-ghost"), ghosts.badge, ghosts.facts);
}

export function showMarks(root, badge, pairs) {
  const [kind, list] = root.children;
  const shown = JSON.stringify([badge, pairs]);
  if (root.dataset.shown === shown) return;
  root.dataset.shown = shown;
  kind.dataset.kind = badge ? badge.kind : "";
  kind.textContent = badge ? badge.text : "";
  kind.title = badge ? badge.about : "";
  if (badge) kind.append(make("span", "ps-hidden", `: ${badge.about}`));
  list.replaceChildren(
    ...(pairs || []).map(([term, text]) => {
      const pair = make("div");
      pair.append(make("dt", "", term), make("dd", "", text));
      return pair;
    }),
  );
}

// Seen on paper alone: everything that lets the certificate be checked.
export function showReport(root, report) {
  if (!report) return root.children[1].replaceChildren();
  const [title, list, caveat] = root.children;
  setText(title, report.title);
  setText(caveat, report.caveat);
  setPairs(list, report.rows);
}
