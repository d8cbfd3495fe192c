// The third card: looking while votes come in, told of a hundred runs. It knows nothing about how a run is drawn.
import { clamp, one, setText, still } from "../page/dom.js";
import { count } from "../page/words.js";
import { rect, sized } from "../page/svg.js";
import { asked, askedSeed, listed, unless } from "./address.js";
import { ALPHAS, cardOf, drawnBy, markFill, onInput, spoken } from "./card.js";
import { FIRST_SEED, nextSeed } from "./chance.js";
import { whenSeen } from "./motion.js";
import { percent, plain } from "./numbers.js";
import { LENGTH, RUNS, boundTable, castRuns, criticalCounts, everFalse, firstFalse, looksAt } from "./peeking.js";
import { placeIn } from "./pointer.js";
import { drawLarge, drawStrip, stripBox } from "./strips.js";

const BATCHES = [2000, 1000, 500, 200, 100, 50, 20, 10];
const MEANINGS = { batch: listed(BATCHES), alpha: listed(ALPHAS) };

export function looksPiece(root, said) {
  const card = cardOf(root, said, "looks", MEANINGS);
  const [large, strips] = [one(card.node, ".ps-u-large"), one(card.node, ".ps-u-strips")];
  const seed = askedSeed(card);
  const look = { seed, runs: castRuns(seed), moving: false };
  const ask = drawnBy(card, draw);
  const settings = () => [BATCHES[card.value("batch")], ALPHAS[card.value("alpha")]];

  function prepare() {
    const [batch, alpha] = settings();
    look.looks = looksAt(batch);
    look.critical = criticalCounts(look.looks, alpha);
    look.table = boundTable(look.looks, alpha);
    look.expected = { naive: everFalse(look.looks, look.critical.naive), anytime: everFalse(look.looks, look.critical.anytime) };
    judge();
  }

  function judge() {
    const first = (kind) => look.runs.map((counts) => firstFalse(counts, look.looks, look.critical[kind]));
    look.wrong = { naive: first("naive"), anytime: first("anytime") };
    look.fresh = true;
  }

  const misled = (kind) => look.wrong[kind].filter((first) => first >= 0).length;

  function tell() {
    const promise = +(RUNS * settings()[1]).toFixed(1);
    for (const kind of ["naive", "anytime"]) tellTally(kind, promise);
    setText(one(card.node, ".ps-u-promise"), card.tell("looks_promise", { promise, runs: RUNS }));
    const text = card.tell("looks_said", { runs: RUNS, naive: misled("naive"), anytime: misled("anytime"), promise });
    card.announce(text);
    card.show("run", card.tell("looks_run", { run: card.value("run"), runs: RUNS }));
    card.show("seed", card.tell("looks_seed", { seed: look.seed }));
    const { naive, anytime } = look.expected;
    Object.assign(card.node.dataset, { naive: misled("naive"), anytime: misled("anytime"), expectedNaive: naive, expectedAnytime: anytime });
  }

  function tellTally(kind, promise) {
    const row = one(card.node, `.ps-u-tally[data-kind=${kind}]`);
    const [, number, track, exactly] = row.children;
    setText(number, card.tell("looks_share", { count: misled(kind), runs: RUNS }));
    setText(exactly, card.tell("looks_exactly", { share: percent(look.expected[kind]) }));
    track.firstChild.style.transform = `scaleX(${clamp(misled(kind) / 50, 0, 1)})`;
    track.style.setProperty("--promise", `${2 * promise}%`);
  }

  function draw() {
    if (!look.looks) return;
    tell();
    const index = card.value("run") - 1;
    drawLarge(large, look, index, said);
    const size = sized(strips);
    const shown = `${size.width} ${size.height}`;
    if (look.fresh || look.shown !== shown) drawStrips(size);
    [look.fresh, look.shown] = [false, shown];
    const box = stripBox(index, size);
    look.frame.replaceWith((look.frame = rect("ps-u-chosen", box.x - 1, box.y - 1, box.width + 2, box.height + 2)));
  }

  function drawStrips(size) {
    const nodes = look.runs.map((_, index) => drawStrip(look, index, size));
    look.frame = rect("ps-u-chosen", 0, 0, 0, 0);
    strips.replaceChildren(...nodes, look.frame);
    if (look.moving && !still.matches) nodes.forEach(appear);
    look.moving = false;
  }

  function appear(node, index) {
    for (const drawn of node.querySelectorAll("path, circle")) {
      drawn.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 240, delay: 14 * index, fill: "backwards" });
    }
  }

  function labels() {
    const [batch, alpha] = settings();
    card.label("batch", batch === LENGTH ? card.tell("looks_once", { n: count(LENGTH) }) : card.tell("looks_every", { batch }));
    card.label("alpha", plain(alpha));
    markFill(card.inputs.run);
    card.show("chosen", card.inputs.run.value);
  }

  function choose(event) {
    const size = sized(strips);
    const { columns } = stripBox(0, size);
    const [x, y] = placeIn(strips, event);
    const [column, row] = [(x / size.width) * columns, (y / size.height) * (RUNS / columns)];
    card.set("run", clamp(Math.floor(row) * columns + Math.floor(column), 0, RUNS - 1) + 1);
  }

  // The run that is shown large unless another is asked for: the first that the ordinary bound told something false.
  const telling = () => Math.max(0, look.wrong.naive.findIndex((at) => at >= 0)) + 1;
  const keep = () => card.keep({ seed: unless(FIRST_SEED, look.seed), run: unless(telling(), card.value("run")) });

  strips.addEventListener("click", choose);
  one(card.node, ".ps-u-again").addEventListener("click", () => {
    look.runs = castRuns((look.seed = nextSeed(look.seed)));
    look.moving = true;
    judge();
    card.inputs.run.value = telling();
    labels();
    keep();
    ask();
  });
  onInput(card, (key) => {
    labels();
    if (key !== "run" || !look.looks) prepare();
    keep();
    ask();
  });
  spoken(labels, ask);
  whenSeen(card.node, () => {
    prepare();
    look.moving = true;
    if (asked(card, "run", 1, RUNS) === null) card.inputs.run.value = telling();
    labels();
    ask();
  });
}
