// What is drawn of the rows: a curve for each value of one part, all other parts held. It knows nothing about drawing.
import { keep } from "./address.js";

export const PARTS = ["model", "task", "method", "denoiser", "noise"];
export const VARIED = ["method", "denoiser", "noise", "task"]; // what there may be a curve for each of
export const OPENING = { by: "method", model: "pocket", task: "blood_cells", method: "template", denoiser: "none", noise: 0.5, off: [] };

export const held = (choice) => PARTS.filter((part) => part !== choice.by);

export function valuesOf(rows, part, order) {
  const place = (name) => (part === "noise" ? name : order.indexOf(String(name).split("-")[0]) + (String(name).includes("-") ? 0.5 : 0));
  return [...new Set(rows.map((row) => row[part]))].sort((one, other) => place(one) - place(other));
}

// Not every part goes with every other: what was asked for last stays as it was asked, and as many of the others as can.
export function settled(rows, choice, part) {
  const parts = held(choice);
  const fits = (row) => parts.reduce((sum, name) => sum + (row[name] === choice[name] ? (name === part ? PARTS.length : 1) : 0), 0);
  const best = rows.reduce((found, row) => (fits(row) > fits(found) ? row : found), rows[0]);
  return { ...choice, ...Object.fromEntries(parts.map((name) => [name, best[name]])) };
}

export const drawn = (rows, choice) => rows.filter((row) => held(choice).every((part) => row[part] === choice[part]));

// The same model trained again with noise, asked in the same way, where the curves are of one task and noise level.
export const yardstick = (rows, choice, retrained) =>
  ["method", "denoiser"].includes(choice.by) && choice.model !== retrained
    ? rows.filter((row) => row.model === retrained && row.task === choice.task && row.noise === choice.noise)
    : [];

// ---- in the address, whatever is not as the view opens

export function asked(rows) {
  const query = new URLSearchParams(location.search);
  const choice = { ...OPENING };
  const by = query.get("results-by");
  if (VARIED.includes(by)) choice.by = by;
  for (const part of PARTS) {
    const row = rows.find((one) => String(one[part]) === query.get(`results-${part}`));
    if (row) choice[part] = row[part];
  }
  choice.off = (query.get("results-off") || "").split(" ").filter(Boolean);
  return choice;
}

export function remember(choice) {
  const entries = ["by", ...PARTS].map((part) => [`results-${part}`, choice && choice[part] !== OPENING[part] ? choice[part] : null]);
  keep({ ...Object.fromEntries(entries), "results-off": choice ? choice.off.join(" ") : null });
}
