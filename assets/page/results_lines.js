// What the rows of one choice are called, how they are drawn and what they say at a radius. It knows nothing about elements.
import { fill } from "./dom.js";
import { count, decimal, translate } from "./words.js";

const DASHES = ["solid", "8px,3px", "12px,3px,3px,3px"];
const RADII = [0, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5];
const POINTS = 60;
const MILLION = 1e6; // radii are whole millionths, shares whole ten-thousandths

export const percent = (share) => decimal((Math.round(share / 10) / 10).toFixed(1));
export const floored = (share) => decimal((Math.floor(share / 10) / 10).toFixed(1));
export const raised = (share) => decimal((Math.ceil(share / 10) / 10).toFixed(1));
export const radiusText = (radius) => decimal((Math.floor(radius / 1000) / 1000).toFixed(3));

export function nameOf(part, name, words) {
  if (name === null) return words.results_unknown;
  if (part === "model") return name;
  if (part === "noise") return decimal(name);
  const [plain, mirror] = String(name).split("-");
  const said = translate(words.parts[part][plain] || plain);
  return mirror ? fill(translate(words.mirrored), { denoiser: said }) : said;
}

// A name that two rows share gets a number: they were made with other votes, banks or seeds.
export function linesOf(rows, choice, order, words) {
  const named = {};
  const values = rows.map((row) => row[choice.by]);
  const line = (row) => {
    const name = `${choice.by === "noise" ? "σ = " : ""}${nameOf(choice.by, row[choice.by], words)}`;
    const number = (named[name + row.guarantee] = (named[name + row.guarantee] || 0) + 1);
    const place = order.indexOf(row[choice.by]);
    return { row, key: [row[choice.by], ...(number > 1 ? [number] : [])].join("."), name: number > 1 ? `${name} (${number})` : name, ink: `series-${place % 7}`, dash: DASHES[place % 3], width: 2 };
  };
  return values.length ? [...rows].sort((one, other) => order.indexOf(one[choice.by]) - order.indexOf(other[choice.by])).map(line) : [];
}

export const retrainedLine = (row, words) => ({ row, key: "retrained", name: words.results_retrained, ink: "bar", dash: "2px,3px", width: 3 });

export const ofKind = (lines, kind) => lines.filter(({ row }) => row.guarantee === kind);

export const furthest = (lines) => Math.max(0, ...lines.map(({ row }) => row.radii[row.radii.length - 1])) / MILLION;

// The smallest and the largest of a count; one number where the curves agree.
export function rangeOf(lines, part) {
  const found = lines.map(({ row }) => row[part]);
  return [...new Set([Math.min(...found), Math.max(...found)])].map(count).join("–");
}

// Where every curve has come to its end, a column would hold nothing but zeros.
export const radiiFor = (lines) => RADII.filter((radius) => radius <= Math.max(0.1, furthest(lines)));

// The last step that is not beyond the radius: [share, low, high].
export const at = (row, radius) => valuesAt(row, row.radii.findLastIndex((one) => one <= Math.round(radius * MILLION)));

const valuesAt = (row, step) => [row.shares[step], row.lows[step], row.highs[step]];

// A curve as it is drawn: its steps, and points between them that can be pointed at.
export function points(row, words) {
  const last = row.radii[row.radii.length - 1];
  const between = Array.from({ length: POINTS }, (_, place) => (place * last) / POINTS);
  const radii = [...new Set([...row.radii, ...between])].sort((one, other) => one - other);
  let step = 0; // radii rise, so the step of one is not before that of the last
  const found = radii.map((radius) => {
    while (row.radii[step + 1] <= Math.round(radius)) step += 1;
    return valuesAt(row, step);
  });
  const [y, low, high] = [0, 1, 2].map((part) => found.map((shares) => shares[part] / 1e4));
  return { x: radii.map((radius) => radius / MILLION), y, low, high, text: radii.map((radius, place) => hover(row, radius, found[place], words)) };
}

function hover(row, radius, [share, low, high], words) {
  const point = { radius: radiusText(radius), share: `${percent(share)} %`, low: floored(low), high: raised(high) };
  return `${fill(words.results_point, point)}<br>${fill(words.results_point_facts, { scans: row.scans, clean: `${percent(row.clean)} %` })}`;
}
