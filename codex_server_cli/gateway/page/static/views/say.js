/** The field below a turn: what is typed steers it while it runs, and continues its thread afterwards. */

import { ApiError, post } from "../api.js";
import { announce, byId, setText } from "../dom.js";
import { store } from "../store.js";
import { isRunning } from "../text/words.js";

/** @typedef {import("../text/words.js").Turn} Turn */

/** By turn: what was typed is there again after a look at another one. @type {Map<string, string>} */
const drafts = new Map();
let key = "";
let lastCall = "";

/** Wire the form. */
/** @param {() => Turn|null} shown the turn that is shown */
export function startSaying(shown) {
  byId("say").addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    const turn = shown();
    if (turn) say(turn);
  });
  byId("say-text").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) byId("say").requestSubmit();
  });
}

/** @param {string} id of the turn that is shown from now on */
export function openDraft(id) {
  byId("say-text").value = drafts.get(id) ?? "";
  byId("say-write").checked = false;
  setText(byId("say-error"), "");
}

/** @param {string} id of the turn that is left */
export function closeDraft(id) {
  drafts.set(id, byId("say-text").value);
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
  byId("say-send").disabled = true;
  try {
    const next = isRunning(turn) ? await steer(turn, text) : await goOn(turn, text);
    drafts.delete(turn.turn_id);
    if (byId("turn").dataset.turn === turn.turn_id && field.value.trim() === text) field.value = ""; // what was typed since stays
    if (next) location.hash = `#/turn/${next}`;
    store.refresh();
  } catch (error) {
    const hint = error instanceof ApiError && error.hint ? ` ${error.hint}` : "";
    setText(byId("say-error"), `${/** @type {Error} */ (error).message}.${hint}`);
    field.focus();
  } finally {
    byId("say-send").disabled = false;
  }
}

/** @param {Turn} turn @param {string} text @returns {Promise<null>} */
async function steer(turn, text) {
  await post(`turns/${encodeURIComponent(turn.turn_id)}/steer`, { text });
  announce("It was told.");
  return null;
}

/** The next turn; sent again after a lost answer it starts no second one. */
/** @param {Turn} turn @param {string} prompt @returns {Promise<string>} its id */
async function goOn(turn, prompt) {
  const write = byId("say-write").checked && store.session.may?.write;
  const body = { prompt, ...(write ? { write: true } : {}) };
  const call = JSON.stringify([turn.turn_id, body]);
  if (lastCall !== call) key = newKey();
  lastCall = call;
  const started = await post(`turns/${encodeURIComponent(turn.turn_id)}/continue`, body, { "Idempotency-Key": key });
  lastCall = ""; // the same words once more are meant as a turn of their own
  return started.turn_id;
}

/** @returns {string} a key for one start; without `randomUUID`, which plain http lacks beyond this machine */
export function newKey() {
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].join("-");
}
