// Draws the page from plain values: the strip, the votes, the ruler. It knows nothing about statistics, holds no words
// of its own, and sets a visitor's text only as text.
(() => {
  "use strict";
  if (window.psmooth) return;
  const psmooth = (window.psmooth = {});
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

  const pictures = { size: 0, pixels: null, draw: null, sigma: 0.25 };

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
    canvas.width = canvas.height = size;
    const image = new ImageData(size, size);
    for (let i = 0, j = 0; i < pixels.length; i += 4, j += 3) {
      for (let c = 0; c < 3; c += 1) image.data[i + c] = pixels[i + c] + Math.round(255 * sigma * draw[j + c]);
      image.data[i + 3] = 255;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.classList.toggle("ps-large", canvas.clientWidth * devicePixelRatio >= size);
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
    if (!value || !value.scan) {
      pictures.pixels = null;
      for (const canvas of root.querySelectorAll(".ps-tile canvas")) canvas.width = canvas.height = 0;
      one(root, ".ps-scan").removeAttribute("src");
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
      canvas.classList.toggle("ps-large", canvas.clientWidth * devicePixelRatio >= value.size);
      context.drawImage(crop, 0, 0);
      pictures.size = value.size;
      pictures.pixels = context.getImageData(0, 0, value.size, value.size).data;
      redrawNoise();
    };
    crop.src = value.crop;
  }

  psmooth.strip = (element, props, watch) => {
    showStrip(props.value);
    watch("value", () => showStrip(props.value));
  };

  // Before Gradio has loaded, the page already stands, with the first scan and its noise.
  psmooth.first = ({ stage, strip, picker, words }) => {
    const root = one(document, "#ps-first");
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

  // ---- the vote chart

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--ps-${name}`).trim();
  const FONT = '"Inter Variable", system-ui, sans-serif';
  const ruler = document.createElement("canvas").getContext("2d");

  // Plotly reads tags in its labels, so a visitor's text is escaped; the long is broken in two.
  const escape = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  function lines(text, width) {
    const out = [""];
    for (const word of text.split(/\s+/)) {
      const last = out[out.length - 1];
      if (last && last.length + word.length >= width) out.push(word);
      else out[out.length - 1] = last ? `${last} ${word}` : word;
    }
    return out;
  }
  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  function labelsOf(data, narrow) {
    return data.labels.map((label) => lines(cut(label, 60), narrow ? 60 : 24).map((line) => cut(line, narrow ? 44 : 30)));
  }

  function widest(labels) {
    ruler.font = `650 13px ${FONT}`;
    return Math.max(40, ...labels.flat().map((line) => ruler.measureText(line).width));
  }

  // Where things stand: from `low` (left of the bars, for the class names) over 0 to 1 (100 %) to `high` (the counts).
  function frameOf(labels, node, narrow) {
    const high = 1.13;
    const left = narrow ? 4 : Math.ceil(widest(labels)) + 14;
    const unit = (node.clientWidth - left) / high;
    return { low: -left / unit, high, unit };
  }

  const rowHeight = (rows, narrow) => (narrow ? 44 : Math.max(28, Math.min(52, 264 / rows)));

  function chartHeight(rows, narrow) {
    return Math.round(22 + rowHeight(rows, narrow) * (rows + 0.7) + 44);
  }

  // One kind of bars; Plotly takes a hatch for a whole trace only.
  function bars(data, rows, at, height, marker) {
    const of = (values) => rows.map((row) => values[row]);
    return {
      type: "bar", orientation: "h", x: of(data.shares), y: of(at), width: height, marker,
      text: rows.map((row) => `${escape(data.labels[row])}: ${data.counts[row].toLocaleString("en")}`),
      textposition: "none", hovertemplate: "%{text} · %{x:.1%}<extra></extra>",
    };
  }

  function traces(data, labels, look, frame, narrow) {
    const rows = data.labels.map((_, index) => index);
    const leader = rows.map((row) => data.chosen && row === 0);
    const height = narrow ? 0.4 : 0.52;
    const shift = narrow ? 0.2 : 0;
    const at = rows.map((row) => row + shift);
    return [
      {
        type: "bar", orientation: "h", x: data.selection_shares.map((share) => share || null), y: at, width: height + 0.2, hoverinfo: "skip",
        marker: { color: "rgba(0,0,0,0)", line: { color: look.edge, width: 1 } },
      },
      bars(data, rows.filter((row) => !leader[row]), at, height, { color: look.bar }),
      bars(data, rows.filter((row) => leader[row]), at, height, {
        color: look.accent,
        pattern: { shape: "/", fgcolor: look.card, fgopacity: 0.3, size: 7, solidity: 0.28, fillmode: "overlay" },
      }),
      {
        type: "scatter", mode: "text", x: rows.map(() => frame.high), y: at, cliponaxis: false, hoverinfo: "skip",
        text: data.counts.map((count) => count.toLocaleString("en")), textposition: "middle left",
        textfont: { color: leader.map((yes) => (yes ? look.ink : look.mute)), size: 13, weight: leader.map((yes) => (yes ? 650 : 400)) },
      },
      {
        type: "scatter", mode: "text", x: rows.map(() => (narrow ? frame.low : -8 / frame.unit)), y: rows.map((row) => row - (narrow ? 0.22 : 0)),
        cliponaxis: false, hoverinfo: "skip", text: labels.map((parts) => parts.map(escape).join("<br>")),
        textposition: narrow ? "middle right" : "middle left",
        textfont: { color: leader.map((yes) => (yes ? look.ink : look.mute)), size: 13, weight: leader.map((yes) => (yes ? 650 : 400)) },
      },
    ];
  }

  function line(at, colourName, dash, width, look) {
    return {
      type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1, layer: "above",
      line: { color: look[colourName], width, dash },
    };
  }

  function bounds(data, look) {
    if (!data.chosen || !data.total) return [];
    const gap = {
      type: "rect", xref: "x", yref: "paper", x0: data.upper, x1: data.lower, y0: 0, y1: 1, layer: "below",
      fillcolor: look.soft, opacity: 0.8, line: { width: 0 },
    };
    const both = [line(data.upper, "ink", "5px,4px", 1.5, look), line(data.lower, "accent", "solid", 2.5, look)];
    return data.certified ? [gap, ...both] : both;
  }

  const clamp = (value, low, high) => Math.max(low, Math.min(high, value));

  function notes(data, look, words, frame, rows) {
    if (!data.chosen || !data.total) return [];
    const base = { showarrow: false, xref: "x", font: { size: 12.5, color: look.mute } };
    ruler.font = `600 12.5px ${FONT}`;
    const inside = (place, text) => {
      const half = ruler.measureText(text).width / 2 / frame.unit;
      return clamp(place, frame.low + half, frame.high - half);
    };
    const top = { ...base, yref: "paper", y: 1, yanchor: "bottom", yshift: 1, x: inside(data.lower, data.at_least),
      text: data.at_least, font: { size: 12.5, color: look.accent, weight: 600 } };
    const bottom = { ...base, yref: "paper", y: 0, yanchor: "top", yshift: -19, x: inside(data.upper, data.at_most),
      text: data.at_most };
    const between = data.certified ? words.gap : words.no_gap;
    const fits = !data.certified || (data.lower - data.upper) * frame.unit > ruler.measureText(between).width;
    const middle = inside(data.certified ? (data.lower + data.upper) / 2 : 0.5, between);
    return [top, bottom, { ...base, x: middle, y: rows - 0.2, yref: "y", text: fits ? between : "", font: { size: 12.5, color: look.ink } }];
  }

  function layout(data, labels, look, words, frame, narrow) {
    const rows = data.labels.length;
    return {
      height: chartHeight(rows, narrow), margin: { l: 0, r: 0, t: 22, b: 44 }, barmode: "overlay", showlegend: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: FONT, size: 13, color: look.mute },
      uirevision: "votes", dragmode: false, hovermode: "closest", barcornerradius: 3,
      hoverlabel: { bgcolor: look.ink, bordercolor: look.ink, font: { family: FONT, color: look.card, size: 13 } },
      xaxis: {
        range: [frame.low, frame.high], fixedrange: true, tickvals: [0, 0.25, 0.5, 0.75, 1],
        ticktext: ["0", "25", "50", "75", "100 %"], gridcolor: look.grid, zeroline: false,
        tickfont: { size: 11.5, color: look.faint }, ticklen: 0,
      },
      yaxis: { range: [rows + 0.2, -0.5], fixedrange: true, showticklabels: false, showgrid: false, zeroline: false },
      shapes: bounds(data, look), annotations: notes(data, look, words, frame, rows),
    };
  }

  const COLOURS = ["card", "ink", "mute", "faint", "edge", "accent", "soft", "bar", "grid"];

  function drawChart(node, data, words) {
    if (!window.Plotly || !node.clientWidth) return false;
    const look = Object.fromEntries(COLOURS.map((name) => [name, colour(name)]));
    const narrow = node.clientWidth < 460;
    const labels = labelsOf(data, narrow);
    const config = { displayModeBar: false, responsive: false, scrollZoom: false, doubleClick: false };
    const frame = frameOf(labels, node, narrow);
    window.Plotly.react(node, traces(data, labels, look, frame, narrow), layout(data, labels, look, words, frame, narrow), config);
    return true;
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
    setText(one(root, ".ps-ruler-title span"), value.radius === null ? "the radius?" : `${value.radius}?`);
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
      setText(one(row, ".ps-hidden"), covered ? words.covered : words.outside);
      one(row, ".ps-dot").style.left = one(row, "b").style.left = `${place * 100}%`;
      one(row, ".ps-reach").style.width = `${(value.place || 0) * 100}%`;
    });
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
    if (value.ghosts) root.querySelectorAll(".ps-ghost").forEach((ghost, index) => setText(ghost, value.ghosts[index]));
    const radius = value.radius || { text: "–", unit: "", status: "" };
    setText(one(root, ".ps-radius b"), radius.text);
    setText(one(root, ".ps-unit"), radius.unit);
    setText(one(root, ".ps-status"), radius.status);
    setText(one(root, ".ps-line"), value.line);
    setText(one(root, "[role=status]"), value.announce || "");
  }

  function showMarks(root, value) {
    const kind = one(root, ".ps-kind");
    kind.dataset.kind = value.badge ? value.badge.kind : "";
    const text = value.badge ? value.badge.text : "";
    if (kind.dataset.text === text) return showFacts(root, value.facts || []);
    kind.dataset.text = kind.textContent = text;
    kind.title = value.badge ? value.badge.about : "";
    if (value.badge) kind.append(make("span", "ps-hidden", `: ${value.badge.about}`));
    showFacts(root, value.facts || []);
  }

  function showFacts(root, pairs) {
    const list = one(root, ".ps-facts");
    if (list.dataset.shown === JSON.stringify(pairs)) return;
    list.dataset.shown = JSON.stringify(pairs);
    list.replaceChildren(
      ...pairs.map(([term, text]) => {
        const pair = make("div");
        pair.append(make("dt", "", term), make("dd", "", text));
        return pair;
      }),
    );
  }

  function showProgress(root, value) {
    const percent = Math.round(100 * value.fraction);
    one(root, ".ps-bar i").style.transform = `scaleX(${value.fraction})`;
    one(root, ".ps-bar").setAttribute("aria-valuenow", String(percent));
    one(root, ".ps-bar").setAttribute("aria-valuetext", value.line);
  }

  const BUSY = ["loading", "queued", "selecting", "estimating"];

  psmooth.stage = (element, props, watch, trigger) => {
    mountStage(element, props, watch, trigger);
    const first = one(document, "#ps-first");
    if (first) first.remove();
  };

  function mountStage(element, props, watch, trigger) {
    const root = one(element, ".ps-stage");
    const chart = one(root, ".ps-chart");
    const words = props.words;
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
      const kept = value || {};
      value = { ...next, chart: next.chart || kept.chart, ruler: next.ruler || kept.ruler };
      root.dataset.state = value.state;
      showWords(root, value);
      showMarks(root, value);
      showProgress(root, value);
      if (value.ruler) drawRuler(root, value.ruler, words);
      if (value.chart) showChart();
      one(root, ".ps-stop").disabled = !BUSY.includes(value.state);
      one(root, ".ps-download").disabled = !value.certificate;
      if (["selecting", "estimating"].includes(value.state) && !still.matches) redrawNoise();
      drawn = performance.now() + 3 * (performance.now() - started);
    }

    function showChart() {
      setText(one(root, ".ps-caption"), value.chart.caption);
      fillTable(one(root, "tbody"), value.chart);
      const narrow = chart.clientWidth > 0 && chart.clientWidth < 460;
      chart.style.height = `${chartHeight(value.chart.labels.length, narrow)}px`;
      draw();
    }

    // While another run has the computer, Gradio keeps the place in the queue in a hidden element of this block.
    function watchQueue() {
      const tracker = one(element.closest(".block") || document, "[data-testid=status-tracker]");
      const place = value && value.state === "loading" && tracker && tracker.textContent.match(/queue:\s*(\d+)\/(\d+)/);
      if (!place) return;
      const text = words.queued.replace("{place}", place[1]).replace("{size}", place[2]);
      setText(one(root, ".ps-line"), text);
      setText(one(root, "[role=status]"), text);
    }
    const watching = setInterval(() => (root.isConnected ? watchQueue() : clearInterval(watching)), 400);

    one(root, ".ps-stop").addEventListener("click", (event) => {
      event.target.disabled = true;
      trigger("stop");
    });
    one(root, ".ps-download").addEventListener("click", () => value.certificate && save(value.certificate, words.file));
    new MutationObserver(() => value && draw()).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    new ResizeObserver(() => value && value.chart && showChart()).observe(chart);
    document.fonts.ready.then(() => value && draw());
    next = props.value;
    paint();
    watch("value", () => show(props.value));
  }

  // ---- the examples

  psmooth.picker = (element, props, watch, trigger) => {
    const box = one(element, ".ps-picker");
    function show({ items, chosen }) {
      if (box.children.length !== items.length) {
        box.replaceChildren(
          ...items.map((item, index) => {
            const button = make("button");
            button.type = "button";
            const picture = make("img");
            picture.src = item.picture;
            picture.alt = "";
            button.append(picture, make("span", "", item.name));
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
  };

  // A scan may be dropped anywhere or pasted: it goes the way of the upload button, untouched.
  function bring(files) {
    const input = one(document, "#ps-scan-card input[type=file]");
    if (!input || !files || !files.length) return false;
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
    const sigma = Number(event.target.value);
    if (sigma > 0 && sigma <= 10) {
      pictures.sigma = sigma;
      paintNoisy();
    }
  });
})();
