/** One turn: its header, events, changes, requests, and the input field. Owns which turn is displayed. */

import { ApiError, follow, get, post, Unreachable } from "../api.js";
import { confirmed } from "../dialogs.js";
import { byId, el, fill, setText } from "../dom.js";
import { store } from "../store.js";
import { Items } from "../text/items.js";
import { oneLine } from "../text/safe.js";
import { duration, isRunning, lookOf, startedMs, stateWords, titleOf, tokens } from "../text/words.js";
import { filesOf } from "./diff.js";
import { itemNode, replaceItem } from "./item.js";
import { drawTitle, setOpen } from "./list.js";
import { PendingView, startPending } from "./pending.js";
import { drawSaying, openDraft, startSaying } from "./say.js";

/** @typedef {import("../text/words.js").Turn} Turn */

/** Minimum interval between redraws of a long answer, per character: each redraws the whole answer. */
const MS_PER_CHAR = 1 / 200;
const BOTTOM_PX = 80;
const IS_ID = /^\d{8}-\d{6}-\d{3}-[0-9a-f]{4}$/;

/** @type {TurnView|null} */
let shown = null;

/** @param {string} id */
export function showTurn(id) {
  if (shown?.id === id) return;
  leaveTurn();
  shown = new TurnView(id);
  setOpen(id);
  shown.run();
}

/** Display no turn. */
export function leaveTurn() {
  shown?.close();
  shown = null;
  setOpen("");
}

/** Attach the listeners once. */
export function startTurnView() {
  store.addEventListener("change", () => shown?.noteList());
  startPending();
  startSaying(() => shown?.turn ?? null);
  byId("cancel-turn").addEventListener("click", () => shown?.cancel());
  byId("to-end").addEventListener("click", () => byId("stream").lastElementChild?.scrollIntoView({ block: "end" }));
  byId("diff").addEventListener("toggle", () => shown?.drawDiff());
}

class TurnView {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    /** @type {any} its status, in full */
    this.status = null;
    this.items = new Items();
    this.abort = new AbortController();
    this.pending = new PendingView(id, () => this.lookAgain());
    /** @type {Map<string, HTMLElement|null>} item id → its node */
    this.nodes = new Map();
    /** @type {Set<string>} items to redraw */
    this.dirty = new Set();
    this.drawsAt = 0;
    this.timer = 0;
    this.isDiffStale = true;
    this.wasListed = false;
    fill(byId("stream"));
    fill(byId("diff-body"));
    byId("turn").hidden = false;
    byId("turn").dataset.turn = id;
    byId("diff").open = false;
    byId("diff").hidden = true;
    openDraft(id);
    setText(byId("turn-error"), "");
    this.drawHead();
  }

  close() {
    this.abort.abort();
    clearTimeout(this.timer);
    this.pending.close();
    byId("turn").hidden = true;
  }

  get isClosed() {
    return this.abort.signal.aborted;
  }

  async run() {
    try {
      await this.lookAgain();
      await follow(this.id, () => this.items.seq, (name, data) => this.take(name, data), this.abort.signal);
      await this.lookAgain();
    } catch (error) {
      if (!this.isClosed) this.trouble(error);
    }
  }

  /** @param {unknown} error */
  trouble(error) {
    if (error instanceof Unreachable) return; // the notice at the top says so
    const isGone = error instanceof ApiError && error.code === "turn_not_found";
    const hint = error instanceof ApiError && error.hint ? ` ${error.hint}` : "";
    setText(byId("turn-error"), isGone && IS_ID.test(this.id) ? "This turn is not there: it was deleted, or never was." : `${/** @type {Error} */ (error).message}${hint}`);
    if (isGone) {
      this.status = { ...(this.status ?? {}), turn_id: this.id, state: "missing", phase: null, error: null };
      this.pending.close();
      this.drawHead();
      store.forget(this.id);
    }
  }

  /** The list has changed: a turn that is gone from it was deleted, or is older than its end. */
  noteList() {
    const isListed = store.turn(this.id) !== undefined;
    const hasLeft = this.wasListed && !isListed;
    this.wasListed = isListed;
    this.drawHead();
    if (hasLeft) this.lookAgain().catch((error) => this.isClosed || this.trouble(error));
  }

  /** Load its status and its pending requests. */
  async lookAgain() {
    try {
      this.status = await get(`turns/${encodeURIComponent(this.id)}?full=true`, this.abort.signal);
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
    }
    if (this.isClosed) return;
    if (this.status && this.status.turn_id !== this.id) {
      location.replace(`#/turn/${this.status.turn_id}`); // the address has a name or an abbreviated id
      return;
    }
    this.drawHead();
    await this.pending.refresh();
    store.refresh();
  }

  /** @param {string} name @param {any} data an event of the stream */
  take(name, data) {
    if (this.isClosed) return;
    if (name === "end") {
      this.status = { ...this.status, ...data };
      this.isDiffStale = true;
      this.drawHead();
      return;
    }
    const diff = this.items.diff;
    for (const id of this.items.apply(data)) this.dirty.add(id);
    if (this.items.diff !== diff) this.isDiffStale = true;
    if (this.items.hasAsked) {
      this.items.hasAsked = false;
      this.pending.refresh();
      store.refresh();
    }
    this.drawSoon();
  }

  drawSoon() {
    if (this.timer) return;
    const wait = Math.max(16, this.drawsAt - performance.now());
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.drawItems();
    }, wait);
  }

  drawItems() {
    const askedAt = byId("pending").getBoundingClientRect().top;
    const isAtEnd = window.innerHeight + window.scrollY > document.documentElement.scrollHeight - BOTTOM_PX;
    let size = 0;
    for (const id of this.dirty) {
      const item = this.items.items.get(id);
      size += item?.isDone ? 0 : (item?.text.length ?? 0);
      this.place(id, item ? itemNode(item, this.status?.cwd ?? "") : null);
    }
    this.dirty.clear();
    this.drawsAt = performance.now() + Math.max(50, size * MS_PER_CHAR);
    this.drawHead();
    if (isAtEnd && isRunning(this.turn)) window.scrollTo({ top: document.documentElement.scrollHeight });
    if (byId("pending").getBoundingClientRect().top !== askedAt) this.pending.settle();
  }

  /** @param {string} id @param {HTMLElement|null} node */
  place(id, node) {
    const old = this.nodes.get(id);
    if (old && node) {
      replaceItem(old, node);
    } else if (node) {
      byId("stream").insertBefore(node, this.nodes.has(id) ? this.nodeAfter(id) : null);
    } else {
      old?.remove();
    }
    this.nodes.set(id, node);
  }

  /** @param {string} id of an item that had no content before later ones had @returns {Node|null} */
  nodeAfter(id) {
    const ids = [...this.items.items.keys()];
    const later = ids.slice(ids.indexOf(id) + 1).find((each) => this.nodes.get(each));
    return later === undefined ? null : (this.nodes.get(later) ?? null);
  }

  /** @returns {Turn} its current data: while it runs, the list is newer than the status */
  get turn() {
    const listed = store.turn(this.id);
    const isOver = this.status && this.status.state !== "running";
    return isOver || !listed ? (this.status ?? { turn_id: this.id, state: "running" }) : { ...this.status, ...listed };
  }

  drawHead() {
    const turn = this.turn;
    const isLive = isRunning(turn);
    const { glyph, look } = lookOf(turn);
    const prompt = store.turn(this.id)?.prompt ?? [...this.items.items.values()].find((item) => item.kind === "userMessage")?.text;
    setText(byId("turn-title"), this.status || turn.name || prompt ? titleOf({ ...turn, prompt }) : this.id);
    drawTitle();
    const mark = byId("turn-glyph");
    mark.className = `glyph ${look}`;
    setText(mark, glyph);
    setText(byId("turn-state"), stateWords(turn));
    byId("turn").dataset.state = turn.state;
    this.drawFacts(turn);
    this.drawThread();
    const hadFocus = document.activeElement === byId("cancel-turn");
    byId("cancel-turn").hidden = !isLive;
    if (hadFocus && !isLive) byId("turn-title").focus({ preventScroll: true });
    byId("to-end").hidden = document.documentElement.scrollHeight < 1.5 * window.innerHeight;
    drawSaying(turn);
    if (turn.error && !isLive) this.drawError(turn.error);
    byId("diff").hidden = !(this.items.diff || this.status?.changes?.length);
    if (byId("diff").open) this.drawDiff();
  }

  /** Why it failed, and the hint; a stream item with the same text is hidden. */
  /** @param {{message?: string, hint?: string}} error */
  drawError({ message = "", hint = "" }) {
    for (const item of this.items.items.values()) if (item.kind === "error" && item.text === message) this.place(item.id, null);
    const words = hint ? [message.replace(/([^.!?:])$/, "$1."), hint] : [message];
    if (message || hint) setText(byId("turn-error"), words.filter(Boolean).join(" "));
  }

  /** The turns of the same thread, within the list. */
  drawThread() {
    const thread = this.turn.thread_id;
    const turns = thread ? store.turns.filter((turn) => turn.thread_id === thread).reverse() : [];
    const node = byId("thread");
    node.hidden = turns.length < 2;
    const shownTurns = turns.map((turn) => `${turn.turn_id} ${titleOf(turn)}`).join("\n");
    if (node.hidden || node.dataset.shown === `${this.id}\n${shownTurns}`) return;
    node.dataset.shown = `${this.id}\n${shownTurns}`;
    fill(node, "Thread: ", turns.map((turn, index) => [
      index ? " › " : null,
      el("a", { href: `#/turn/${turn.turn_id}`, dir: "auto", "aria-current": turn.turn_id === this.id ? "page" : null }, oneLine(titleOf(turn), 30)),
    ]));
  }

  /** @param {any} turn */
  drawFacts(turn) {
    const since = startedMs(turn);
    const seconds = isRunning(turn) && since ? (Date.now() - since) / 1000 : (turn.elapsed_s ?? 0);
    const used = Math.max(turn.usage?.total_tokens ?? 0, this.items.tokens);
    const facts = [this.id, turn.model, turn.effort, turn.sandbox, duration(Math.max(0, seconds)), used ? `${tokens(used)} tokens` : "", turn.cwd];
    const shownFacts = facts.filter(Boolean).map(String);
    const list = byId("turn-facts");
    if (list.dataset.shown === shownFacts.join("\n")) return;
    list.dataset.shown = shownFacts.join("\n");
    fill(list, shownFacts.map((fact) => el("li", null, el("bdi", null, fact))));
  }

  async drawDiff() {
    if (!byId("diff").open || !this.isDiffStale) return;
    this.isDiffStale = false;
    let text = this.items.diff ?? "";
    try {
      text = (await get(`turns/${encodeURIComponent(this.id)}/diff`, this.abort.signal)).diff || text;
    } catch (error) {
      if (this.isClosed) return; // the stream's diff is shown
    }
    fill(byId("diff-body"), text ? filesOf(text) : el("p.dim", null, "Nothing was changed."));
  }

  async cancel() {
    const is = await confirmed(`Cancel “${titleOf(this.turn)}”?`, "Its commands end too; what it has said is kept.", "Cancel the turn", "Let it run");
    if (!is || this.isClosed) return;
    try {
      await post(`turns/${encodeURIComponent(this.id)}/cancel`, {});
      await this.lookAgain();
    } catch (error) {
      if (!this.isClosed) this.trouble(error);
    }
  }
}
