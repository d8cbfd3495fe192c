// The window of the scan in the viewer: drawn up by hand, by keys or chosen, and seen at once. It knows nothing about the
// box, and what it draws is for looking: when the hand rests the server is told, and its own picture takes the place.
import { latest, make, one } from "./dom.js";
import { moved, paint, unpack } from "./grey.js";

const REST = 500; // milliseconds after the last key

export function mountWindow(dialog, ground, words, trigger) {
  const [canvas, numbers, menu, greys, image] = [".ps-viewer-levels", ".ps-viewer-numbers", ".ps-viewer-offers", ".ps-viewer-greys", "img"].map((name) => one(dialog, name));
  const hands = [...dialog.querySelectorAll(".ps-viewer-hand input")];
  let [levels, codes, window, asked, resting, pending] = [null, null, null, 0, 0, 0];

  const send = latest(trigger);
  const isOn = () => levels !== null && hands[1].checked;

  // ---- what is seen

  function offer() {
    return levels.offers.findIndex(([, center, width]) => center === window.center && width === window.width);
  }

  function name() {
    const text = `${window.center} / ${window.width} ${levels.unit}`.trim().replaceAll("-", "−");
    numbers.textContent = text;
    const options = levels.offers.map(([label], index) => [label, index]);
    if (offer() < 0) options.push([`${levels.own} · ${text}`, -1]);
    menu.replaceChildren(...options.map(([label, index]) => Object.assign(make("option", "", label), { value: index })));
    menu.value = String(offer());
  }

  function draw() {
    pending = 0;
    const [, , , kind] = levels.offers[Math.max(0, offer())]; // one by hand has the function of the first
    paint(canvas, codes, levels, { ...window, kind });
    canvas.hidden = false;
  }

  function set(next) {
    window = next;
    name();
    pending = pending || requestAnimationFrame(draw);
  }

  function choose() {
    clearTimeout(resting);
    resting = 0;
    send("window", window);
  }

  // ---- hands on it

  const move = (right, down, start) => set(moved(start, right, down, levels));

  const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  ground.addEventListener("keydown", (event) => {
    if (!isOn() || event.target !== ground || !KEYS[event.key]) return;
    event.preventDefault();
    const pace = event.shiftKey ? 30 : 6;
    move(KEYS[event.key][0] * pace, KEYS[event.key][1] * pace, window);
    clearTimeout(resting);
    resting = setTimeout(choose, REST);
  });
  menu.addEventListener("change", () => {
    const [, center, width] = levels.offers[menu.value];
    set({ center, width });
    choose();
  });
  dialog.addEventListener("close", () => resting && choose());
  for (const hand of hands) {
    hand.addEventListener("change", () => {
      dialog.classList.toggle("ps-windowing", isOn());
      ground.tabIndex = isOn() ? 0 : -1;
      dialog.dispatchEvent(new Event("ps-hand"));
    });
  }

  // ---- what is looked at

  return {
    isOn,
    start: () => window,
    move,
    choose,
    // Another look at a scan; one in colour has no window.
    open(value) {
      [levels, canvas.hidden, numbers.textContent, asked] = [null, true, "", asked + 1];
      window = value.window && { center: value.window[0], width: value.window[1] };
      greys.hidden = !window;
      hands[1].disabled = menu.disabled = true;
      hands[0].checked = true;
      hands[0].dispatchEvent(new Event("change"));
      if (window) trigger("look", { asked });
    },
    async take(value) {
      if (value.asked !== asked || !value.levels) return;
      const unpacked = await unpack(value.levels);
      if (value.asked !== asked) return;
      [codes, levels] = [unpacked, value.levels];
      hands[1].disabled = menu.disabled = false;
      name();
    },
    // The server's own picture through this window.
    settle(value) {
      if (!window || !value.window || value.window[0] !== window.center || value.window[1] !== window.width) return;
      image.src = value.scan;
      image.decode().then(() => (canvas.hidden = true), () => {});
    },
  };
}
