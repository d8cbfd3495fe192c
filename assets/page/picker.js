// The examples to pick from. It knows nothing about what happens when one is picked.
import { keep } from "./address.js";
import { make, one } from "./dom.js";

export function mount(element, props, watch, trigger) {
  const box = one(element, ".ps-picker");
  let before = props.value.chosen;
  function show({ items, chosen, own }) {
    if (chosen !== before || own) keep({ example: chosen, scan: own ? "own" : null });
    before = chosen;
    if (box.children.length !== items.length) {
      box.replaceChildren(
        ...items.map((item, index) => {
          const button = make("button");
          button.type = "button";
          const picture = make("img");
          picture.src = item.picture;
          picture.alt = "";
          button.append(picture, make("span", "", item.name));
          if (item.shown) button.append(make("small", "", item.about));
          button.setAttribute("aria-label", item.label);
          button.title = item.label;
          button.addEventListener("click", () => trigger("pick", { index }));
          return button;
        }),
      );
    }
    [...box.children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
  }
  show(props.value);
  watch("value", () => show(props.value));
}
