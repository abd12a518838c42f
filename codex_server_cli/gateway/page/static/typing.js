/**
 * Whether a key was meant for a field that has just disappeared: the user types on for a moment, and must not trigger
 * shortcuts. Owns how long that is. Never here: the field.
 */

const STILL_MS = 1000;
let goneAt = -Infinity;

/** A field that may have been in use has disappeared. */
export function fieldGone() {
  goneAt = performance.now();
}

/** @returns {boolean} whether the current key still belongs to that field; the next one may, too */
export function isForGoneField() {
  const is = performance.now() - goneAt < STILL_MS;
  if (is) goneAt = performance.now();
  return is;
}
