// Light or dark: chosen here, remembered where the browser allows it, and part of a link. It knows nothing about colours:
// the page came with a script that has chosen before anything was painted, and named what was asked for on the document.
import { keep } from "./address.js";

const system = matchMedia("(prefers-color-scheme: dark)");
const { dataset } = document.documentElement;
let onPaper = false; // which is white
const dark = () => !onPaper && (dataset.theme ? dataset.theme === "dark" : system.matches);

// Gradio follows the system alone, when it starts and whenever that changes.
const hold = () => document.body.classList.contains("dark") !== dark() && document.body.classList.toggle("dark");
new MutationObserver(hold).observe(document.body, { attributes: true, attributeFilter: ["class"] });
for (const [coming, printing] of [["beforeprint", true], ["afterprint", false]]) addEventListener(coming, () => ((onPaper = printing), hold()));

function remember(theme) {
  try {
    localStorage.setItem("psmooth-theme", theme);
  } catch {
    // A browser may keep nothing: then it holds for this page, and in its address.
  }
}

export function offerTheme(button) {
  if (dataset.theme) keep({ theme: dataset.theme });
  button.addEventListener("click", () => {
    dataset.theme = dark() ? "light" : "dark";
    hold();
    remember(dataset.theme);
    keep({ theme: dataset.theme });
  });
}
