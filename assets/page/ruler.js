// The ruler: how far known changes of this very crop lie, and how far the certificate reaches. It knows nothing about
// statistics.
import { make, one, setText } from "./dom.js";

export function drawRuler(root, value, words) {
  const box = one(root, ".ps-ruler");
  setText(one(root, ".ps-ruler-title span"), value.radius === null ? words.ruler_open : words.ruler.replace("{radius}", value.radius));
  setText(one(root, ".ps-ruler-title small"), value.covered);
  if (box.children.length !== value.rows.length + 1) {
    box.replaceChildren();
    for (let i = 0; i < value.rows.length; i += 1) {
      const row = make("div", "ps-mark");
      const scale = make("span", "ps-scale");
      scale.append(make("i", "ps-reach"), make("i", "ps-dot"), make("b"));
      row.append(make("span", "ps-mark-words"), scale, make("span", "ps-hidden"));
      box.append(row);
    }
    const axis = make("div", "ps-mark ps-axis");
    const scale = make("span", "ps-scale");
    for (const [text, place] of value.ticks) {
      const tick = make("span", "", text);
      tick.style.left = `${place * 100}%`;
      scale.append(tick);
    }
    axis.append(make("span", "ps-mark-words", words.ruler_axis), scale);
    box.append(axis);
  }
  value.rows.forEach(([text, size, place, covered], index) => {
    const row = box.children[index];
    row.classList.toggle("ps-covered", covered);
    setText(one(row, ".ps-mark-words"), text);
    setText(one(row, "b"), size);
    setText(one(row, ".ps-hidden"), covered ? value.covered : words.outside);
    one(row, ".ps-dot").style.left = one(row, "b").style.left = `${place * 100}%`;
    one(row, ".ps-reach").style.width = `${(value.place || 0) * 100}%`;
  });
}
