// The menu of languages and the button for symbols. It knows nothing about words: it sets the voice in which they are said.
import { keep } from "./address.js";
import { one } from "./dom.js";
import { speak, voice } from "./words.js";

const remember = () => keep({ lang: voice.language, words: voice.symbols ? "symbols" : null });

// What the server is told. A choice made while it still answers an earlier one is sent after that, but Gradio sends what
// it was given with the earlier one: so that is one object, which always holds the latest choice.
const told = {};

export function offerVoices(element, trigger) {
  const languages = one(element, ".ps-language");
  const symbols = one(element, ".ps-symbols");
  const show = () => {
    languages.value = voice.language;
    symbols.setAttribute("aria-pressed", String(voice.symbols));
  };
  async function change(changes) {
    Object.assign(voice, changes);
    show();
    remember();
    await speak();
    trigger("voice", Object.assign(told, { lang: voice.language, words: voice.symbols ? "symbols" : "" }));
  }
  languages.addEventListener("change", () => change({ language: languages.value }));
  symbols.addEventListener("click", () => change({ symbols: !voice.symbols }));
  show();
}
