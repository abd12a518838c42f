/**
 * The turns that the page knows: polls the list while the page is visible, and loads older pages on demand. Owns how
 * often, and what has changed since the last poll. Never here: the DOM.
 */

import { ApiError, get, pause } from "./api.js";
import { Listing, PAGE } from "./text/listing.js";
import { isRunning } from "./text/words.js";

/** @typedef {import("./text/words.js").Turn} Turn */

const FIELDS = "turn_id,short_id,name,state,phase,elapsed_s,usage,started_at,finished_at,pending,prompt,cwd,error,thread_id";
const BUSY_MS = 1000;
const IDLE_MS = 3000;
const HIDDEN_MS = 15_000;

class Store extends EventTarget {
  constructor() {
    super();
    this.listing = new Listing();
    /** @type {import("./api.js").Session} */
    this.session = { open: false };
    this._isDue = false;
    this._wake = new AbortController();
  }

  /** @returns {Turn[]} newest first, as far back as requested */
  get turns() {
    return this.listing.turns;
  }

  /** @param {string} id @returns {Turn|undefined} */
  turn(id) {
    return this.turns.find((turn) => turn.turn_id === id);
  }

  /** Show only turns that contain this text, and search older ones. */
  /** @param {string} words */
  find(words) {
    this.listing.find(words);
    this._seek();
  }

  /** Show older turns. */
  more() {
    this.listing.more();
    this._seek();
  }

  /** Remove a turn that no longer exists. */
  /** @param {string} id */
  forget(id) {
    if (this.listing.drop(id)) this.dispatchEvent(new Event("change"));
  }

  /** Poll now. */
  refresh() {
    this._isDue = true;
    this._wake.abort();
  }

  /** Poll the list for as long as the page is open: one request at a time. */
  async run() {
    for (;;) {
      this._isDue = false;
      this._wake = new AbortController();
      let isSeeking = false;
      try {
        await this._look();
        const until = performance.now() + this._everyMs; // at least one page, however slow the server
        while (this._isSeeking && performance.now() < until) await this._ask(this.listing.next);
        isSeeking = this._isSeeking;
      } catch (error) {
        if (error instanceof ApiError) this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
      }
      if (!this._isDue && !isSeeking) await pause(this._everyMs, this._wake.signal);
    }
  }

  /** @returns {boolean} whether older turns have to be loaded, before anything else */
  get _isSeeking() {
    return this.listing.isSeeking && !this._isDue && !document.hidden;
  }

  /** @returns {number} the polling interval, milliseconds */
  get _everyMs() {
    return document.hidden ? HIDDEN_MS : this.turns.some(isRunning) ? BUSY_MS : IDLE_MS;
  }

  _seek() {
    this.dispatchEvent(new Event("change"));
    if (this.listing.isSeeking) this.refresh();
  }

  /** Load new turns, and refresh older ones that still run. */
  async _look() {
    await this._ask({ after: "", limit: PAGE });
    const older = this.listing.nextRunning();
    if (older) await this._ask(older);
  }

  /** @param {{after: string, limit: number}} page */
  async _ask({ after, limit }) {
    const from = after ? `&before=${after}` : "";
    this._take(await get(`turns?limit=${limit}${from}&fields=${FIELDS}`), after);
  }

  /** @param {import("./text/listing.js").Page} page @param {string} after */
  _take(page, after) {
    const before = new Map(this.turns.map((turn) => [turn.turn_id, turn]));
    const newest = this.turns[0]?.turn_id ?? "";
    const isFirst = !this.listing.isLoaded;
    this.listing.take(page, after);
    for (const turn of page.turns) {
      const old = before.get(turn.turn_id);
      const isOlder = !old && turn.turn_id < newest; // a turn from an older page is not a change
      const changed = !isFirst && !isOlder && (old?.phase !== turn.phase || old?.state !== turn.state);
      if (changed) this.dispatchEvent(new CustomEvent("moved", { detail: { turn, old } }));
    }
    this.dispatchEvent(new Event("change"));
  }
}

export const store = new Store();
