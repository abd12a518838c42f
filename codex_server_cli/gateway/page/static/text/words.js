/**
 * Text about a turn: its state, title, age, tokens. The same words as on a terminal (`render/turns`). Pure: no DOM, no
 * clock.
 */

import { oneLine } from "./safe.js";

/** @typedef {{turn_id: string, short_id?: string, state: string, phase?: string|null, name?: string|null, prompt?: string|null,
 *   cwd?: string|null, thread_id?: string|null, started_at?: string|null, finished_at?: string|null, elapsed_s?: number|null,
 *   usage?: {total_tokens?: number}|null, pending?: Array<{id: string, kind: string, message: string}>,
 *   error?: {kind?: string, message?: string, hint?: string}|null}} Turn */

/** Phase or state → glyph and colour class; the glyphs differ too, not only the colours. */
const LOOKS = new Map([
  ["waiting_approval", ["!", "warn"]],
  ["waiting_input", ["!", "warn"]],
  ["queued", ["·", "dim"]],
  ["complete", ["✓", "good"]],
  ["cancelled", ["–", "dim"]],
  ["failed", ["✗", "bad"]],
  ["abandoned", ["✗", "bad"]],
  ["unreadable", ["?", "dim"]],
  ["missing", ["?", "bad"]],
]);

/** @param {Turn} turn @returns {{glyph: string, look: string}} */
export function lookOf(turn) {
  const [glyph, look] = LOOKS.get(turn.phase || turn.state) ?? ["●", "live"];
  return { glyph, look };
}

/** @param {Turn} turn @returns {string} `running command`, `waits for approval`, `failed (rate_limit)` */
export function stateWords(turn) {
  if (turn.phase === "waiting_approval") return "waits for approval";
  if (turn.phase === "waiting_input") return "waits for an answer";
  if (turn.phase) return turn.phase.replaceAll("_", " ");
  const kind = turn.error?.kind;
  return kind && kind !== turn.state ? `${turn.state} (${kind})` : turn.state;
}

/** @param {Turn} turn @returns {string} its name, or the beginning of its prompt */
export function titleOf(turn) {
  return oneLine(turn.name || turn.prompt || "", 160) || "(no prompt)";
}

/** @param {Turn} turn @returns {boolean} whether it has not ended */
export function isRunning(turn) {
  return turn.state === "running";
}

/**
 * @param {number|null} then Unix milliseconds
 * @param {number} now
 * @returns {string} `now`, `42s`, `3m`, `2h`, `5d`, `3y`
 */
export function age(then, now) {
  if (then === null || Number.isNaN(then)) return "";
  const seconds = Math.floor(Math.max(now - then, 0) / 1000);
  if (seconds < 5) return "now";
  for (const [length, unit] of /** @type {Array<[number, string]>} */ ([
    [31_536_000, "y"],
    [86_400, "d"],
    [3600, "h"],
    [60, "m"],
  ])) {
    if (seconds >= length) return `${Math.floor(seconds / length)}${unit}`;
  }
  return `${seconds}s`;
}

/** @param {Turn} turn @returns {number|null} its start, Unix milliseconds: from its record, or from its id */
export function startedMs(turn) {
  if (turn.started_at) return Date.parse(turn.started_at);
  const found = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)/.exec(turn.turn_id);
  if (!found) return null;
  const [year, month, day, hour, minute, second] = found.slice(1).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** @param {number} seconds @returns {string} `0.9 s`, `12 s`, `3 min 5 s`, `2 h 4 min` */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/** @param {number|null|undefined} count @returns {string} `940`, `12.3k`, `4.1M`; "" if unknown */
export function tokens(count) {
  if (count === null || count === undefined) return "";
  if (count < 1000) return `${count}`;
  if (count < 1e6) return `${(count / 1000).toFixed(count < 1e5 ? 1 : 0)}k`;
  return `${(count / 1e6).toFixed(1)}M`;
}

/** @param {number} count @param {string} word @returns {string} `1 turn`, `2 turns` */
export function counted(count, word) {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** @param {number|null|undefined} minutes @returns {string} `5 hours`, `7 days`; "" if unknown */
export function windowWords(minutes) {
  if (!minutes) return "";
  if (minutes % 1440 === 0) return counted(minutes / 1440, "day");
  return minutes % 60 === 0 ? counted(minutes / 60, "hour") : counted(minutes, "minute");
}
