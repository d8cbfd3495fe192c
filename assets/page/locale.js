// The menu of languages and the button for symbols. It knows nothing about words: it sets the locale in which they are said.
import { keep } from "./address.js";
import { one } from "./dom.js";
import { locale, useLocale } from "./words.js";

const remember = () => keep({ lang: locale.language, words: locale.symbols ? "symbols" : null });

// What the server gets. A choice made while it still answers an earlier one is sent after that, but Gradio sends what
// it was given with the earlier one: so that is one object, which always holds the latest choice.
const chosen = {};

export function offerLocales(element, trigger) {
  const languages = one(element, ".ps-language");
  const symbols = one(element, ".ps-symbols");
  const show = () => {
    languages.value = locale.language;
    symbols.setAttribute("aria-pressed", String(locale.symbols));
  };
  async function change(changes) {
    Object.assign(locale, changes);
    show();
    remember();
    await useLocale();
    trigger("locale", Object.assign(chosen, { lang: locale.language, words: locale.symbols ? "symbols" : "" }));
  }
  languages.addEventListener("change", () => change({ language: languages.value }));
  symbols.addEventListener("click", () => change({ symbols: !locale.symbols }));
  show();
}
