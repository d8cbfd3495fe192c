// A sentence of the server, which may hold a stranger's words: as text, whatever stands in it. It knows nothing about what
// is said.
import { one, setText } from "./dom.js";

export function mount(element, props, watch) {
  const show = () => setText(one(element, "p"), props.value || "");
  show();
  watch("value", show);
}
