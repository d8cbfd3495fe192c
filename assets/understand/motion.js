// Motion, and when it begins. It knows nothing about what moves.
import { still } from "../page/dom.js";

// Motion from 0 to 1, with no frame left out where the computer is slow; where it is not wanted, the end at once.
export function move(milliseconds, step) {
  if (still.matches) return void step(1);
  let [elapsed, before, stopped] = [0, null, false];
  const next = (now) => {
    if (stopped) return;
    elapsed += before === null ? 0 : Math.min(now - before, 50);
    before = now;
    step(Math.min(1, elapsed / milliseconds));
    if (elapsed < milliseconds) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
  return () => (stopped = true);
}

export const ease = (share) => 1 - (1 - share) ** 3;

export function whenSeen(node, begin) {
  const watching = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watching.disconnect();
      begin();
    },
    { threshold: 0.25 },
  );
  watching.observe(node);
}
