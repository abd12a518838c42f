/**
 * Makes text safe to show: control and bidi characters become visible. The same table as `render/escape.py`.
 * Text of models, commands and file names passes through here before it becomes a text node. Never here: the DOM.
 */

/** Control characters other than newline and tab, bidi controls, line separators, invisible characters. */
const HIDDEN = new RegExp(
  "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u115f\\u1160\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e" +
    "\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb\\u{e0000}-\\u{e007f}]",
  "gu",
);
const LONE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/**
 * @param {string} character
 * @returns {string} the replacement: `␛`, or `\u202e`
 */
function visible(character) {
  const code = /** @type {number} */ (character.codePointAt(0));
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "␡";
  const hex = code.toString(16);
  return code <= 0xffff ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}

/**
 * @param {unknown} text any value; other types are converted to text
 * @returns {string} the text with control characters made visible; newlines and tabs stay
 */
export function safe(text) {
  return String(text ?? "")
    .replace(/\r\n/g, "\n")
    .replace(LONE, "\ufffd")
    .replace(HIDDEN, visible);
}

/**
 * @param {unknown} text
 * @param {number} width in characters
 * @returns {string} the text as one safe line, cut with an ellipsis
 */
export function oneLine(text, width = 200) {
  const line = safe(String(text ?? "").slice(0, 4 * width + 400).split(/\s+/).filter(Boolean).join(" "));
  const characters = [...line];
  return characters.length <= width ? line : `${characters.slice(0, width - 1).join("")}…`;
}
