/**
 * Questions and form fields: how they are shown, and how an answer is built. Pure; as `render/approvals.py`.
 */

/** @typedef {{id: string, header?: string, question?: string, type?: string, options?: Array<{label: string, description?: string}>|null,
 *   isOther?: boolean, isSecret?: boolean, isRequired?: boolean, schema?: Record<string, any>}} Question */

const LIMITS = ["format", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "default"];

/** @param {Question} question @returns {string} `Count: How many?` */
export function askedOf({ header = "", question = "" }) {
  return header && header !== question ? `${header}: ${question}` : question;
}

/** @param {Question} question @returns {string} what a field requires of its value besides options; "" for nothing */
export function limitsOf(question) {
  const schema = question.schema ?? {};
  const kind = schema.type === "array" ? ["several, separated by commas"] : ["integer", "number"].includes(schema.type) ? [schema.type] : [];
  const limits = LIMITS.filter((name) => name in schema).map((name) => `${name} ${JSON.stringify(schema[name])}`);
  return [...kind, ...limits, ...(isRequired(question) ? [] : ["may be left out"])].join(", ");
}

/** @param {Question} question @returns {boolean} */
export function isRequired(question) {
  return question.isRequired ?? true;
}

/** @param {Question} question @returns {boolean} whether free text is accepted */
export function isFree(question) {
  return !question.options?.length || question.isOther === true;
}

/** @param {Question} question @returns {boolean} whether several answers are accepted */
export function isSeveral(question) {
  return question.type === "array";
}

/**
 * @param {Question} question
 * @param {string} typed takes precedence over the chosen options
 * @param {string[]} chosen labels
 * @returns {string|string[]|null} the answer to send; null if there is none
 */
export function answerOf(question, typed, chosen) {
  const words = typed.trim();
  if (!isSeveral(question)) return words || (chosen[0] ?? null);
  const all = words ? words.split(",").map((word) => word.trim()).filter(Boolean) : chosen;
  return all.length ? all : null;
}
