// The examples to pick from. It knows nothing about what happens when one is picked.
import { keep } from "./address.js";
import { latest, make, one } from "./dom.js";
import { stands } from "./standing.js";

export function mountPicker(element, props, watch, trigger) {
  const box = one(element, ".ps-picker");
  const send = latest(trigger);
  function show({ items, chosen }) {
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
          button.addEventListener("click", () => send("pick", { index }));
          return button;
        }),
      );
    }
    [...box.children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
    if (box.children[chosen]) box.scrollLeft += box.children[chosen].getBoundingClientRect().left - box.getBoundingClientRect().left - 40;
  }
  show(props.value);
  watch("value", () => {
    const { chosen, own } = props.value;
    keep({ example: chosen, scan: own ? "own" : null });
    show(props.value);
  });
}

export function mount(...given) {
  mountPicker(...given);
  stands("picker");
}
