/** The pending requests of a turn, in full, and their answers. A request can be approved only after it was shown. */

import { ApiError, get, post } from "../api.js";
import { announce, byId, el, fill, hold, isolated, setText } from "../dom.js";
import { dropDrafts } from "../drafts.js";
import { store } from "../store.js";
import { answerOf, askedOf, isRequired } from "../text/questions.js";
import { duration } from "../text/words.js";
import { fieldGone } from "../typing.js";
import { askedChangesNodes } from "./item.js";
import { chosenIn, freeNode, keepAnswers, questionNode, restoreAnswers, textIn } from "./question.js";

/** Buttons are disabled this long after requests appear, disappear or move: a click may be meant for the old layout. */
const HASTE_MS = 500;
/** Kinds with a message that only repeats other content, which is shown itself. */
const TOLD_BY = new Map([
  ["command", "command"],
  ["patch", "changes"],
  ["question", "questions"],
]);
const FACTS = ["grant_root", "network", "permissions", "tool", "arguments", "url"];

const SAID = new Map([
  ["approve", "Approved."],
  ["decline", "Declined."],
  ["reply", "Answered."],
]);

/** @type {PendingView|null} of the displayed turn */
let current = null;

/** Attach the listeners once. */
export function startPending() {
  byId("to-request").addEventListener("click", toRequest);
  addEventListener("scroll", drawWay, { passive: true });
  addEventListener("resize", drawWay);
  document.addEventListener("toggle", drawWay, true); // expanding a part moves the rest
}

/** The requests of one turn. */
export class PendingView {
  /** @param {string} turn @param {() => Promise<void>} onDecided */
  constructor(turn, onDecided) {
    this.turn = turn;
    this.onDecided = onDecided;
    /** @type {Map<string, {node: HTMLElement, text: string}>} request id → its node (with typed text), and its JSON */
    this.shown = new Map();
    /** @type {Set<string>} ids of requests decided here */
    this.decided = new Set();
    this.isClosed = false;
    this.calls = 0;
    this.settlesAt = 0;
    this.settling = 0;
    this.ticking = window.setInterval(() => this.drawTimes(), 1000);
    current = this;
    fill(byId("pending"));
  }

  close() {
    this.isClosed = true;
    clearInterval(this.ticking);
    clearTimeout(this.settling); // from now on the buttons belong to the next turn
    fill(byId("pending"));
    drawWay();
  }

  /** Load the pending requests. */
  async refresh() {
    const call = ++this.calls;
    let entries = [];
    try {
      entries = (await get(`turns/${encodeURIComponent(this.turn)}/pending?full=true`)).pending ?? [];
    } catch {
      return; // the turn's view reports the error; the requests stay
    }
    if (this.isClosed || call !== this.calls) return; // a later response is newer
    dropDrafts(this.draftsOf(), entries.map((/** @type {any} */ entry) => this.draftsOf(entry.id)));
    const texts = new Map(entries.map((/** @type {any} */ entry) => [String(entry.id), JSON.stringify({ ...entry, expires_in_s: null })]));
    for (const [id, { node, text }] of this.shown) {
      if (texts.get(id) === text) continue; // a changed request has to be read again
      this.drop(id, node);
    }
    for (const entry of entries) {
      const id = String(entry.id);
      if (this.shown.has(id)) continue;
      const node = this.nodeOf(entry);
      this.shown.set(id, { node, text: texts.get(id) ?? "" });
      byId("pending").append(node);
      this.settle();
    }
    this.drawTimes();
    drawWay();
  }

  /** @param {string} id @param {HTMLElement} node of a request that is no longer pending */
  drop(id, node) {
    const hadFocus = node.contains(document.activeElement);
    node.remove();
    this.shown.delete(id);
    this.settle();
    if (hadFocus) {
      fieldGone();
      byId("turn-title").focus();
    }
    if (!this.decided.has(id)) announce("It waits for that no more: it was answered elsewhere, or the time was over.");
  }

  /** Disable the buttons for a moment; the focus stays. */
  settle() {
    if (this.isClosed) return;
    this.settlesAt = performance.now() + HASTE_MS;
    this.drawButtons();
    drawWay();
    clearTimeout(this.settling);
    this.settling = window.setTimeout(() => this.drawButtons(), HASTE_MS + 20);
  }

  get isSettling() {
    return performance.now() < this.settlesAt;
  }

  drawButtons() {
    byId("pending").querySelectorAll("button").forEach((/** @type {HTMLElement} */ button) => button.setAttribute("aria-disabled", String(this.isSettling)));
  }

  /** Update the remaining times. */
  drawTimes() {
    byId("pending").querySelectorAll("[data-expires]").forEach((/** @type {HTMLElement} */ node) => {
      const seconds = Math.max(0, (Date.parse(node.dataset.expires ?? "") - Date.now()) / 1000);
      setText(node, `Declined by itself in ${duration(Math.floor(seconds)).replace(".0", "")}.`);
    });
  }

  /** @param {any} entry @returns {HTMLElement} */
  nodeOf(entry) {
    const error = el("p.bad", { role: "alert" });
    const isReply = Boolean(entry.next?.reply);
    const node = el(
      "article.request",
      { "data-request": entry.id, "data-kind": entry.kind, "aria-label": `request: ${entry.kind}` },
      el("h2", { tabindex: -1 }, el("span.glyph.warn", { "aria-hidden": "true" }, "!"), ` ${isReply ? "It asks you" : "It asks for your approval"}: ${entry.kind}`),
      this.factsOf(entry),
    );
    node.append(isReply ? this.replyForm(entry, error) : this.approvalButtons(entry, error), error);
    return node;
  }

  /** @param {any} entry @returns {Node[]} */
  factsOf(entry) {
    const nodes = [];
    if (entry.server) nodes.push(factNode("server", entry.server));
    const repeated = entry[TOLD_BY.get(entry.kind) ?? ""];
    if (!(Array.isArray(repeated) ? repeated.length : repeated)) nodes.push(isolated("p", entry.message));
    if (entry.command) nodes.push(el("pre.command", { tabindex: 0, role: "group", "aria-label": "command" }, isolated("code", `$ ${entry.command}`)));
    if (entry.reason) nodes.push(el("p", null, "Why: ", el("bdi", null, entry.reason)));
    if (entry.cwd) nodes.push(el("p.dim", null, "in ", el("bdi", null, entry.cwd)));
    nodes.push(...askedChangesNodes(entry.changes ?? []));
    for (const name of FACTS) if (entry[name] ?? null) nodes.push(factNode(name, entry[name]));
    if (entry.expires_at) nodes.push(el("p.dim", { "data-expires": entry.expires_at }));
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
    const fields = questions.length > 0 ? questions.map((question, index) => questionNode(question, `${prefix}-${index}`)) : [freeNode(prefix)];
    const form = el(
      "form.reply",
      {
        autocomplete: "off",
        oninput: () => keepAnswers(form, questions, this.draftsOf(entry.id)),
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
    restoreAnswers(form, questions, this.draftsOf(entry.id));
    return form;
  }

  /** @param {string} [request] @returns {string} prefix of its draft names; of all the turn's, if not given */
  draftsOf(request) {
    return `reply ${this.turn} ${request === undefined ? "" : `${request} `}`;
  }

  /** @param {any} entry @param {HTMLFormElement} form @param {any[]} questions @param {HTMLElement} error */
  answer(entry, form, questions, error) {
    const fields = /** @type {HTMLElement[]} */ ([...form.querySelectorAll("[data-question]")]);
    if (!questions.length) {
      const answer = textIn(fields[0]).trim();
      if (answer) this.decide(entry, "reply", { answer }, error);
      else setText(error, "An answer is needed.");
      return;
    }
    const given = questions.map((question, index) => [question.id, answerOf(question, textIn(fields[index]), chosenIn(fields[index]))]);
    const answers = Object.fromEntries(given.filter(([, answer]) => answer !== null));
    const missing = questions.find((question, index) => isRequired(question) && given[index][1] === null);
    if (missing || !Object.keys(answers).length) {
      const rest = missing && !questions.every(isRequired) ? ` It is missing for: ${askedOf(missing)}` : "";
      setText(error, questions.every(isRequired) ? "Every question needs an answer." : `At least what is required needs an answer.${rest}`);
      return;
    }
    this.decide(entry, "reply", { answers }, error);
  }

  /** @param {any} entry @param {string} verb @param {object} more @param {HTMLElement} error */
  async decide(entry, verb, more, error) {
    if (this.isSettling) return;
    const node = this.shown.get(String(entry.id))?.node;
    const buttons = [...(node?.querySelectorAll("button") ?? [])];
    const release = hold(buttons);
    setText(error, "");
    this.decided.add(String(entry.id));
    try {
      await post(`turns/${encodeURIComponent(this.turn)}/${verb}`, { request: String(entry.id), ...more });
      announce(SAID.get(verb) ?? "");
      dropDrafts(this.draftsOf(entry.id));
      if (this.isClosed) return store.refresh();
      node?.remove();
      this.settle(); // what was below has moved up
      if (document.activeElement === document.body) byId("turn-title").focus(); // else the user is somewhere else
      await this.onDecided();
    } catch (problem) {
      this.decided.delete(String(entry.id));
      const hint = problem instanceof ApiError && problem.hint ? ` ${problem.hint}` : "";
      const words = `${/** @type {Error} */ (problem).message}.${hint}`;
      if (this.isClosed) return announce(words); // the user has left this view and believes that the request is decided
      setText(error, words);
      release();
      this.refresh();
    }
  }
}

/** Go to the first request, if there is one. A second tap right after it must not hit the content there. */
export function toRequest() {
  const heading = byId("pending").querySelector("h2");
  heading?.scrollIntoView();
  heading?.focus();
  current?.settle();
}

/** Show a link to the requests while they are out of sight. */
function drawWay() {
  const { top, bottom } = byId("pending").getBoundingClientRect();
  byId("to-request").hidden = !byId("pending").childElementCount || (top < innerHeight && bottom > 0);
}

/** @param {string} name @param {unknown} value @returns {Node} */
function factNode(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const words = name.replaceAll("_", " ");
  return text.includes("\n")
    ? el("div", null, el("p.dim", null, words), el("pre", { tabindex: 0, role: "group", "aria-label": words }, isolated("code", text)))
    : el("p", null, `${words}: `, el("bdi", null, text));
}
