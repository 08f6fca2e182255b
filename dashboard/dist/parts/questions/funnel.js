import { isObject, oneOf, readFilters, readObject, text, wholeNumber, without } from "./shape.js";
const ORDERS = ["ordered", "strict", "any"];
const SUBJECTS = ["person", "session"];
const STEPS = { least: 2, most: 10 };
const MOST_EXCLUSIONS = 10;
const DEFAULTS = { window: "1d", order: ORDERS[0], by: SUBJECTS[0], exclude: [], breakdown: "" };
const readFunnel = (written) => {
  const value = readObject(written);
  const list = (name) => {
    const { [name]: of } = value;
    return Array.isArray(of) ? of.filter(isObject) : [];
  };
  return {
    steps: list("steps").slice(0, STEPS.most).map((step) => {
      const name = text(step["name"]);
      const filters = readFilters(step["filters"]);
      return name ? { name, filters } : { filters };
    }),
    window: text(value["window"]) || DEFAULTS.window,
    order: oneOf(value["order"], ORDERS),
    by: oneOf(value["by"], SUBJECTS),
    exclude: list("exclude").slice(0, MOST_EXCLUSIONS).map((one) => {
      const after = wholeNumber(one["after"], 0, STEPS.most - 2, 0);
      return { filters: readFilters(one["filters"]), after, before: wholeNumber(one["before"], after + 1, STEPS.most - 1, after + 1) };
    }),
    breakdown: text(value["breakdown"])
  };
};
const writeFunnel = (question) => JSON.stringify(without(question, DEFAULTS));
const askFunnel = (question) => ({
  ...without(question, { exclude: [], breakdown: "" })
});
const suggestSteps = (actions) => actions.slice(0, 4).map((action) => ({ name: action, filters: [["is", "event_action", [action]]] }));
export {
  MOST_EXCLUSIONS,
  ORDERS,
  STEPS,
  SUBJECTS,
  askFunnel,
  readFunnel,
  suggestSteps,
  writeFunnel
};
