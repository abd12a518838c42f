/** The field below a turn: its text steers a running turn, or continues the thread of an ended one. */

import { ApiError, post } from "../api.js";
import { announce, byId, hold, setText } from "../dom.js";
import { draft, keepDraft } from "../drafts.js";
import { store } from "../store.js";
import { isRunning } from "../text/words.js";
import { showStarted, startOnce } from "./started.js";

/** @typedef {import("../text/words.js").Turn} Turn */

/** Attach the listeners. */
/** @param {() => Turn|null} shown returns the displayed turn */
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

/** @param {string} id of a turn @returns {string} the name of its draft */
function nameOf(id) {
  return `say ${id}`;
}

/** Restore the draft after a switch of turns or a reload; permissions are not restored. */
/** @param {string} id of the turn that is displayed from now on */
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
  if (byId("say-send").disabled) return; // a second or repeating Ctrl+Enter would send it twice
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
    if (byId("turn").dataset.turn === turn.turn_id && field.value.trim() === text) field.value = ""; // later text stays
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

/** Start the next turn; repeated after a lost response, it starts no second one. */
/** @param {Turn} turn @param {string} prompt @returns {Promise<{turn_id: string, existing?: boolean}>} */
async function goOn(turn, prompt) {
  const write = byId("say-write").checked && store.session.may?.write;
  const body = { prompt, ...(write ? { write: true } : {}) };
  return startOnce(`turns/${encodeURIComponent(turn.turn_id)}/continue`, body, nameOf(turn.turn_id));
}
