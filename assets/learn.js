// Draws the view Learn prompts: how far it is, the loss, the facts of the bank. It knows nothing about learning, holds no
// words of its own, and sets a visitor's text only as text.
(() => {
  "use strict";
  const psmooth = (window.psmooth = window.psmooth || {});
  if (psmooth.learn) return;
  const one = (root, selector) => root.querySelector(selector);
  const SVG = "http://www.w3.org/2000/svg";

  function drawLoss(svg, losses) {
    const top = Math.max(...losses) || 1;
    const points = losses.map((loss, index) => `${(600 * index) / Math.max(1, losses.length - 1)},${215 - (205 * loss) / top}`);
    const line = svg.firstChild || svg.appendChild(document.createElementNS(SVG, "polyline"));
    line.setAttribute("points", points.join(" "));
  }

  function fillFacts(list, facts) {
    list.replaceChildren(
      ...facts.flatMap(([term, text]) => {
        const [name, said] = [document.createElement("dt"), document.createElement("dd")];
        [name.textContent, said.textContent] = [term, text];
        return [name, said];
      }),
    );
  }

  function save(bank) {
    const bytes = Uint8Array.from(atob(bank.file), (letter) => letter.charCodeAt(0));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    link.download = bank.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  psmooth.learn = (element, props, watch, trigger) => {
    const root = one(element, ".ps-learn");
    const words = psmooth.translated(props.words);
    let value = null;

    function show(step) {
      if (!step || !step.state) return;
      value = step;
      root.dataset.state = value.state;
      one(root, ".ps-sentence").textContent = value.sentence;
      one(root, ".ps-line").textContent = value.line;
      one(root, ".ps-bar i").style.transform = `scaleX(${value.fraction})`;
      one(root, ".ps-bar").setAttribute("aria-valuenow", String(Math.round(100 * value.fraction)));
      one(root, ".ps-stop").disabled = !["loading", "queued", "running"].includes(value.state);
      one(root, ".ps-download").disabled = !value.bank;
      one(root, ".ps-learned").hidden = !value.losses.length;
      if (["done", "failed", "stopped"].includes(value.state)) one(root, "[role=status]").textContent = value.sentence;
      if (!value.losses.length) return;
      drawLoss(one(root, ".ps-loss"), value.losses);
      one(root, ".ps-last").textContent = value.losses[value.losses.length - 1].toFixed(3);
      fillFacts(one(root, ".ps-bank"), value.bank ? value.bank.facts : []);
    }

    one(root, ".ps-stop").addEventListener("click", (event) => {
      event.target.disabled = true;
      trigger("stop");
    });
    one(root, ".ps-download").addEventListener("click", () => value.bank && save(value.bank));
    psmooth.onLoss("learn", () => show({ state: "failed", sentence: words.lost, line: words.lost_line, fraction: 0, losses: [], bank: null }));
    show(props.value);
    watch("value", () => show(props.value));
  };
})();
