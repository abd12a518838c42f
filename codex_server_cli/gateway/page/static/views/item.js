/** Renders one item of a turn: a message, a command, a change, or another kind. Owns how each kind looks. */

import { byId, el, isolated } from "../dom.js";
import { unwrapped } from "../text/command.js";
import { changeLines, changeWords } from "../text/diff.js";
import { duration } from "../text/words.js";
import { diffNode } from "./diff.js";
import { codeNode, markdownNodes } from "./markdown.js";
import { markedIn, markIn } from "./marked.js";

/** @typedef {import("../text/items.js").Item} Item */

const FOCUSABLE = "a[href], summary, [tabindex]";
const SCROLLED = "pre, .scroll";
const MOST_CHARS = 100_000;
const MOST_MARKDOWN_CHARS = 500_000;
const SHORT_LINES = 14;
const SHORT_PATCH_LINES = 60;
const MOST_SAID_LINES = 40;
const LABELS = new Map([
  ["userMessage", "you"],
  ["steer", "you, meanwhile"],
  ["agentMessage", "codex"],
  ["reasoning", "thinking"],
  ["commandExecution", "command"],
  ["fileChange", "change"],
  ["steps", "plan"],
]);
/** Kinds that are identified by their icon. */
const NOTES = ["warning", "retry", "error"];
const STEPS = new Map([
  ["completed", "☑"],
  ["inProgress", "▸"],
]);

/**
 * @param {Item} item
 * @param {string} cwd of the turn: paths below it are shown relative to it
 * @returns {HTMLElement|null} null for an item without content
 */
export function itemNode(item, cwd) {
  const body = bodyOf(item, cwd);
  if (body === null) return null;
  const label = LABELS.get(item.kind) ?? item.kind;
  const isNote = NOTES.includes(item.kind);
  const head = isNote ? null : el("h2.kind", null, item.item?.phase === "commentary" ? "codex, meanwhile" : label);
  return el("article.item", { "data-kind": item.kind, "data-item": item.id, "data-done": item.isDone ? "true" : "false" }, head, body);
}

/** @param {Item} item @param {string} cwd @returns {Node[]|null} */
function bodyOf(item, cwd) {
  switch (item.kind) {
    case "userMessage":
    case "steer":
      return item.text ? saidNodes(item.text) : null;
    case "agentMessage":
    case "plan":
      if (item.text.length > MOST_MARKDOWN_CHARS) return [el("p.dim", null, "It is too long to be laid out: this is its text."), isolated("p.said", item.text)];
      return item.text || !item.isDone ? [el("div.markdown", null, markdownNodes(item.text))] : null;
    case "reasoning":
      return item.text ? [el("details", null, el("summary", null, firstLine(item.text)), el("div.markdown", null, markdownNodes(item.text)))] : null;
    case "commandExecution":
      return commandBody(item);
    case "fileChange":
      return changeBody(item, cwd);
    case "steps":
      return stepsBody(item.item?.plan ?? []);
    case "error":
      return [isolated("p.bad", `✗ ${item.text}`)];
    case "retry":
      return [isolated("p.dim", `↻ ${item.text}`)];
    case "warning":
      return item.text ? [isolated("p.dim", `! ${item.text}`)] : null;
    default:
      return otherBody(item);
  }
}

/** The user's input; a long paste is collapsed. */
/** @param {string} text @returns {Node[]} */
function saidNodes(text) {
  const lines = text.split("\n");
  if (lines.length <= MOST_SAID_LINES) return [isolated("p.said", text)];
  const rest = lines.slice(SHORT_LINES);
  const folded = el("details", null, el("summary", null, `${rest.length} more lines`), isolated("p.said", rest.join("\n")));
  return [isolated("p.said", lines.slice(0, SHORT_LINES).join("\n")), folded];
}

/** @param {string} text @returns {string} */
function firstLine(text) {
  const line = text.trim().split("\n")[0].replaceAll("**", "");
  return line.length > 120 ? `${line.slice(0, 119)}…` : line;
}

/** @param {Item} item @returns {Node[]} */
function commandBody(item) {
  const command = unwrapped(item.item.command);
  const nodes = [el("pre.command", { tabindex: 0, role: "group", "aria-label": "command" }, isolated("code", `$ ${command}`))];
  const output = item.text.slice(-MOST_CHARS).replace(/\n$/, ""); // users wait for its end
  const before = item.text.length - MOST_CHARS;
  if (before > 0) nodes.push(el("p.dim", null, `… ${before} characters before: codex-server show ${byId("turn").dataset.turn}`));
  if (output) {
    const lines = output.split("\n").length;
    const node = codeNode(output, "output");
    nodes.push(lines <= SHORT_LINES ? node : el("details.output", { open: !item.isDone }, el("summary", null, `output, ${lines} lines`), node));
  }
  if (item.isDone) nodes.push(exitNode(item.item));
  return nodes;
}

/** @param {any} item @returns {Node} */
function exitNode(item) {
  const code = item.exitCode;
  const took = typeof item.durationMs === "number" ? ` · ${duration(item.durationMs / 1000)}` : "";
  const words = code === null || code === undefined ? String(item.status ?? "") : `exit ${code}`;
  return el(code === 0 ? "p.exit.dim" : "p.exit.bad", null, `→ ${words}${took}`);
}

/** @param {Item} item @param {string} cwd @returns {Node[]|null} */
function changeBody(item, cwd) {
  const changes = item.item.changes ?? [];
  const word = item.isDone && item.item.status !== "completed" ? ` · ${item.item.status}` : "";
  return changes.length ? [...changesNodes(changes, cwd), word ? el("p.bad", null, word) : null].filter((node) => node !== null) : null;
}

/** @param {any[]} changes of a patch @param {string} cwd @returns {Node[]} */
function changesNodes(changes, cwd) {
  const shown = (/** @type {string} */ path) => (cwd && path.startsWith(`${cwd}/`) ? path.slice(cwd.length + 1) : path);
  return changes.map((change) => changeNode(change, shown, changeLines(change).length <= SHORT_PATCH_LINES));
}

/** A patch to approve: complete, with whole paths, nothing collapsed. */
/** @param {any[]} changes @returns {Node[]} */
export function askedChangesNodes(changes) {
  return changes.map((change) => changeNode(change, (path) => path, true, Infinity));
}

/** @param {any} change @param {(path: string) => string} shown @param {boolean} open @param {number} [most] lines @returns {Node} */
function changeNode(change, shown, open, most) {
  const path = shown(String(change.path ?? "?"));
  const words = changeWords(change, shown).map(({ look, text }) => [" ", el(`span.${look}`, null, look === "moved" ? el("bdi", null, text) : text)]);
  const summary = el("summary", null, "± ", el("bdi", null, path), el("span.counts", null, words));
  return el("details.file", { open }, summary, diffNode(changeLines(change), `diff of ${path}`, most));
}

/** @param {Array<{step: string, status: string}>} steps @returns {Node[]|null} */
function stepsBody(steps) {
  if (!steps.length) return null;
  return [el("ul.steps", { role: "list" }, steps.map((step) => el("li", { dir: "auto" }, `${STEPS.get(step.status) ?? "☐"} ${step.step}`)))];
}

/** @param {Item} item @returns {Node[]|null} */
function otherBody(item) {
  const { tool, server, query, status } = item.item;
  const what = query ? `⌕ ${query}` : tool ? `⚙ ${server ? `${server}.` : ""}${tool}` : item.text || `· ${item.kind}`;
  return [isolated("p.dim", `${what}${status && status !== "completed" ? ` → ${status}` : ""}`)];
}

/** Replace an item's node: what is expanded, scrolled, selected or focused stays so. */
/** @param {HTMLElement} old @param {HTMLElement} made */
export function replaceItem(old, made) {
  keepOpen(old, made);
  const focused = [...old.querySelectorAll(FOCUSABLE)].findIndex((node) => node === document.activeElement);
  const places = [...old.querySelectorAll(SCROLLED)].map((node) => [node.scrollLeft, node.scrollTop]);
  const marked = markedIn(old);
  old.replaceWith(made);
  made.querySelectorAll(SCROLLED).forEach((node, index) => {
    const [left, top] = places[index] ?? [0, 0];
    if (left || top) node.scrollTo(left, top);
  });
  if (focused >= 0) /** @type {HTMLElement|undefined} */ (made.querySelectorAll(FOCUSABLE)[focused])?.focus({ preventScroll: true });
  markIn(made, marked);
}

/** @param {HTMLElement} old @param {HTMLElement} made */
function keepOpen(old, made) {
  const before = old.querySelectorAll("details");
  made.querySelectorAll("details").forEach((node, index) => {
    if (before[index]) node.open = before[index].open;
  });
}
