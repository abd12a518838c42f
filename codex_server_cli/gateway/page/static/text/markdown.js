/**
 * Markdown blocks: headings, paragraphs, lists, quotes, code, tables, rules. Pure: text in, a tree of plain objects
 * out. The subset of CommonMark and GitHub's tables that models write. Text that is incomplete, because it is
 * streaming, is shown as far as it goes.
 */

/** @typedef {{kind: "heading", level: number, text: string} | {kind: "paragraph", text: string} | {kind: "rule"} |
 *   {kind: "code", language: string, text: string} | {kind: "quote", blocks: Block[]} |
 *   {kind: "list", start: number|null, items: Array<{checked: boolean|null, blocks: Block[]}>} |
 *   {kind: "table", align: string[], head: string[], rows: string[][]}} Block */

const FENCE = /^ {0,3}(`{3,}(?=[^`]*$)|~{3,})\s*(\S*)/;
const HEADING = /^ {0,3}(#{1,6})(?:\s+(.*?))?(?:\s+#+)?\s*$/;
const RULE = /^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})(?:([-*+])|(\d{1,9})[.)])(\s+|$)/;
const TABLE_RULE = /^ {0,3}\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$/;
const MOST_DEPTH = 12;

/**
 * @param {string} text
 * @returns {Block[]}
 */
export function parseMarkdown(text) {
  return blocksOf(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

/** @param {string[]} lines @param {number} depth @returns {Block[]} */
function blocksOf(lines, depth) {
  /** @type {Block[]} */
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [block, end] = blockAt(lines, at, depth);
    blocks.push(block);
    at = end;
  }
  return blocks;
}

/** @param {string[]} lines @param {number} at @param {number} depth @returns {[Block, number]} the block, and its end */
function blockAt(lines, at, depth) {
  const line = lines[at];
  const fence = FENCE.exec(line);
  if (fence) return codeAt(lines, at, fence);
  const heading = HEADING.exec(line);
  if (heading) return [{ kind: "heading", level: heading[1].length, text: heading[2] ?? "" }, at + 1];
  if (RULE.test(line)) return [{ kind: "rule" }, at + 1];
  if (depth < MOST_DEPTH && QUOTE.test(line)) return quoteAt(lines, at, depth);
  if (depth < MOST_DEPTH && ITEM.test(line)) return listAt(lines, at, depth);
  if (isTable(lines, at)) return tableAt(lines, at);
  return paragraphAt(lines, at);
}

/** @param {string[]} lines @param {number} at @param {RegExpExecArray} fence @returns {[Block, number]} */
function codeAt(lines, at, fence) {
  const indent = lines[at].search(/\S/);
  const mark = fence[1];
  const closing = new RegExp(`^ {0,3}${mark[0] === "`" ? "`" : "~"}{${mark.length},}\\s*$`);
  let end = at + 1;
  while (end < lines.length && !closing.test(lines[end])) end += 1;
  const inner = lines.slice(at + 1, end).map((line) => line.slice(Math.min(indent, Math.max(0, line.search(/\S|$/)))));
  return [{ kind: "code", language: fence[2], text: inner.join("\n") }, Math.min(end + 1, lines.length)];
}

/** @param {string[]} lines @param {number} at @param {number} depth @returns {[Block, number]} */
function quoteAt(lines, at, depth) {
  let end = at;
  while (end < lines.length && lines[end].trim() && (QUOTE.test(lines[end]) || !startsBlock(lines, end))) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [{ kind: "quote", blocks: blocksOf(inner, depth + 1) }, end];
}

/** @param {string[]} lines @param {number} at @param {number} depth @returns {[Block, number]} */
function listAt(lines, at, depth) {
  const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[at]));
  const isOrdered = first[3] !== undefined;
  const items = [];
  while (at < lines.length) {
    const mark = ITEM.exec(lines[at]);
    if (!mark || (mark[3] !== undefined) !== isOrdered || (!isOrdered && mark[2] !== first[2]) || RULE.test(lines[at])) break;
    const [inner, end] = itemAt(lines, at, mark);
    items.push(itemOf(inner, depth));
    at = end;
    while (at < lines.length && !lines[at].trim() && ITEM.test(lines[at + 1] ?? "")) at += 1;
  }
  return [{ kind: "list", start: isOrdered ? Number(first[3]) : null, items }, at];
}

/** The lines of one item without their indentation, and the end of the item. */
/** @param {string[]} lines @param {number} at @param {RegExpExecArray} mark @returns {[string[], number]} */
function itemAt(lines, at, mark) {
  const width = mark[4].length > 4 || !mark[4] ? mark[0].trimEnd().length + 1 : mark[0].length;
  const inner = [lines[at].slice(Math.min(width, mark[0].length))];
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    const indent = line.search(/\S/);
    if (indent < 0) {
      // A blank line belongs to the item if more of the item follows.
      if ((lines[end + 1] ?? "").search(/\S/) < Math.min(width, 2)) break;
      inner.push("");
    } else if (indent >= Math.min(width, mark[1].length + 2)) {
      inner.push(line.slice(Math.min(indent, width)));
    } else if (lines[end - 1].trim() && !startsBlock(lines, end) && !ITEM.test(line)) {
      inner.push(line); // lazy continuation without indentation
    } else {
      break;
    }
  }
  return [inner, end];
}

/** @param {string[]} inner @param {number} depth @returns {{checked: boolean|null, blocks: Block[]}} */
function itemOf(inner, depth) {
  const box = /^\[([ xX])\] +/.exec(inner[0]);
  if (box) inner[0] = inner[0].slice(box[0].length);
  return { checked: box ? box[1] !== " " : null, blocks: blocksOf(inner, depth + 1) };
}

/** @param {string[]} lines @param {number} at @returns {boolean} */
function isTable(lines, at) {
  return lines[at].includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") && (lines[at + 1] ?? "").includes("-") &&
    cellsOf(lines[at]).length === cellsOf(lines[at + 1]).length;
}

/** @param {string[]} lines @param {number} at @returns {[Block, number]} */
function tableAt(lines, at) {
  const head = cellsOf(lines[at]);
  const align = cellsOf(lines[at + 1]).map((cell) =>
    cell.endsWith(":") ? (cell.startsWith(":") ? "center" : "right") : "left",
  );
  let end = at + 2;
  const rows = [];
  for (; end < lines.length && lines[end].trim() && lines[end].includes("|"); end += 1) {
    const cells = cellsOf(lines[end]);
    rows.push(head.map((_, column) => cells[column] ?? ""));
  }
  return [{ kind: "table", align, head, rows }, end];
}

/** @param {string} line @returns {string[]} */
function cellsOf(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** @param {string[]} lines @param {number} at @returns {[Block, number]} */
function paragraphAt(lines, at) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !startsBlock(lines, end) && !isTable(lines, end)) end += 1;
  return [{ kind: "paragraph", text: lines.slice(at, end).map((line) => line.replace(/^\s+/, "")).join("\n") }, end];
}

/** Whether a line ends the paragraph before it. */
/** @param {string[]} lines @param {number} at @returns {boolean} */
function startsBlock(lines, at) {
  const line = lines[at];
  if (FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line)) return true;
  const item = ITEM.exec(line);
  return item !== null && item[4] !== "" && (item[3] === undefined || item[3] === "1");
}
