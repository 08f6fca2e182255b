const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const readObject = (text2) => {
  try {
    const value = JSON.parse(text2 ?? "{}");
    return isObject(value) ? value : {};
  } catch {
    return {};
  }
};
const readFilters = (value) => Array.isArray(value) ? value.filter((one) => Array.isArray(one) && typeof one[0] === "string") : [];
const readSide = (value) => isObject(value) ? readFilters(value["filters"]) : void 0;
const oneOf = (value, words) => words.find((word) => word === value) ?? words[0];
const wholeNumber = (value, least, most, otherwise) => typeof value === "number" && Number.isInteger(value) && value >= least && value <= most ? value : otherwise;
const text = (value) => typeof value === "string" ? value : "";
const without = (value, defaults) => Object.fromEntries(
  Object.entries(value).filter(
    ([name, of]) => of !== void 0 && JSON.stringify(of) !== JSON.stringify(defaults[name])
  )
);
export {
  isObject,
  oneOf,
  readFilters,
  readObject,
  readSide,
  text,
  wholeNumber,
  without
};
