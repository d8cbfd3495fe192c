// Draws the first picture: before Gradio has loaded, the page already stands, with the first scan and its noise. It knows
// nothing about runs.
import { one, still } from "./dom.js";
import { mountPicker } from "./picker.js";
import { mountStage } from "./stage.js";
import { redrawNoise, showStrip } from "./strip.js";
import { locale } from "./words.js";

function draw(root, { stage, strip, picker, words }) {
  const query = new URLSearchParams(location.search);
  const another = Number(query.get("example") || 0) !== 0 || query.has("scan") || (query.get("view") || "certify") !== "certify";
  if (another) return void root.remove();
  one(root, ".ps-language").value = locale.language;
  const nothing = () => {};
  mountPicker(root, { value: picker }, nothing, nothing);
  mountStage(root, { value: stage, words }, nothing, nothing);
  showStrip(strip);
  const moving = setInterval(() => {
    if (!root.isConnected) clearInterval(moving);
    else if (!still.matches) redrawNoise();
  }, 120);
}

// Where the page itself came first, there is nothing to draw.
const first = one(document, "#ps-first");
if (first) draw(first, JSON.parse(one(first, "script").textContent));
