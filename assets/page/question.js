// The one question after an upload: what does the scan show? A tile for each kind of scan, one for anything else. It knows
// nothing about how a scan is recognised.
import { latest, make, one, setText, still } from "./dom.js";
import { onLoading } from "./stage.js";
import { openView } from "./views.js";

// The picture of a kind is that of an example, which stands on the page already.
function pictureOf(index) {
  const example = index === null ? null : document.querySelectorAll(".ps-picker button img")[index];
  if (!example) return make("span", "ps-tile-blank", "?");
  const image = make("img");
  image.src = example.src;
  image.alt = "";
  return image;
}

const PATIENCE = 40; // tenths of a second until the fields for it have come

// "Something else": the fields for the visitor's own class names come when the menu has turned to them.
function nameClasses(left) {
  const names = one(document, "#ps-own textarea");
  if (names) names.focus();
  else if (left) setTimeout(nameClasses, 100, left - 1);
}

export function mount(element, props, watch, trigger) {
  const [root, title, text, image, tiles] = [".ps-question", "h2", "p", ".ps-question-head img", ".ps-tiles"].map((name) => one(element, name));
  const send = latest(trigger);
  let value = null;

  function tile({ id, name, example }) {
    const button = make("button");
    button.type = "button";
    button.dataset.task = id;
    button.append(pictureOf(example), make("span", "", name));
    button.addEventListener("click", () => {
      send("answer", { task: id });
      if (id === "own") nameClasses(PATIENCE);
    });
    return button;
  }

  function show() {
    root.hidden = !value.state;
    root.dataset.state = value.state;
    // Classes and not `:has()`, which is asked again of the whole stage with each step of a run.
    one(document, "#ps-page").classList.toggle("ps-asking", value.state === "asked");
    element.closest("#ps-stage-column > *").classList.toggle("ps-unasked", root.hidden);
    setText(title, value.title);
    setText(text, value.sentence);
    if (value.scan) image.src = value.scan;
    for (const button of tiles.children) button.setAttribute("aria-pressed", String(button.dataset.task === value.chosen));
  }

  // It stands in Compare too, whose scan it is.
  const isCompare = () => document.body.dataset.view === "compare";
  const stand = () => (isCompare() ? one(document, "#ps-compare-column") : element).prepend(root);

  // Whoever is asked finds himself before the question, on a phone and by keyboard too.
  function ask() {
    tiles.replaceChildren(...props.tiles.map(tile));
    show();
    if (value.state !== "asked") return;
    if (!isCompare()) openView("certify");
    root.scrollIntoView({ behavior: still.matches ? "auto" : "smooth", block: "nearest" });
    (one(tiles, "[aria-pressed=true]") || title).focus({ preventScroll: true });
  }

  function change(given) {
    value = given;
    ask();
  }

  one(root, ".ps-question-change").addEventListener("click", () => change({ ...value, state: "asked" }));
  new MutationObserver(stand).observe(document.body, { attributes: true, attributeFilter: ["data-view"] });
  onLoading(() => value.state === "asked" && change({ ...value, state: "" })); // answered by a run that was asked for
  stand();
  change(props.value);
  watch("value", () => change(props.value));
}
