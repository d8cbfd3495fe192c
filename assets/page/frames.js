// The frames of a scan: a picture of the one at which the slider stands, and all of them one after another. It knows
// nothing about windows, and asks the server for one handful of pictures at a time.
import { one, still } from "./dom.js";
import { onLoading } from "./stage.js";
import { onStrip } from "./strip.js";
import { translated } from "./words.js";

const PACE = 80; // milliseconds a frame
const REST = 500; // after which a frame that was found by keys is chosen
const PATIENCE = 20_000; // for an answer that may never come
const AHEAD = 24; // frames that are fetched before they are shown

const field = () => one(document, "#ps-scan-frame");
const slider = () => one(document, "#ps-scan-frame input[type=range]");

export function mount(element, props, watch, trigger) {
  const words = translated(props.words);
  const [root, image, button] = [".ps-frames", ".ps-frames img", ".ps-frames-play"].map((name) => one(element, name));
  let pictures = new Map();
  let [count, asked, since, at, shown, sent, spread, playing, resting] = [1, 1, 0, 1, 1, 1, "", 0, 0];

  function show(number) {
    at = number;
    if (pictures.has(number)) draw(pictures.get(number));
    else ask(number);
  }

  // Of a frame that cannot be read, or not yet of another scan, there is no picture; nor is there that of another one.
  function draw(picture) {
    image.style.visibility = picture ? "" : "hidden";
    if (picture) image.src = picture;
  }

  function ask(first) {
    if (performance.now() - since < PATIENCE && since) return; // one at a time, however slow the server is
    since = performance.now();
    trigger("frames", { asked, first });
  }

  function take(value) {
    since = 0;
    if (value.asked === asked) value.pictures.forEach((picture, index) => pictures.set(value.first + index, picture));
    if (!pictures.has(at) || value.asked !== asked) show(at);
    else if (at !== shown) draw(pictures.get(at));
  }

  function forget() {
    pictures = new Map();
    asked += 1;
  }

  // ---- the slider

  function slide(number, ...events) {
    slider().value = number;
    for (const name of ["input", ...events]) slider().dispatchEvent(new Event(name, { bubbles: true }));
  }

  const choose = () => at !== sent && slide((sent = at), "change", "pointerup");

  document.addEventListener("input", (event) => field() && field().contains(event.target) && show(Number(event.target.value)));
  document.addEventListener("keyup", (event) => {
    if (!field() || !field().contains(event.target) || event.key === "Tab") return;
    clearTimeout(resting);
    resting = setTimeout(choose, REST);
  });

  // ---- one after another

  function play() {
    playing = setInterval(step, PACE);
    tell();
  }

  function step() {
    const next = (at % count) + 1;
    const missing = Array.from({ length: AHEAD }, (_, index) => ((at + index) % count) + 1).find((number) => !pictures.has(number));
    if (missing) ask(missing);
    if (pictures.has(next)) slide(next);
  }

  function halt() {
    clearInterval(playing);
    playing = 0;
    tell();
  }

  function tell() {
    root.classList.toggle("ps-playing", !!playing);
    button.setAttribute("aria-label", playing ? words.pause : words.play);
  }

  button.addEventListener("click", () => {
    if (!playing) return play();
    halt();
    choose();
  });
  still.addEventListener("change", () => playing && (halt(), choose()));

  // ---- what happens elsewhere

  onLoading(() => playing && (halt(), slide(shown)));

  onStrip((value) => {
    if (JSON.stringify(value.window) !== spread) forget();
    spread = JSON.stringify(value.window);
    const moving = playing || at !== shown; // on to another frame, before this one was shown
    shown = value.number;
    if (moving && at !== shown) return;
    at = sent = shown;
    draw(value.scan);
  });

  function change(value) {
    if (value.asked) return take(value);
    if (playing) halt();
    forget();
    count = value.frames;
    at = shown = sent = value.first;
    since = 0;
    draw("");
    root.hidden = count < 2;
  }

  change(props.value);
  watch("value", () => change(props.value));
}
