/** The form that starts a turn. By default a turn may only read. */

import { ApiError, get } from "../api.js";
import { openDialog } from "../dialogs.js";
import { byId, el, fill, hold, setText } from "../dom.js";
import { draft, dropDrafts, keepDraft } from "../drafts.js";
import { store } from "../store.js";
import { showStarted, startOnce } from "./started.js";

/** Fields that are kept as drafts. */
const FIELDS = ["start-prompt", "start-name", "start-cwd"];
let hasModels = false;

/** Attach the listeners. */
export function startStartForm() {
  drawRights();
  byId("new-turn").addEventListener("click", openStart);
  byId("start").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    send();
  });
  for (const id of FIELDS) byId(id).addEventListener("input", () => keepDraft(id, byId(id).value));
  byId("start-cancel").addEventListener("click", () => byId("start-dialog").close());
  byId("start-prompt").addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.repeat) byId("start").requestSubmit();
  });
}

/** Open the form; drafts are restored, but no permissions. */
export function openStart() {
  for (const id of FIELDS) byId(id).value ||= draft(id);
  byId("start-sandbox").value = "read-only";
  byId("start-ask").checked = false;
  setText(byId("start-error"), "");
  openDialog("start-dialog", "start-prompt");
  if (!hasModels) loadModels();
}

/** Show what the session allows, which may be known only after the form is open. */
export function drawRights() {
  const { may, cwd } = store.session;
  byId("start-cwd").placeholder = cwd ?? "";
  byId("start-write").hidden = !may?.write;
  byId("start-full").hidden = !may?.all;
  byId("start-ask-row").hidden = !may?.approve;
  setText(byId("start-rights"), !may || may.write ? "" : "Turns of this serve only read: it was started without --write.");
}

async function loadModels() {
  try {
    const found = (await get("v1/models")).data ?? [];
    const options = found.map((/** @type {any} */ model) => el("option", { value: model.id }, model.id));
    fill(byId("start-model"), el("option", { value: "" }, "the default"), options);
    hasModels = true;
  } catch {
    // another provider has no catalogue, or Codex has no login: keep the default; starting reports what is wrong
  }
}

/** @returns {Record<string, unknown>} */
function body() {
  const model = byId("start-model").value;
  const cwd = byId("start-cwd").value.trim();
  const name = byId("start-name").value.trim();
  return {
    prompt: byId("start-prompt").value,
    sandbox: byId("start-sandbox").value,
    ...(cwd ? { cwd } : {}),
    ...(name ? { name } : {}),
    ...(model ? { model } : {}),
    ...(byId("start-questions").checked ? { questions: true } : {}),
    ...(byId("start-ask").checked && store.session.may?.approve ? { approval: "ask" } : {}),
  };
}

async function send() {
  if (byId("start-send").disabled) return; // a second or repeating Ctrl+Enter
  if (!byId("start-prompt").value.trim()) {
    setText(byId("start-error"), "Say what to do.");
    byId("start-prompt").focus();
    return;
  }
  const sent = body();
  setText(byId("start-error"), "");
  const release = hold([byId("start-send")]);
  try {
    const started = await startOnce("turns", sent, "start");
    byId("start-dialog").close();
    if (byId("start-prompt").value === sent.prompt) {
      byId("start").reset(); // later text stays
      dropDrafts("start-");
    }
    store.refresh();
    showStarted(started);
  } catch (error) {
    const hint = error instanceof ApiError && error.hint ? ` ${error.hint}` : "";
    setText(byId("start-error"), `${/** @type {Error} */ (error).message}.${hint}`);
  } finally {
    release();
  }
}
