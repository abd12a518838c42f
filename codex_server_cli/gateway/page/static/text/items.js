/**
 * The items of a turn, built from its events (`references/streaming-protocol.md`). Pure: no DOM. Events may be repeated
 * after a reconnect, and items may restart after a retry: only completed items are final.
 */

/** @typedef {{seq: number, dir: string, id?: unknown, method?: string, params?: any, ts?: number, why?: string}} LogEvent
 *  @typedef {{id: string, kind: string, text: string, isDone: boolean, item: any}} Item */

/** Method → the kind of item that its delta extends. */
const DELTAS = new Map([
  ["item/agentMessage/delta", "agentMessage"],
  ["item/plan/delta", "plan"],
  ["item/commandExecution/outputDelta", "commandExecution"],
  ["item/reasoning/summaryTextDelta", "reasoning"],
]);

/** The items of one turn. */
export class Items {
  constructor() {
    /** @type {Map<string, Item>} by id, in order */
    this.items = new Map();
    /** @type {number} the `seq` of the last event */
    this.seq = -1;
    /** @type {number} tokens of the turn: the sum over its responses */
    this.tokens = 0;
    /** @type {string|null} the whole diff so far */
    this.diff = null;
    /** @type {boolean} whether a request arrived or was resolved since this was last read */
    this.hasAsked = false;
    this._threadId = null;
    /** @type {Set<unknown>} ids of pending requests */
    this._waiting = new Set();
  }

  /**
   * @param {LogEvent} event
   * @returns {string[]} ids of the changed items
   */
  apply(event) {
    if (typeof event.seq !== "number" || event.seq <= this.seq) return [];
    this.seq = event.seq;
    const { method, params = {} } = event;
    if (event.dir === "out") return this._applyOut(event, method, params);
    if (event.dir !== "in" || !method) return [];
    if (event.id !== undefined || method === "serverRequest/resolved") return this._asked(event, params);
    if (this._threadId !== null && params.threadId && params.threadId !== this._threadId) return []; // of a sub-agent
    return this._applyIn(event, method, params);
  }

  /** @param {LogEvent} event @param {string|undefined} method @param {any} params @returns {string[]} */
  _applyOut(event, method, params) {
    if (method === "initialize" && event.why !== "reattach" && this.items.size > 0) {
      const ids = [...this.items.keys()]; // Codex was restarted: everything before is void
      this.items.clear();
      this._waiting.clear();
      this.tokens = 0;
      return ids;
    }
    if (method === "turn/start") this._threadId = params.threadId ?? null;
    if (event.id === undefined || method) return [];
    this.hasAsked = true;
    const isAnswer = this._waiting.delete(event.id);
    return isAnswer && event.why === "timeout" ? [this._note(`late-${event.seq}`, "warning", "The request timed out and was declined.")] : [];
  }

  /** @param {LogEvent} event a request, or its resolution @param {any} params @returns {string[]} */
  _asked(event, params) {
    this.hasAsked = true;
    if (event.method !== "serverRequest/resolved") {
      this._waiting.add(event.id);
      return [];
    }
    const isTakenBack = this._waiting.delete(params.requestId);
    return isTakenBack ? [this._note(`gone-${event.seq}`, "warning", "Codex took its request back: nothing was decided.")] : [];
  }

  /** @param {LogEvent} event @param {string} method @param {any} params @returns {string[]} */
  _applyIn(event, method, params) {
    if (method === "item/started" || method === "item/completed") return this._whole(params.item, method === "item/completed");
    const kind = DELTAS.get(method);
    if (kind) return this._delta(kind, params);
    switch (method) {
      case "thread/tokenUsage/updated":
        this.tokens += params.tokenUsage?.last?.totalTokens ?? 0;
        return [];
      case "turn/diff/updated":
        this.diff = params.diff ?? null;
        return [];
      case "turn/plan/updated":
        return [this._note("plan", "steps", "", params)];
      case "error":
        return [this._note(`error-${event.seq}`, params.willRetry ? "retry" : "error", errorWords(params.error?.message))];
      case "warning":
        return [this._note(`warning-${event.seq}`, "warning", params.message ?? "")];
      default:
        return [];
    }
  }

  /** @param {any} item @param {boolean} isDone @returns {string[]} */
  _whole(item, isDone) {
    if (!item || typeof item.id !== "string") return [];
    const known = this.items.get(item.id);
    const text = wholeText(item) || (isDone ? (known?.text ?? "") : "");
    this.items.set(item.id, { id: item.id, kind: this._kindOf(item), text, isDone, item });
    return [item.id];
  }

  /** @param {any} item @returns {string} its type; user messages after the first one are `steer` */
  _kindOf(item) {
    if (item.type !== "userMessage") return String(item.type);
    const first = [...this.items.values()].find((each) => each.kind === "userMessage");
    return first && first.id !== item.id ? "steer" : "userMessage";
  }

  /** @param {string} kind @param {any} params @returns {string[]} */
  _delta(kind, params) {
    const id = String(params.itemId);
    const known = this.items.get(id) ?? { id, kind, text: "", isDone: false, item: { id, type: kind } };
    if (known.isDone) return [];
    const isNewPart = kind === "reasoning" && known.item.part !== undefined && known.item.part !== params.summaryIndex;
    known.item.part = params.summaryIndex;
    known.text += (isNewPart ? "\n\n" : "") + String(params.delta ?? "");
    this.items.set(id, known);
    return [id];
  }

  /** @param {string} id @param {string} kind @param {string} text @param {any} item @returns {string} */
  _note(id, kind, text, item = {}) {
    this.items.set(id, { id, kind, text, isDone: true, item });
    return id;
  }
}

/** @param {any} item @returns {string} its whole text, if it has one */
function wholeText(item) {
  switch (item.type) {
    case "userMessage":
      return textOf(item.content);
    case "reasoning":
      return (item.summary ?? []).join("\n\n");
    case "commandExecution":
      return item.aggregatedOutput ?? "";
    default:
      return typeof item.text === "string" ? item.text : "";
  }
}

/** @param {any} parts of an input @returns {string} */
function textOf(parts) {
  if (!Array.isArray(parts)) return "";
  return parts.map((part) => (part?.type === "text" ? String(part.text ?? "") : `[${part?.type ?? "?"}]`)).join("\n");
}

/** @param {unknown} message of a Codex error, often the service's whole response @returns {string} readable text */
function errorWords(message) {
  const text = String(message ?? "error");
  try {
    const found = JSON.parse(text)?.error?.message;
    return typeof found === "string" && found ? found : text;
  } catch {
    return text; // plain text already
  }
}
