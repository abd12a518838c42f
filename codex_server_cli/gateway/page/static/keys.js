/** Single keys, where nothing is being typed; they can be turned off, for those who speak to their machine. */

import { openDialog } from "./dialogs.js";
import { byId } from "./dom.js";
import { isForGoneField } from "./typing.js";
import { move } from "./views/list.js";
import { toRequest } from "./views/pending.js";
import { openStart } from "./views/start.js";

const OFF = "codex-server-keys-off";

/** @type {Map<string, () => void>} */
const KEYS = new Map([
  ["j", () => inList(() => move(1))],
  ["k", () => inList(() => move(-1))],
  ["/", () => inList(() => byId("filter").focus())],
  ["n", openStart],
  ["u", () => (location.hash = "#/usage")],
  ["r", toRequest],
  ["s", () => byId("say-text").focus()],
  ["?", () => openDialog("help-dialog", "help-title")],
]);

/** Listen. */
export function startKeys() {
  const box = byId("keys-on");
  try {
    box.checked = localStorage.getItem(OFF) === null;
  } catch {
    box.checked = true; // no storage: they are on
  }
  box.addEventListener("change", () => {
    try {
      if (box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    } catch {
      // for this tab alone, then
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") leave();
    const act = KEYS.get(event.key);
    if (!act || !box.checked || isTyping(event.target) || isForGoneField()) return;
    event.preventDefault();
    act();
  });
}

/** Do something in the list, which a narrow window hides while it shows a turn. */
/** @param {() => void} act */
function inList(act) {
  if (byId("turns").getClientRects().length) return act();
  addEventListener("hashchange", act, { once: true }); // behind the one that shows the list
  location.hash = "#/";
}

/** @param {EventTarget|null} target */
function isField(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

/** @param {EventTarget|null} target whether a letter is for it, as it is not for a box to tick */
function isTyping(target) {
  return isField(target) && !(/** @type {HTMLElement} */ (target).matches("[type=checkbox], [type=radio]"));
}

/** Escape: out of a field, out of the filter, back to the list. */
function leave() {
  const filter = byId("filter");
  if (document.activeElement === filter && filter.value) {
    filter.value = "";
    filter.dispatchEvent(new Event("input"));
  } else if (isField(document.activeElement)) {
    /** @type {HTMLElement} */ (document.activeElement).blur();
  } else if (location.hash !== "" && location.hash !== "#/") {
    location.hash = "#/";
  }
}
