/**
 * The list of turns: the pages of `GET /turns` merged, the filter, and how far back to search for matches. Pure.
 * Never here: requests, the DOM.
 */

import { oneLine } from "./safe.js";
import { counted, isRunning, stateWords } from "./words.js";

/** @typedef {import("./words.js").Turn} Turn */
/** @typedef {{turns: Turn[], before?: string}} Page newest first; `before` if older turns exist */

/** Page size, and how many rows are shown at first. */
export const PAGE = 50;
/** Page size while searching for matches of the filter. */
const SOUGHT = 200;
/** The maximum number of turns held. */
const MOST = 5000;
const TEXT = 1000;

/** @type {WeakMap<Turn, string>} the text that the filter searches */
const texts = new WeakMap();

/** @param {Turn} turn @returns {string} */
function textOf(turn) {
  let text = texts.get(turn);
  if (text === undefined) {
    text = oneLine([turn.name, turn.prompt, turn.turn_id, turn.state, stateWords(turn), turn.cwd].filter(Boolean).join(" "), TEXT).toLowerCase();
    texts.set(turn, text);
  }
  return text;
}

export class Listing {
  /** @param {number} [most] how many turns are held */
  constructor(most = MOST) {
    this.most = most;
    /** @type {Turn[]} newest first, without a gap */
    this.turns = [];
    this.isLoaded = false;
    /** Whether there are no older turns. */
    this.isWhole = false;
    this.filter = "";
    this.limit = PAGE;
    /** The id after which running turns were last refreshed. */
    this.lookedAt = "";
  }

  /**
   * Merge a page. If the newest page does not overlap the known turns (after a sleep of the machine), they are dropped.
   * @param {Page} page
   * @param {string} after the page starts after this id; "" for the newest page
   */
  take(page, after) {
    const oldest = this.turns.at(-1)?.turn_id;
    const last = page.turns.at(-1)?.turn_id ?? "";
    const isJoined = after !== "" || this.turns.some((turn) => turn.turn_id === last);
    const newer = after ? this.turns.filter((turn) => turn.turn_id >= after) : [];
    const older = page.before !== undefined && isJoined ? this.turns.filter((turn) => turn.turn_id < last) : [];
    this.turns = [...newer, ...page.turns, ...older];
    this.isWhole = page.before === undefined || (this.isWhole && this.turns.at(-1)?.turn_id === oldest);
    if (this.turns.length > this.most) {
      this.turns.length = this.most;
      this.isWhole = false;
    }
    this.isLoaded = true;
  }

  /** @param {string} id of a turn that no longer exists @returns {boolean} whether it was known */
  drop(id) {
    const known = this.turns.length;
    this.turns = this.turns.filter((turn) => turn.turn_id !== id);
    return this.turns.length < known;
  }

  /** @param {string} words the filter text */
  find(words) {
    this.filter = oneLine(words, TEXT).toLowerCase();
    this.limit = PAGE;
  }

  /** Show more rows. */
  more() {
    this.limit += PAGE;
  }

  /** @returns {Turn[]} the known turns that match the filter */
  get matching() {
    return this.filter ? this.turns.filter((turn) => textOf(turn).includes(this.filter)) : this.turns;
  }

  /** @returns {Turn[]} */
  get shown() {
    return this.matching.slice(0, this.limit);
  }

  /** @returns {boolean} whether the maximum is reached */
  get isFull() {
    return !this.isWhole && this.turns.length >= this.most;
  }

  /** @returns {boolean} whether older turns are needed to show the requested number of rows */
  get isSeeking() {
    return this.isLoaded && !this.isWhole && !this.isFull && this.matching.length < this.limit;
  }

  /** @returns {boolean} whether there may be more to show */
  get hasMore() {
    return this.matching.length > this.limit || (!this.isWhole && !this.isFull);
  }

  /** @returns {{after: string, limit: number}} the next page of older turns */
  get next() {
    return { after: this.turns.at(-1)?.turn_id ?? "", limit: this.filter ? SOUGHT : PAGE };
  }

  /** @returns {{after: string, limit: number}|null} the next page with running turns older than the newest page */
  nextRunning() {
    const behind = this.turns.slice(PAGE).filter(isRunning);
    const turn = behind.find((each) => each.turn_id < this.lookedAt) ?? behind[0];
    if (!turn) return null;
    const from = this.turns.indexOf(turn);
    this.lookedAt = this.turns[Math.min(from + PAGE, this.turns.length) - 1].turn_id;
    return { after: this.turns[from - 1].turn_id, limit: PAGE };
  }

  /** @returns {string} the note below the list; "" for none */
  get words() {
    const known = this.turns.length;
    const found = this.matching.length;
    if (!this.isLoaded) return "Loading…";
    if (!known) return "There is no turn yet. Start one: n";
    if (!this.filter) return this.isSeeking ? "Loading older turns…" : this.isFull && found <= this.limit ? "Further back: codex-server list-turns" : "";
    const matches = found === 1 ? "1 turn matches" : `${found} turns match`;
    if (this.isSeeking) return `Searching older turns… So far ${matches}, of ${known}.`;
    if (found > this.limit || (found === this.limit && !this.isWhole && !this.isFull)) return `The newest ${this.limit} that match. There may be more: “Older turns”.`;
    if (this.isFull) return `${found ? matches : "None matches"}, of the newest ${known}. Further back: codex-server list-turns --search`;
    return found ? `${matches}, of ${known}.` : `None of ${counted(known, "turn")} matches.`;
  }
}
