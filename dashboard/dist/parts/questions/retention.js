import { oneOf, readObject, readSide, wholeNumber, without } from "./shape.js";
const UNITS = ["week", "day", "month"];
const MODES = ["on", "on_or_after"];
const FIRSTS = ["in_range", "ever"];
const SUBJECTS = ["person", "session"];
const MOST_PERIODS = 31;
const PERIODS = 8;
const readRetention = (written, unit = "week") => {
  const value = readObject(written);
  return {
    start: { filters: readSide(value["start"]) ?? [] },
    return: { filters: readSide(value["return"]) ?? [] },
    unit: value["unit"] === void 0 ? unit : oneOf(value["unit"], UNITS),
    periods: wholeNumber(value["periods"], 1, MOST_PERIODS, PERIODS),
    mode: oneOf(value["mode"], MODES),
    first: oneOf(value["first"], FIRSTS),
    by: oneOf(value["by"], SUBJECTS)
  };
};
const writeRetention = (question) => {
  const none = { filters: [] };
  const defaults = { start: none, return: none, periods: PERIODS, mode: MODES[0], first: FIRSTS[0], by: SUBJECTS[0] };
  return JSON.stringify(without(question, defaults));
};
const unitFor = (range) => {
  if (["today", "yesterday", "24h", "7d"].includes(range)) return "day";
  return range === "year" || range === "all" ? "month" : "week";
};
export {
  FIRSTS,
  MODES,
  MOST_PERIODS,
  SUBJECTS,
  UNITS,
  readRetention,
  unitFor,
  writeRetention
};
