// Kiosk: the page left to itself on a booth, where it tells its story with one example after the other; whoever touches it has
// the page, until it has been left alone for a minute. It knows nothing about statistics.
import { one, setText } from "./dom.js";

const query = new URLSearchParams(location.search);
const OVER = ["certified", "abstained", "stopped", "failed", "idle"];
const NO_RADIUS = 3; // the step of the story with which a run without a radius leaves it for the last one

// A browser's memory creeps up over days, so the booth loads its page afresh now and then; never while nobody serves it.
function again() {
  const reload = (answer) => answer.ok && location.reload();
  fetch(location.href, { method: "HEAD", cache: "no-store" }).then(reload, () => {});
}

// How far the story may be told while a run is in that state.
function farthest(state, last) {
  if (OVER.includes(state)) return last;
  return { selecting: 1, estimating: NO_RADIUS - 1 }[state] || 0;
}

export function startKiosk(element, steps) {
  if (query.get("kiosk") !== "1") return;
  const story = one(element, ".ps-story");
  const last = steps.length - 2; // the end is for those who asked for the story
  document.body.append(story);
  document.body.classList.add("ps-kiosk");
  const usual = { pause: 4, idle: 60, fresh: 1800 }; // seconds
  const [pause, idle, fresh] = Object.keys(usual).map((name) => 1000 * Math.max(1, Number(query.get(name)) || usual[name]));
  let touched = -Infinity;
  let [told, since] = [0, performance.now()];

  function tell(place) {
    [told, since] = [place, performance.now()];
    setText(one(story, "h2"), steps[place][0]);
    setText(one(story, "p"), steps[place][1]);
  }

  function alone(is) {
    if (document.body.classList.contains("ps-alone") === is) return;
    document.body.classList.toggle("ps-alone", is);
    dispatchEvent(new Event("resize"));
    tell(0);
  }

  function touch(event) {
    if (!event.isTrusted) return;
    touched = performance.now();
    alone(false);
  }

  function nextExample(buttons) {
    const chosen = buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true");
    tell(0);
    buttons[(chosen + 1) % buttons.length].click();
  }

  for (const name of ["pointerdown", "keydown", "wheel"]) addEventListener(name, touch, { passive: true });
  setInterval(() => {
    const now = performance.now();
    const stage = one(document, ".ps-stage");
    const buttons = [...document.querySelectorAll(".ps-picker button")];
    const { view } = document.body.dataset;
    if (!stage || !buttons.length || !view || one(document, "#ps-first") || now - touched < idle) return;
    if (view !== "certify") return void one(document, ".ps-nav a").click();
    alone(true);
    if (now - since < pause) return;
    const { state } = stage.dataset;
    if (told < farthest(state, last)) return void tell(told === NO_RADIUS && state !== "certified" ? last : told + 1);
    if (told < last) return;
    if (now > fresh) again();
    else nextExample(buttons);
  }, 500);
}
