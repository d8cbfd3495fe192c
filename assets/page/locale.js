// The menu of languages and the button for symbols. It knows nothing about words: it sets the locale in which they are said.
import { keep } from "./address.js";
import { latest, one } from "./dom.js";
import { locale, useLocale } from "./words.js";

const remember = () => keep({ lang: locale.language, words: locale.symbols ? "symbols" : null });

export function offerLocales(element, trigger) {
  const languages = one(element, ".ps-language");
  const symbols = one(element, ".ps-symbols");
  const show = () => {
    languages.value = locale.language;
    symbols.setAttribute("aria-pressed", String(locale.symbols));
  };
  const send = latest(trigger);
  async function change(changes) {
    Object.assign(locale, changes);
    show();
    remember();
    await useLocale();
    send("locale", { lang: locale.language, words: locale.symbols ? "symbols" : "" });
  }
  languages.addEventListener("change", () => change({ language: languages.value }));
  symbols.addEventListener("click", () => change({ symbols: !locale.symbols }));
  show();
}
