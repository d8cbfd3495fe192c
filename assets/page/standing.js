// When the first picture gives way to the page itself: once every part that it shows has its hands, or a click on one of
// them would be lost. It knows nothing about what a part does.
import { one } from "./dom.js";

const awaited = new Set(["header", "picker", "stage"]);

export function stands(part) {
  awaited.delete(part);
  const first = one(document, "#ps-first");
  if (first && !awaited.size) first.remove();
}
