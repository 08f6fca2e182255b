import { oneOf, readObject, readSide, text, wholeNumber, without } from "./shape.js";
const SUBJECTS = ["person", "session"];
const MOST_STEPS = 10;
const MOST_NAMES = 25;
const DEFAULTS = { depth: 4, by: SUBJECTS[0], name: "", limit: 6 };
const readPaths = (written) => {
  const value = readObject(written);
  const [from, to] = [readSide(value["from"]), readSide(value["to"])];
  return {
    ...from?.length ? { from: { filters: from } } : {},
    ...to?.length ? { to: { filters: to } } : {},
    depth: wholeNumber(value["depth"], 1, MOST_STEPS, DEFAULTS.depth),
    by: oneOf(value["by"], SUBJECTS),
    name: text(value["name"]),
    limit: wholeNumber(value["limit"], 1, MOST_NAMES, DEFAULTS.limit)
  };
};
const writePaths = (question) => JSON.stringify(without(question, DEFAULTS));
export {
  MOST_NAMES,
  MOST_STEPS,
  SUBJECTS,
  readPaths,
  writePaths
};
