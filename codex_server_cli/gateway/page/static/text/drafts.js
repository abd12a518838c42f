/**
 * Unsent text by the field it was typed into, and the idempotency keys of calls whose response has not arrived. Owns
 * how much is kept: the newest. Pure. Never here: storage. Secrets must not be passed in.
 */

const MOST = 100;
const MOST_CHARS = 500_000;

export class Drafts {
  /** @param {number} [most] number of drafts @param {number} [mostChars] characters that are written */
  constructor(most = MOST, mostChars = MOST_CHARS) {
    this.most = most;
    this.mostChars = mostChars;
    /** @type {Map<string, string>} least recently changed first */
    this.texts = new Map();
  }

  /** @param {string} name @returns {string} "" if there is none */
  get(name) {
    return this.texts.get(name) ?? "";
  }

  /** @param {string} name @param {string} text "" for none */
  set(name, text) {
    this.texts.delete(name);
    if (text) this.texts.set(name, text);
    while (this.texts.size > this.most) this.texts.delete([...this.texts.keys()][0]);
  }

  /** @param {string} beginning prefix of the names to drop @param {string[]} [but] prefixes of those to keep */
  drop(beginning, but = []) {
    for (const name of this.texts.keys()) {
      if (name.startsWith(beginning) && !but.some((kept) => name.startsWith(kept))) this.texts.delete(name);
    }
  }

  /** @returns {string} serialised: the newest, as many as fit; a draft that is too long is left out, never cut */
  written() {
    const entries = [];
    let rest = this.mostChars;
    for (const [name, text] of [...this.texts].reverse()) {
      const size = name.length + text.length;
      if (size > rest) continue;
      rest -= size;
      entries.unshift([name, text]);
    }
    return entries.length ? JSON.stringify(entries) : "";
  }

  /** @param {string} written invalid text means no drafts */
  read(written) {
    try {
      for (const [name, text] of JSON.parse(written || "[]")) if (typeof text === "string") this.set(String(name), text);
    } catch {
      // written by another version of the page, or by another program: ignored
    }
  }
}

/** @param {string} text a draft of several answers @returns {string[]} the answers; none if it is not such a draft */
export function answersIn(text) {
  try {
    const found = JSON.parse(text || "[]");
    return Array.isArray(found) ? found.map(String) : [];
  } catch {
    return []; // a draft of another version of the page
  }
}

/**
 * @param {string} text
 * @returns {string} a hash of the text: to compare with what was sent without keeping that
 */
export function markOf(text) {
  let [first, second] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index += 1) {
    first = Math.imul(first ^ text.charCodeAt(index), 2654435761);
    second = Math.imul(second ^ text.charCodeAt(index), 1597334677);
  }
  return [first, second].map((half) => (half >>> 0).toString(16)).join("-");
}
