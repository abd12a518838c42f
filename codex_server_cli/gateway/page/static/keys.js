/** Single-key shortcuts outside text fields; they can be turned off, for users of speech input. */

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

/** Attach the listener. */
export function startKeys() {
  const box = byId("keys-on");
  try {
    box.checked = localStorage.getItem(OFF) === null;
  } catch {
    box.checked = true; // no storage: shortcuts are on
  }
  box.addEventListener("change", () => {
    try {
      if (box.checked) localStorage.removeItem(OFF);
      else localStorage.setItem(OFF, "1");
    } catch {
      // then for this tab only
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

/** Run an action in the list, which a narrow window hides while it displays a turn. */
/** @param {() => void} act */
function inList(act) {
  if (byId("turns").getClientRects().length) return act();
  addEventListener("hashchange", act, { once: true }); // after the listener that shows the list
  location.hash = "#/";
}

/** @param {EventTarget|null} target */
function isField(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
}

/** @param {EventTarget|null} target whether it takes letters, which a check box does not */
function isTyping(target) {
  return isField(target) && !(/** @type {HTMLElement} */ (target).matches("[type=checkbox], [type=radio]"));
}

/** Escape: leave a field, clear the filter, return to the list. */
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
