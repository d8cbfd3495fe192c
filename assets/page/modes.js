// The page shown to others: a lecture that somebody gives, and a booth that nobody attends. It knows nothing about either.
import { startKiosk } from "./kiosk.js";
import { mountLecture } from "./lecture.js";

export function mount(element, props) {
  mountLecture(element, props);
  startKiosk(element, props.steps);
}
