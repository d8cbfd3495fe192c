// Lecture and kiosk: the same page, told in six steps, or left to itself on a booth. It knows nothing about statistics and
// holds no words of its own.
(() => {
  "use strict";
  const psmooth = (window.psmooth = window.psmooth || {});
  if (psmooth.modes) return;
  const one = (root, selector) => root.querySelector(selector);
  const query = new URLSearchParams(location.search);

  // ---- lecture: each step puts a light on a part of the live page; the controls work as always

  const SPOTS = [".ps-strip figure:nth-child(-n+2)", ".ps-strip figure:nth-child(3), #ps-noise-field", ".ps-votes", ".ps-chart", ".ps-radius, .ps-budget", ".ps-sentence"];

  function lecture(root, steps) {
    let place = -1;

    function go(next) {
      place = Math.max(-1, Math.min(steps.length - 1, next));
      document.querySelectorAll(".ps-spot").forEach((node) => node.classList.remove("ps-spot"));
      root.hidden = place < 0;
      document.body.classList.toggle("ps-lecturing", place >= 0);
      psmooth.address({ lecture: place < 0 ? null : place + 1 });
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
    const asked = Number(query.get("lecture"));
    if (asked >= 1 && asked <= steps.length) setTimeout(() => go(asked - 1), 300);
  }

  // ---- kiosk: examples one after the other; whoever touches it has it, until it has been left alone for a minute

  const OVER = ["certified", "abstained", "stopped", "failed", "idle"];

  // A browser's memory creeps up over days, so the booth loads its page afresh now and then; never while nobody serves it.
  function again() {
    const reload = (answer) => answer.ok && location.reload();
    fetch(location.href, { method: "HEAD", cache: "no-store" }).then(reload, () => {});
  }

  function kiosk() {
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

  psmooth.modes = (element, steps) => {
    const root = one(element, ".ps-lecture");
    document.body.append(root);
    lecture(root, steps);
    if (query.get("kiosk") === "1") kiosk();
  };
})();
