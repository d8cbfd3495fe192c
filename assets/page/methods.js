// A card a method, with its votes and its radius, in groups by the kind of guarantee. It knows nothing about statistics.
import { make, one, setText } from "./dom.js";

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
  node.style.setProperty("--ps-series", `var(--ps-series-${card.ink})`);
  const reach = make("div", "ps-reach-row");
  reach.append(make("b", "ps-reach-number"), make("span", "ps-reach-track"));
  one(reach, ".ps-reach-track").append(make("i"));
  node.append(make("h4", "", card.name), make("p", "ps-answer"), reach, make("ul", "ps-small"));
  return node;
}

// A row for each class, its share drawn and its number beside it.
export function fillBars(list, bars) {
  while (list.children.length > bars.length) list.lastChild.remove();
  while (list.children.length < bars.length) list.append(buildBar());
  bars.forEach((bar, index) => fillBar(list.children[index], bar));
}

function fillCard(node, card, furthest) {
  setText(one(node, ".ps-answer"), card.answer);
  setText(one(node, ".ps-reach-number"), card.radius_text);
  node.classList.toggle("ps-certified", card.certified);
  const share = card.radius && furthest ? card.radius / furthest : 0;
  one(node, ".ps-reach-track i").style.transform = `scaleX(${share})`;
  fillBars(one(node, ".ps-small"), card.bars);
}

function buildBar() {
  const row = make("li");
  const track = make("span", "ps-small-track");
  track.append(make("i"));
  row.append(make("span", "ps-small-name"), make("span", "ps-small-count"), track);
  return row;
}

function fillBar(row, bar) {
  row.classList.toggle("ps-leads", bar.leads);
  setText(one(row, ".ps-small-name"), bar.label);
  setText(one(row, ".ps-small-count"), bar.count);
  one(row, "i").style.transform = `scaleX(${bar.share})`;
}

export function showGroups(box, value) {
  const shape = JSON.stringify(value.groups.map((group) => [group.kind, group.cards.map((card) => card.id)]));
  if (box.dataset.shape !== shape) {
    box.dataset.shape = shape;
    box.replaceChildren(...value.groups.filter((group) => group.cards.length).map(buildGroup));
  }
  const cards = value.groups.flatMap((group) => group.cards);
  box.querySelectorAll(".ps-method").forEach((node, index) => fillCard(node, cards[index], value.furthest));
}
