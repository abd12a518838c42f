/**
 * What was typed and not sent yet, by where it was typed; and by what key a call is known that may have been taken although
 * nobody has said so. Owns how much is kept: the newest. Pure. Never here: storage. Nothing secret may be handed in.
 */

const MOST = 100;
const MOST_CHARS = 500_000;

export class Drafts {
  /** @param {number} [most] drafts @param {number} [mostChars] that are written */
  constructor(most = MOST, mostChars = MOST_CHARS) {
    this.most = most;
    this.mostChars = mostChars;
    /** @type {Map<string, string>} the one that was changed first is the first */
    this.texts = new Map();
  }

  /** @param {string} name @returns {string} "" where there is none */
  get(name) {
    return this.texts.get(name) ?? "";
  }

  /** @param {string} name @param {string} text "" for none */
  set(name, text) {
    this.texts.delete(name);
    if (text) this.texts.set(name, text);
    while (this.texts.size > this.most) this.texts.delete([...this.texts.keys()][0]);
  }

  /** @param {string} beginning of the names of those that go @param {string[]} [but] beginnings of those that stay */
  drop(beginning, but = []) {
    for (const name of this.texts.keys()) {
      if (name.startsWith(beginning) && !but.some((kept) => name.startsWith(kept))) this.texts.delete(name);
    }
  }

  /** @returns {string} to write down: the newest, as many as fit; one that is too long is left out, never cut */
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

  /** @param {string} written what is no such text means none */
  read(written) {
    try {
      for (const [name, text] of JSON.parse(written || "[]")) if (typeof text === "string") this.set(String(name), text);
    } catch {
      // another version of the page, or another program, has written it: nobody's draft
    }
  }
}

/** @param {string} text a draft of several answers @returns {string[]} them; none where it is no such draft */
export function answersIn(text) {
  try {
    const found = JSON.parse(text || "[]");
    return Array.isArray(found) ? found.map(String) : [];
  } catch {
    return []; // for who has a draft of another version of the page
  }
}

/**
 * @param {string} text
 * @returns {string} the same for the same text; to compare with what was sent, where that itself is not to be kept
 */
export function markOf(text) {
  let [first, second] = [0xdeadbeef, 0x41c6ce57];
  for (let index = 0; index < text.length; index += 1) {
    first = Math.imul(first ^ text.charCodeAt(index), 2654435761);
    second = Math.imul(second ^ text.charCodeAt(index), 1597334677);
  }
  return [first, second].map((half) => (half >>> 0).toString(16)).join("-");
}
