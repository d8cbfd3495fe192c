// What came of a certificate file, below the button that asks for one: a run that is shown stays as it is. It knows nothing
// about certificates.
import { make, one, setText } from "./dom.js";
import { onLoss } from "./losses.js";
import { onShown, shownCrop } from "./stage.js";
import { translated } from "./words.js";

const MOST_BYTES = 1000000; // larger ones are refused before they are sent
const INPUT = "#ps-stage-column input[type=file]";

const cells = (tag, texts) => texts.map((text) => make(tag, "", text));

export function mount(element, props, watch) {
  const words = translated(props.words);
  const root = () => one(document, "#ps-stage-column .ps-checked"); // the stage stands when the first file comes

  // Whether a certificate is about what is shown, where both are known.
  function ofShown() {
    const shown = shownCrop();
    if (!crop || !shown) return "";
    return crop === shown ? words.check_same : words.check_other;
  }

  let crop = "";
  onShown(() => root() && setText(one(root(), ".ps-checked-crop"), ofShown()));

  function show(value) {
    if (!value) return;
    crop = value.crop_sha256;
    const box = root();
    box.hidden = false;
    box.dataset.state = value.state;
    setText(one(box, "h3"), value.headline[0]);
    setText(one(box, "p"), value.sentence);
    setText(one(box, ".ps-checked-crop"), ofShown());
    one(box, "thead tr").replaceChildren(...cells("th", value.head));
    one(box, "tbody").replaceChildren(
      ...value.rows.map((texts) => {
        const row = make("tr");
        row.append(...cells("td", texts));
        return row;
      }),
    );
    one(box, "table").hidden = !value.rows.length;
    one(box, ".ps-checked-close").onclick = () => (box.hidden = true);
    box.scrollIntoView({ block: "nearest" });
  }

  const fail = (title, text) =>
    show({ state: "failed", headline: [title, "", ""], sentence: text, aside: "", line: "", fraction: 0, announce: "", head: [], rows: [] });

  document.addEventListener("change", (event) => {
    if (!event.target.matches(INPUT) || !event.target.files.length || event.target.files[0].size <= MOST_BYTES) return;
    event.stopImmediatePropagation();
    event.target.value = "";
    fail(words.check_none, words.check_large);
  }, true);
  onLoss("check", () => fail(words.lost_title, words.lost));
  watch("value", () => show(props.value));
}
