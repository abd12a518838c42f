/**
 * What was typed and not sent, kept over a reload of this tab. Owns where: the storage of the tab, which ends with it. Never
 * here: a secret, or a consent.
 */

import { Drafts, markOf } from "./text/drafts.js";

const KEY = `codex-server-drafts ${new URL(".", location.href).pathname}`;
/** Which log out was the last one before. */
const LOGOUT = `codex-server-logout ${new URL(".", location.href).pathname}`;
const WRITTEN_MS = 300;
const drafts = new Drafts();
let writing = 0;
/** The last log out that this tab knows of. */
let logout = "";

/** Read what there is, and write the rest before the page goes. */
export function startDrafts() {
  try {
    logout = localStorage.getItem(LOGOUT) ?? "";
    if (logout === (sessionStorage.getItem(LOGOUT) ?? "")) drafts.read(sessionStorage.getItem(KEY) ?? "");
    else write();
  } catch {
    // for who lets no page store anything: a draft lives as long as the page
  }
  addEventListener("pagehide", write);
  document.addEventListener("visibilitychange", write); // a phone ends a hidden page without a word
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
    // as above, and for who has no room left
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

/** @param {string} name @param {string} text "" where there is nothing to keep */
export function keepDraft(name, text) {
  drafts.set(name, text);
  writeSoon();
}

/** @param {string} beginning of names @param {string[]} [but] beginnings of those that stay */
export function dropDrafts(beginning, but) {
  drafts.drop(beginning, but);
  writeSoon();
}

/** At a log out here: those of this tab, and those of a tab that shows another page just now. */
export function endDrafts() {
  logout = newKey();
  try {
    localStorage.setItem(LOGOUT, logout);
  } catch {
    // as above: no other tab has stored anything either
  }
  forgetDrafts();
}

/** At any log out: at once, and what stands in a field as well. */
export function forgetDrafts() {
  drafts.drop("");
  write();
  for (const form of document.forms) form.reset();
}

/**
 * The key of a call that starts a turn: the same again, also after a lost answer and a reload, starts no second one.
 * @param {string} name of where it is started
 * @param {unknown} call
 * @returns {string}
 */
export function keyOf(name, call) {
  const mark = markOf(JSON.stringify(call));
  const [known, key] = drafts.get(`key ${name}`).split(" ");
  if (known === mark && key) return key;
  const made = newKey();
  keepDraft(`key ${name}`, `${mark} ${made}`);
  write(); // before the call is on its way
  return made;
}

/** The call was answered: the same words once more are meant as a turn of their own. */
/** @param {string} name */
export function endKey(name) {
  keepDraft(`key ${name}`, "");
}

/** @returns {string} without `randomUUID`, which plain http lacks beyond this machine */
function newKey() {
  return crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint32Array(4))].join("-");
}
