/** The list of turns: live, filtered, with keyboard navigation. Owns which row is focused. */

import { announce, byId, el, setText } from "../dom.js";
import { store } from "../store.js";
import { age, counted, isRunning, lookOf, startedMs, stateWords, titleOf, tokens } from "../text/words.js";

/** @typedef {import("../text/words.js").Turn} Turn */

const AGE_MS = 15_000;
/** The number of matches is announced to screen readers after this pause in typing. */
const TOLD_MS = 700;
/** @type {Map<string, HTMLElement>} id → row, for displayed turns */
const rows = new Map();
let open = "";
let telling = 0;
/** The number of rows when more were requested; -1 if none were. */
let rowsBefore = -1;

/** Redraw it on every change. */
export function startList() {
  store.addEventListener("change", draw);
  store.addEventListener("moved", (event) => tell(/** @type {CustomEvent} */ (event).detail));
  byId("filter").addEventListener("input", () => {
    rowsBefore = -1;
    store.find(byId("filter").value);
    tellMatches();
  });
  byId("filter").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.isComposing || !["Enter", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    focusRow(0);
  });
  byId("more").addEventListener("click", () => {
    rowsBefore = byId("turn-list").children.length;
    store.more();
  });
  setInterval(draw, AGE_MS);
}

/** @param {string} id of the displayed turn; "" for none */
export function setOpen(id) {
  open = id;
  draw();
}

/** Move the focus by this many rows. */
/** @param {number} by */
export function move(by) {
  const links = /** @type {HTMLElement[]} */ ([...byId("turn-list").querySelectorAll("a")]);
  if (!links.length) return;
  const now = links.findIndex((link) => link === document.activeElement);
  const from = now >= 0 ? now : links.findIndex((link) => link.getAttribute("aria-current") === "true");
  focusRow(from < 0 ? (by > 0 ? 0 : links.length - 1) : Math.max(0, from + by));
}

/** @param {number} index of a row; the last row if there are fewer */
function focusRow(index) {
  const all = byId("turn-list").children;
  const link = all[Math.min(index, all.length - 1)]?.querySelector("a");
  link?.focus();
  link?.scrollIntoView({ block: "nearest" });
}

function draw() {
  const { listing } = store;
  const nodes = listing.shown.map(rowOf);
  place(byId("turn-list"), nodes);
  for (const [id, row] of rows) if (!row.isConnected) rows.delete(id);
  if (rowsBefore >= 0 && !listing.isSeeking) tellMore(nodes.length);
  byId("more").hidden = !listing.hasMore;
  setText(byId("list-note"), listing.words);
  const waiting = store.turns.filter((turn) => turn.pending?.length && isRunning(turn)).length;
  byId("turn-list").dataset.waiting = String(waiting);
  drawTitle();
}

/** The window title: how many turns wait for a person, and what is displayed. */
export function drawTitle() {
  const { view } = document.body.dataset;
  const name = view === "turn" ? byId("turn-title").textContent : view === "usage" ? "Usage" : "";
  const waiting = Number(byId("turn-list").dataset.waiting ?? 0);
  const title = `${waiting ? `(${waiting}) ` : ""}${name ? `${name} · ` : ""}codex-server`;
  if (document.title !== title) document.title = title;
}

/** Focus a turn, if it is in the list. */
/** @param {string} id */
export function focusTurn(id) {
  const row = rows.get(id);
  if (row) focusRow([...byId("turn-list").children].indexOf(row));
}

/** Announce the number of matches, once it is known. */
/** @param {boolean} [isSaid] whether the search of older turns was announced already */
function tellMatches(isSaid = false) {
  clearTimeout(telling);
  if (!store.listing.filter) return;
  telling = window.setTimeout(() => {
    const { isSeeking, words } = store.listing;
    if (!isSeeking) announce(words);
    else if (!isSaid) announce("Searching older turns…");
    if (isSeeking) tellMatches(true);
  }, TOLD_MS);
}

/** Announce how many rows were added; the button may disappear while it has the focus. */
/** @param {number} count of rows */
function tellMore(count) {
  announce(count > rowsBefore ? `${counted(count - rowsBefore, "more turn")} shown.` : "There are no more.");
  if (document.activeElement === byId("more") && !store.listing.hasMore) focusRow(rowsBefore);
  rowsBefore = -1;
}

/** Order the rows. A row that stays is not touched, so it keeps the focus; that of a removed row goes to the next. */
/** @param {Element} list @param {HTMLElement[]} nodes */
function place(list, nodes) {
  const wanted = new Set(nodes);
  const before = /** @type {HTMLElement[]} */ ([...list.children]);
  const focused = before.findIndex((node) => node.contains(document.activeElement));
  for (const node of before) if (!wanted.has(node)) node.remove();
  nodes.forEach((node, index) => {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
  if (focused >= 0 && !before[focused].isConnected) focusRow(focused);
}

/** @param {Turn} turn @returns {HTMLElement} its row, brought up to date */
function rowOf(turn) {
  let row = rows.get(turn.turn_id);
  if (!row) {
    row = /** @type {HTMLElement} */ (
      el("li", { "data-turn": turn.turn_id },
        el("a", { href: `#/turn/${turn.turn_id}`, onclick: () => turn.turn_id === open && byId("turn-title").focus() },
          el("span.glyph", { "aria-hidden": "true" }), el("span.title", { dir: "auto" }), el("span.facts")))
    );
    rows.set(turn.turn_id, row);
  }
  const { glyph, look } = lookOf(turn);
  const [link] = row.children;
  const [mark, title, facts] = link.children;
  row.dataset.state = turn.state;
  row.dataset.phase = turn.phase ?? "";
  link.setAttribute("aria-current", String(turn.turn_id === open));
  mark.className = `glyph ${look}`;
  setText(mark, glyph);
  setText(title, titleOf(turn));
  const used = tokens(turn.usage?.total_tokens);
  const parts = [turn.short_id, stateWords(turn), age(startedMs(turn), Date.now()), used && `${used} tokens`];
  setText(facts, parts.filter(Boolean).join(" · "));
  return row;
}

/** Announce turns that need a person, and turns that have ended; not every phase. */
/** @param {{turn: Turn, old: Turn|undefined}} moved */
function tell({ turn, old }) {
  const isNews = turn.phase?.startsWith("waiting_") || (!isRunning(turn) && (!old || isRunning(old)));
  if (isNews) announce(`${titleOf(turn)}: ${stateWords(turn)}`);
}
