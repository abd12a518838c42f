/** The input fields of a question, and their drafts. Never here: building the answer. */

import { el } from "../dom.js";
import { draft, keepDraft } from "../drafts.js";
import { answersIn } from "../text/drafts.js";
import { askedOf, isFree, isSeveral, limitsOf } from "../text/questions.js";

/** A draft belongs to one question: its name contains this many characters of the question. */
const ASKED = 200;

/** @param {any} question @param {string} name @returns {Node} */
export function questionNode(question, name) {
  const options = /** @type {any[]} */ (question.options ?? []);
  const limits = limitsOf(question);
  const legend = el("legend", null, el("bdi", null, askedOf(question) || "?"), limits ? el("span.dim", null, " (", el("bdi", null, limits), ")") : null);
  const type = isSeveral(question) ? "checkbox" : "radio";
  const choices = options.map((option) =>
    el("label.choice", null, el("input", { type, name, value: option.label }), " ", el("bdi", null, option.label),
      option.description ? el("span.dim", null, " — ", el("bdi", null, option.description)) : null),
  );
  const other = el("input", { type: question.isSecret ? "password" : "text", autocomplete: "off", "data-other": true, "aria-label": options.length ? "another answer" : "answer", placeholder: options.length ? "or something else" : null });
  return el("fieldset", { "data-question": question.id }, legend, choices, isFree(question) ? other : null);
}

/** @param {string} name @returns {Node} */
export function freeNode(name) {
  return el("p", { "data-question": "" }, el("label", { for: `${name}-free` }, "Answer"), el("textarea", { id: `${name}-free`, rows: 3, "data-other": true }));
}

/** @param {HTMLElement} field @returns {string} the typed text */
export function textIn(field) {
  return /** @type {HTMLInputElement|null} */ (field.querySelector("[data-other]"))?.value ?? "";
}

/** @param {HTMLElement} field @returns {string[]} the chosen options */
export function chosenIn(field) {
  return [...field.querySelectorAll("input:checked")].map((node) => /** @type {HTMLInputElement} */ (node).value);
}

/** @param {string} prefix @param {any} question @returns {string} the name of its draft */
function nameOf(prefix, question) {
  return `${prefix}${question.id ?? ""} ${askedOf(question).slice(0, ASKED)}`;
}

/**
 * Keep typed and chosen answers, except secret ones.
 * @param {HTMLElement} form
 * @param {any[]} questions
 * @param {string} prefix of the draft names
 */
export function keepAnswers(form, questions, prefix) {
  eachOf(form, questions, (field, question) => {
    const answer = [textIn(field), ...chosenIn(field)];
    keepDraft(nameOf(prefix, question), answer.some(Boolean) ? JSON.stringify(answer) : "");
  });
}

/** @param {HTMLElement} form @param {any[]} questions @param {string} prefix */
export function restoreAnswers(form, questions, prefix) {
  eachOf(form, questions, (field, question) => {
    const [typed = "", ...chosen] = answersIn(draft(nameOf(prefix, question)));
    const other = /** @type {HTMLInputElement|null} */ (field.querySelector("[data-other]"));
    if (other) other.value = typed;
    field.querySelectorAll("input[type=radio], input[type=checkbox]").forEach((node) => {
      const choice = /** @type {HTMLInputElement} */ (node);
      choice.checked = chosen.includes(choice.value);
    });
  });
}

/** @param {HTMLElement} form @param {any[]} questions @param {(field: HTMLElement, question: any) => void} act on each that is not secret */
function eachOf(form, questions, act) {
  const fields = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-question]")]);
  fields.forEach((field, index) => {
    const question = questions[index] ?? {};
    if (!question.isSecret) act(field, question);
  });
}
