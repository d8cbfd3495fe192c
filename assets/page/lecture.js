// Lecture: what the page shows, told in steps on a stage as large as the screen. It knows nothing about statistics and holds
// no words of its own: the votes, bounds and radii are those of a run, as the server sent them.
import { keep } from "./address.js";
import { one, setText } from "./dom.js";
import { sceneOf } from "./scene.js";
import { translated } from "./words.js";

// Which parts of the scene are told of at each step, and what moves there.
const STEPS = [
  [["crop"], "showCrop"], [["crop", "noisy"], "addNoise"], [["copies", "votes"], "castVotes"], [["votes"], "growBounds"],
  [["votes", "radius"], "growRadius"], [["crop", "radius"], "rest"], [["crop", "noisy", "copies", "votes", "radius"], "rest"],
];
const FROM = { crop: 0, noisy: 1, copies: 2, votes: 2, radius: 4 };

function lecture(root, steps, words) {
  const scene = sceneOf(one(root, ".ps-scene"), words, tellWrong);
  const last = steps.length - 1; // the end has no number
  let place = -1;

  function light(parts) {
    for (const [name, from] of Object.entries(FROM)) {
      const part = one(root, `.ps-scene-${name}`);
      part.classList.toggle("ps-lit", parts.includes(name));
      part.classList.toggle("ps-to-come", place < from);
    }
  }

  // What is known to be wrong is told in the colour and the words that it has on the page.
  function tellWrong(words) {
    root.dataset.truth = words ? "wrong" : "";
    const parts = one(root, ".ps-lecture-wrong").children;
    [0, 1].forEach((index) => setText(parts[index], words ? words[index] : ""));
  }

  async function go(next) {
    place = Math.max(0, Math.min(last, next));
    const [parts, act] = STEPS[place];
    const [title, text] = steps[place];
    keep({ lecture: place + 1 });
    setText(one(root, ".ps-lecture-place"), place < last ? `${place + 1} / ${last}` : "");
    setText(one(root, "h2"), title);
    setText(one(root, ".ps-lecture-text"), text);
    setText(one(root, ".ps-lecture-next"), place < last ? words.lecture_next : words.lecture_again);
    one(root, ".ps-lecture-back").disabled = place === 0;
    root.classList.toggle("ps-told", place === last);
    if (!root.open) root.showModal();
    light(parts);
    if (place === 0 || !scene.isReady()) await scene.choose();
    setText(one(root, ".ps-lecture-source"), scene.isRecorded() ? words.lecture_recorded : words.lecture_live);
    root.classList.toggle("ps-recorded", scene.isRecorded());
    scene.play(STEPS[place][1]); // of the step that is shown by now
  }

  root.addEventListener("close", () => {
    scene.stop();
    keep({ lecture: null });
  });
  one(root, ".ps-lecture-back").addEventListener("click", () => go(place - 1));
  one(root, ".ps-lecture-next").addEventListener("click", () => go(place < last ? place + 1 : 0));
  one(root, ".ps-lecture-end").addEventListener("click", () => root.close());
  one(root, ".ps-lecture-on").addEventListener("click", (event) => {
    event.preventDefault();
    root.close();
    one(document, ".ps-nav [data-view=understand]").click();
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "PageDown") go(place + 1);
    else if (event.key === "ArrowLeft" || event.key === "PageUp") go(place - 1);
    else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => event.target.closest(".ps-teach") && go(0));
  const asked = Number(new URLSearchParams(location.search).get("lecture"));
  if (asked >= 1 && asked <= steps.length) setTimeout(() => go(asked - 1), 300);
}

export function mountLecture(element, props) {
  const root = one(element, ".ps-lecture");
  document.body.append(root);
  lecture(root, props.steps, translated(props.words));
}
