// Lecture: the same page, told in steps; each puts a light on a part of the live page, and the controls work as always. It
// knows nothing about statistics and holds no words of its own.
import { keep } from "./address.js";
import { one } from "./dom.js";

const SPOTS = [".ps-strip figure:nth-child(-n+2)", ".ps-strip figure:nth-child(3), #ps-noise-field", ".ps-votes", ".ps-chart", ".ps-radius, .ps-budget", ".ps-sentence"];

function lecture(root, steps) {
  let place = -1;

  function go(next) {
    place = Math.max(-1, Math.min(steps.length - 1, next));
    document.querySelectorAll(".ps-spot").forEach((node) => node.classList.remove("ps-spot"));
    root.hidden = place < 0;
    document.body.classList.toggle("ps-lecturing", place >= 0);
    keep({ lecture: place < 0 ? null : place + 1 });
    if (place < 0) return;
    const [title, text] = steps[place];
    one(root, ".ps-lecture-place").textContent = `${place + 1} / ${steps.length}`;
    one(root, "h2").textContent = title;
    one(root, ".ps-lecture-text").textContent = text;
    one(root, ".ps-lecture-back").disabled = place === 0;
    const spots = document.querySelectorAll(SPOTS[place].split(",").map((part) => `#ps-page ${part}`).join(","));
    spots.forEach((node) => node.classList.add("ps-spot"));
    if (spots[0]) spots[0].scrollIntoView({ block: "center" });
  }

  one(root, ".ps-lecture-back").addEventListener("click", () => go(place - 1));
  one(root, ".ps-lecture-next").addEventListener("click", () => go(place + 1 < steps.length ? place + 1 : -1));
  one(root, ".ps-lecture-end").addEventListener("click", () => go(-1));
  document.addEventListener("keydown", (event) => {
    if (place < 0 || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || one(document, "dialog[open]")) return;
    if (event.key === "ArrowRight" || event.key === "PageDown") go(Math.min(place + 1, steps.length - 1));
    else if (event.key === "ArrowLeft" || event.key === "PageUp") go(Math.max(place - 1, 0));
    else if (event.key === "Escape") go(-1);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => event.target.closest(".ps-teach") && go(0));
  const asked = Number(new URLSearchParams(location.search).get("lecture"));
  if (asked >= 1 && asked <= steps.length) setTimeout(() => go(asked - 1), 300);
}

export function mountLecture(element, steps) {
  const root = one(element, ".ps-lecture");
  document.body.append(root);
  lecture(root, steps);
}
