/** Starts a turn exactly once, even if the response is lost, and displays it. Owns when an idempotency key expires. */

import { ApiError, post } from "../api.js";
import { byId, setText } from "../dom.js";
import { endKey, keyOf } from "../drafts.js";

const BEFORE = "It was started before, by the same words, and the answer was lost. Start it once more for another turn.";

/**
 * Start a turn. Repeated after a lost response, it starts no second turn, whatever its permissions: they are not kept.
 * @param {string} path
 * @param {Record<string, unknown>} body
 * @param {string} name of the form
 * @returns {Promise<{turn_id: string, existing?: boolean}>}
 */
export async function startOnce(path, body, name) {
  const { prompt, cwd, name: called } = body;
  try {
    const started = await post(path, body, { "Idempotency-Key": keyOf(name, [prompt, cwd, called]) });
    endKey(name);
    return started;
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) endKey(name); // this key has started nothing, and never will
    throw error;
  }
}

/** @param {{turn_id: string, existing?: boolean}} started displayed, with a notice if it was started earlier */
export function showStarted({ turn_id, existing }) {
  const tell = () => setText(byId("turn-error"), BEFORE);
  const address = `#/turn/${turn_id}`;
  if (existing && location.hash === address) tell();
  else if (existing) addEventListener("hashchange", tell, { once: true }); // after the listener that displays the turn
  location.hash = address;
}
