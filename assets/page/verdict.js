// The words above the chart: the verdict, its sentence, the radius, the facts; and those for paper alone. It knows nothing
// about statistics, and holds no words of its own.
import { make, one, setPairs, setText } from "./dom.js";

// A number and its unit stand in one line.
const bound = (line) => line.replace(/(\d) (s|min|h|MB)(?![\w])/g, "$1\u00a0$2");

export function showWords(root, value, words) {
  const parts = one(root, "h2.ps-headline").children;
  value.headline.forEach((text, index) => setText(parts[index], text));
  const [said, aside] = one(root, "p.ps-sentence").children;
  setSaid(said, value.sentence, words.bit_crop);
  setText(aside, value.aside);
  if (value.ghosts) showGhosts(root, value.ghosts);
  const radius = value.radius || { text: "–", unit: "", status: "" };
  setText(one(root, ".ps-radius b"), radius.text);
  setText(one(root, ".ps-unit"), radius.unit);
  setText(one(root, ".ps-status"), radius.status);
  setText(one(root, ".ps-line"), bound(value.line));
  setText(one(root, ".ps-doubt"), value.doubt || "");
  setText(one(root, ".ps-restart"), value.notice || "");
}

// A sentence with one term in it that opens its explanation.
function setSaid(node, sentence, term) {
  if (node.textContent === sentence) return;
  const [before, ...after] = sentence.split(term);
  node.textContent = before;
  if (!after.length) return;
  const button = make("button", "ps-term", term);
  button.type = "button";
  button.setAttribute("popovertarget", "ps-about-crop");
  node.append(button, after.join(term));
}

// Unseen, they keep free the height of the longest words that this run may come to, so that nothing jumps.
function showGhosts(root, ghosts) {
  setText(one(root, ".ps-headline.ps-ghost"), ghosts.headline);
  setText(one(root, ".ps-sentence.ps-ghost"), ghosts.sentence);
  showMarks(one(root, ".ps-marks.ps-ghost"), ghosts.badge, ghosts.facts, "");
}

export function showMarks(root, badge, pairs, truth) {
  const [kind, unknown, list] = root.children;
  const shown = JSON.stringify([badge, pairs, truth]);
  if (root.dataset.shown === shown) return;
  root.dataset.shown = shown;
  kind.dataset.kind = badge ? badge.kind : "";
  kind.textContent = badge ? badge.text : "";
  unknown.hidden = truth !== "unknown";
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
  const [title, list, caveat] = root.children;
  setText(title, report ? report.title : "");
  setText(caveat, report ? report.caveat : "");
  setPairs(list, report ? report.rows : []);
}
