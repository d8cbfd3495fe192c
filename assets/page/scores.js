// What learning has changed on scans that were held out: two bars a measure. It knows nothing about statistics.
import { make, one, setText } from "./dom.js";
import { percent } from "./words.js";

function bar(when, name, score) {
  const row = make("div", "ps-score");
  row.dataset.when = when;
  const track = make("span", "ps-score-track");
  track.append(make("i"), make("u"));
  one(track, "i").style.width = `${100 * score.share}%`;
  Object.assign(one(track, "u").style, { left: `${100 * score.low}%`, width: `${100 * (score.high - score.low)}%` });
  row.append(make("span", "", name), track, make("b", "", percent(score.share)), make("small", "", score.words));
  return row;
}

function measured(measure, words) {
  const box = make("section", "ps-measure");
  box.append(make("h4", "", measure.name), bar("before", words.learn_before, measure.before), bar("after", words.learn_after, measure.after));
  return box;
}

export function showScores(card, scores, words) {
  card.hidden = !scores;
  if (!scores) return;
  setText(one(card, "h3"), scores.title);
  setText(one(card, ".ps-about"), scores.about);
  one(card, ".ps-measures").replaceChildren(...scores.measures.map((measure) => measured(measure, words)));
}
