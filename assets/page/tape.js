// Keeps the steps of the run that is shown, so that they can be told once more. It knows nothing about what they say.
import { onLocale } from "./words.js";

export const tape = [];

onLocale(() => (tape.length = 0)); // they are in the language before

export function record(step) {
  if (!step.chart || !step.radius) return void (tape.length = 0); // another run begins, or there is none
  if (tape.length && step.chart.total < tape.at(-1).chart.total) tape.length = 0; // it began again: those votes count no longer
  const { chart, radius, truth, headline, aside } = step;
  tape.push({ chart, radius, truth, headline, aside });
}
