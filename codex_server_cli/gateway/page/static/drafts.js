/**
 * Unsent text, kept over a reload of this tab. Owns where: the session storage of the tab. Never here: secrets,
 * permissions.
 */

import { Drafts, markOf } from "./text/drafts.js";

const KEY = `codex-server-drafts ${new URL(".", location.href).pathname}`;
/** The storage key that identifies the latest log out. */
const LOGOUT = `codex-server-logout ${new URL(".", location.href).pathname}`;
const WRITTEN_MS = 300;
const drafts = new Drafts();
let writing = 0;
/** The latest log out that this tab knows. */
let logout = "";

/** Load the drafts, and save them before the page is closed. */
export function startDrafts() {
  try {
    logout = localStorage.getItem(LOGOUT) ?? "";
    if (logout === (sessionStorage.getItem(LOGOUT) ?? "")) drafts.read(sessionStorage.getItem(KEY) ?? "");
    else write();
  } catch {
    // storage is disabled: drafts live as long as the page
  }
  addEventListener("pagehide", write);
  document.addEventListener("visibilitychange", write); // a phone closes a hidden page without notice
}

function write() {
  clearTimeout(writing);
  const written = drafts.written();
  try {
    if (!written) {
      for (const key of [KEY, LOGOUT]) sessionStorage.removeItem(key);
      return;
    }
    sessionStorage.setItem(KEY, written);
    sessionStorage.setItem(LOGOUT, logout);
  } catch {
    // as above, or the storage is full
  }
}

function writeSoon() {
  clearTimeout(writing);
  writing = window.setTimeout(write, WRITTEN_MS);
}

/** @param {string} name @returns {string} */
export function draft(name) {
  return drafts.get(name);
}

/** @param {string} name @param {string} text "" to drop it */
export function keepDraft(name, text) {
  drafts.set(name, text);
  writeSoon();
}

/** @param {string} beginning prefix of names @param {string[]} [but] prefixes of those to keep */
export function dropDrafts(beginning, but) {
  drafts.drop(beginning, but);
  writeSoon();
}

/** After a log out here: drop this tab's drafts, and those of tabs that show another page now. */
export function endDrafts() {
  logout = newKey();
  try {
    localStorage.setItem(LOGOUT, logout);
  } catch {
    // as above: then no other tab has stored anything either
  }
  forgetDrafts();
}

/** After any log out: drop drafts at once, and the text in fields as well. */
export function forgetDrafts() {
  drafts.drop("");
  write();
  for (const form of document.forms) form.reset();
}

/**
 * The idempotency key of a call that starts a turn: repeated after a lost response or a reload, it starts only one.
 * @param {string} name of the form
 * @param {unknown} call
 * @returns {string}
 */
export function keyOf(name, call) {
  const mark = markOf(JSON.stringify(call));
  const [known, key] = drafts.get(`key ${name}`).split(" ");
  if (known === mark && key) return key;
  const made = newKey();
  keepDraft(`key ${name}`, `${mark} ${made}`);
  write(); // before the call is sent
  return made;
}

/** The call was answered: the same text again starts another turn. */
/** @param {string} name */
export function endKey(name) {
  keepDraft(`key ${name}`, "");
}

/** @returns {string} also without `randomUUID`, which plain http lacks except on localhost */
function newKey() {
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].join("-");
}
