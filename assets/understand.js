// Draws the view Understand: four pictures to take hold of, computed and drawn in the page. It asks nothing of the server,
// and holds no words of its own.
(() => {
  "use strict";
  const psmooth = (window.psmooth = window.psmooth || {});
  if (psmooth.understand) return;

  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const one = (root, selector) => root.querySelector(selector);
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));
  const setText = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };

  // ---- the bell curve

  const ROOT_TAU = Math.sqrt(2 * Math.PI);
  const bell = (z) => Math.exp((-z * z) / 2) / ROOT_TAU;

  // The share of the bell curve beyond z >= 0: near the middle by Marsaglia's series, far out by Laplace's fraction.
  function beyond(z) {
    if (z > 3) {
      let below = z;
      for (let k = 60; k >= 1; k -= 1) below = z + k / below;
      return bell(z) / below;
    }
    let [term, sum] = [z, z];
    for (let k = 3; term > 1e-18; k += 2) sum += term *= (z * z) / k;
    return 0.5 - bell(z) * sum;
  }

  const normalShare = (z) => (z < 0 ? beyond(-z) : 1 - beyond(z));

  // Φ⁻¹: Hastings' rough value, then Newton's steps on the logarithm of the tail.
  function normalQuantile(share) {
    const tail = Math.min(share, 1 - share);
    if (tail <= 0) return share < 0.5 ? -Infinity : Infinity;
    const t = Math.sqrt(-2 * Math.log(tail));
    let z = Math.max(0, t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
    for (let step = 0; step < 4; step += 1) {
      const out = beyond(z);
      z += (Math.log(out / tail) * out) / bell(z);
    }
    return share < 0.5 ? -z : z;
  }

  // ---- the beta law

  // ln Γ(x) less Stirling's formula; small x climb to where the series holds.
  function stirlingRest(x) {
    let rest = 0;
    for (; x < 12; x += 1) rest += (x + 0.5) * Math.log1p(1 / x) - 1;
    const y = 1 / (x * x);
    return rest + (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - (y * 1) / 1188)))) / x;
  }

  // u - ln(1 + u), without the loss of digits near 0.
  function drift(u) {
    if (Math.abs(u) > 0.1) return u - Math.log1p(u);
    let [power, sum] = [u, 0];
    for (let k = 2; k < 20; k += 1) sum += (power *= -u) / -k;
    return sum;
  }

  // ln of x^a (1-x)^b / B(a, b), by deviances: it keeps its digits for a hundred thousand votes.
  function logKernel(x, a, b) {
    const n = a + b;
    const rest = stirlingRest(n) - stirlingRest(a) - stirlingRest(b) + 0.5 * Math.log((a * b) / (2 * Math.PI * n));
    return rest - a * drift((n * x - a) / a) - b * drift((n * (1 - x) - b) / b);
  }

  // The continued fraction of the incomplete beta function, by Lentz's way.
  function betaFraction(x, a, b) {
    const away = (value) => (Math.abs(value) < 1e-300 ? 1e-300 : value);
    let c = 1;
    let d = 1 / away(1 - ((a + b) * x) / (a + 1));
    let result = d;
    for (let m = 1, change = 0; m < 20000 && Math.abs(change - 1) > 1e-15; m += 1) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      [c, d] = [away(1 + even / c), 1 / away(1 + even * d)];
      result *= c * d;
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      [c, d] = [away(1 + odd / c), 1 / away(1 + odd * d)];
      result *= change = c * d;
    }
    return result;
  }

  // Both tails of the beta law at x: neither is got from the other where it is the small one.
  function betaTails(x, a, b) {
    if (x <= 0) return [0, 1];
    if (x >= 1) return [1, 0];
    const kernel = Math.exp(logKernel(x, a, b));
    if (x < (a + 1) / (a + b + 2)) {
      const lower = (kernel * betaFraction(x, a, b)) / a;
      return [lower, 1 - lower];
    }
    const upper = (kernel * betaFraction(1 - x, b, a)) / b;
    return [1 - upper, upper];
  }

  // ---- the bounds, as in psmooth/bounds.py

  function halve(low, high, holds, times = 52) {
    for (let i = 0; i < times; i += 1) {
      const middle = (low + high) / 2;
      if (holds(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  function clopperPearsonLower(votes, total, alpha) {
    if (votes === 0) return 0;
    if (votes === total) return alpha ** (1 / total);
    return halve(0, votes / total, (share) => betaTails(share, votes, total - votes + 1)[0] < alpha);
  }

  // ln M: the evidence of the one-sided Jeffreys mixture against every share up to `share`.
  function logEvidence(share, votes, total) {
    const [a, b] = [votes + 0.5, total - votes + 0.5];
    const kernel = logKernel(share, a, b) - 0.5 * Math.log(share * (1 - share));
    const prior = (2 / Math.PI) * Math.asin(Math.sqrt(1 - share));
    return Math.log(betaTails(share, a, b)[1] / prior) - kernel - Math.log(Math.PI);
  }

  function anytimeLower(votes, total, alpha) {
    if (votes === 0) return 0;
    const needed = 1e-8 - Math.log(alpha);
    return halve(0, votes / total, (share) => logEvidence(share, votes, total) >= needed, 44);
  }

  const certifiedRadius = (lower, sigma) => (lower > 0.5 ? sigma * normalQuantile(lower) : 0);

  // ---- chance, the same again for the same seed (mulberry32)

  function chance(seed) {
    let state = seed >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  }

  function bellPairs(count, seed) {
    const draw = chance(seed);
    return Array.from({ length: count }, () => {
      const [length, angle] = [Math.sqrt(-2 * Math.log(1 - draw())), 2 * Math.PI * draw()];
      return [length * Math.cos(angle), length * Math.sin(angle)];
    });
  }

  // ---- numbers in words: a bound or a radius is floored, never rounded, and so is what lies inside it

  const next = (text, digits, step) => (Number(text) + step * 10 ** -digits).toFixed(digits);
  const floored = (value, digits, near = value.toFixed(digits)) => (Number(near) <= value ? near : next(near, digits, -1));
  const raised = (value, digits, near = value.toFixed(digits)) => (Number(near) >= value ? near : next(near, digits, 1));
  const whole = (value) => psmooth.count(value);
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const atLeast = (share) => `${floored(100 * share, 1)} %`;
  const certainty = (alpha) => `${+(100 * (1 - alpha)).toFixed(6)} %`;
  const plain = (value) => value.toLocaleString("en", { maximumSignificantDigits: 1, maximumFractionDigits: 7 });
  const signed = (value, digits) => value.toFixed(digits).replace("-", "−");
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);

  // ---- drawing

  const SVG = "http://www.w3.org/2000/svg";

  function shape(tag, className, attributes, text) {
    const node = document.createElementNS(SVG, tag);
    if (className) node.setAttribute("class", className);
    for (const name in attributes) node.setAttribute(name, attributes[name]);
    if (text !== undefined) node.textContent = text;
    return node;
  }

  const near = (value) => Math.round(value * 10) / 10;
  const line = (className, x1, y1, x2, y2) => shape("line", className, { x1: near(x1), y1: near(y1), x2: near(x2), y2: near(y2) });
  const rect = (className, x, y, width, height) =>
    shape("rect", className, { x: near(x), y: near(y), width: near(Math.max(0, width)), height: near(Math.max(0, height)) });
  const dot = (className, x, y, r) => shape("circle", className, { cx: near(x), cy: near(y), r });
  const words = (className, x, y, text, anchor = "start") => shape("text", className, { x: near(x), y: near(y), "text-anchor": anchor }, text);
  const trace = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${near(x)} ${near(y)}`).join("");
  const path = (className, points) => shape("path", className, { d: typeof points === "string" ? points : trace(points) });
  const cross = (className, x, y, r) => path(className, `M${near(x - r)} ${near(y - r)}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`);

  // Tells two grounds apart without a colour.
  function hatching(id) {
    const pattern = shape("pattern", "", { id, width: 7, height: 7, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" });
    pattern.append(shape("rect", "ps-u-hatch-ground", { width: 7, height: 7 }), line("ps-u-hatch", 0, 0, 0, 7));
    const box = shape("defs");
    box.append(pattern);
    return box;
  }

  const hatched = (id, x, y, width, height) => {
    const node = rect("", x, y, width, height);
    node.setAttribute("fill", `url(#${id})`);
    return node;
  };

  function sized(svg) {
    const [width, height] = [svg.clientWidth, svg.clientHeight];
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    return { width, height, narrow: width < 520 };
  }

  // ---- what the four have in common: controls, sentences, a picture that is redrawn once a frame

  function cardOf(root, said, name) {
    const node = one(root, `#understand-${name}`);
    const inputs = {};
    for (const input of node.querySelectorAll("input")) inputs[input.name] = input;
    const card = { name, node, inputs, said, value: (key) => Number(inputs[key].value) };
    recall(card);
    card.keep = keeper(card);
    card.tell = (key, values) => fill(said[key], values);
    card.show = (key, text) => setText(one(node, `[data-show=${key}]`), text);
    card.set = (key, value) => {
      inputs[key].value = value;
      inputs[key].dispatchEvent(new Event("input", { bubbles: true }));
    };
    card.label = (key, text) => {
      card.show(key, text);
      inputs[key].setAttribute("aria-valuetext", text);
      markFill(inputs[key]);
    };
    card.announce = announcer(one(node, "[role=status]"));
    return card;
  }

  function markFill(input) {
    const share = (input.value - input.min) / (input.max - input.min);
    input.style.setProperty("--fill", `${100 * share}%`);
  }

  // A screen reader is told once a slider rests, not at each of its steps.
  function announcer(node) {
    let waiting = 0;
    return (text) => {
      clearTimeout(waiting);
      waiting = setTimeout(() => setText(node, text), 700);
    };
  }

  // `draw` runs at most once a frame, and only where there is room to draw on.
  function drawnBy(card, draw) {
    let asked = 0;
    const picture = one(card.node, ".ps-u-picture");
    const now = () => {
      asked = 0;
      if (picture.clientWidth) draw();
    };
    const ask = () => (asked = asked || requestAnimationFrame(now));
    new ResizeObserver(ask).observe(picture);
    return ask;
  }

  function onInput(card, react) {
    for (const key in card.inputs) card.inputs[key].addEventListener("input", () => react(key));
  }

  // Motion from 0 to 1, with no frame left out where the computer is slow; where it is not wanted, the end at once.
  function move(milliseconds, step) {
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

  const ease = (share) => 1 - (1 - share) ** 3;

  function whenSeen(node, begin) {
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

  const placeIn = (frame, event) => {
    const box = frame.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  // Calls `to` with the place of the pointer, in pixels of the picture, while it is held down.
  function draggable(handle, frame, to) {
    const go = (event) => to(...placeIn(frame, event));
    handle.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      handle.setPointerCapture(event.pointerId);
      handle.addEventListener("pointermove", go);
      go(event);
    });
    for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => handle.removeEventListener("pointermove", go));
  }

  const place = (knob, x, y) => {
    knob.style.transform = `translate(${x}px, ${y}px)`;
  };

  // ---- 1 · votes, share, bound, radius

  const ALPHAS = [0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 5e-6, 2e-6, 1e-6];
  const MOST_VOTES = 100000;
  const LEAST_SHOWN = 0.25;
  const Z_END = 4.2;
  const twoDigits = (value) => Number(value.toPrecision(2));

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

  // Where things stand in the picture, in pixels.
  function votesFrame({ width, height, narrow }) {
    const axis = Math.round(width * (narrow ? 0.36 : 0.4));
    const left = axis + (narrow ? 42 : 62);
    const [top, bottom, ruler] = [30, height - 148, height - 42];
    const right = width - 14;
    const shareY = (share) => bottom - ((Math.max(share, LEAST_SHOWN) - LEAST_SHOWN) / (1 - LEAST_SHOWN)) * (bottom - top);
    return {
      width, height, narrow, axis, left, right, top, bottom, ruler, start: 6, shareY, half: shareY(0.5),
      zX: (z) => left + (z / Z_END) * (right - left),
    };
  }

  // The running share after about every hundredth of the way, evenly in log votes.
  function runningShares(draws, total, share, until) {
    const stops = 160;
    const points = [];
    for (let i = 0, t = 0, count = 0; i <= stops; i += 1) {
      const next = Math.round(total ** (i / stops));
      for (; t < next; t += 1) if (draws[t] < share) count += 1;
      points.push([t, count / t]);
      if (t >= until) break;
    }
    return points;
  }

  function drawGrid(frame, lower, said) {
    const { start, axis, left, right, top, bottom, half, shareY, zX, narrow } = frame;
    const nodes = [hatching("ps-u-votes-hatch"), hatched("ps-u-votes-hatch", start, half, axis - start, bottom - half)];
    for (const share of [0.25, 0.5, 0.75, 1]) {
      const y = shareY(share);
      nodes.push(line("ps-u-grid", start, y, axis, y));
      if (Math.abs(y - shareY(lower)) > 8) nodes.push(words("ps-u-tick", (axis + left) / 2 + 3, y + 4, `${100 * share}${narrow ? "" : " %"}`, "middle"));
      if (share > 0.5) nodes.push(line("ps-u-grid", left, y, right, y));
    }
    nodes.push(line("ps-u-axis", axis, top - 6, axis, bottom), line("ps-u-axis", left, half, right, half), line("ps-u-half", start, half, axis, half));
    nodes.push(words("ps-u-note", start, 14, said.votes_axis_share), words("ps-u-note", right, half - 10, said.votes_axis_z, "end"));
    nodes.push(words("ps-u-note ps-u-halo", start + (narrow ? 2 : 8), half + 22, said.votes_half));
    nodes.push(path("ps-u-curve", Array.from({ length: 90 }, (_, i) => (i / 89) * Z_END).map((z) => [zX(z), shareY(normalShare(z))])));
    return nodes;
  }

  // Each z on the upper axis goes to σ z on the ruler below: a bundle of lines that σ opens and closes.
  function drawLens(frame, sigma, said) {
    const { left, right, half, ruler, zX, narrow } = frame;
    const nodes = [];
    for (let z = 0; z <= 4; z += 1) {
      nodes.push(words("ps-u-tick", zX(z), half + 16, String(z), "middle"), line("ps-u-fan", zX(z), half + 22, zX(z * sigma), ruler - 12));
      nodes.push(line("ps-u-axis", zX(z), ruler + 12, zX(z), ruler + 16), words("ps-u-tick", zX(z), ruler + 28, String(z), "middle"));
    }
    nodes.push(rect("ps-u-ruler", left, ruler - 12, right - left, 24));
    nodes.push(words("ps-u-note ps-u-halo", right, ruler - 22, fill(said.votes_times, { sigma: sigma.toFixed(2) }), "end"));
    nodes.push(words("ps-u-note", left - 8, ruler + 4, narrow ? said.votes_axis_radius.split(" ").pop() : said.votes_axis_radius, "end"));
    return nodes;
  }

  // Votes in their order, from the left: a column is filled by the share of its votes that are for the answer.
  function drawVotes(frame, state, said) {
    const { start, axis, bottom, ruler } = frame;
    const [top, height] = [bottom + 34, ruler + 12 - bottom - 34];
    const nodes = [];
    const columns = Math.floor((axis - start) / 5);
    const ends = Array.from({ length: columns + 1 }, (_, i) => Math.floor(state.n ** (i / columns)));
    for (let i = 0, t = 0; i < columns; i += 1) {
      const end = i === columns - 1 ? state.n : Math.max(ends[i + 1], t + 1);
      let count = 0;
      const [from, to] = [t, Math.min(end, state.n)];
      for (; t < to; t += 1) if (state.draws[t] < state.p) count += 1;
      if (from >= state.until || from >= to) break;
      const filled = (height * count) / (to - from);
      const x = start + i * ((axis - start) / columns);
      nodes.push(rect("ps-u-column-against", x, top, 3.6, height - filled), rect("ps-u-column-for", x, top + height - filled, 3.6, filled));
    }
    nodes.push(words("ps-u-tick", start, bottom + 26, fill(said.votes_count, { n: "1" }).split(" ")[0]));
    nodes.push(words("ps-u-tick", axis, bottom + 26, fill(said.votes_count, { n: whole(state.n) }), "end"));
    return [...nodes, ...drawVotesKey(frame, said)];
  }

  function drawVotesKey({ start, axis, ruler, narrow }, said) {
    const y = ruler + 28;
    const x = narrow ? start : axis - 112;
    const key = [rect("ps-u-column-for", x, y - 9, 8, 9), words("ps-u-note", x + 13, y, said.votes_for)];
    key.push(rect("ps-u-column-against", x + 40, y - 9, 8, 9), words("ps-u-note", x + 53, y, said.votes_against));
    return narrow ? key : [words("ps-u-note", start, y, said.votes_axis_count), ...key];
  }

  function drawShare(frame, state, points) {
    const { start, axis, bottom, shareY } = frame;
    const x = (t) => start + (Math.log(t) / Math.log(state.n)) * (axis - start);
    const last = points[points.length - 1];
    const [lastX, lastY] = [x(last[0]), shareY(last[1])];
    return [
      line("ps-u-truth", start, shareY(state.p), axis, shareY(state.p)),
      path("ps-u-share", points.map(([t, share]) => [x(t), Math.min(bottom, shareY(share))])),
      dot("ps-u-dot", lastX, lastY, 3.5),
    ];
  }

  // The way of the bound: along its share to the curve, down to z, through the lens to the ruler.
  function drawWay(frame, state, said) {
    const { axis, left, narrow, shareY } = frame;
    const y = shareY(state.lower);
    const certified = state.lower > 0.5;
    const label = fill(said[certified || narrow ? "votes_bound" : "votes_no_bound"], { lower: atLeast(state.lower) });
    const nodes = [dot("ps-u-dot-accent", axis, y, 4.5)];
    if (certified) return together("ps-u-provisional", [...nodes, ...drawReach(frame, state, said), words(BOUND, left + 8, y - 8 < frame.top + 12 ? y + 18 : y - 8, label)]);
    nodes.push(line("ps-u-way", axis, y, left + 10, y), cross("ps-u-cross", left + 18, y, 5), words(BOUND, left + 32, y + 4.5, label));
    return together("ps-u-provisional", nodes);
  }

  const BOUND = "ps-u-note ps-u-strong ps-u-halo";

  function together(className, nodes) {
    const group = shape("g", className);
    group.append(...nodes);
    return [group];
  }

  function drawReach({ axis, left, right, half, ruler, shareY, zX }, { lower, radius }, said) {
    const [y, x, end] = [shareY(lower), zX(normalQuantile(lower)), zX(radius)];
    const beside = end + 90 < right;
    return [
      path("ps-u-way", `M${axis} ${near(y)}H${near(x)}V${near(half + 22)}L${near(end)} ${ruler - 12}`),
      rect("ps-u-reach", left, ruler - 12, end - left, 24), line("ps-u-reach-end", end, ruler - 14, end, ruler + 14),
      dot("ps-u-dot-accent", x, y, 4.5), dot("ps-u-dot-accent", x, half, 3.5),
      words(BOUND, end + (beside ? 9 : -9), ruler + 5, fill(said.votes_radius, { radius: floored(radius, 3) }), beside ? "start" : "end"),
    ];
  }

  function votesPiece(root, said) {
    const card = cardOf(root, said, "votes");
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
        k: whole(state.k), n: whole(state.n), confidence: certainty(state.alpha), lower: atLeast(state.lower),
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
      const points = runningShares(state.draws, state.n, state.p, state.until);
      svg.replaceChildren(
        ...drawGrid(frame, state.lower, said), ...drawLens(frame, state.sigma, said), ...drawVotes(frame, state, said),
        ...drawShare(frame, state, points), ...drawWay(frame, state, said), ...drawTruth(frame),
      );
      place(knob, frame.axis, frame.shareY(state.p));
      state.frame = frame;
    }

    function drawTruth(frame) {
      const y = frame.shareY(state.p);
      const text = frame.narrow ? percent(state.p) : fill(said.votes_truth, { p: percent(state.p) });
      return [words("ps-u-note ps-u-halo", frame.axis - 14, state.p > 0.6 ? y + 36 : y - 24, text, "end")];
    }

    function labels() {
      card.label("p", percent(card.value("p")));
      card.label("n", card.tell("votes_count", { n: whole(twoDigits(10 ** card.value("n"))) }));
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
    ghost(card, "votes_certified", { k: "88,888", n: "100,000", confidence: "99.9999 %", lower: "88.8 %", z: "8.88", sigma: "0.88", radius: "8.888" });
    labels();
    whenSeen(card.node, pour);
  }

  // Keeps the height of the longest sentence free, so that nothing jumps.
  function ghost(card, key, values) {
    setText(one(card.node, ".ps-ghost"), card.tell(key, values));
  }

  // ---- 2 · a boundary in the plane; 1 is the height of the picture

  const CELL = 0.0125;
  const PLANE = { left: -1, right: 3.4, bottom: -1, top: 2 };
  const ISLANDS = [
    { x: 0.36, y: 0.78, rx: 0.07, ry: 0.055 },
    { x: 1.28, y: 0.26, rx: 0.085, ry: 0.06 },
    { x: 0.78, y: 0.2, rx: 0.04, ry: 0.045 },
  ];
  const ragged = (x) => 0.5 + 0.12 * Math.sin(4.3 * x + 0.5) + 0.075 * Math.sin(11 * x + 2) + 0.055 * Math.sin(27 * x) + 0.018 * Math.sin(63 * x);

  // The made-up classifier: A below the ragged line; the islands answer the other way round.
  function saysA(x, y) {
    let answer = y < ragged(x);
    for (const { x: cx, y: cy, rx, ry } of ISLANDS) if (((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1) answer = !answer;
    return answer;
  }

  // How much of each cell says A. The share of votes is exact for the classifier made of these cells.
  const cells = (() => {
    const [width, height] = [Math.round((PLANE.right - PLANE.left) / CELL), Math.round((PLANE.top - PLANE.bottom) / CELL)];
    return { width, height, values: null };
  })();

  // Filled when the picture is first drawn, not while the page loads.
  function cellValues() {
    if (cells.values) return cells.values;
    const { width, height } = cells;
    cells.values = new Float64Array(width * height);
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) cells.values[row * width + column] = cellShare(column, row);
    }
    return cells.values;
  }

  function cellShare(column, row) {
    let count = 0;
    for (let i = 0.25; i < 1; i += 0.5) {
      for (let j = 0.25; j < 1; j += 0.5) count += saysA(PLANE.left + (column + i) * CELL, PLANE.bottom + (row + j) * CELL);
    }
    return count / 4;
  }

  // The mass that Gaussian noise around `from` puts on each cell of a line; the outermost cells reach to infinity.
  function lineMasses(from, start, count, sigma) {
    const masses = new Float64Array(count);
    let before = 0;
    for (let i = 0; i < count; i += 1) {
      const z = (start + (i + 1) * CELL - from) / sigma;
      const until = i === count - 1 || z > 9 ? 1 : z < -9 ? 0 : normalShare(z);
      masses[i] = until - before;
      before = until;
    }
    return masses;
  }

  function shareAt(x, y, sigma) {
    const across = lineMasses(x, PLANE.left, cells.width, sigma);
    const up = lineMasses(y, PLANE.bottom, cells.height, sigma);
    const values = cellValues();
    let share = 0;
    for (let row = 0; row < cells.height; row += 1) {
      if (up[row] === 0) continue;
      let sum = 0;
      for (let column = 0, at = row * cells.width; column < cells.width; column += 1, at += 1) sum += across[column] * values[at];
      share += up[row] * sum;
    }
    return share;
  }

  // Along a line of cells the same masses come again at each middle of a cell.
  function cellKernel(sigma) {
    const reach = Math.ceil((5.5 * sigma) / CELL);
    const kernel = new Float64Array(2 * reach + 1);
    const edge = (i) => normalShare(((i + 0.5) * CELL) / sigma);
    for (let i = -reach; i <= reach; i += 1) kernel[i + reach] = edge(i) - edge(i - 1);
    return { kernel, reach };
  }

  // The share of votes for A at the middles of the cells of the picture, and one cell beyond: columns first, then rows.
  function smoothedShares(sigma, width) {
    const { kernel, reach } = cellKernel(sigma);
    const values = cellValues();
    const [first, low] = [Math.round(-PLANE.left / CELL) - 1, Math.round(-PLANE.bottom / CELL) - 1];
    const [columns, rows] = [Math.ceil(width / CELL) + 2, Math.round(1 / CELL) + 2];
    const shares = new Float64Array(columns * rows);
    const upright = new Float64Array(cells.width);
    for (let row = 0; row < rows; row += 1) {
      upright.fill(0);
      for (let i = -reach; i <= reach; i += 1) {
        const at = clamp(low + row + i, 0, cells.height - 1) * cells.width;
        for (let column = 0, mass = kernel[i + reach]; column < cells.width; column += 1) upright[column] += mass * values[at + column];
      }
      for (let column = 0; column < columns; column += 1) {
        let sum = 0;
        for (let i = -reach; i <= reach; i += 1) sum += kernel[i + reach] * upright[clamp(first + column + i, 0, cells.width - 1)];
        shares[row * columns + column] = sum;
      }
    }
    return { shares, columns, rows };
  }

  // Marching squares at one half: pieces of the smoothed boundary as [x1, y1, x2, y2].
  function halfLines({ shares, columns, rows }) {
    const pieces = [];
    for (let row = 0; row + 1 < rows; row += 1) {
      for (let column = 0; column + 1 < columns; column += 1) {
        const at = row * columns + column;
        const corners = [shares[at], shares[at + 1], shares[at + columns + 1], shares[at + columns]];
        const cuts = cutsOf(corners).map(([x, y]) => [(column + x - 0.5) * CELL, (row + y - 0.5) * CELL]);
        for (let i = 0; i + 1 < cuts.length; i += 2) pieces.push([...cuts[i], ...cuts[i + 1]]);
      }
    }
    return pieces;
  }

  const CORNERS = [[0, 0], [1, 0], [1, 1], [0, 1]];

  function cutsOf(corners) {
    const cuts = [];
    for (let i = 0; i < 4; i += 1) {
      const [from, to] = [corners[i], corners[(i + 1) % 4]];
      if (from < 0.5 === to < 0.5) continue;
      const share = (0.5 - from) / (to - from);
      const [[x1, y1], [x2, y2]] = [CORNERS[i], CORNERS[(i + 1) % 4]];
      cuts.push([x1 + share * (x2 - x1), y1 + share * (y2 - y1)]);
    }
    return cuts;
  }

  function nearestPiece(pieces, x, y) {
    let best = { distance: Infinity };
    for (const [x1, y1, x2, y2] of pieces) {
      const [dx, dy] = [x2 - x1, y2 - y1];
      const along = clamp(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1), 0, 1);
      const [nx, ny] = [x1 + along * dx, y1 + along * dy];
      const distance = Math.hypot(nx - x, ny - y);
      if (distance < best.distance) best = { distance, x: nx, y: ny };
    }
    return best;
  }

  function groundOf(width, height) {
    const points = Array.from({ length: Math.ceil(width / 2) + 2 }, (_, i) => [2 * i, height * (1 - ragged((2 * i) / height))]);
    const holes = ISLANDS.map(({ x, y, rx, ry }) => {
      const [cx, cy, a, b] = [x, 1 - y, rx, ry].map((value) => near(value * height));
      return `M${near(cx - a)} ${cy}a${a} ${b} 0 1 0 ${2 * a} 0a${a} ${b} 0 1 0 ${-2 * a} 0z`;
    });
    return { area: `${trace(points)}V${height}H0z${holes.join("")}`, edge: trace(points) + holes.join("") };
  }

  const cloud = bellPairs(260, 7);

  function drawCloud(state, height) {
    return cloud.map(([a, b]) => {
      const [x, y] = [state.x + a * state.sigma, state.y + b * state.sigma];
      return dot(saysA(x, y) ? "ps-u-for" : "ps-u-against", x * height, (1 - y) * height, 2.6);
    });
  }

  const POINT = { x: 0.62, y: 0.3 };
  // As fine as the address writes it, so that a link brings back this very point.
  const onGrid = (value) => Math.round(value * 1e4) / 1e4;

  function planePiece(root, said) {
    const card = cardOf(root, said, "plane");
    const picture = one(card.node, ".ps-u-picture");
    const [svg, knob] = [one(picture, "svg"), one(picture, ".ps-u-knob")];
    const start = { x: asked(card, "x", 0, PLANE.right - 1) ?? POINT.x, y: asked(card, "y", 0, 1) ?? POINT.y };
    const state = { ...start, sigma: card.value("sigma"), shown: "", pieces: [] };
    const ask = drawnBy(card, draw);
    let stop = null;

    function smooth(width, height) {
      const asked = `${state.sigma} ${width} ${height}`;
      if (state.shown === asked) return;
      state.shown = asked;
      state.pieces = halfLines(smoothedShares(state.sigma, width / height));
    }

    function read() {
      const share = shareAt(state.x, state.y, state.sigma);
      state.name = share >= 0.5 ? said.plane_a : said.plane_b;
      state.share = Math.max(share, 1 - share);
      state.radius = certifiedRadius(state.share, state.sigma);
      state.nearest = nearestPiece(state.pieces, state.x, state.y);
    }

    function tell() {
      const distance = state.nearest.distance;
      const text = card.tell(distance < Infinity ? "plane_certified" : "plane_far", {
        share: atLeast(state.share), name: state.name, radius: floored(state.radius, 3), distance: floored(distance, 3),
        plain: saysA(state.x, state.y) ? said.plane_a : said.plane_b,
      });
      setText(one(card.node, ".ps-u-said"), text);
      card.announce(text);
      card.show("radius", floored(state.radius, 3));
      Object.assign(card.node.dataset, { radius: state.radius, distance, x: state.x, y: state.y });
    }

    function draw() {
      const { width, height } = sized(svg);
      state.x = clamp(state.x, 0, width / height);
      smooth(width, height);
      read();
      tell();
      const ground = groundOf(width, height);
      const smoothed = state.pieces.map((piece) => piece.map((value, i) => near(i % 2 ? (1 - value) * height : value * height)));
      svg.replaceChildren(
        hatching("ps-u-plane-hatch"), hatched("ps-u-plane-hatch", 0, 0, width, height),
        shape("path", "ps-u-region-a", { d: ground.area, "fill-rule": "evenodd" }), path("ps-u-plain", ground.edge),
        ...drawCloud(state, height), ...drawBall(height),
        path("ps-u-smooth", smoothed.map(([x1, y1, x2, y2]) => `M${x1} ${y1}L${x2} ${y2}`).join("")),
        words("ps-u-note ps-u-strong ps-u-halo", 14, height - 14, said.plane_region_a),
        words("ps-u-note ps-u-strong-slate ps-u-halo", 14, 24, said.plane_region_b),
      );
      place(knob, state.x * height, (1 - state.y) * height);
      state.size = { width, height };
    }

    function drawBall(height) {
      const [x, y] = [state.x * height, (1 - state.y) * height];
      const nodes = [shape("circle", "ps-u-ball", { cx: x, cy: y, r: state.radius * height })];
      if (state.nearest.distance < Infinity) nodes.unshift(line("ps-u-gap", x, y, state.nearest.x * height, (1 - state.nearest.y) * height));
      return nodes;
    }

    function labels() {
      card.label("sigma", card.value("sigma").toFixed(3));
    }

    function goTo(x, y) {
      const { width, height } = state.size;
      [state.x, state.y] = [onGrid(clamp(x, 0, width / height)), onGrid(clamp(y, 0, 1))];
      keep();
      ask();
    }

    const keep = () => card.keep({ x: unless(POINT.x, state.x), y: unless(POINT.y, state.y) });

    const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    knob.addEventListener("keydown", (event) => {
      const way = KEYS[event.key];
      if (!way) return;
      event.preventDefault();
      const step = event.shiftKey ? 0.1 : 0.02;
      goTo(state.x + way[0] * step, state.y + way[1] * step);
    });
    const toPoint = (x, y) => goTo(x / state.size.height, 1 - y / state.size.height);
    draggable(knob, picture, toPoint);
    svg.addEventListener("click", (event) => toPoint(...placeIn(svg, event)));
    onInput(card, () => {
      if (stop) stop();
      state.sigma = card.value("sigma");
      labels();
      keep();
      ask();
    });
    ghost(card, "plane_far", { share: "88.8 %", name: "A", radius: "0.888", plain: "B" });
    labels();
    whenSeen(card.node, () => {
      const end = card.value("sigma");
      stop = move(1800, (share) => {
        state.sigma = share === 1 ? end : 0.02 + (end - 0.02) * ease(share);
        ask();
      });
    });
  }

  // ---- 3 · looking while votes come in

  const RUNS = 100;
  const LENGTH = 2000;
  const BATCHES = [2000, 1000, 500, 200, 100, 50, 20, 10];
  const TRUTH = 0.5;

  const looksAt = (batch) => Array.from({ length: LENGTH / batch }, (_, i) => (i + 1) * batch);

  // The fewest votes for which `isFalse(votes, total)`, or more than there are.
  function fewest(total, isFalse) {
    let [low, high] = [Math.floor(total * TRUTH), total + 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (isFalse(middle, total)) high = middle;
      else low = middle;
    }
    return high;
  }

  // A bound is above the truth exactly where the votes are as many as this.
  function criticalCounts(looks, alpha) {
    const needed = 1e-8 - Math.log(alpha);
    const naive = (votes, total) => betaTails(TRUTH, votes, total - votes + 1)[0] < alpha;
    const anytime = (votes, total) => logEvidence(TRUTH, votes, total) >= needed;
    return { naive: looks.map((total) => fewest(total, naive)), anytime: looks.map((total) => fewest(total, anytime)) };
  }

  // The exact chance that a run is ever told something false: all ways that the votes can go, step by step.
  function everFalse(looks, critical) {
    const chances = new Float64Array(LENGTH + 2);
    chances[0] = 1;
    let wrong = 0;
    for (let total = 1, look = 0; total <= LENGTH; total += 1) {
      for (let votes = total; votes > 0; votes -= 1) chances[votes] = chances[votes] * (1 - TRUTH) + chances[votes - 1] * TRUTH;
      chances[0] *= 1 - TRUTH;
      if (total !== looks[look]) continue;
      for (let votes = critical[look]; votes <= total; votes += 1) {
        wrong += chances[votes];
        chances[votes] = 0;
      }
      look += 1;
    }
    return wrong;
  }

  function castRuns(seed) {
    const draw = chance(seed * 7919);
    return Array.from({ length: RUNS }, () => {
      const counts = new Uint16Array(LENGTH + 1);
      for (let t = 1; t <= LENGTH; t += 1) counts[t] = counts[t - 1] + (draw() < TRUTH);
      return counts;
    });
  }

  // How far each bound lies below the share seen, in standard errors, at five counts a look: between them it is all but
  // straight, so a hundred small lines need no hundred thousand roots.
  function boundTable(looks, alpha) {
    return looks.map((total) => {
      const spread = Math.sqrt(total) / 2;
      const at = [-3.5, -1.75, 0, 1.75, 3.5].map((step) => clamp(Math.round(total / 2 + step * spread), 1, total - 1));
      const gap = (bound, times) => at.map((votes) => votes / total - bound(votes, total, alpha, times));
      return { at, naive: gap(clopperPearsonQuick), anytime: gap(anytimeQuick) };
    });
  }

  const below = (votes, total) => Math.max(0, votes / total - 4 / Math.sqrt(total));
  const clopperPearsonQuick = (votes, total, alpha) =>
    halve(below(votes, total), votes / total, (share) => betaTails(share, votes, total - votes + 1)[0] < alpha, 14);
  const anytimeQuick = (votes, total, alpha) =>
    halve(below(votes, total), votes / total, (share) => logEvidence(share, votes, total) >= 1e-8 - Math.log(alpha), 14);

  function between(xs, ys, x) {
    let i = 0;
    while (i < xs.length - 2 && x > xs[i + 1]) i += 1;
    const width = xs[i + 1] - xs[i];
    return width ? ys[i] + ((x - xs[i]) / width) * (ys[i + 1] - ys[i]) : ys[i];
  }

  // The first look at which the bound is false, or -1.
  const firstFalse = (counts, looks, critical) => looks.findIndex((total, i) => counts[total] >= critical[i]);

  // What a viewer is told in one run, look by look.
  function toldIn(counts, look, kind) {
    return look.looks.map((total, i) => {
      const { at } = look.table[i];
      return [total, counts[total] / total - between(at, look.table[i][kind], counts[total])];
    });
  }

  const SHOWN = { low: 0.3, high: 0.62, first: 10 };

  function stripScale(x, y, width, height) {
    const span = Math.log(LENGTH / SHOWN.first);
    return {
      x: (total) => x + (Math.log(Math.max(total, SHOWN.first) / SHOWN.first) / span) * width,
      y: (share) => y + ((SHOWN.high - clamp(share, SHOWN.low, SHOWN.high)) / (SHOWN.high - SHOWN.low)) * height,
    };
  }

  const scaled = (points, scale) => points.map(([total, share]) => [scale.x(total), scale.y(share)]);

  function drawLarge(svg, look, index, said) {
    const { width, height, narrow } = sized(svg);
    const [left, right, top, bottom] = [42, width - 8, 8, height - 34];
    const scale = stripScale(left, top, right - left, bottom - top);
    const nodes = [];
    for (const share of [0.3, 0.4, 0.5, 0.6]) {
      nodes.push(line("ps-u-grid", left, scale.y(share), right, scale.y(share)), words(share === TRUTH ? "ps-u-tick ps-u-truth-tick" : "ps-u-tick", left - 6, scale.y(share) + 4, `${100 * share} %`, "end"));
    }
    for (const total of narrow ? [10, 100, 2000] : [10, 30, 100, 300, 1000, 2000]) {
      nodes.push(words("ps-u-tick", clamp(scale.x(total), left + 8, right - 14), bottom + 15, whole(total), "middle"));
    }
    nodes.push(words("ps-u-tick", (left + right) / 2, bottom + 30, said.looks_axis, "middle"));
    const counts = look.runs[index];
    const shares = Array.from({ length: 200 }, (_, i) => Math.round(SHOWN.first * (LENGTH / SHOWN.first) ** (i / 199)));
    nodes.push(path("ps-u-share", scaled(shares.map((total) => [total, counts[total] / total]), scale)));
    nodes.push(line("ps-u-truth-line", left, scale.y(TRUTH), right, scale.y(TRUTH)));
    nodes.push(...drawTold(look, index, scale, 6));
    svg.replaceChildren(...nodes, ...drawFlag(look, index, scale, said, right));
  }

  function drawFlag(look, index, scale, said, right) {
    const first = look.wrong.naive[index];
    if (first < 0) return [];
    const x = scale.x(look.looks[first]);
    const end = x + 90 > right;
    return [words("ps-u-note ps-u-strong-slate ps-u-halo", end ? x - 10 : x - 4, scale.y(TRUTH) - 22, said.looks_wrong, end ? "end" : "start")];
  }

  function drawTold(look, index, scale, mark) {
    const counts = look.runs[index];
    const nodes = [path("ps-u-naive", scaled(toldIn(counts, look, "naive"), scale)), path("ps-u-anytime", scaled(toldIn(counts, look, "anytime"), scale))];
    if (look.looks.length === 1) {
      nodes.push(...["naive", "anytime"].map((kind) => dot(`ps-u-only-${kind}`, ...scaled(toldIn(counts, look, kind), scale)[0], mark / 2)));
    }
    const [naive, anytime] = [look.wrong.naive[index], look.wrong.anytime[index]];
    if (naive >= 0) nodes.push(cross("ps-u-cross", scale.x(look.looks[naive]), scale.y(TRUTH) - mark - 1, mark));
    if (anytime >= 0) nodes.push(dot("ps-u-stain", scale.x(look.looks[anytime]), scale.y(TRUTH) + mark + 2, mark));
    return nodes;
  }

  // Where a run has its small picture.
  function stripBox(index, { width, height, narrow }) {
    const columns = narrow ? 10 : 20;
    const [wide, high] = [width / columns, height / (RUNS / columns)];
    return { x: (index % columns) * wide + 2, y: Math.floor(index / columns) * high + 2, width: wide - 4, height: high - 4, columns };
  }

  function drawStrip(look, index, size) {
    const box = stripBox(index, size);
    const scale = stripScale(box.x, box.y, box.width, box.height);
    const wrong = look.wrong.naive[index] >= 0;
    const strip = shape("g", `ps-u-strip${wrong ? " ps-u-wrong" : ""}`);
    strip.append(rect("ps-u-cell", box.x, box.y, box.width, box.height));
    strip.append(line("ps-u-truth-line", box.x, scale.y(TRUTH), box.x + box.width, scale.y(TRUTH)));
    strip.append(...drawTold(look, index, scale, 3));
    return strip;
  }

  function looksPiece(root, said) {
    const card = cardOf(root, said, "looks");
    const [large, strips] = [one(card.node, ".ps-u-large"), one(card.node, ".ps-u-strips")];
    const seed = askedSeed(card);
    const look = { seed, runs: castRuns(seed), moving: false };
    const ask = drawnBy(card, draw);
    const settings = () => [BATCHES[card.value("batch")], ALPHAS[card.value("alpha")]];

    function prepare() {
      const [batch, alpha] = settings();
      look.looks = looksAt(batch);
      look.critical = criticalCounts(look.looks, alpha);
      look.table = boundTable(look.looks, alpha);
      look.expected = { naive: everFalse(look.looks, look.critical.naive), anytime: everFalse(look.looks, look.critical.anytime) };
      judge();
    }

    function judge() {
      const first = (kind) => look.runs.map((counts) => firstFalse(counts, look.looks, look.critical[kind]));
      look.wrong = { naive: first("naive"), anytime: first("anytime") };
      look.fresh = true;
    }

    const count = (kind) => look.wrong[kind].filter((first) => first >= 0).length;

    function tell() {
      const promise = +(RUNS * settings()[1]).toFixed(1);
      for (const kind of ["naive", "anytime"]) tellTally(kind, promise);
      setText(one(card.node, ".ps-u-promise"), card.tell("looks_promise", { promise, runs: RUNS }));
      const text = card.tell("looks_said", { runs: RUNS, naive: count("naive"), anytime: count("anytime"), promise });
      card.announce(text);
      card.show("run", card.tell("looks_run", { run: card.value("run"), runs: RUNS }));
      card.show("seed", card.tell("looks_seed", { seed: look.seed }));
      const { naive, anytime } = look.expected;
      Object.assign(card.node.dataset, { naive: count("naive"), anytime: count("anytime"), expectedNaive: naive, expectedAnytime: anytime });
    }

    function tellTally(kind, promise) {
      const row = one(card.node, `.ps-u-tally[data-kind=${kind}]`);
      const [, number, track, exactly] = row.children;
      setText(number, card.tell("looks_share", { count: count(kind), runs: RUNS }));
      setText(exactly, card.tell("looks_exactly", { share: percent(look.expected[kind]) }));
      track.firstChild.style.transform = `scaleX(${clamp(count(kind) / 50, 0, 1)})`;
      track.style.setProperty("--promise", `${2 * promise}%`);
    }

    function draw() {
      if (!look.looks) return;
      tell();
      const index = card.value("run") - 1;
      drawLarge(large, look, index, said);
      const size = sized(strips);
      const shown = `${size.width} ${size.height}`;
      if (look.fresh || look.shown !== shown) drawStrips(size);
      [look.fresh, look.shown] = [false, shown];
      const box = stripBox(index, size);
      look.frame.replaceWith((look.frame = rect("ps-u-chosen", box.x - 1, box.y - 1, box.width + 2, box.height + 2)));
    }

    function drawStrips(size) {
      const nodes = look.runs.map((_, index) => drawStrip(look, index, size));
      look.frame = rect("ps-u-chosen", 0, 0, 0, 0);
      strips.replaceChildren(...nodes, look.frame);
      if (look.moving && !still.matches) nodes.forEach(appear);
      look.moving = false;
    }

    function appear(node, index) {
      for (const drawn of node.querySelectorAll("path, circle")) {
        drawn.animate([{ opacity: 0 }, { opacity: 1 }], { duration: 240, delay: 14 * index, fill: "backwards" });
      }
    }

    function labels() {
      const [batch, alpha] = settings();
      card.label("batch", batch === LENGTH ? card.tell("looks_once", { n: whole(LENGTH) }) : card.tell("looks_every", { batch }));
      card.label("alpha", plain(alpha));
      markFill(card.inputs.run);
      card.show("chosen", card.inputs.run.value);
    }

    function choose(event) {
      const size = sized(strips);
      const { columns } = stripBox(0, size);
      const [x, y] = placeIn(strips, event);
      const [column, row] = [(x / size.width) * columns, (y / size.height) * (RUNS / columns)];
      card.set("run", clamp(Math.floor(row) * columns + Math.floor(column), 0, RUNS - 1) + 1);
    }

    // The run that is shown large unless another is asked for: the first that the ordinary bound told something false.
    const telling = () => Math.max(0, look.wrong.naive.findIndex((at) => at >= 0)) + 1;
    const keep = () => card.keep({ seed: unless(FIRST_SEED, look.seed), run: unless(telling(), card.value("run")) });

    strips.addEventListener("click", choose);
    one(card.node, ".ps-u-again").addEventListener("click", () => {
      look.runs = castRuns((look.seed = nextSeed(look.seed)));
      look.moving = true;
      judge();
      card.inputs.run.value = telling();
      labels();
      keep();
      ask();
    });
    onInput(card, (key) => {
      labels();
      if (key !== "run" || !look.looks) prepare();
      keep();
      ask();
    });
    labels();
    whenSeen(card.node, () => {
      prepare();
      look.moving = true;
      if (asked(card, "run", 1, RUNS) === null) card.inputs.run.value = telling();
      labels();
      ask();
    });
  }

  // ---- 4 · a prompt tuned to one scan

  const NOISE = 0.25;
  const STEEP = 20; // logits ±10 (x + b): their difference
  const RATE = 0.1;
  const copies = Array.from({ length: 200 }, (_, i) => NOISE * normalQuantile((i + 0.5) / 200));

  // The slope in b of the entropy of the mean answer of the noisy copies.
  function entropySlope(x, b) {
    let [mean, slope] = [0, 0];
    for (const noise of copies) {
      const share = 1 / (1 + Math.exp(-STEEP * (x + b + noise)));
      mean += share / copies.length;
      slope += (STEEP * share * (1 - share)) / copies.length;
    }
    return Math.log((1 - mean) / mean) * slope;
  }

  // Adam's steps, as the tuning of a prompt takes them; it sees x, and nothing else.
  function tuned(x, steps) {
    let [b, first, second] = [0, 0, 0];
    for (let step = 1; step <= steps; step += 1) {
      const slope = entropySlope(x, b);
      first = 0.9 * first + 0.1 * slope;
      second = 0.999 * second + 0.001 * slope * slope;
      b -= (RATE * (first / (1 - 0.9 ** step))) / (Math.sqrt(second / (1 - 0.999 ** step)) + 1e-8);
    }
    return b;
  }

  // What the smoothed classifier of prompt b answers at x: A where x + b > 0, and the boundary lies at -b.
  const answersA = (x, b) => x + b >= 0;

  function lineFrame(svg) {
    const { width, height } = sized(svg);
    return { width, height, top: 22, bottom: height - 20, x: (value) => width / 2 + value * (width / 2 - 12) };
  }

  function drawLine(svg, row, state, said) {
    const frame = lineFrame(svg);
    const { width, top, bottom, x } = frame;
    const border = clamp(x(-row.b), 0, width);
    const nodes = [
      hatching(`ps-u-tuned-${row.name}`), hatched(`ps-u-tuned-${row.name}`, 0, top, border, bottom - top),
      rect("ps-u-region-a", border, top, width - border, bottom - top), line("ps-u-border", border, top, border, bottom),
      words("ps-u-note ps-u-strong", width - 10, (top + bottom) / 2 + 5, said.tuned_a, "end"),
      words("ps-u-note ps-u-strong-slate ps-u-halo", 10, (top + bottom) / 2 + 5, said.tuned_b),
    ];
    for (let tick = -1; tick <= 1; tick += 0.5) nodes.push(words("ps-u-tick", clamp(x(tick), 12, width - 12), bottom + 15, signed(tick, 1), "middle"));
    svg.replaceChildren(...nodes, ...drawClaim(frame, row, state, said), ...drawScans(frame, row, state));
  }

  function drawClaim({ x, top, width }, row, state, said) {
    const [from, to] = [x(state.scan - row.radius), x(state.scan + row.radius)];
    const y = top - 7;
    const className = row.name === "again" ? "ps-u-claim ps-u-broken" : "ps-u-claim";
    const label = words("ps-u-note ps-u-strong ps-u-halo", clamp(to + 8, 0, width - 64), y + 4, fill(said.tuned_reach, { radius: floored(row.radius, 3) }));
    return [path(className, `M${near(from)} ${y + 5}V${y}H${near(to)}V${y + 5}`), label];
  }

  function drawScans({ x, top, bottom }, row, state) {
    const middle = (top + bottom) / 2;
    const right = answersA(state.altered, row.b);
    const nodes = [dot("ps-u-scan", x(state.scan), middle, 5.5)];
    if (row.name === "again" && !right && Math.abs(state.altered - state.scan) < row.radius) nodes.push(cross("ps-u-cross", x(state.altered), middle, 5));
    else nodes.push(shape("rect", "ps-u-altered", { x: x(state.altered) - 4.5, y: middle - 4.5, width: 9, height: 9, transform: `rotate(45 ${x(state.altered)} ${middle})` }));
    return nodes;
  }

  function tunedPiece(root, said) {
    const card = cardOf(root, said, "tuned");
    const lines = [...card.node.querySelectorAll(".ps-u-line")];
    const state = { scan: card.value("scan"), altered: card.value("scan") };
    const ask = drawnBy(card, draw);
    let stop = null;

    // The radius is exact for the frozen prompt: σ Φ⁻¹(Φ(|x + b| / σ)) = |x + b|, with an unlimited number of votes.
    function rows() {
      const steps = card.value("steps");
      const frozen = tuned(state.scan, steps);
      const radius = state.scan + frozen;
      return { hand: { b: 0, radius: state.scan }, frozen: { b: frozen, radius }, again: { b: tuned(state.altered, steps), radius } };
    }

    function sentence(row) {
      const away = Math.abs(state.altered - state.scan);
      const [inside, kept] = [away < row.radius, answersA(state.altered, row.b)];
      const key = inside ? (kept ? "tuned_holds" : "tuned_broken") : "tuned_outside";
      return [key.slice(6), card.tell(key, { distance: inside ? floored(away, 3) : raised(away, 3), name: kept ? said.tuned_a : said.tuned_b })];
    }

    function draw() {
      const all = rows();
      const spoken = lines.map((node) => {
        const row = { name: node.dataset.row, ...all[node.dataset.row] };
        drawLine(one(node, "svg"), row, state, said);
        const [outcome, text] = sentence(row);
        node.dataset.outcome = outcome;
        setText(one(node, "p"), text);
        return `${one(node, "h3").firstChild.textContent.trim()}: ${text}`;
      });
      card.announce(spoken.join(" "));
      card.show("radius", floored(all.frozen.radius, 3));
      card.show("truth", card.tell("tuned_truth", { distance: floored(state.scan, 3) }));
      Object.assign(card.node.dataset, { radius: all.frozen.radius });
    }

    function labels() {
      for (const key of ["scan", "altered"]) card.label(key, card.tell("tuned_place", { x: signed(card.value(key), 3) }));
      card.label("steps", card.tell("tuned_steps", { steps: card.value("steps"), rate: RATE }));
    }

    for (const node of lines) {
      const svg = one(node, "svg");
      draggable(svg, svg, (x) => {
        const { width } = lineFrame(svg);
        card.set("altered", clamp((x - width / 2) / (width / 2 - 12), -1, 1));
      });
    }
    onInput(card, () => {
      if (stop) stop();
      [state.scan, state.altered] = [card.value("scan"), card.value("altered")];
      labels();
      card.keep({});
      ask();
    });
    labels();
    whenSeen(card.node, () => {
      const [from, to] = [card.value("scan"), card.value("altered")];
      stop = move(2400, (share) => {
        state.altered = from + (to - from) * ease(share);
        ask();
      });
    });
  }

  // ---- the address: whatever is not as the view opens, by names such as votes-p, so that a link restores it

  const FIRST_SEED = 1;
  const MOST_SEEDS = 999999;
  const nextSeed = (seed) => (seed % MOST_SEEDS) + 1;
  const unless = (usual, value) => (value === usual ? null : value);

  // A slider whose steps are not numbers of its matter is written as what it stands for.
  const listed = (values) => ({ tell: (step) => values[step], step: (value) => nearest(values, value) });
  const MEANINGS = {
    "votes-n": { tell: (step) => twoDigits(10 ** step), step: Math.log10 },
    "votes-alpha": listed(ALPHAS),
    "looks-batch": listed(BATCHES),
    "looks-alpha": listed(ALPHAS),
  };

  function nearest(values, wanted) {
    const away = (value) => Math.abs(Math.log(value / wanted));
    return values.reduce((best, value, step) => (away(value) < away(values[best]) ? step : best), 0);
  }

  // A number of the address, moved within its ends; null where there is none that could be read.
  function asked(card, key, low, high) {
    const text = new URLSearchParams(location.search).get(`${card.name}-${key}`);
    const value = text ? Number(text) : NaN;
    return Number.isFinite(value) ? clamp(value, low, high) : null;
  }

  const askedSeed = (card) => Math.round(asked(card, "seed", FIRST_SEED, MOST_SEEDS) ?? FIRST_SEED);

  // A slider keeps what it is set to within its ends and on its steps by itself.
  function recall(card) {
    for (const key in card.inputs) {
      const meaning = MEANINGS[`${card.name}-${key}`];
      const value = meaning ? asked(card, key, 1e-9, 1e9) : asked(card, key, -Infinity, Infinity);
      if (value !== null) card.inputs[key].value = meaning ? meaning.step(value) : value;
    }
  }

  function standing(card) {
    const changes = {};
    for (const [key, input] of Object.entries(card.inputs)) {
      const meaning = MEANINGS[`${card.name}-${key}`];
      changes[key] = input.value === input.defaultValue ? null : meaning ? meaning.tell(input.value) : input.value;
    }
    return changes;
  }

  // Written once a control rests: browsers refuse an address that changes many times a second.
  function keeper(card) {
    let waiting = 0;
    return (more) => {
      clearTimeout(waiting);
      const changes = Object.entries({ ...standing(card), ...more }).map(([key, value]) => [`${card.name}-${key}`, value]);
      waiting = setTimeout(() => psmooth.address(Object.fromEntries(changes)), 300);
    };
  }

  // ---- the view

  // Gradio sets a base address, to which a bare "#…" would go without the view that the address names.
  function jump(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.hash = event.currentTarget.hash;
  }

  psmooth.understand = (element) => {
    const root = one(element, ".ps-understand");
    if (!root || root.dataset.mounted) return;
    root.dataset.mounted = "yes";
    const said = psmooth.translated(JSON.parse(root.dataset.said));
    for (const piece of [votesPiece, planePiece, looksPiece, tunedPiece]) piece(root, said);
    for (const link of root.querySelectorAll(".ps-u-contents a")) link.addEventListener("click", jump);
    const asked = location.hash.startsWith("#understand-") && one(root, location.hash);
    if (asked) asked.scrollIntoView();
  };
  Object.assign(psmooth.understand, {
    mathematics: { normalQuantile, normalShare, clopperPearsonLower, anytimeLower, certifiedRadius, tuned, shareAt, everFalse, looksAt, criticalCounts },
  });
  // Gradio does not wait for this script before it draws the page: where the view stands already, it has been asked for.
  psmooth.understand(document);
})();
