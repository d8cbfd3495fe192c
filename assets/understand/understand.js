// The view Understand: four pictures to take hold of, computed and drawn in the page. It asks nothing of the server, and
// holds no words of its own.
import { one, opensElsewhere } from "../page/dom.js";
import { translated } from "../page/words.js";
import { looksPiece } from "./looks.js";
import { planePiece } from "./plane.js";
import { tunedPiece } from "./tuned.js";
import { votesPiece } from "./votes.js";

// Gradio sets a base address, to which a bare "#…" would go without the view that the address names.
function jump(event) {
  if (opensElsewhere(event)) return;
  event.preventDefault();
  location.hash = event.currentTarget.hash;
}

export function mount(element) {
  const root = one(element, ".ps-understand");
  const said = translated(JSON.parse(root.dataset.said));
  for (const piece of [votesPiece, planePiece, looksPiece, tunedPiece]) piece(root, said);
  for (const link of root.querySelectorAll(".ps-u-contents a")) link.addEventListener("click", jump);
  const asked = location.hash.startsWith("#understand-") && one(root, location.hash);
  if (asked) asked.scrollIntoView();
}
