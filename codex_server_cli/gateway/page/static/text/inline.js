/**
 * Inline Markdown: emphasis, code, links. Pure: text in, a tree of plain objects out; `views/markdown.js` makes nodes
 * of it. HTML is shown as text, images become links, and only http and https addresses are linked.
 */

/** @typedef {{kind: "text", text: string} | {kind: "code", text: string} | {kind: "break"} |
 *   {kind: "strong"|"em"|"del", children: Inline[]} | {kind: "link", href: string|null, children: Inline[]}} Inline */

const ESCAPABLE = /[!-/:-@[-`{-~]/;
const BARE_LINK = /^https?:\/\/[^\s<>"'`|]+/i;
const MARKS = /** @type {Array<[string, "strong"|"em"|"del"]>} */ ([
  ["**", "strong"],
  ["__", "strong"],
  ["~~", "del"],
  ["*", "em"],
  ["_", "em"],
]);
const MOST_DEPTH = 8;
const MOST_LINK_CHARS = 2000;
/** How far to search for the end of a mark. */
const FAR = 4000;

/** Mark → the position up to which it is known to have no end: text full of stars is searched once, not once per star.
 * @typedef {Map<string, number>} Open */

/** @param {string} href @returns {string|null} the address if it is http or https, else null */
export function webAddress(href) {
  if (!/^https?:\/\/[^\s/]/i.test(href) || href.length > MOST_LINK_CHARS) return null;
  try {
    const url = new URL(href);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null; // an invalid address is shown as text
  }
}

/**
 * @param {string} text
 * @param {number} depth how many marks are around it
 * @returns {Inline[]}
 */
export function parseInline(text, depth = 0) {
  /** @type {Inline[]} */
  const found = [];
  /** @type {Open} */
  const open = new Map();
  let plain = "";
  const flush = () => {
    if (plain) found.push({ kind: "text", text: plain });
    plain = "";
  };
  let at = 0;
  while (at < text.length) {
    const piece = depth < MOST_DEPTH ? pieceAt(text, at, depth, open) : null;
    if (piece === null) {
      const isEscape = text[at] === "\\" && ESCAPABLE.test(text[at + 1] ?? "");
      plain += isEscape ? text[at + 1] : text[at];
      at += isEscape ? 2 : 1;
    } else {
      flush();
      found.push(piece.inline);
      at = piece.end;
    }
  }
  flush();
  return found;
}

/** @param {string} text @param {number} at @param {number} depth @param {Open} open @returns {{inline: Inline, end: number}|null} */
function pieceAt(text, at, depth, open) {
  switch (text[at]) {
    case "`":
      return codeAt(text, at);
    case "[":
      return linkAt(text, at, at, depth);
    case "!":
      return text[at + 1] === "[" ? linkAt(text, at + 1, at, depth) : null;
    case "<":
      return angleAt(text, at);
    case "h":
    case "H":
      return bareAt(text, at);
    case "\n":
      return breakAt(text, at);
    case "*":
    case "_":
    case "~":
      return markAt(text, at, depth, open);
    default:
      return null;
  }
}

/** @param {string} text @param {number} at @returns {{inline: Inline, end: number}|null} */
function codeAt(text, at) {
  const fence = /^`+/.exec(text.slice(at, at + 100))?.[0] ?? "`";
  if (text[at - 1] === "`") return null;
  let end = text.indexOf(fence, at + fence.length);
  while (end >= 0 && end - at < FAR && (text[end + fence.length] === "`" || text[end - 1] === "`")) {
    end = text.indexOf(fence, end + 1);
  }
  if (end < 0 || end - at >= FAR) return null;
  const inner = text.slice(at + fence.length, end).replaceAll("\n", " ");
  const trimmed = /^ .*[^ ].* $/.test(inner) ? inner.slice(1, -1) : inner;
  return { inline: { kind: "code", text: trimmed }, end: end + fence.length };
}

/** `[words](address)`; if `start` is before `at` it is an image, whose alternative text is shown. */
/** @param {string} text @param {number} at @param {number} start @param {number} depth */
function linkAt(text, at, start, depth) {
  const found = /^\[((?:\\.|[^\]\\[]|\[[^\]\\[]*\])*)\]\(\s*<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?:\s+"[^"]*")?\s*\)/.exec(
    text.slice(at, at + FAR),
  );
  if (!found) return null;
  const words = found[1] || found[2];
  const inline = /** @type {Inline} */ ({
    kind: "link",
    href: webAddress(found[2]),
    children: parseInline(words, depth + 1),
  });
  return { inline, end: at + found[0].length, start };
}

/** @param {string} text @param {number} at @returns {{inline: Inline, end: number}|null} */
function angleAt(text, at) {
  const found = /^<(https?:\/\/[^\s<>]+)>/i.exec(text.slice(at, at + MOST_LINK_CHARS));
  if (!found) return null;
  return { inline: linkTo(found[1]), end: at + found[0].length };
}

/** @param {string} text @param {number} at @returns {{inline: Inline, end: number}|null} */
function bareAt(text, at) {
  if (/\w/.test(text[at - 1] ?? "")) return null;
  const found = BARE_LINK.exec(text.slice(at, at + MOST_LINK_CHARS));
  if (!found) return null;
  let address = found[0].replace(/[.,;:!?*_~]+$/, "");
  if (address.endsWith(")") && !address.includes("(")) address = address.slice(0, -1);
  return { inline: linkTo(address), end: at + address.length };
}

/** @param {string} address @returns {Inline} */
function linkTo(address) {
  return { kind: "link", href: webAddress(address), children: [{ kind: "text", text: address }] };
}

/** @param {string} text @param {number} at @returns {{inline: Inline, end: number}|null} */
function breakAt(text, at) {
  return / {2}$|\\$/.test(text.slice(Math.max(0, at - 2), at)) ? { inline: { kind: "break" }, end: at + 1 } : null;
}

/** @param {string} text @param {number} at @param {number} depth @param {Open} open @returns {{inline: Inline, end: number}|null} */
function markAt(text, at, depth, open) {
  for (const [mark, kind] of MARKS) {
    if (!text.startsWith(mark, at)) continue;
    const end = endOf(text, at, mark, open);
    if (end < 0) continue;
    const children = parseInline(text.slice(at + mark.length, end), depth + 1);
    return { inline: { kind, children }, end: end + mark.length };
  }
  return null;
}

/** Where the mark that opens at `at` ends; -1 if it is not an opening mark. */
/** @param {string} text @param {number} at @param {string} mark @param {Open} open @returns {number} */
function endOf(text, at, mark, open) {
  const inner = at + mark.length;
  if (!/\S/.test(text[inner] ?? "") || text[inner] === mark[0]) return -1;
  if (mark[0] === "_" && /\w/.test(text[at - 1] ?? "")) return -1; // snake_case
  const far = Math.min(text.length, inner + FAR);
  const first = Math.max(inner + 1, open.get(mark) ?? 0);
  for (let end = text.indexOf(mark, first); end >= 0 && end < far; end = text.indexOf(mark, end + 1)) {
    const next = text[end + mark.length] ?? "";
    if (mark.length === 1 && (next === mark || text[end - 1] === mark)) {
      if (next === mark) end += 1; // a double one inside
      continue;
    }
    if (/\s/.test(text[end - 1]) || text[end - 1] === "\\") continue;
    if (mark[0] === "_" && /\w/.test(next)) continue;
    return end;
  }
  open.set(mark, far);
  return -1;
}
