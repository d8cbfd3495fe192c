// The view Certify: the stage, and what its radius allows. It knows nothing about how either is drawn.
import { mountBudget } from "./budget.js";
import { one } from "./dom.js";
import { mountStage } from "./stage.js";
import { stands } from "./standing.js";

export function mount(element, props, watch, trigger) {
  mountStage(element, props, watch, trigger);
  mountBudget(one(element, ".ps-budget"), props.budget);
  stands("stage");
}
