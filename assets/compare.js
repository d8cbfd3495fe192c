// Draws the view Compare: a card a method with its votes and its radius, and the radii against the noise level.
// It knows nothing about statistics, holds no words of its own, and sets a visitor's text only as text.
(() => {
  "use strict";
  const psmooth = (window.psmooth = window.psmooth || {});
  if (psmooth.compare) return;
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
  const colour = (name) => getComputedStyle(document.body).getPropertyValue(`--ps-${name}`).trim();
  const FONT = '"Inter Variable", system-ui, sans-serif';

  // ---- the cards

  function buildGroup(group) {
    const section = make("section", "ps-card ps-group");
    section.dataset.kind = group.kind;
    const head = make("div", "ps-group-head");
    const kind = make("span", "ps-kind", group.title);
    kind.dataset.kind = group.kind;
    head.append(make("h3"), make("p", "", group.about));
    one(head, "h3").append(kind);
    const cards = make("div", "ps-cards");
    for (const card of group.cards) cards.append(buildCard(card, group.kind));
    section.append(head, cards);
    return section;
  }

  function buildCard(card, kind) {
    const node = make("article", "ps-method");
    node.dataset.kind = kind;
    const reach = make("div", "ps-reach-row");
    reach.append(make("b", "ps-reach-number"), make("span", "ps-reach-track"));
    one(reach, ".ps-reach-track").append(make("i"));
    node.append(make("h4", "", card.name), make("p", "ps-answer"), reach, make("ul", "ps-small"));
    return node;
  }

  function fillCard(node, card, furthest) {
    setText(one(node, ".ps-answer"), card.answer);
    setText(one(node, ".ps-reach-number"), card.radius_text);
    node.classList.toggle("ps-certified", card.certified);
    const share = card.radius && furthest ? card.radius / furthest : 0;
    one(node, ".ps-reach-track i").style.transform = `scaleX(${share})`;
    const list = one(node, ".ps-small");
    while (list.children.length > card.bars.length) list.lastChild.remove();
    while (list.children.length < card.bars.length) list.append(buildBar());
    card.bars.forEach((bar, index) => fillBar(list.children[index], bar));
  }

  function buildBar() {
    const row = make("li");
    const track = make("span", "ps-small-track");
    track.append(make("i"));
    row.append(make("span", "ps-small-name"), track, make("span", "ps-small-count"));
    return row;
  }

  function fillBar(row, bar) {
    row.classList.toggle("ps-leads", bar.leads);
    setText(one(row, ".ps-small-name"), bar.label);
    one(row, ".ps-small-name").title = bar.label;
    setText(one(row, ".ps-small-count"), bar.count);
    one(row, "i").style.transform = `scaleX(${bar.share})`;
  }

  function showGroups(box, value) {
    const shape = JSON.stringify(value.groups.map((group) => [group.kind, group.cards.map((card) => card.id)]));
    if (box.dataset.shape !== shape) {
      box.dataset.shape = shape;
      box.replaceChildren(...value.groups.filter((group) => group.cards.length).map(buildGroup));
    }
    const cards = value.groups.flatMap((group) => group.cards);
    box.querySelectorAll(".ps-method").forEach((node, index) => fillCard(node, cards[index], value.furthest));
  }

  // ---- radius against noise level

  const DASHES = ["solid", "8px,3px", "12px,3px,3px,3px"];
  const MARKS = ["circle", "square", "diamond", "triangle-up", "x"];

  function curveTraces(curve, look) {
    const seen = { unconditional: 0, frozen_prompt: 0 };
    return curve.series.map((series) => {
      const place = seen[series.kind]++;
      const frozen = series.kind === "frozen_prompt";
      const ink = frozen ? look.bar : [look.accent, look.ink, look.edge, look.faint, look.accent][place % 5];
      return {
        type: "scatter", mode: "lines+markers", name: psmooth.escape(series.name), legendgroup: series.kind, connectgaps: true,
        legendgrouptitle: place ? undefined : { text: frozen ? curve.frozen : curve.plain },
        x: curve.levels, y: series.radii.map((radius) => radius || 0),
        line: { color: ink, width: frozen ? 1.5 : 2, dash: frozen ? "dot" : DASHES[place % 3] },
        marker: { color: ink, symbol: MARKS[place % 5] + (frozen ? "-open" : ""), size: curve.other.map((other) => (other ? 5 : 10)) },
        text: series.hovers, hovertemplate: "%{text}<extra>%{fullData.name}</extra>",
      };
    });
  }

  function drawCurve(card, value, words) {
    card.hidden = false;
    const plot = one(card, ".ps-curve");
    if (!window.Plotly || !plot.clientWidth) return false;
    const names = ["card", "ink", "edge", "accent", "bar", "grid", "faint"];
    const look = Object.fromEntries(names.map((name) => [name, colour(name)]));
    const [plain, frozen] = value.groups.map((group) => group.title);
    const axis = { gridcolor: look.grid, zeroline: false, tickfont: { size: 11.5, color: look.faint }, fixedrange: true };
    const wide = plot.clientWidth > 620;
    const layout = {
      width: plot.clientWidth, height: wide ? 300 : 420, margin: { l: 44, r: 12, t: 8, b: 40 }, uirevision: "compare",
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { family: FONT, size: 12.5, color: look.ink },
      xaxis: { ...axis, tickvals: value.curve.levels, title: { text: words.compare_level }, range: [0, 1.05] },
      yaxis: { ...axis, rangemode: "tozero" }, dragmode: false,
      legend: wide ? { x: 1.02, y: 1, font: { size: 12.5 } } : { orientation: "h", y: -0.2, font: { size: 12 } },
      hoverlabel: { bgcolor: look.ink, bordercolor: look.ink, font: { family: FONT, color: look.card, size: 13 } },
    };
    const curve = { ...value.curve, plain, frozen };
    window.Plotly.react(plot, curveTraces(curve, look), layout, { displayModeBar: false, responsive: false });
    return true;
  }

  function fillCurveTable(card, { curve, groups }, words) {
    const head = one(card, "thead tr");
    const titles = [words.compare_method, ...curve.heads];
    head.replaceChildren(...titles.map((title) => Object.assign(make("th", "", title), { scope: "col" })));
    card.querySelectorAll("tbody").forEach((body) => body.remove());
    one(card, "table").append(...groups.filter((group) => group.cards.length).map((group) => curveRows(group, curve)));
  }

  // A body of its own for each kind of guarantee: a frozen radius never stands among the others.
  function curveRows(group, curve) {
    const body = make("tbody");
    const head = Object.assign(make("th", "", group.title), { scope: "rowgroup", colSpan: curve.heads.length + 1 });
    body.append(make("tr"));
    body.firstChild.append(head);
    for (const series of curve.series.filter((one) => one.kind === group.kind)) {
      const row = make("tr");
      row.append(Object.assign(make("th", "", series.name), { scope: "row" }), ...series.texts.map((text) => make("td", "", text)));
      body.append(row);
    }
    return body;
  }

  // ---- the view

  function save(text, name) {
    const link = make("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  psmooth.compare = (element, props, watch, trigger) => {
    const root = one(element, ".ps-compare");
    const card = one(root, ".ps-curve-card");
    const words = psmooth.translated(props.words);
    let value = null;
    let waiting = 0;

    function draw() {
      clearTimeout(waiting);
      if (value.curve && !drawCurve(card, value, words) && card.isConnected) waiting = setTimeout(draw, 200);
    }

    function show(step) {
      if (!step || !step.state) return;
      const kept = (!["failed", "idle"].includes(step.state) && value) || {}; // whose results are these?
      value = step.groups ? step : { ...kept, ...step };
      root.dataset.state = value.state;
      setText(one(root, ".ps-sentence"), value.sentence);
      setText(one(root, ".ps-restart"), value.notice || "");
      setText(one(root, ".ps-line"), value.line);
      setText(one(root, "[role=status]"), value.announce);
      one(root, ".ps-bar i").style.transform = `scaleX(${value.fraction})`;
      one(root, ".ps-bar").setAttribute("aria-valuenow", String(Math.round(100 * value.fraction)));
      one(root, ".ps-stop").disabled = !["loading", "queued", "running"].includes(value.state);
      one(root, ".ps-download").disabled = !value.certificates;
      for (const part of [".ps-groups", ".ps-curve-card"]) one(root, part).classList.toggle("ps-gone", !value.groups);
      if (!value.groups) return;
      showGroups(one(root, ".ps-groups"), value);
      draw();
      setText(one(card, ".ps-curve-note"), value.curve.note);
      fillCurveTable(card, value, words);
    }

    one(root, ".ps-stop").addEventListener("click", (event) => {
      event.target.disabled = true;
      trigger("stop");
    });
    one(root, ".ps-download").addEventListener("click", () => save(JSON.stringify(value.certificates, null, 1), words.compare_file));
    new MutationObserver(() => value && draw()).observe(document.body, { attributes: true, attributeFilter: ["class", "data-view"] });
    new ResizeObserver(() => value && draw()).observe(root);
    psmooth.onLoss("compare", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, announce: words.lost }));
    show(props.value);
    watch("value", () => show(props.value));
  };
})();
