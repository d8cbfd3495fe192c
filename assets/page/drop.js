// A scan or a certificate may be dropped anywhere or pasted: it goes the way of its upload button, untouched. It knows
// nothing about what is in a file.
import { one } from "./dom.js";

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
