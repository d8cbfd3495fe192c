// The first card: votes become a share, the share a bound, the bound a radius. It knows nothing about how that is drawn.
import { clamp, one, setText } from "../page/dom.js";
import { count } from "../page/words.js";
import { sized } from "../page/svg.js";
import { askedSeed, listed, unless } from "./address.js";
import { ALPHAS, cardOf, drawnBy, ghost, onInput, spoken } from "./card.js";
import { FIRST_SEED, chance, nextSeed } from "./chance.js";
import { certifiedRadius, clopperPearsonLower, normalQuantile } from "./mathematics.js";
import { move, whenSeen } from "./motion.js";
import { atLeast, certainty, floored, percent, plain } from "./numbers.js";
import { draggable, place } from "./pointer.js";
import { LEAST_SHOWN, drawVotesPicture, votesFrame } from "./votes_picture.js";

const MOST_VOTES = 100000;
const twoDigits = (value) => Number(value.toPrecision(2));
const MEANINGS = { n: { tell: (step) => twoDigits(10 ** step), step: Math.log10 }, alpha: listed(ALPHAS) };

// One uniform number a vote: a vote is for the answer where it is below p, so moving p moves the same votes.
function uniforms(seed) {
  const draw = chance(seed);
  return Float64Array.from({ length: MOST_VOTES }, draw);
}

function countBelow(draws, total, share) {
  let count = 0;
  for (let i = 0; i < total; i += 1) if (draws[i] < share) count += 1;
  return count;
}

export function votesPiece(root, said) {
  const card = cardOf(root, said, "votes", MEANINGS);
  const picture = one(card.node, ".ps-u-picture");
  const [svg, knob] = [one(picture, "svg"), one(picture, ".ps-u-knob")];
  const seed = askedSeed(card);
  const state = { draws: uniforms(seed), seed, arrived: 1 };
  const ask = drawnBy(card, draw);
  let stop = null;

  function read() {
    state.n = twoDigits(10 ** card.value("n"));
    state.alpha = ALPHAS[card.value("alpha")];
    [state.p, state.sigma] = [card.value("p"), card.value("sigma")];
    state.until = Math.round(state.n ** state.arrived);
    state.k = countBelow(state.draws, state.until, state.p);
    state.lower = clopperPearsonLower(state.k, state.until, state.alpha);
    state.radius = certifiedRadius(state.lower, state.sigma);
  }

  function tell() {
    const certified = state.radius > 0;
    const key = state.arrived < 1 ? "votes_pouring" : certified ? "votes_certified" : "votes_none";
    const text = card.tell(key, {
      k: count(state.k), n: count(state.n), confidence: certainty(state.alpha), lower: atLeast(state.lower),
      z: certified ? floored(normalQuantile(state.lower), 2) : "", sigma: state.sigma.toFixed(2), radius: floored(state.radius, 3),
    });
    setText(one(card.node, ".ps-u-said"), text);
    if (state.arrived === 1) card.announce(text);
    card.show("radius", state.arrived < 1 ? "–" : certified ? floored(state.radius, 3) : said.votes_none_yet);
    card.node.dataset.state = state.arrived < 1 ? "pouring" : certified ? "certified" : "none";
    card.node.dataset.votes = state.arrived < 1 ? "" : state.k;
  }

  function draw() {
    read();
    tell();
    const frame = votesFrame(sized(svg));
    drawVotesPicture(svg, frame, state, said);
    place(knob, frame.axis, frame.shareY(state.p));
    state.frame = frame;
  }

  function labels() {
    card.label("p", percent(card.value("p")));
    card.label("n", card.tell("votes_count", { n: count(twoDigits(10 ** card.value("n"))) }));
    card.label("alpha", plain(ALPHAS[card.value("alpha")]));
    card.label("sigma", card.value("sigma").toFixed(2));
  }

  function pour() {
    if (stop) stop();
    stop = move(2200, (share) => {
      state.arrived = share;
      ask();
    });
  }

  function moved() {
    if (stop) stop();
    state.arrived = 1;
    labels();
    keep();
    ask();
  }

  const keep = () => card.keep({ seed: unless(FIRST_SEED, state.seed) });

  one(card.node, ".ps-u-again").addEventListener("click", () => {
    state.draws = uniforms((state.seed = nextSeed(state.seed)));
    keep();
    pour();
  });
  draggable(knob, picture, (_, y) => {
    const { top, bottom } = state.frame;
    card.set("p", clamp(LEAST_SHOWN + ((bottom - y) / (bottom - top)) * (1 - LEAST_SHOWN), LEAST_SHOWN, 1));
  });
  onInput(card, moved);
  spoken(() => {
    ghost(card, "votes_certified", { k: "88,888", n: "100,000", confidence: "99.9999 %", lower: "88.8 %", z: "8.88", sigma: "0.88", radius: "8.888" });
    labels();
  }, ask);
  whenSeen(card.node, pour);
}
