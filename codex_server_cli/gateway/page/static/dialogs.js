/** Dialogs: the browser's native ones, which trap the focus and restore it. */

import { openSession } from "./api.js";
import { byId, setText } from "./dom.js";

let isLoggingIn = false;
let endLogin = () => {};

/** A session was opened in another tab. */
export function resumed() {
  if (isLoggingIn) endLogin();
}

/** @param {string} id @param {string} [focus] the id of the element to focus */
export function openDialog(id, focus) {
  const dialog = byId(id);
  if (!dialog.open) dialog.showModal();
  if (focus) byId(focus).focus();
}

/** Ask for confirmation of an action that cannot be undone. */
/** @param {string} title @param {string} words @param {string} yes @param {string} no @returns {Promise<boolean>} */
export function confirmed(title, words, yes, no) {
  const dialog = byId("confirm-dialog");
  setText(byId("confirm-title"), title);
  setText(byId("confirm-words"), words);
  setText(byId("confirm-yes"), yes);
  setText(byId("confirm-no"), no);
  dialog.returnValue = "";
  dialog.showModal();
  byId("confirm-no").focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** Ask for the token until it is correct. Text typed into the page stays: the dialog lies above it. */
/** @returns {Promise<void>} */
export function login() {
  const dialog = byId("login-dialog");
  isLoggingIn = true;
  openDialog("login-dialog", "token");
  return new Promise((resolve) => {
    const end = () => {
      isLoggingIn = false;
      byId("token").value = "";
      setText(byId("login-error"), "");
      dialog.close();
      resolve();
    };
    endLogin = end;
    byId("login").onsubmit = async (/** @type {Event} */ event) => {
      event.preventDefault();
      byId("login-send").disabled = true;
      try {
        await openSession(byId("token").value);
        end();
      } catch (error) {
        setText(byId("login-error"), `${/** @type {Error} */ (error).message}.`);
        byId("token").focus();
      } finally {
        byId("login-send").disabled = false;
      }
    };
  });
}

/** Attach the listeners once. */
export function startDialogs() {
  const login = byId("login-dialog");
  login.addEventListener("cancel", (/** @type {Event} */ event) => event.preventDefault()); // no use without a login
  login.addEventListener("close", () => isLoggingIn && login.showModal()); // repeated Escapes close it all the same
  for (const id of ["confirm-yes", "confirm-no"]) {
    byId(id).addEventListener("click", () => byId("confirm-dialog").close(id === "confirm-yes" ? "yes" : "no"));
  }
  byId("help-button").addEventListener("click", () => openDialog("help-dialog", "help-title"));
  byId("help-close").addEventListener("click", () => byId("help-dialog").close());
}
