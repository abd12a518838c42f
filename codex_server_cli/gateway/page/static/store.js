/**
 * What the page knows of all turns: the list, asked for again and again while the page is visible. Owns how often, and
 * what has changed since. Never here: the DOM.
 */

import { ApiError, get, pause } from "./api.js";
import { isRunning } from "./text/words.js";

/** @typedef {import("./text/words.js").Turn} Turn */

const FIELDS = "turn_id,short_id,name,state,phase,elapsed_s,usage,started_at,finished_at,pending,prompt,cwd,error,thread_id";
const BUSY_MS = 1000;
const IDLE_MS = 3000;
const HIDDEN_MS = 15_000;
const PAGE = 50;

class Store extends EventTarget {
  constructor() {
    super();
    /** @type {Turn[]} the newest first */
    this.turns = [];
    this.hasMore = false;
    this.isLoaded = false;
    this.limit = PAGE;
    /** @type {import("./api.js").Session} */
    this.session = { open: false };
    this._wake = new AbortController();
  }

  /** @param {string} id @returns {Turn|undefined} */
  turn(id) {
    return this.turns.find((turn) => turn.turn_id === id);
  }

  /** Show more of the past. */
  more() {
    this.limit += PAGE;
    this.refresh();
  }

  /** Ask now. */
  refresh() {
    this._wake.abort();
  }

  /** Ask for the list for as long as the page is open. */
  async run() {
    for (;;) {
      try {
        this._take(await get(`turns?limit=${this.limit}&fields=${FIELDS}`));
      } catch (error) {
        if (error instanceof ApiError) this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
      }
      this._wake = new AbortController();
      const isBusy = this.turns.some(isRunning);
      await pause(document.hidden ? HIDDEN_MS : isBusy ? BUSY_MS : IDLE_MS, this._wake.signal);
    }
  }

  /** @param {{turns: Turn[], before?: string}} document */
  _take(document) {
    const before = new Map(this.turns.map((turn) => [turn.turn_id, turn]));
    this.turns = document.turns;
    this.hasMore = document.before !== undefined;
    const newest = [...before.keys()][0] ?? "";
    for (const turn of this.turns) {
      const old = before.get(turn.turn_id);
      const isOlder = !old && turn.turn_id < newest; // one of the past that was asked for is no news
      const changed = this.isLoaded && !isOlder && (old?.phase !== turn.phase || old?.state !== turn.state);
      if (changed) this.dispatchEvent(new CustomEvent("moved", { detail: { turn, old } }));
    }
    this.isLoaded = true;
    this.dispatchEvent(new Event("change"));
  }
}

export const store = new Store();
