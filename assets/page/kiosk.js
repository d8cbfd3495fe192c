// Kiosk: the page left to itself on a booth; whoever touches it has it, until it has been left alone for a minute. It knows
// nothing about statistics.
import { one } from "./dom.js";

const query = new URLSearchParams(location.search);
const OVER = ["certified", "abstained", "stopped", "failed", "idle"];

// A browser's memory creeps up over days, so the booth loads its page afresh now and then; never while nobody serves it.
function again() {
  const reload = (answer) => answer.ok && location.reload();
  fetch(location.href, { method: "HEAD", cache: "no-store" }).then(reload, () => {});
}

export function startKiosk() {
  if (query.get("kiosk") !== "1") return;
  document.body.classList.add("ps-kiosk");
  const usual = { pause: 8, idle: 60, fresh: 1800 }; // seconds
  const [pause, idle, fresh] = Object.keys(usual).map((name) => 1000 * Math.max(1, Number(query.get(name)) || usual[name]));
  let touched = -Infinity;
  let over = 0;
  for (const name of ["pointerdown", "keydown", "wheel"]) addEventListener(name, (event) => event.isTrusted && (touched = performance.now()), { passive: true });
  setInterval(() => {
    const now = performance.now();
    const stage = one(document, ".ps-stage");
    const buttons = [...document.querySelectorAll(".ps-picker button")];
    if (!stage || !buttons.length || now - touched < idle) return void (over = 0);
    if (!OVER.includes(stage.dataset.state)) return void (over = 0);
    if (!over) return void (over = now);
    if (now - over < pause) return;
    over = 0;
    if (now > fresh) return void again();
    if (document.body.dataset.view !== "certify") return void one(document, ".ps-nav a").click();
    const chosen = buttons.findIndex((button) => button.getAttribute("aria-pressed") === "true");
    buttons[(chosen + 1) % buttons.length].click();
  }, 500);
}
