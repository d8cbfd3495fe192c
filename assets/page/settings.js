// What the controls say now, and what they said when the run was asked for that is shown. It knows nothing about what a
// control does.
import { keep } from "./address.js";
import { setNoise } from "./strip.js";

let [now, shown, tell] = [null, null, () => {}];

// Calls `listener` whenever a control has moved.
export const onMoved = (listener) => (tell = listener);

// Called with what every control says, by its key in the address; a window has no place there.
export function remember(keys, values) {
  now = Object.fromEntries(keys.map((key, index) => [key, values[index]]));
  keep(linked(now));
  setNoise(Number(now.noise));
  tell();
}

const linked = (settings) => Object.fromEntries(Object.entries(settings).filter(([key]) => !key.startsWith("window_")));

// The settings that what is shown was made with; nothing where no run is shown.
export const show = (settings) => (shown = settings || null);

const said = (value) => String(value ?? "");

export const isMoved = () => Boolean(now && shown) && Object.keys(shown).some((key) => said(now[key]) !== said(shown[key]));

export const ofResult = () => linked(shown || {});

export const ofControls = () => linked(now || {});
