/** What a turn waits for, in full, and the answers to it. Nothing is approved that is not shown. */

import { ApiError, get, post } from "../api.js";
import { announce, byId, el, fill, isolated, setText } from "../dom.js";
import { store } from "../store.js";
import { unwrapped } from "../text/command.js";
import { changesNodes } from "./item.js";

const SAID = new Map([
  ["approve", "Approved."],
  ["decline", "Declined."],
  ["reply", "Answered."],
]);

/** The requests of one turn. */
export class PendingView {
  /** @param {string} turn @param {() => Promise<void>} onDecided */
  constructor(turn, onDecided) {
    this.turn = turn;
    this.onDecided = onDecided;
    /** @type {Map<string, HTMLElement>} id of a request → its node, with what is typed into it */
    this.nodes = new Map();
    this.isClosed = false;
    fill(byId("pending"));
  }

  close() {
    this.isClosed = true;
    fill(byId("pending"));
  }

  /** Ask what waits. */
  async refresh() {
    let entries = [];
    try {
      entries = (await get(`turns/${encodeURIComponent(this.turn)}/pending`)).pending ?? [];
    } catch {
      return; // the view of the turn tells why; what is shown stays
    }
    if (this.isClosed) return;
    const ids = new Set(entries.map((/** @type {any} */ entry) => String(entry.id)));
    for (const [id, node] of this.nodes) {
      if (ids.has(id)) continue;
      node.remove();
      this.nodes.delete(id);
    }
    for (const entry of entries) {
      if (this.nodes.has(String(entry.id))) continue;
      const node = this.nodeOf(entry);
      this.nodes.set(String(entry.id), node);
      byId("pending").append(node);
    }
  }

  /** @param {any} entry @returns {HTMLElement} */
  nodeOf(entry) {
    const error = el("p.bad", { role: "alert" });
    const isReply = Boolean(entry.next?.reply);
    const node = el(
      "article.request",
      { "data-request": entry.id, "data-kind": entry.kind, "aria-label": `request: ${entry.kind}` },
      el("h2", null, el("span.glyph.warn", { "aria-hidden": "true" }, "!"), ` ${isReply ? "It asks you" : "It asks for your approval"}: ${entry.kind}`),
      this.factsOf(entry),
    );
    node.append(isReply ? this.replyForm(entry, error) : this.approvalButtons(entry, error), error);
    return node;
  }

  /** @param {any} entry @returns {Node[]} */
  factsOf(entry) {
    const cwd = store.turn(this.turn)?.cwd ?? "";
    const nodes = [];
    if (!entry.questions && !entry.command) nodes.push(isolated("p", entry.message));
    if (entry.command) nodes.push(el("pre.command", { tabindex: 0, role: "group", "aria-label": "command" }, isolated("code", `$ ${unwrapped(entry.command)}`)));
    if (entry.reason) nodes.push(el("p", null, "Why: ", el("bdi", null, entry.reason)));
    if (entry.cwd) nodes.push(el("p.dim", null, "in ", el("bdi", null, entry.cwd)));
    if (entry.changes?.length) nodes.push(...changesNodes(entry.changes, cwd));
    for (const name of ["grant_root", "network", "permissions", "server", "tool", "arguments", "url"]) {
      if (entry[name] !== undefined) nodes.push(factNode(name, entry[name]));
    }
    return nodes;
  }

  /** @param {any} entry @param {HTMLElement} error @returns {HTMLElement} */
  approvalButtons(entry, error) {
    const decide = (/** @type {string} */ verb, /** @type {object} */ more) => () => this.decide(entry, verb, more, error);
    const decline = el("button.decline", { type: "button", onclick: decide("decline", {}) }, "Decline");
    if (!store.session.may?.approve) {
      const words = "To approve it from here, serve needs --allow-raw-rpc: what is approved runs outside of the sandbox. In a shell: ";
      return el("div.decide", null, el("p.dim", null, words, el("code", null, entry.next?.approve ?? "")), decline);
    }
    const lasting = entry.next?.approve_for_session
      ? el("button.approve-session", { type: "button", onclick: decide("approve", { session: true }) }, "Approve for the rest of the turn")
      : null;
    return el("div.decide", null, el("button.approve.primary", { type: "button", onclick: decide("approve", {}) }, "Approve"), lasting, decline);
  }

  /** @param {any} entry @param {HTMLElement} error @returns {HTMLElement} */
  replyForm(entry, error) {
    const questions = /** @type {any[]} */ (entry.questions ?? []);
    const prefix = `${this.turn}-${entry.id}`;
    const fields = questions.length ? questions.map((question, index) => questionNode(question, `${prefix}-${index}`)) : [freeNode(prefix)];
    const form = el(
      "form.reply",
      {
        onsubmit: (/** @type {Event} */ event) => {
          event.preventDefault();
          this.answer(entry, form, questions, error);
        },
      },
      fields,
      el("div.decide", null,
        el("button.primary", { type: "submit" }, "Answer"),
        el("button.decline", { type: "button", onclick: () => this.decide(entry, "decline", {}, error) }, "Decline")),
    );
    return form;
  }

  /** @param {any} entry @param {HTMLFormElement} form @param {any[]} questions @param {HTMLElement} error */
  answer(entry, form, questions, error) {
    const values = [...form.querySelectorAll("[data-question]")].map((node) => answerOf(/** @type {HTMLElement} */ (node)));
    const missing = values.findIndex((value) => !value);
    if (missing >= 0) {
      setText(error, "Every question needs an answer.");
      return;
    }
    const answers = Object.fromEntries(questions.map((question, index) => [question.id, values[index]]));
    this.decide(entry, "reply", questions.length ? { answers } : { answer: values[0] }, error);
  }

  /** @param {any} entry @param {string} verb @param {object} more @param {HTMLElement} error */
  async decide(entry, verb, more, error) {
    const node = this.nodes.get(String(entry.id));
    const buttons = [...(node?.querySelectorAll("button") ?? [])];
    buttons.forEach((button) => (button.disabled = true));
    setText(error, "");
    try {
      await post(`turns/${encodeURIComponent(this.turn)}/${verb}`, { request: String(entry.id), ...more });
      announce(SAID.get(verb) ?? "");
      node?.remove();
      byId("turn-title").focus();
      await this.onDecided();
    } catch (problem) {
      const hint = problem instanceof ApiError && problem.hint ? ` ${problem.hint}` : "";
      setText(error, `${/** @type {Error} */ (problem).message}.${hint}`);
      buttons.forEach((button) => (button.disabled = false));
      this.refresh();
    }
  }
}

/** @param {string} name @param {unknown} value @returns {Node} */
function factNode(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const words = name.replaceAll("_", " ");
  return text.includes("\n")
    ? el("div", null, el("p.dim", null, words), el("pre", { tabindex: 0, role: "group", "aria-label": words }, isolated("code", text)))
    : el("p", null, `${words}: `, el("bdi", null, text));
}

/** @param {any} question @param {string} name @returns {Node} */
function questionNode(question, name) {
  const options = /** @type {any[]} */ (question.options ?? []);
  const legend = el("legend", null, el("bdi", null, question.question ?? question.header ?? "?"));
  const choices = options.map((option) =>
    el("label.choice", null, el("input", { type: "radio", name, value: option.label }), " ", el("bdi", null, option.label),
      option.description ? el("span.dim", null, " — ", el("bdi", null, option.description)) : null),
  );
  const isFree = !options.length || question.isOther !== false;
  const other = el("input", { type: question.isSecret ? "password" : "text", autocomplete: "off", "data-other": true, "aria-label": options.length ? "another answer" : "answer", placeholder: options.length ? "or something else" : null });
  return el("fieldset", { "data-question": question.id }, legend, choices, isFree ? other : null);
}

/** @param {string} name @returns {Node} */
function freeNode(name) {
  return el("p", { "data-question": "" }, el("label", { for: `${name}-free` }, "Answer"), el("textarea", { id: `${name}-free`, rows: 3, "data-other": true }));
}

/** @param {HTMLElement} field @returns {string} what was typed goes before what was chosen */
function answerOf(field) {
  const typed = /** @type {HTMLInputElement|null} */ (field.querySelector("[data-other]"))?.value.trim();
  return typed || (/** @type {HTMLInputElement|null} */ (field.querySelector("input:checked"))?.value ?? "");
}
