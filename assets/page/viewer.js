// The scan, large: zoom, pan, invert, and the box of what is certified, to be moved and sized. It knows nothing about
// models or grey values; the box is a square in pixels of the scan, given to the server when the visitor says so.
import { clamp, latest, one } from "./dom.js";
import { onOpen, onStrip } from "./strip.js";
import { mountWindow } from "./window.js";
import { translated } from "./words.js";

const LEAST = 16;
const IN_HAND = 0.8; // of the square that is certified already: a box that can be seen to be one

export function mount(element, props, watch, trigger) {
  const words = translated(props.words);
  const dialog = one(element, "dialog");
  const [ground, sheet, image, box] = [".ps-viewer-ground", ".ps-viewer-sheet", "img", ".ps-viewer-box"].map((name) => one(dialog, name));
  const zoom = one(dialog, ".ps-viewer-zoom");
  const state = { width: 0, height: 0, left: 0, top: 0, side: 0, x: 0, y: 0, fit: 1 };
  const send = latest(trigger);
  document.body.append(dialog);
  const grey = mountWindow(dialog, ground, words, trigger);

  // ---- where things stand

  const scale = () => state.fit * Number(zoom.value);

  function draw() {
    const factor = scale();
    state.x = clamp(state.x, Math.min(0, ground.clientWidth - state.width * factor), Math.max(0, ground.clientWidth - state.width * factor));
    state.y = clamp(state.y, Math.min(0, ground.clientHeight - state.height * factor), Math.max(0, ground.clientHeight - state.height * factor));
    Object.assign(sheet.style, { width: `${state.width * factor}px`, height: `${state.height * factor}px`, transform: `translate(${state.x}px, ${state.y}px)` });
    const [left, top, side] = [state.left, state.top, state.side].map((value) => `${value * factor}px`);
    Object.assign(box.style, { left, top, width: side, height: side });
    sheet.classList.toggle("ps-large", factor >= 2);
    const said = words.said.replaceAll("{side}", Math.round(state.side)).replace("{left}", Math.round(state.left)).replace("{top}", Math.round(state.top));
    one(dialog, ".ps-viewer-said").textContent = grey.isOn() ? words.hand : said;
  }

  function place(left, top, side) {
    state.side = clamp(side, Math.min(LEAST, state.width, state.height), Math.min(state.width, state.height));
    state.left = clamp(left, 0, state.width - state.side);
    state.top = clamp(top, 0, state.height - state.side);
    draw();
  }

  function whole() {
    const side = Math.min(state.width, state.height);
    place((state.width - side) / 2, (state.height - side) / 2, side);
  }

  function magnify(value, at) {
    const before = scale();
    zoom.value = clamp(value, 1, 8);
    const factor = scale() / before;
    state.x = at.x - (at.x - state.x) * factor;
    state.y = at.y - (at.y - state.y) * factor;
    draw();
  }

  onOpen((value, draws) => {
    Object.assign(state, { width: value.width, height: value.height, x: 0, y: 0 });
    image.src = value.scan;
    grey.open(value); // before anything is measured: it has a row of its own
    dialog.showModal();
    zoom.value = 1;
    state.fit = Math.min(ground.clientWidth / state.width, ground.clientHeight / state.height);
    state.x = (ground.clientWidth - state.width * state.fit) / 2;
    state.y = (ground.clientHeight - state.height * state.fit) / 2;
    const [left, top, width] = value.frame;
    const [side, most] = [width * state.width, Math.min(state.width, state.height)];
    const inset = draws && side === most ? (side * (1 - IN_HAND)) / 2 : 0;
    place(left * state.width + inset, top * state.height + inset, side - 2 * inset);
    box.focus();
  });
  onStrip((value) => dialog.open && grey.settle(value));
  watch("value", () => grey.take(props.value));
  dialog.addEventListener("ps-hand", draw);

  // ---- hands on it

  function drag(event, move, rest = () => {}) {
    event.preventDefault();
    const start = { ...state, window: grey.start() };
    const onMove = (now) => move((now.clientX - event.clientX) / scale(), (now.clientY - event.clientY) / scale(), start);
    const end = () => {
      removeEventListener("pointermove", onMove);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
      rest();
    };
    addEventListener("pointermove", onMove);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  }

  function size(corner, right, down, start) {
    const [west, north] = [corner.includes("w"), corner.includes("n")];
    const grow = ((west ? -right : right) + (north ? -down : down)) / 2;
    const most = Math.min(west ? start.left + start.side : state.width - start.left, north ? start.top + start.side : state.height - start.top);
    const side = clamp(start.side + grow, LEAST, most);
    place(west ? start.left + start.side - side : start.left, north ? start.top + start.side - side : start.top, side);
  }

  box.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    box.focus();
    const corner = event.target.dataset.corner;
    if (corner) drag(event, (right, down, start) => size(corner, right, down, start));
    else drag(event, (right, down, start) => place(start.left + right, start.top + down, start.side));
  });
  ground.addEventListener("pointerdown", (event) => {
    if (grey.isOn()) return dragWindow(event);
    drag(event, (right, down, start) => {
      state.x = start.x + right * scale();
      state.y = start.y + down * scale();
      draw();
    });
  });
  function dragWindow(event) {
    ground.focus();
    drag(event, (right, down, start) => grey.move(right * scale(), down * scale(), start.window), grey.choose);
  }
  ground.addEventListener("wheel", (event) => {
    event.preventDefault();
    const bounds = ground.getBoundingClientRect();
    magnify(Number(zoom.value) * Math.exp(-event.deltaY / 400), { x: event.clientX - bounds.left, y: event.clientY - bounds.top });
  }, { passive: false });

  const KEYS = { ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], ArrowUp: [0, -1, 0], ArrowDown: [0, 1, 0], "+": [-0.5, -0.5, 1], "-": [0.5, 0.5, -1] };
  box.addEventListener("keydown", (event) => {
    const step = KEYS[event.key];
    if (!step) return;
    event.preventDefault();
    const pace = Math.max(1, state.width / 100) * (event.shiftKey ? 5 : 1);
    place(state.left + step[0] * pace, state.top + step[1] * pace, state.side + step[2] * pace);
  });

  zoom.addEventListener("input", () => magnify(Number(zoom.value), { x: ground.clientWidth / 2, y: ground.clientHeight / 2 }));
  zoom.addEventListener("input", draw);
  one(dialog, ".ps-viewer-invert").addEventListener("change", (event) => sheet.classList.toggle("ps-inverted", event.target.checked));
  one(dialog, ".ps-viewer-whole").addEventListener("click", whole);
  one(dialog, ".ps-viewer-close").addEventListener("click", () => dialog.close());
  one(dialog, ".ps-viewer-use").addEventListener("click", () => {
    dialog.close();
    const [left, top, side] = [state.left, state.top, state.side].map(Math.round);
    send("box", { box: [left, top, Math.min(state.width, left + side), Math.min(state.height, top + side)] });
  });
}
