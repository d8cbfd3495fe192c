// Pairs of texts that are seen and lie over one another. What sticks to the window or lies above the page (a dialog, an
// explanation) is held against its own kind alone; a text counts as far as what it stands in lets it be seen, and without
// its line spacing.
() => {
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true });
  const styles = new Map();
  const style = (e) => styles.get(e) || styles.set(e, getComputedStyle(e)).get(e);
  const up = function* (e) { for (; e; e = e.parentElement) yield e; };
  const layerOf = (e) => [...up(e)].find((one) => ["fixed", "sticky"].includes(style(one).position) || one.matches(":popover-open, dialog[open]"));
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const parent = node.parentElement;
    if (!node.data.trim() || !shown(parent) || parent.closest(".ps-hidden, .ps-ghost, option, script, style, footer")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      const seen = { left: box.left + 1, right: box.right - 1, top: box.top + box.height / 4, bottom: box.bottom - box.height / 4 };
      for (const one of up(parent)) {
        if (style(one).overflowX === "visible" || one === document.body || one === document.documentElement) continue;
        const clip = one.getBoundingClientRect();
        seen.left = Math.max(seen.left, clip.left); seen.right = Math.min(seen.right, clip.right);
        seen.top = Math.max(seen.top, clip.top); seen.bottom = Math.min(seen.bottom, clip.bottom);
      }
      if (seen.right > seen.left && seen.bottom > seen.top) texts.push({ node, layer: layerOf(parent), ...seen });
    }
  }
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  return texts.flatMap((a, i) => texts.slice(i + 1).filter((b) => a.node !== b.node && a.layer === b.layer && over(a, b)).map((b) => `${a.node.data.trim()} | ${b.node.data.trim()}`));
}
