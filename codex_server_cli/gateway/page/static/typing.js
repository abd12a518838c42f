/**
 * Whether a key was meant for a field that has just gone: who types goes on for a moment, and not to give commands. Owns how
 * long that is. Never here: the field.
 */

const STILL_MS = 1000;
let goneAt = -Infinity;

/** A field is gone into which something may be being typed. */
export function fieldGone() {
  goneAt = performance.now();
}

/** @returns {boolean} whether the key that is pressed now still belongs to it; the next one may, too, then */
export function isForGoneField() {
  const is = performance.now() - goneAt < STILL_MS;
  if (is) goneAt = performance.now();
  return is;
}
