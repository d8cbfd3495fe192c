// A hand on a picture. It knows nothing about what is drawn there.

export const placeIn = (frame, event) => {
  const box = frame.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
};

// Calls `to` with the place of the pointer, in pixels of the picture, while it is held down.
export function draggable(handle, frame, to) {
  const go = (event) => to(...placeIn(frame, event));
  handle.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener("pointermove", go);
    go(event);
  });
  for (const end of ["pointerup", "pointercancel"]) handle.addEventListener(end, () => handle.removeEventListener("pointermove", go));
}

export const place = (knob, x, y) => {
  knob.style.transform = `translate(${x}px, ${y}px)`;
};
