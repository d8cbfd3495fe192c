// Draws the page from plain values: the strip, the votes, the ruler. It knows nothing about statistics, holds no words
// of its own, and sets a visitor's text only as text.
(() => {
  "use strict";
  const psmooth = (window.psmooth = window.psmooth || {});
  if (psmooth.stage) return;
  const plotly = document.createElement("script");
  plotly.src = new URL("plotly/plotly-basic.min.js", document.currentScript.src);
  document.head.append(plotly);
  const RECORDING = new URL("recording.json", document.currentScript.src);

  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const one = (root, selector) => root.querySelector(selector);
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const setText = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };

  // ---- the strip: scan, crop, one noisy copy

  const pictures = { size: 0, pixels: null, jpeg: null, draw: null, sigma: 0.25 };
  let spend = () => {};
  let radius = null;

  // 65,536 standard normal numbers; a draw is a table look-up, as in the engine.
  const normal = (() => {
    const table = new Float32Array(65536);
    for (let i = 0; i < table.length; i += 2) {
      const length = Math.sqrt(-2 * Math.log(1 - Math.random()));
      const angle = 2 * Math.PI * Math.random();
      table[i] = length * Math.cos(angle);
      table[i + 1] = length * Math.sin(angle);
    }
    return table;
  })();

  function drawNoise(count) {
    const draw = new Float32Array(count);
    for (let i = 0; i < count; i += 1) draw[i] = normal[(Math.random() * 65536) | 0];
    return draw;
  }

  // The noise is rounded to whole grey levels, as in a vote; the sum is clipped for showing alone.
  function paintNoisy() {
    const canvas = one(document, ".ps-noisy");
    if (!canvas || !pictures.pixels) return;
    const { size, pixels, draw, sigma } = pictures;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const image = new ImageData(size, size);
    for (let i = 0, j = 0; i < pixels.length; i += 4, j += 3) {
      for (let c = 0; c < 3; c += 1) image.data[i + c] = pixels[i + c] + Math.round(255 * sigma * draw[j + c]);
      image.data[i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    setText(one(document, ".ps-sigma"), `σ = ${+sigma.toFixed(3)}`);
  }

  function redrawNoise() {
    if (!pictures.pixels) return;
    pictures.draw = drawNoise(pictures.size * pictures.size * 3);
    paintNoisy();
  }

  function showStrip(value) {
    const root = one(document, ".ps-stage");
    if (!root) return void setTimeout(() => showStrip(value), 30);
    root.classList.toggle("ps-blank", !value || !value.scan);
    one(root, ".ps-open").onclick = () => psmooth.openViewer && psmooth.openViewer(value);
    if (!value || !value.scan) {
      pictures.pixels = null;
      spend(null, pictures);
      for (const canvas of root.querySelectorAll(".ps-tile canvas")) canvas.width = canvas.height = 0;
      one(root, ".ps-scan").removeAttribute("src");
      for (const facts of [".ps-scan-facts", ".ps-crop-facts"]) setText(one(root, facts), "");
      return;
    }
    const whole = one(root, ".ps-whole");
    whole.style.aspectRatio = `${value.width} / ${value.height}`;
    whole.style.width = `${Math.min(1, value.width / value.height) * 100}%`;
    one(root, ".ps-scan").src = value.scan;
    setText(one(root, ".ps-scan-facts"), value.about);
    setText(one(root, ".ps-crop-facts"), `${value.size} × ${value.size}`);
    const [left, top, width, height] = value.frame;
    const frame = { left, top, width, height };
    for (const side in frame) one(root, ".ps-frame").style[side] = `${frame[side] * 100}%`;
    const crop = new Image();
    crop.onload = () => {
      const canvas = one(root, ".ps-crop");
      canvas.width = canvas.height = value.size;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      const large = canvas.clientWidth * devicePixelRatio >= value.size;
      for (const tile of [canvas, one(root, ".ps-noisy")]) tile.classList.toggle("ps-large", large);
      context.drawImage(crop, 0, 0);
      pictures.size = value.size;
      pictures.pixels = context.getImageData(0, 0, value.size, value.size).data;
      redrawNoise();
      showJpeg(value);
    };
    crop.src = value.crop;
  }

  function showJpeg(value) {
    const image = new Image();
    image.onload = () => {
      const canvas = make("canvas");
      canvas.width = canvas.height = value.size;
      const context = canvas.getContext("2d");
      context.drawImage(image, 0, 0);
      pictures.jpeg = context.getImageData(0, 0, value.size, value.size).data;
      spend(radius, pictures);
    };
    image.src = value.jpeg;
  }

  psmooth.strip = (element, props, watch) => {
    showStrip(props.value);
    watch("value", () => showStrip(props.value));
  };

  // Before Gradio has loaded, the page already stands, with the first scan and its noise.
  psmooth.first = ({ stage, strip, picker, words }) => {
    const root = one(document, "#ps-first");
    const query = new URLSearchParams(location.search);
    const another = Number(query.get("example") || 0) !== 0 || query.has("scan") || (query.get("view") || "certify") !== "certify";
    if (another) return void root.remove();
    const asked = new URLSearchParams(location.search).get("__theme");
    const dark = asked ? asked === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.body.classList.toggle("dark", dark);
    const nothing = () => {};
    psmooth.picker(root, { value: picker }, nothing, nothing);
    mountStage(root, { value: stage, words }, nothing, nothing);
    showStrip(strip);
    const moving = setInterval(() => {
      if (!root.isConnected) clearInterval(moving);
      else if (!still.matches) redrawNoise();
    }, 120);
  };

  // ---- the vote chart: Plotly draws bars, bounds and axis; words and numbers lie over it as plain text

  // Read once for light and once for dark: asked for at every step, they would make the browser lay out the page again.
  const COLOURS = ["card", "ink", "edge", "accent", "soft", "bar", "grid", "faint"];
  const looks = {};
  function look() {
    const name = document.body.classList.contains("dark") ? "dark" : "light";
    const style = getComputedStyle(document.body);
    if (!looks[name] || !looks[name].ink) looks[name] = Object.fromEntries(COLOURS.map((part) => [part, style.getPropertyValue(`--ps-${part}`).trim()]));
    return looks[name];
  }
  const FONT = '"Inter Variable", system-ui, sans-serif';
  const TOP = 22;
  const BOTTOM = 44;
  const NARROW = 460;
  const paper = document.createElement("canvas").getContext("2d");
  const widthOf = (text, weight = 400, size = 13) => {
    paper.font = `${weight} ${size}px ${FONT}`;
    return Math.ceil(paper.measureText(text).width);
  };
  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

  // Where things stand, in pixels; `row` is the height of one class.
  function frameOf(data, node, { room, least }) {
    const rows = data.labels.length;
    const whole = node.clientWidth;
    const narrow = whole < NARROW;
    const names = Math.min(180, Math.max(40, ...data.labels.map((label) => widthOf(label, 650))));
    const left = narrow ? 6 : names + 12;
    const right = widthOf(psmooth.count(data.most), 650) + 16;
    const row = narrow ? 44 : clamp(room / (rows + 0.7), least, 64);
    return {
      rows, narrow, left, right, row, width: whole - left - right,
      height: Math.round(TOP + row * (rows + 0.7) + BOTTOM),
    };
  }

  // Plotly reads tags in what it shows on hover, so a visitor's text is escaped.
  const escape = (psmooth.escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;"));

  function bars(data, rows, frame, marker) {
    return {
      type: "bar", orientation: "h", marker,
      x: rows.map((row) => data.shares[row]), y: rows.map((row) => row + (frame.narrow ? 0.2 : 0)),
      width: frame.narrow ? 0.36 : Math.min(0.52, 27 / frame.row),
      text: rows.map((row) => `${escape(data.labels[row])}: ${psmooth.count(data.counts[row])}`),
      textposition: "none", hovertemplate: "%{text} · %{x:.1%}<extra></extra>",
    };
  }

  function traces(data, frame, look) {
    const rows = data.labels.map((_, row) => row);
    const outlines = bars(data, rows, frame, { color: "rgba(0,0,0,0)", line: { color: look.edge, width: 1 } });
    const hatch = { shape: "/", fgcolor: look.card, fgopacity: 0.3, size: 7, solidity: 0.28, fillmode: "overlay" };
    const first = data.chosen ? 1 : 0;
    return [
      { ...outlines, x: data.selection_shares.map((share) => share || null), width: outlines.width + 0.2, hoverinfo: "skip", hovertemplate: null },
      bars(data, rows.slice(first), frame, { color: look.bar }),
      bars(data, rows.slice(0, first), frame, { color: look.accent, pattern: hatch }),
    ];
  }

  function shapes(data, look) {
    if (!data.chosen || !data.total) return [];
    const upright = { xref: "x", yref: "paper", y0: 0, y1: 1 };
    const line = (at, style) => ({ ...upright, type: "line", x0: at, x1: at, line: style });
    const bounds = [
      line(data.upper, { color: look.ink, width: 1.5, dash: "5px,4px" }),
      line(data.lower, { color: look.accent, width: 2.5 }),
    ];
    const gap = { ...upright, type: "rect", x0: data.upper, x1: data.lower, layer: "below", fillcolor: look.soft, opacity: 0.8, line: { width: 0 } };
    return data.certified ? [gap, ...bounds] : bounds;
  }

  function layout(data, frame, look) {
    return {
      width: frame.left + frame.width + frame.right, height: frame.height,
      margin: { l: frame.left, r: frame.right, t: TOP, b: BOTTOM },
      barmode: "overlay", barcornerradius: 3, showlegend: false, uirevision: "votes", dragmode: false, hovermode: "closest",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { bgcolor: look.ink, bordercolor: look.ink, font: { family: FONT, color: look.card, size: 13 } },
      xaxis: {
        range: [0, 1], fixedrange: true, tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0", "25", "50", "75", "100 %"],
        gridcolor: look.grid, zeroline: false, ticklen: 0, tickfont: { family: FONT, size: 11.5, color: look.faint },
      },
      yaxis: { range: [frame.rows + 0.2, -0.5], fixedrange: true, showticklabels: false, showgrid: false, zeroline: false },
      shapes: shapes(data, look),
    };
  }

  function drawPlot(node, data, frame) {
    if (!window.Plotly) return false;
    const config = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false };
    window.Plotly.react(node, traces(data, frame, look()), layout(data, frame, look()), config);
    return true;
  }

  function writeRows(box, data, frame) {
    while (box.children.length > 2 * frame.rows) box.lastChild.remove();
    while (box.children.length < 2 * frame.rows) box.append(make("span"), make("span"));
    data.labels.forEach((label, row) => {
      const [name, count] = [box.children[2 * row], box.children[2 * row + 1]];
      const leads = data.chosen && row === 0 ? " ps-leads" : "";
      name.className = `ps-name${leads}`;
      count.className = `ps-count${leads}`;
      setText(name, label);
      setText(count, psmooth.count(data.counts[row]));
      const middle = TOP + (row + 0.5) * frame.row;
      name.style.top = `${frame.narrow ? middle - 0.24 * frame.row : middle}px`;
      count.style.top = `${frame.narrow ? middle + 0.2 * frame.row : middle}px`;
      name.style.width = frame.narrow ? "" : `${frame.left - 10}px`;
    });
  }

  // Measured on paper: the page need not be laid out in the middle of a step.
  function writeNote(node, text, share, top, frame, room = Infinity) {
    setText(node, text);
    const half = Math.min(room, widthOf(text, 600, 12.5)) / 2;
    const whole = frame.left + frame.width + frame.right;
    node.style.left = `${clamp(frame.left + share * frame.width, half, whole - half)}px`;
    if (top !== null) node.style.top = `${top}px`;
  }

  function writeNotes(box, data, frame, words) {
    const [least, most, between] = box.children;
    box.hidden = !data.chosen || !data.total;
    if (box.hidden) return;
    const floor = frame.height - BOTTOM;
    writeNote(least, data.at_least, data.lower, 1, frame);
    writeNote(most, data.at_most, data.upper, floor + 20, frame);
    const room = data.certified ? (data.lower - data.upper) * frame.width - 10 : frame.width;
    between.style.maxWidth = `${Math.max(0, room)}px`;
    between.style.visibility = room < 64 ? "hidden" : "";
    const middle = data.certified ? (data.lower + data.upper) / 2 : 0.5;
    writeNote(between, data.certified ? words.gap : words.no_gap, middle, null, frame, Math.max(0, room));
    between.style.bottom = `${BOTTOM + 6}px`;
  }

  const ROOMY = { room: 262, least: 27 };
  const COMPACT = { room: 174, least: 20 };

  // True once Plotly is there and has drawn.
  function drawChart(chart, data, words, room = ROOMY) {
    if (!chart.clientWidth) return false;
    const [plot, rows, notes] = chart.children;
    const frame = frameOf(data, chart, room);
    chart.style.height = `${frame.height}px`;
    chart.classList.toggle("ps-narrow", frame.narrow);
    writeRows(rows, data, frame);
    writeNotes(notes, data, frame, words);
    return drawPlot(plot, data, frame);
  }

  function fillTable(body, data) {
    while (body.rows.length > data.labels.length) body.deleteRow(-1);
    data.labels.forEach((label, index) => {
      const row = body.rows[index] || body.insertRow();
      if (!row.cells.length) {
        const head = make("th");
        head.scope = "row";
        row.append(head, make("td"), make("td"));
      }
      [label, data.selection[index], data.counts[index]].forEach((text, cell) => setText(row.cells[cell], String(text)));
    });
  }

  // ---- the ruler

  function drawRuler(root, value, words) {
    const box = one(root, ".ps-ruler");
    setText(one(root, ".ps-ruler-title span"), value.radius === null ? words.ruler_open : words.ruler.replace("{radius}", value.radius));
    setText(one(root, ".ps-ruler-title small"), value.covered);
    if (box.children.length !== value.rows.length + 1) {
      box.replaceChildren();
      for (let i = 0; i < value.rows.length; i += 1) {
        const row = make("div", "ps-mark");
        const scale = make("span", "ps-scale");
        scale.append(make("i", "ps-reach"), make("i", "ps-dot"), make("b"));
        row.append(make("span", "ps-mark-words"), scale, make("span", "ps-hidden"));
        box.append(row);
      }
      const axis = make("div", "ps-mark ps-axis");
      const scale = make("span", "ps-scale");
      for (const [text, place] of value.ticks) {
        const tick = make("span", "", text);
        tick.style.left = `${place * 100}%`;
        scale.append(tick);
      }
      axis.append(make("span", "ps-mark-words", words.ruler_axis), scale);
      box.append(axis);
    }
    value.rows.forEach(([text, size, place, covered], index) => {
      const row = box.children[index];
      row.classList.toggle("ps-covered", covered);
      setText(one(row, ".ps-mark-words"), text);
      setText(one(row, "b"), size);
      setText(one(row, ".ps-hidden"), covered ? value.covered : words.outside);
      one(row, ".ps-dot").style.left = one(row, "b").style.left = `${place * 100}%`;
      one(row, ".ps-reach").style.width = `${(value.place || 0) * 100}%`;
    });
  }

  // ---- a recording for those who wait in the queue: in a place of its own, and never in that of a result

  const FRAME = 350; // milliseconds
  const LAST_FRAME = 4000;
  let tape = null; // fetched once, and only by those who wait

  const fetchTape = () => (tape = tape || fetch(RECORDING).then((answer) => answer.json(), () => (tape = null)));

  function recordingBox(picture, words) {
    const box = make("section", "ps-recording");
    const label = make("p", "ps-recording-label");
    label.append(make("b", "", words.recording), ` ${words.recording_label}`);
    const run = make("div", "ps-recording-run");
    run.setAttribute("aria-hidden", "true");
    const scan = make("img");
    [scan.src, scan.alt] = [picture, ""];
    const answer = make("p");
    answer.append(make("em"), make("small", "", words.recording_radius), make("b"));
    answer.setAttribute("translate", "no");
    const chart = make("div", "ps-chart");
    chart.append(make("div", "ps-plot"), make("div", "ps-rows"), make("div", "ps-notes"));
    chart.lastChild.append(make("span"), make("span"), make("span"));
    run.append(scan, answer, chart);
    box.append(label, run);
    return box;
  }

  function showRecorded(box, step, words) {
    setText(one(box, "em"), step.chart.chosen ? step.chart.labels[0] : "…");
    setText(one(box, ".ps-recording-run b"), step.radius.text);
    drawChart(one(box, ".ps-chart"), step.chart, words, COMPACT);
  }

  function recorder(place, words) {
    let [box, timer, wanted] = [null, 0, false];

    async function play() {
      if (wanted) return;
      wanted = true;
      const recorded = await fetchTape();
      if (!wanted || box || !recorded) return;
      place.append((box = recordingBox(recorded.picture, words)));
      turn(recorded.steps, still.matches ? recorded.steps.length - 1 : 0);
    }

    function turn(steps, at) {
      showRecorded(box, steps[at], words);
      if (still.matches) return;
      timer = setTimeout(() => turn(steps, (at + 1) % steps.length), at + 1 === steps.length ? LAST_FRAME : FRAME);
    }

    function end() {
      wanted = false;
      clearTimeout(timer);
      if (box) box.remove();
      box = null;
    }
    return { play, end };
  }

  // ---- the stage

  function save(text, name) {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function showWords(root, value) {
    const parts = one(root, "h2.ps-headline").children;
    value.headline.forEach((text, index) => setText(parts[index], text));
    const [said, aside] = one(root, "p.ps-sentence").children;
    setText(said, value.sentence);
    setText(aside, value.aside);
    if (value.ghosts) showGhosts(root, value.ghosts);
    const radius = value.radius || { text: "–", unit: "", status: "" };
    setText(one(root, ".ps-radius b"), radius.text);
    setText(one(root, ".ps-unit"), radius.unit);
    setText(one(root, ".ps-status"), radius.status);
    setText(one(root, ".ps-line"), value.line);
    setText(one(root, ".ps-restart"), value.notice || "");
    setText(one(root, "[role=status]"), value.announce || "");
  }

  // Unseen, they keep free the height of the longest words that this run may come to, so that nothing jumps.
  function showGhosts(root, ghosts) {
    setText(one(root, ".ps-headline.ps-ghost"), ghosts.headline);
    setText(one(root, ".ps-sentence.ps-ghost"), ghosts.sentence);
    showMarks(one(root, ".ps-marks.ps-ghost"), ghosts.badge, ghosts.facts);
  }

  function showMarks(root, badge, pairs) {
    const [kind, list] = root.children;
    const shown = JSON.stringify([badge, pairs]);
    if (root.dataset.shown === shown) return;
    root.dataset.shown = shown;
    kind.dataset.kind = badge ? badge.kind : "";
    kind.textContent = badge ? badge.text : "";
    kind.title = badge ? badge.about : "";
    if (badge) kind.append(make("span", "ps-hidden", `: ${badge.about}`));
    list.replaceChildren(
      ...(pairs || []).map(([term, text]) => {
        const pair = make("div");
        pair.append(make("dt", "", term), make("dd", "", text));
        return pair;
      }),
    );
  }

  // Seen on paper alone: everything that lets the certificate be checked.
  function showReport(root, report) {
    if (!report) return root.children[1].replaceChildren();
    const [title, list, caveat] = root.children;
    setText(title, report.title);
    setText(caveat, report.caveat);
    list.replaceChildren(...report.rows.flatMap(([term, text]) => [make("dt", "", term), make("dd", "", text)]));
  }

  function showBudget(budget) {
    budget.scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
    one(budget, "input").focus({ preventScroll: true });
  }

  function showRuns(root, runs) {
    root.hidden = !runs;
    if (!runs || root.dataset.shown === JSON.stringify(runs)) return;
    root.dataset.shown = JSON.stringify(runs);
    setText(one(root, "summary"), runs.title);
    setText(one(root, "p"), runs.about);
    one(root, "thead tr").replaceChildren(...runs.head.map((text) => Object.assign(make("th", "", text), { scope: "col" })));
    one(root, "tbody").replaceChildren(
      ...runs.rows.map((row) => {
        const line = make("tr");
        line.append(...row.map((text) => make("td", "", text)));
        return line;
      }),
    );
  }

  function showProgress(root, value) {
    const percent = Math.round(100 * value.fraction);
    one(root, ".ps-bar i").style.transform = `scaleX(${value.fraction})`;
    one(root, ".ps-bar").setAttribute("aria-valuenow", String(percent));
    one(root, ".ps-bar").setAttribute("aria-valuetext", value.line);
  }

  const GONE = ["failed", "idle", "stopped"]; // nothing that was shown before holds for what is asked now
  const BUSY = ["loading", "queued", "selecting", "estimating"];

  psmooth.stage = (element, props, watch, trigger) => {
    mountStage(element, props, watch, trigger);
    if (psmooth.budget) spend = psmooth.budget(one(element, ".ps-budget"), props.budget);
    const first = one(document, "#ps-first");
    if (first) first.remove();
  };

  // ---- what did not arrive: the page cannot know how far it came, so nothing that it shows holds any longer

  const losing = {}; // how each view shows it
  psmooth.onLoss = (view, show) => (losing[view] = show);
  psmooth.lost = (what) => losing[what] && losing[what]();

  // Gradio says nothing to the page when a file is refused or cut off on its way, nor when the server is out of reach: then
  // it asks for app_id until there is an answer. What is over by then still holds; what was on its way does not.
  const fetching = window.fetch;
  window.fetch = async (...asked) => {
    const path = new URL(asked[0].url || asked[0], location.href).pathname;
    const answer = await fetching(...asked).catch((error) => {
      if (path.endsWith("/upload")) psmooth.lost("scan");
      else if (/\/(run\/\w+|queue\/join)$/.test(path)) psmooth.lost(document.body.dataset.view);
      else if (path.endsWith("/app_id")) loseWhatRuns();
      throw error;
    });
    if (path.endsWith("/upload") && !answer.ok) psmooth.lost("scan");
    return answer;
  };

  function loseWhatRuns() {
    for (const view of ["certify", "compare", "learn"]) {
      const root = one(document, view === "certify" ? ".ps-stage" : `.ps-${view}`);
      if (root && [...BUSY, "running"].includes(root.dataset.state)) psmooth.lost(view);
    }
  }

  function mountStage(element, props, watch, trigger) {
    const root = one(element, ".ps-stage");
    const chart = one(root, ".ps-chart");
    const words = psmooth.translated(props.words);
    const recording = recorder(one(root, ".ps-votes"), words);
    let value = null;
    let waiting = 0;

    function draw() {
      clearTimeout(waiting);
      if (value.chart && !drawChart(chart, value.chart, words)) waiting = setTimeout(draw, 60);
    }

    // Steps that come faster than this computer can draw are passed over; the last one never is.
    let next = null;
    let pause = 0;
    let drawn = 0;
    function show(step) {
      if (!step || !step.state) return;
      next = step;
      clearTimeout(pause);
      pause = setTimeout(paint, Math.max(0, drawn - performance.now()));
    }

    function paint() {
      const started = performance.now();
      const kept = (!GONE.includes(next.state) && value) || {}; // whose votes are these?
      value = { ...next, chart: next.chart || kept.chart, ruler: next.ruler || kept.ruler };
      root.classList.toggle("ps-empty", !value.chart);
      if (value.forgotten) showStrip({});
      if (value.state === "queued") recording.play();
      else recording.end();
      if (value.chart) showChart(); // first: it reads how wide the page is, which what follows may change
      root.dataset.state = value.state;
      showWords(root, value);
      showMarks(one(root, ".ps-marks"), value.badge, value.facts);
      showProgress(root, value);
      if (value.ruler) drawRuler(root, value.ruler, words);
      one(root, ".ps-stop").disabled = !BUSY.includes(value.state);
      one(root, ".ps-download").disabled = one(root, ".ps-print").disabled = !value.certificate;
      showReport(one(root, ".ps-report"), value.report);
      showRuns(one(root, ".ps-runs"), value.runs);
      if (!BUSY.includes(value.state)) spend((radius = value.reach ? { size: value.reach, text: value.radius.text, frozen: value.frozen } : null), pictures);
      one(root, ".ps-how").disabled = BUSY.includes(value.state) || !value.reach;
      if (["selecting", "estimating"].includes(value.state) && !still.matches) redrawNoise();
      drawn = performance.now() + 3 * (performance.now() - started);
      performance.measure("psmooth.step", { start: started });
      performance.clearMeasures("psmooth.step"); // told to whoever observes, kept for nobody
    }

    function showChart() {
      setText(one(root, ".ps-caption"), value.chart.caption);
      fillTable(one(root, "tbody"), value.chart);
      draw();
    }

    one(root, ".ps-stop").addEventListener("click", (event) => {
      event.target.disabled = true;
      trigger("stop");
    });
    one(root, ".ps-how").addEventListener("click", () => showBudget(one(root, ".ps-budget")));
    one(root, ".ps-print").addEventListener("click", () => print());
    one(root, ".ps-check").addEventListener("click", () => one(document, "#ps-stage-column input[type=file]").click());
    one(root, ".ps-download").addEventListener("click", () => value.certificate && save(value.certificate, words.file));
    new MutationObserver(() => value && draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => value && value.chart && showChart()).observe(chart);
    document.fonts.ready.then(() => value && draw());
    psmooth.onLoss("certify", () =>
      show({ state: "failed", headline: [words.lost_title, "", ""], sentence: words.lost, aside: "", line: words.lost_line, fraction: 0, announce: words.lost }),
    );
    psmooth.onLoss("scan", () => {
      psmooth.lost(document.body.dataset.view);
      if (document.body.dataset.view !== "certify") return;
      showStrip({});
      trigger("lost");
    });
    next = props.value;
    paint();
    watch("value", () => show(props.value));
  }

  // ---- the examples

  psmooth.picker = (element, props, watch, trigger) => {
    const box = one(element, ".ps-picker");
    let before = props.value.chosen;
    function show({ items, chosen, own }) {
      if (chosen !== before || own) address({ example: chosen, scan: own ? "own" : null });
      before = chosen;
      if (box.children.length !== items.length) {
        box.replaceChildren(
          ...items.map((item, index) => {
            const button = make("button");
            button.type = "button";
            const picture = make("img");
            picture.src = item.picture;
            picture.alt = "";
            button.append(picture, make("span", "", item.name));
            if (item.shown) button.append(make("small", "", item.about));
            button.setAttribute("aria-label", item.label);
            button.title = item.label;
            button.addEventListener("click", () => trigger("pick", { index }));
            return button;
          }),
        );
      }
      [...box.children].forEach((button, index) => button.setAttribute("aria-pressed", String(index === chosen)));
    }
    show(props.value);
    watch("value", () => show(props.value));
  };

  // ---- controls

  // A sentence of the server, which may hold a stranger's words: as text, whatever stands in it.
  psmooth.told = (element, props, watch) => {
    const show = () => setText(one(element, "p"), props.value || "");
    show();
    watch("value", show);
  };

  psmooth.ticks = (element) => {
    for (const button of element.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        const input = one(document, "#ps-noise input[type=range]");
        input.value = button.dataset.value;
        for (const name of ["input", "change", "pointerup"]) input.dispatchEvent(new Event(name, { bubbles: true }));
      });
    }
  };

  psmooth.header = (element) => {
    one(element, ".ps-theme").addEventListener("click", () => document.body.classList.toggle("dark"));
    for (const link of element.querySelectorAll(".ps-nav a")) link.addEventListener("click", goTo);
    one(element, ".ps-share").addEventListener("click", share);
    showView();
  };

  // ---- the address, for those who do not look at it

  // Browsers give a page the clipboard only where it comes over a safe way; elsewhere the old way is left.
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = make("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  }

  async function share({ currentTarget: button }) {
    settle();
    await copy(shareable(new URL(location.href)).href);
    for (const node of [button, button.nextElementSibling]) setText(node, button.dataset.done);
    setTimeout(() => {
      setText(button, button.dataset.name);
      setText(button.nextElementSibling, "");
    }, 2000);
  }

  // ---- views: links of their own, so that Back, a bookmark and a new tab do what they do everywhere

  const VIEWS = ["certify", "compare", "learn", "understand"];

  function showView() {
    const asked = new URLSearchParams(location.search).get("view");
    const view = VIEWS.includes(asked) ? asked : VIEWS[0];
    document.body.dataset.view = view;
    for (const link of document.querySelectorAll(".ps-nav a")) {
      if (link.dataset.view === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    window.dispatchEvent(new Event("resize"));
  }

  function goTo(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    settle();
    const url = new URL(location.href);
    url.searchParams.set("view", event.currentTarget.dataset.view);
    history.pushState(null, "", url);
    tellSpace(url);
    showView();
    scrollTo(0, 0);
  }
  window.addEventListener("popstate", () => {
    pending = null; // it was of the entry that was left
    showView();
  });

  function setNoise(sigma) {
    if (!(sigma > 0 && sigma <= 10) || sigma === pictures.sigma) return;
    pictures.sigma = sigma;
    paintNoisy();
  }

  // Every control stands in the address, so that a link restores what is seen; a visitor's own scan never does. It is
  // written when typing or sliding rests, and before it is read: Safari takes 100 changes in 30 seconds and no more.
  const REST = 400;
  let pending = null;
  let resting = 0;

  function address(changes) {
    pending = pending || new URL(location.href);
    for (const [key, value] of Object.entries(changes)) {
      if (value === null || value === "" || value === undefined || String(value).startsWith("bank:")) pending.searchParams.delete(key);
      else pending.searchParams.set(key, value);
    }
    clearTimeout(resting);
    resting = setTimeout(settle, REST);
  }

  function settle() {
    const url = pending;
    pending = null;
    if (!url || url.href === location.href) return;
    history.replaceState(null, "", url);
    tellSpace(url);
  }
  for (const leaving of ["blur", "pagehide"]) window.addEventListener(leaving, settle);

  // What a Space adds for its own use, a token among it, is no part of a link.
  function shareable(url) {
    for (const key of [...url.searchParams.keys()]) if (key.startsWith("__")) url.searchParams.delete(key);
    return url;
  }

  // On its page at huggingface.co a Space stands in a frame, whose address nobody sees.
  function tellSpace(url) {
    const { search, hash } = shareable(new URL(url));
    if (window.parent !== window) window.parent.postMessage({ queryString: search, hash }, "https://huggingface.co");
  }
  psmooth.address = address;
  psmooth.remember = (keys, values) => {
    const settings = Object.fromEntries(keys.map((key, index) => [key, values[index]]));
    address(settings);
    setNoise(Number(settings.noise));
  };

  // A scan or a certificate may be dropped anywhere or pasted: it goes the way of its upload button, untouched.
  function bring(files) {
    if (!files || !files.length) return false;
    const certificate = files[0].name.endsWith(".json");
    const input = one(document, certificate ? "#ps-stage-column input[type=file]" : "#ps-scan-card input[type=file]");
    if (!input) return false;
    const data = new DataTransfer();
    data.items.add(files[0]);
    input.files = data.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
  }
  const dragging = (event, on) => {
    event.preventDefault();
    document.body.classList.toggle("ps-dragging", on);
  };
  document.addEventListener("dragover", (event) => dragging(event, true));
  document.addEventListener("dragleave", (event) => event.relatedTarget || dragging(event, false));
  document.addEventListener("drop", (event) => {
    dragging(event, false);
    bring(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => bring(event.clipboardData.files) && event.preventDefault());

  document.addEventListener("input", (event) => {
    if (!event.target.closest || !event.target.closest("#ps-noise")) return;
    setNoise(Number(event.target.value));
  });
})();
