// What did not arrive: the page cannot know how far it came, so nothing that it shows holds any longer. It knows nothing
// about how a view shows that.
import { one } from "./dom.js";
import { isBusy } from "./progress.js";

const losing = {}; // how each view shows it
export const onLoss = (view, show) => (losing[view] = show);
export const lose = (what) => losing[what] && losing[what]();

// Gradio says nothing to the page when a file is refused or cut off on its way, nor when the server is out of reach: then
// it asks for app_id until there is an answer. What is over by then still holds; what was on its way does not.
const fetching = window.fetch;
window.fetch = async (...asked) => {
  const path = new URL(asked[0].url || asked[0], location.href).pathname;
  const bringing = (on) => path.endsWith("/upload") && document.body.classList.toggle("ps-bringing", on);
  bringing(true); // on its way to the server, and, at an address that ends alike, while it is read there
  const answer = await fetching(...asked).finally(() => bringing(false)).catch((error) => {
    if (path.endsWith("/upload")) lose("scan");
    else if (/\/(run\/\w+|queue\/join)$/.test(path)) lose(document.body.dataset.view);
    else if (path.endsWith("/app_id")) loseWhatRuns();
    throw error;
  });
  if (path.endsWith("/upload") && !answer.ok) lose("scan");
  return answer;
};

function loseWhatRuns() {
  for (const view of ["certify", "compare", "attack", "learn"]) {
    const root = one(document, view === "certify" ? ".ps-stage" : `.ps-${view}`);
    if (root && isBusy(root.dataset.state)) lose(view);
  }
}
