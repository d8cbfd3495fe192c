// Shows one view of the page: each has a link of its own, so that Back, a bookmark and a new tab do what they do everywhere.
// It knows nothing about what a view holds.
import { settle, tellSpace } from "./address.js";
import { opensElsewhere } from "./dom.js";

const VIEWS = ["certify", "compare", "learn", "understand"];

function showView() {
  const asked = new URLSearchParams(location.search).get("view");
  const view = VIEWS.includes(asked) ? asked : VIEWS[0];
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll(".ps-nav a")) {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  window.dispatchEvent(new Event("resize"));
}

function goTo(event) {
  if (opensElsewhere(event)) return;
  event.preventDefault();
  settle();
  const url = new URL(location.href);
  url.searchParams.set("view", event.currentTarget.dataset.view);
  history.pushState(null, "", url);
  tellSpace(url);
  showView();
  scrollTo(0, 0);
}

window.addEventListener("popstate", showView);

export function followLinks(element) {
  for (const link of element.querySelectorAll(".ps-nav a")) link.addEventListener("click", goTo);
  showView();
}
