/** The entry point: connects the modules, and routes addresses to views. */

import { ApiError, closeSession, hooks, pause, renew, Unreachable } from "./api.js";
import { login, resumed, startDialogs } from "./dialogs.js";
import { announce, byId, setText } from "./dom.js";
import { endDrafts, forgetDrafts, startDrafts } from "./drafts.js";
import { startKeys } from "./keys.js";
import { store } from "./store.js";
import { drawTitle, focusTurn, startList } from "./views/list.js";
import { drawRights, startStartForm } from "./views/start.js";
import { leaveTurn, showTurn, startTurnView } from "./views/turn.js";
import { leaveUsage, showUsage } from "./views/usage.js";

const TURN = /^#\/turn\/([\w.-]+)$/;
let version = "";
/** A notice that stays until the page is reloaded. */
let news = "";

/** Show the view of the address. */
function route() {
  const left = document.body.dataset.view === "turn" ? byId("turn").dataset.turn : "";
  const turn = TURN.exec(location.hash)?.[1];
  const isUsage = location.hash === "#/usage";
  document.body.dataset.view = turn ? "turn" : isUsage ? "usage" : "list";
  if (turn) showTurn(turn);
  else leaveTurn();
  if (isUsage) showUsage();
  else leaveUsage();
  byId("welcome").hidden = Boolean(turn) || isUsage;
  byId("nav-usage").setAttribute("aria-current", isUsage ? "page" : "false");
  if (turn) byId("turn-title").focus({ preventScroll: true });
  if (isUsage) byId("usage-title").focus({ preventScroll: true });
  window.scrollTo(0, 0);
  if (left && !turn && !isUsage) focusTurn(left); // continue where the user was
  drawTitle();
}

/** @param {string} words of a problem; "" when it is over */
function notice(words) {
  setText(byId("notice"), [news, words].filter(Boolean).join(" "));
}

hooks.login = login;
hooks.resumed = resumed;
hooks.closed = () => {
  forgetDrafts();
  location.reload(); // leaves nothing readable
};
hooks.opened = (session) => {
  store.session = { ...store.session, ...session };
  const isNew = version !== "" && session.version !== undefined && session.version !== version;
  version ||= session.version ?? "";
  if (isNew) news = "codex-server was updated: load this page again.";
  notice("");
  setText(byId("place"), session.cwd ?? "");
  drawRights();
};
hooks.reachable = (isReachable) => {
  if (isReachable && document.body.dataset.connection === "down") announce("serve answers again.");
  setText(byId("connection"), isReachable ? "" : "serve does not answer. Trying again…");
  document.body.dataset.connection = isReachable ? "up" : "down";
};

store.addEventListener("trouble", (event) => {
  const error = /** @type {CustomEvent<ApiError>} */ (event).detail;
  notice(`${error.message} ${error.hint}`);
});
store.addEventListener("change", () => notice(""));

byId("logout").addEventListener("click", async () => {
  endDrafts();
  try {
    await closeSession();
    hooks.closed();
  } catch {
    news = "You are logged out here, but serve does not answer: there the session ends by itself.";
    notice("");
  }
});

byId("skip").addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault(); // the address names the view
  byId("main").focus();
});

/** Get a session first, however long that takes. */
async function begin() {
  for (;;) {
    try {
      await renew();
      break;
    } catch (error) {
      if (!(error instanceof Unreachable)) notice(/** @type {Error} */ (error).message);
      await pause(2000);
    }
  }
  byId("logout").hidden = store.session.needs_token === false;
  route();
  addEventListener("hashchange", route);
  await store.run();
}

startDrafts();
startDialogs();
startKeys();
startList();
startStartForm();
startTurnView();
begin();
