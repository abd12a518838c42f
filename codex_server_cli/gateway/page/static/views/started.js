/** Starting a turn once, whatever becomes of the answer; and showing it. Owns when a key is at its end. */

import { ApiError, post } from "../api.js";
import { byId, setText } from "../dom.js";
import { endKey, keyOf } from "../drafts.js";

const BEFORE = "It was started before, by the same words, and the answer was lost. Start it once more for another turn.";

/**
 * Start a turn. Sent again after a lost answer it starts no second one, whatever it may do by then: that is not kept.
 * @param {string} path
 * @param {Record<string, unknown>} body
 * @param {string} name of where it is started
 * @returns {Promise<{turn_id: string, existing?: boolean}>}
 */
export async function startOnce(path, body, name) {
  const { prompt, cwd, name: called } = body;
  try {
    const started = await post(path, body, { "Idempotency-Key": keyOf(name, [prompt, cwd, called]) });
    endKey(name);
    return started;
  } catch (error) {
    if (error instanceof ApiError && error.status < 500) endKey(name); // nothing was started by it, nor will be
    throw error;
  }
}

/** @param {{turn_id: string, existing?: boolean}} started it is shown, and told where it was started before */
export function showStarted({ turn_id, existing }) {
  const tell = () => setText(byId("turn-error"), BEFORE);
  const address = `#/turn/${turn_id}`;
  if (existing && location.hash === address) tell();
  else if (existing) addEventListener("hashchange", tell, { once: true }); // behind the one that shows the turn
  location.hash = address;
}
