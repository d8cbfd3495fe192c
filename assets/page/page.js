// What the page needs before any part of it stands: light or dark, its words, its losses, drops and pastes. It knows
// nothing about parts: each of these asks for its own module, which comes with the page.
import "./theme.js";
import "./words.js";
import "./losses.js";
import "./drop.js";
