/** The field below a turn: what is typed steers it while it runs, and continues its thread afterwards. */

import { ApiError, post } from "../api.js";
import { announce, byId, hold, setText } from "../dom.js";
import { draft, keepDraft } from "../drafts.js";
import { store } from "../store.js";
import { isRunning } from "../text/words.js";
import { showStarted, startOnce } from "./started.js";

/** @typedef {import("../text/words.js").Turn} Turn */

/** Wire the form. */
/** @param {() => Turn|null} shown the turn that is shown */
export function startSaying(shown) {
  byId("say").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const turn = shown();
    if (turn) say(turn);
  });
  byId("say-text").addEventListener("input", () => keepDraft(nameOf(byId("turn").dataset.turn), byId("say-text").value));
  byId("say-text").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) byId("say").requestSubmit();
  });
}

/** @param {string} id of a turn @returns {string} of what is typed below it */
function nameOf(id) {
  return `say ${id}`;
}

/** What was typed is there again after a look at another turn, and a reload; what it may do is not. */
/** @param {string} id of the turn that is shown from now on */
export function openDraft(id) {
  byId("say-text").value = draft(nameOf(id));
  byId("say-write").checked = false;
  setText(byId("say-error"), "");
}

/** @param {Turn} turn */
export function drawSaying(turn) {
  const isLive = isRunning(turn);
  setText(byId("say-label"), isLive ? "Tell it more while it works" : "Continue on the same thread");
  setText(byId("say-send"), isLive ? "Steer" : "Continue");
  byId("say-rights").hidden = isLive || !store.session.may?.write;
}

/** @param {Turn} turn */
async function say(turn) {
  if (byId("say-send").disabled) return; // a second Ctrl+Enter, or one that is held: it would be told twice
  const field = byId("say-text");
  const text = field.value.trim();
  if (!text) {
    field.focus();
    return;
  }
  setText(byId("say-error"), "");
  const release = hold([byId("say-send")]);
  try {
    const next = isRunning(turn) ? await steer(turn, text) : await goOn(turn, text);
    if (draft(nameOf(turn.turn_id)).trim() === text) keepDraft(nameOf(turn.turn_id), "");
    if (byId("turn").dataset.turn === turn.turn_id && field.value.trim() === text) field.value = ""; // what was typed since stays
    if (next) showStarted(next);
    store.refresh();
  } catch (error) {
    const hint = error instanceof ApiError && error.hint ? ` ${error.hint}` : "";
    setText(byId("say-error"), `${/** @type {Error} */ (error).message}.${hint}`);
    field.focus();
  } finally {
    release();
  }
}

/** @param {Turn} turn @param {string} text @returns {Promise<null>} */
async function steer(turn, text) {
  await post(`turns/${encodeURIComponent(turn.turn_id)}/steer`, { text });
  announce("It was told.");
  return null;
}

/** The next turn; sent again after a lost answer it starts no second one. */
/** @param {Turn} turn @param {string} prompt @returns {Promise<{turn_id: string, existing?: boolean}>} */
async function goOn(turn, prompt) {
  const write = byId("say-write").checked && store.session.may?.write;
  const body = { prompt, ...(write ? { write: true } : {}) };
  return startOnce(`turns/${encodeURIComponent(turn.turn_id)}/continue`, body, nameOf(turn.turn_id));
}
