// Every text that stands in the document, seen or not yet: of nodes, names, tooltips, descriptions, drawings and fields.
// What is not for a visitor to read in his own language is left out: code, what a publication is called, languages' names.
() => {
  const ATTRIBUTES = ["aria-label", "aria-valuetext", "aria-description", "title", "placeholder", "alt"];
  const OTHERS = "script, style, template, code, .ps-ghost, .ps-project dd, .ps-language, .ps-results a";
  const found = new Set();
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.nodeType === Node.TEXT_NODE ? node.parentElement : node;
    if (element.closest(OTHERS)) continue;
    if (node.nodeType === Node.TEXT_NODE) found.add(node.data);
    else for (const name of ATTRIBUTES) found.add(node.getAttribute(name) || "");
    if (node.matches && node.matches("input[role=listbox], input[aria-haspopup]")) found.add(node.value);
  }
  return [...found];
}
