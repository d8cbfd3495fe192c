// The curves as a table, as CSV, and the commands that make such records. It knows nothing about the picture.
import { fill, make, one, save } from "./dom.js";
import { swatch } from "./results_figure.js";
import { at, floored, percent, radiusText, raised } from "./results_lines.js";
import { count, decimal } from "./words.js";

const MOST_ALIKE = 9000; // ten-thousandths: beyond, a classifier says nearly the same of every scan

export function head(table, titles) {
  const row = make("tr");
  row.append(...titles.map(([text, about]) => Object.assign(make("th", "", text), { scope: "col", ...(about ? { title: about } : {}) })));
  const part = make("thead");
  part.append(row);
  table.replaceChildren(part);
}

// A body of its own for each kind of guarantee: a frozen radius never stands among the others.
export function body(table, kind, columns, rows) {
  const part = make("tbody");
  part.dataset.kind = kind.id;
  const title = make("tr");
  title.append(Object.assign(make("th", "", kind.name), { scope: "rowgroup", colSpan: columns }));
  part.append(title, ...rows);
  table.append(part);
}

export function tableRow(line, cells, aside) {
  const row = make("tr");
  const name = Object.assign(make("th"), { scope: "row" });
  name.append(swatch(line), make("span", "", line.name));
  if (aside) name.append(make("small", "", aside));
  row.append(name, ...cells);
  return row;
}

function shareCell([share, low, high]) {
  const cell = make("td", "", percent(share));
  cell.append(make("small", "", `${floored(low)}–${raised(high)}`));
  return cell;
}

export function showTable(table, kinds, radii, words, lift) {
  const facts = [[words.results_average, words.results_average_about], [words.results_abstained], [words.results_clean, words.results_clean_about], [words.results_scans]];
  const titles = [[words.results_name], ...radii.map((radius) => [fill(words.results_at, { radius })]), ...facts];
  head(table, titles);
  for (const kind of kinds.filter(({ lines }) => lines.length)) {
    body(table, kind, titles.length, kind.lines.map((line) => measured(line, radii, words, lift)));
  }
}

function measured(line, radii, words, lift) {
  const { row } = line;
  const facts = [radiusText(row.average), percent(row.abstained), percent(row.clean), count(row.scans)];
  const alike = row.largest > MOST_ALIKE && fill(words.results_one_class, { share: `${floored(row.largest)} %` });
  const node = tableRow(line, [...radii.map((radius) => shareCell(at(row, radius))), ...facts.map((text) => make("td", "", text))], alike);
  node.addEventListener("pointerenter", () => lift(line.key));
  return node;
}

// ---- to take along: names and numbers as files have them

const FACTS = ["model", "task", "method", "denoiser", "noise", "guarantee", "votes", "scans"];

export function csv(lines, radii) {
  const columns = radii.flatMap((radius) => [`accuracy_at_${radius}`, `low_at_${radius}`, `high_at_${radius}`]);
  const titles = [...FACTS, "clean", "abstained", "largest_share", "average_radius", ...columns];
  const rows = lines.map(({ row }) => [
    ...FACTS.map((name) => row[name] ?? ""), row.clean / 1e4, row.abstained / 1e4, row.largest / 1e4, row.average / 1e6, ...radii.flatMap((radius) => at(row, radius).map((share) => share / 1e4)),
  ]);
  return [titles, ...rows].map((cells) => cells.join(",")).join("\n") + "\n";
}

export const saveTable = (lines, radii, name) => save(csv(lines, radii), name, "text/csv");

// A value that the records do not tell, or a mean of several, stands as the option's own placeholder.
export function command(lines, words) {
  const all = (part) => [...new Set(lines.map(({ row }) => row[part]))].join(",");
  const [{ row }] = lines;
  const options = { model: row.model ?? "MODEL", task: row.task === words.mean ? "TASK" : row.task ?? "TASK", methods: all("method"), denoisers: all("denoiser"), noise: all("noise"), votes: row.votes, out: "results" };
  return `psmooth evaluate FOLDER ${Object.entries(options).map(([name, text]) => `--${name} ${text}`).join(" ")}`;
}

export function showCommands(list, commands, words) {
  const said = JSON.stringify([commands, words.results_copy]);
  if (list.dataset.said === said) return;
  list.dataset.said = said;
  list.replaceChildren(...commands.flatMap(([term, text]) => [make("dt", "", term), copied(text, words)]));
}

function copied(text, words) {
  const place = make("dd");
  const button = make("button", "ps-button", words.results_copy);
  button.type = "button";
  button.addEventListener("click", async () => {
    const { copy } = await import("./share.js");
    await copy(text);
    button.textContent = words.results_copied;
    setTimeout(() => (button.textContent = words.results_copy), 2000);
  });
  const code = make("code", "", text);
  code.translate = false;
  place.append(code, button);
  return place;
}

function printedRow({ scans, percent: shares, ...line }, words) {
  const aside = scans && fill(words.results_printed_scans, { scans });
  return tableRow(line, shares.map((share) => make("td", "", decimal(share.toFixed(1)))), aside);
}

// The figures of the paper as they were printed: percent at each radius, nothing else.
export function showPrinted(table, kinds, radii, words) {
  head(table, [[words.results_name], ...radii.map((radius) => [fill(words.results_at, { radius })])]);
  for (const kind of kinds) body(table, kind, radii.length + 1, kind.lines.map((line) => printedRow(line, words)));
}
