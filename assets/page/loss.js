// The line of the loss, step by step, with its axes. It knows nothing about learning.
import { caption, dot, line, shape, sized, near } from "./svg.js";
import { count } from "./words.js";

const LEFT = 46;
const BOTTOM = 40;
const TOP = 22;
const RIGHT = 14;

// Round numbers from 0 up to the greatest, about as many as asked for.
function ticks(most, wanted) {
  const rough = most / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, index) => Number((index * step).toPrecision(6)));
}

// Each loss stands at its step: `steps` were planned, and the losses that came are evenly spread over those done.
export function drawLoss(svg, losses, done, steps, words) {
  const { width, height } = sized(svg);
  if (!width) return;
  const most = 1.05 * (Math.max(...losses) || 1);
  const x = (step) => LEFT + ((width - LEFT - RIGHT) * step) / Math.max(1, steps);
  const y = (loss) => TOP + (height - TOP - BOTTOM) * (1 - loss / most);
  const place = (index) => (losses.length > 1 ? 1 + ((done - 1) * index) / (losses.length - 1) : done);
  const [base, last] = [height - BOTTOM, losses.length - 1];
  const rows = ticks(most, 4).flatMap((loss) => [
    line(loss ? "" : "ps-loss-base", LEFT, y(loss), width - RIGHT, y(loss)),
    caption("", LEFT - 8, y(loss) + 4, String(loss), "end"),
  ]);
  const columns = ticks(Math.max(1, steps), width < 420 ? 3 : 6).flatMap((step) => [
    line("ps-loss-base", x(step), base, x(step), base + 4),
    caption("", x(step), base + 18, count(step), "middle"),
  ]);
  const points = losses.map((loss, index) => `${near(x(place(index)))},${near(y(loss))}`).join(" ");
  svg.replaceChildren(
    ...rows,
    ...columns,
    caption("ps-loss-title", 0, 12, words.learn_loss_axis),
    caption("ps-loss-title", width - RIGHT, height - 4, words.learn_step_axis, "end"),
    shape("polyline", "", { points }),
    dot("", x(place(last)), y(losses[last]), 4),
  );
}
