// The view Results: what is chosen of the records that ship, or of a visitor's own, as curves and as a table. It knows
// nothing about statistics, and holds no words of its own.
import { fill, make, one, setText } from "./dom.js";
import { onLoss } from "./losses.js";
import { OPENING, PARTS, VARIED, asked, drawn, remember, settled, valuesOf, yardstick } from "./results_choice.js";
import { showPanels } from "./results_figure.js";
import { furthest, linesOf, nameOf, ofKind, points, radiiFor, rangeOf, retrainedLine } from "./results_lines.js";
import { command, saveTable, showCommands, showPrinted, showTable } from "./results_table.js";
import { decimal, translate, translated } from "./words.js";

const KINDS = ["unconditional", "frozen_prompt"];
const MARKS = ["circle", "square", "diamond", "triangle-up", "star-diamond", "circle-open", "square-open"];
const INPUT = "#ps-results-column input[type=file]";
const RUN = "python docs/evaluation/run.py FOLDER";

const fetched = (name) => fetch(new URL(`../${name}.json`, import.meta.url)).then((answer) => answer.json());

export function mount(element, props, watch, trigger) {
  const root = one(element, ".ps-results");
  const words = translated(props.words);
  const selects = [...root.querySelectorAll("select")];
  const order = Object.fromEntries(Object.entries(props.words.parts).map(([part, names]) => [part, Object.keys(names)]));
  let [shipped, printed, own, choice, lifted, waiting, asking] = [null, null, null, null, null, 0, null];

  const rows = () => own || shipped.rows;
  const values = (part) => valuesOf(rows(), part, order[part] || []);

  function kindsOf(lines) {
    return KINDS.map((id) => ({ id, name: translate(words.parts.guarantee[id]), about: translate(words.about_kinds[id]), lines: ofKind(lines, id) }));
  }

  function chosenLines() {
    const found = linesOf(drawn(rows(), choice), choice, values(choice.by), words);
    return [...found, ...yardstick(rows(), choice, words.retrained).map((row) => retrainedLine(row, words))];
  }

  const picture = (line) => ({
    ...line, ...points(line.row, words), dash: line.row.guarantee === "frozen_prompt" ? "dot" : line.dash,
  });

  function choose(part, chosen) {
    choice = settled(rows(), { ...choice, [part]: chosen, off: [] }, part);
    lifted = null;
    if (!own) remember(choice);
    draw();
  }

  function toggle(key) {
    choice.off = choice.off.includes(key) ? choice.off.filter((one) => one !== key) : [...choice.off, key];
    if (!own) remember(choice);
    draw();
  }

  function lift(key) {
    if (lifted === key) return;
    lifted = key;
    draw();
  }

  function fillSelects() {
    for (const select of selects) {
      const { part } = select.dataset;
      const names = part === "by" ? VARIED.map((name) => [name, words[`results_${name}`]]) : values(part).map((name) => [name, nameOf(part, name, words)]);
      const said = JSON.stringify(names);
      if (select.dataset.said !== said) select.replaceChildren(...names.map(([name, text]) => Object.assign(make("option", "", text), { value: String(name) })));
      select.dataset.said = said;
      select.value = String(choice[part]);
      select.parentElement.hidden = part === choice.by || (part !== "by" && names.length < 2 && names[0][0] === null);
    }
  }

  // The curve whose interval is tinted: the one that is pointed at, else the first whose radius is largest on the whole.
  function liftedOf(lines) {
    const [usual] = [...lines].sort((one, other) => isLast(one) - isLast(other) || other.row.average - one.row.average);
    return lines.find(({ key }) => key === lifted) || usual || null;
  }

  const isLast = ({ key, row }) => (key === "retrained" ? 2 : 0) + (row.guarantee === "frozen_prompt" ? 1 : 0);

  function draw() {
    clearTimeout(waiting);
    if (!shipped || document.body.dataset.view !== "results") return;
    fillSelects();
    const lines = chosenLines();
    const kinds = kindsOf(lines.map(picture));
    const seen = lines.filter(({ key }) => !choice.off.includes(key));
    const best = liftedOf(seen);
    const view = { off: choice.off, hooks: { toggle, lift }, furthest: furthest(lines), lifted: best && best.key, words };
    const isDrawn = showPanels(one(root, ".ps-results-measured .ps-results-panels"), kinds, view);
    const isPrinted = showPaper();
    showSentences(lines, best);
    const radii = radiiFor(lines);
    showTable(one(root, ".ps-results-measured table"), kinds.map((kind) => ({ ...kind, lines: kind.lines.filter(({ key }) => !choice.off.includes(key)) })), radii, words, lift);
    const made = own ? [] : [[words.results_made_with, RUN]];
    showCommands(one(root, ".ps-results-commands"), [...made, [words.results_repeat, command(lines.filter(({ key }) => key !== "retrained"), words)]], words);
    if (!(isDrawn && isPrinted)) waiting = setTimeout(draw, 200); // Plotly is on its way
  }

  function showSentences(lines, best) {
    const made = { scans: rangeOf(lines, "scans"), votes: rangeOf(lines, "votes"), alpha: decimal(shipped.failure_probability) };
    const mean = lines.some(({ row }) => row.task === words.mean) && fill(words.results_mean, { tasks: shipped.mean_of.map((task) => nameOf("task", task, words)).join(", ") });
    setText(one(root, ".ps-results-made"), [fill(own ? words.results_made_own : words.results_made, made), mean].filter(Boolean).join(" "));
    setText(one(root, ".ps-results-measured .ps-results-note"), best ? `${fill(words.results_band, { name: best.name })} ${words.results_pick}` : "");
  }

  function showPaper() {
    const card = one(root, ".ps-results-printed");
    card.hidden = false;
    const values = { model: printed.model, task: printed.task, scans: printed.scans };
    setText(one(card, "h2"), fill(words.results_printed, values));
    setText(one(card, ".ps-results-about"), fill(words.results_printed_about, values));
    Object.assign(one(card, "a"), { href: printed.address, textContent: printed.source });
    const lines = printed.rows.map((row, place) => ({
      ...row, row, key: row.name, ink: `series-${place % 7}`, dash: row.guarantee === "frozen_prompt" ? "dot" : "solid", width: 2, points: MARKS[place % 7],
      x: printed.radii, y: row.percent.map((share) => share / 100), text: row.percent.map((share, at) => `${decimal(printed.radii[at])}: ${decimal(share.toFixed(1))} %`),
    }));
    const kinds = kindsOf(lines);
    showPrinted(one(card, "table"), kinds, printed.radii, words);
    return showPanels(one(card, ".ps-results-panels"), kinds, { off: [], hooks: null, furthest: 1.5, lifted: null, words });
  }

  // What ships is fetched by those who look.
  async function begin() {
    if (document.body.dataset.view !== "results") return;
    asking = asking || Promise.all([fetched("results"), fetched("printed")]).catch(() => (asking = null));
    const found = await asking;
    if (!found) return;
    if (!shipped) {
      [shipped, printed] = found;
      choice = choice || settled(shipped.rows, asked(shipped.rows), "task");
    }
    draw();
  }

  function tell(state, sentence) {
    root.dataset.state = state;
    setText(one(root, ".ps-results-said"), sentence);
  }

  function receive(given) {
    if (!given) return;
    tell(given.state, given.sentence);
    if (given.state === "failed") return;
    const was = own;
    own = given.rows;
    one(root, ".ps-results-back").hidden = !own;
    if (own || was) {
      choice = own ? settled(own, { ...OPENING, ...own[0], by: busiest(own), off: [] }, "task") : null;
      remember(null);
      if (!own && shipped) choice = settled(shipped.rows, { ...OPENING }, "task");
    }
    begin();
  }

  // The part of which a visitor's records have most values: methods before denoisers before noise levels.
  const busiest = (found) => VARIED.reduce((best, part) => (valuesOf(found, part, []).length > valuesOf(found, best, []).length ? part : best), VARIED[0]);

  for (const select of selects) select.addEventListener("change", () => choose(select.dataset.part, pickOf(select)));
  const pickOf = (select) => (select.dataset.part === "by" ? select.value : values(select.dataset.part).find((name) => String(name) === select.value));
  one(root, ".ps-results-csv").addEventListener("click", () => {
    const lines = chosenLines().filter(({ key }) => !choice.off.includes(key));
    saveTable(lines, radiiFor(chosenLines()), words.results_file);
  });
  one(root, ".ps-results-open").addEventListener("click", () => one(document, INPUT).click());
  one(root, ".ps-results-back").addEventListener("click", () => trigger("shipped"));
  document.addEventListener("change", (event) => {
    if (!event.target.matches(INPUT) || !event.target.files.length || event.target.files[0].size <= words.most_bytes) return;
    event.stopImmediatePropagation();
    event.target.value = "";
    tell("failed", fill(words.results_large, { megabytes: words.most_bytes / 1e6 }));
  }, true);
  new MutationObserver(begin).observe(document.body, { attributes: true, attributeFilter: ["class", "data-view"] });
  new ResizeObserver(draw).observe(root);
  addEventListener("resize", draw); // another language, too
  onLoss("results", () => tell("failed", words.lost));
  receive(props.value);
  watch("value", () => receive(props.value));
  begin();
}
