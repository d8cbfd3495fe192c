// Shows one view of the page: each has a link of its own, so that Back, a bookmark and a new tab do what they do everywhere.
// It knows nothing about what a view holds.
import { onReturn, push } from "./address.js";
import { one, opensElsewhere } from "./dom.js";

const VIEWS = ["certify", "compare", "attack", "learn", "understand", "results"];

function showView() {
  const asked = new URLSearchParams(location.search).get("view");
  const view = VIEWS.includes(asked) ? asked : VIEWS[0];
  document.body.dataset.view = view;
  for (const link of document.querySelectorAll(".ps-nav a")) {
    if (link.dataset.view !== view) link.removeAttribute("aria-current");
    else {
      link.setAttribute("aria-current", "page");
      link.parentElement.scrollLeft = link.offsetLeft + link.offsetWidth - link.parentElement.clientWidth; // on a phone
    }
  }
  window.dispatchEvent(new Event("resize"));
}

function goTo(event) {
  if (opensElsewhere(event)) return;
  event.preventDefault();
  push({ view: event.currentTarget.dataset.view });
  showView();
  scrollTo(0, 0);
}

// As by its link, for what is shown there alone.
export function openView(view) {
  if (document.body.dataset.view !== view) one(document, `.ps-nav a[data-view=${view}]`).click();
}

onReturn(showView);

export function followLinks(element) {
  for (const link of element.querySelectorAll(".ps-nav a")) link.addEventListener("click", goTo);
  showView();
}
