// Keeps the steps of the run that is shown, so that they can be told once more. It knows nothing about what they say.
export const tape = [];

export function record(step) {
  if (!step.chart || !step.radius) tape.length = 0; // another run begins, or there is none
  else {
    if (tape.length && step.chart.total < tape.at(-1).chart.total) tape.length = 0; // it began again: those votes count no longer
    const { chart, radius, truth, headline, aside } = step;
    tape.push({ chart, radius, truth, headline, aside });
  }
}
