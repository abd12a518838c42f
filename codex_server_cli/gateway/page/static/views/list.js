/** The list of turns: live, filtered, walked by keys. Owns which row is looked at. */

import { announce, byId, el, fill, setText } from "../dom.js";
import { store } from "../store.js";
import { age, isRunning, lookOf, startedMs, stateWords, titleOf, tokens } from "../text/words.js";

/** @typedef {import("../text/words.js").Turn} Turn */

const AGE_MS = 15_000;
/** @type {Map<string, HTMLElement>} id → its row */
const rows = new Map();
let open = "";

/** Draw it whenever something has changed. */
export function startList() {
  store.addEventListener("change", draw);
  store.addEventListener("moved", (event) => tell(/** @type {CustomEvent} */ (event).detail));
  byId("filter").addEventListener("input", draw);
  byId("more").addEventListener("click", () => store.more());
  setInterval(draw, AGE_MS);
}

/** @param {string} id of the turn that is shown; "" for none */
export function setOpen(id) {
  open = id;
  draw();
}

/** Move the focus by so many rows. */
/** @param {number} by */
export function move(by) {
  const links = /** @type {HTMLElement[]} */ ([...byId("turn-list").querySelectorAll("a")]);
  if (!links.length) return;
  const now = links.findIndex((link) => link === document.activeElement);
  const from = now >= 0 ? now : links.findIndex((link) => link.getAttribute("aria-current") === "true");
  const next = links[from < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, from + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function draw() {
  const wanted = byId("filter").value.trim().toLowerCase();
  const shown = store.turns.filter((turn) => !wanted || textOf(turn).includes(wanted));
  const list = byId("turn-list");
  const nodes = shown.map(rowOf);
  const isSame = nodes.length === list.children.length && nodes.every((node, index) => node === list.children[index]);
  if (!isSame) place(list, nodes);
  for (const id of [...rows.keys()]) if (!store.turn(id)) rows.delete(id);
  byId("more").hidden = !store.hasMore;
  const words = !store.isLoaded ? "Loading…" : !store.turns.length ? "There is no turn yet. Start one: n" : !shown.length ? noMatch() : "";
  setText(byId("list-note"), words);
  const waiting = store.turns.filter((turn) => turn.pending?.length && isRunning(turn)).length;
  document.title = `${waiting ? `(${waiting}) ` : ""}codex-server`;
}

/** @returns {string} */
function noMatch() {
  return store.hasMore ? `None of the newest ${store.turns.length} turns matches. “Older turns” looks further back.` : "No turn matches.";
}

/** Put the rows in their order; one with the focus keeps it. */
/** @param {Element} list @param {HTMLElement[]} nodes */
function place(list, nodes) {
  const focused = document.activeElement;
  fill(list, nodes);
  if (focused instanceof HTMLElement && list.contains(focused)) focused.focus();
}

/** @param {Turn} turn */
function textOf(turn) {
  return `${titleOf(turn)} ${turn.turn_id} ${stateWords(turn)} ${turn.cwd ?? ""}`.toLowerCase();
}

/** @param {Turn} turn @returns {HTMLElement} its row, brought up to date */
function rowOf(turn) {
  let row = rows.get(turn.turn_id);
  if (!row) {
    row = /** @type {HTMLElement} */ (
      el("li", { "data-turn": turn.turn_id },
        el("a", { href: `#/turn/${turn.turn_id}` },
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

/** Tell of what needs somebody, and of ends; not of each phase. */
/** @param {{turn: Turn, old: Turn|undefined}} moved */
function tell({ turn, old }) {
  const isNews = turn.phase?.startsWith("waiting_") || (!isRunning(turn) && (!old || isRunning(old)));
  if (isNews) announce(`${titleOf(turn)}: ${stateWords(turn)}`);
}
