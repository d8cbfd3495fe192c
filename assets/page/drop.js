// A scan or a certificate may be dropped anywhere or pasted: it goes the way of its upload button, untouched, to the view
// where it is seen. Several files, and folders, are brought together first. It knows nothing about what is in a file.
import { filesOf, inOrder, zipped } from "./bundle.js";
import { one } from "./dom.js";
import { lose } from "./losses.js";
import { openView } from "./views.js";

const SCAN = "#ps-scan-card input[type=file]";
const CERTIFICATE = "#ps-stage-column input[type=file]";
const RECORDS = "#ps-results-column input[type=file]";
const ARCHIVE = "#ps-learn-controls input[type=file]";

// While prompts are learned a zip holds what to learn from; records are drawn by Results; anything else is shown by Certify, and a scan by Compare and Attack too.
function placeOf(name) {
  const view = document.body.dataset.view;
  if (view === "learn" && /\.zip$/i.test(name)) return [ARCHIVE, view];
  if (/\.jsonl$/i.test(name)) return [RECORDS, "results"];
  if (/\.json$/i.test(name)) return [CERTIFICATE, "certify"];
  return [SCAN, ["compare", "attack"].includes(view) ? view : "certify"];
}

function bring(file, name = file.name) {
  const [place, view] = placeOf(name);
  const input = one(document, place);
  if (!input) return false;
  openView(view);
  const data = new DataTransfer();
  data.items.add(file);
  input.files = data.files;
  input.dispatchEvent(new Event("change", { bubbles: true }));
  return true;
}

// What is gathered from many files may come to nothing: one of them cannot be read any more.
async function gather(gathering) {
  document.body.classList.add("ps-dragging");
  await gathering.catch(() => lose("scan"));
  document.body.classList.remove("ps-dragging");
}

function bringAll(files) {
  if (files.length > 1) gather(zipped(files).then((file) => bring(file, "")));
  return files.length > 1 || (files.length === 1 && bring(files[0]));
}

function bringDropped(data) {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (entries.some((entry) => entry.isDirectory)) gather(filesOf(entries).then(bringAll));
  else bringAll(inOrder(data.files));
}

const dragging = (event, on) => {
  event.preventDefault();
  document.body.classList.toggle("ps-dragging", on);
};
document.addEventListener("dragover", (event) => dragging(event, true));
document.addEventListener("dragleave", (event) => event.relatedTarget || dragging(event, false));
document.addEventListener("drop", (event) => {
  dragging(event, false);
  bringDropped(event.dataTransfer);
});
document.addEventListener("paste", (event) => bringAll(inOrder(event.clipboardData.files)) && event.preventDefault());

// The button takes several files too; Gradio's own input would send them one by one.
document.addEventListener("click", (event) => event.target.closest("#ps-upload") && (one(document, SCAN).multiple = true), true);
document.addEventListener("change", (event) => {
  if (!event.target.matches(SCAN) || event.target.files.length < 2) return;
  event.stopImmediatePropagation();
  bringAll(inOrder(event.target.files));
}, true);
