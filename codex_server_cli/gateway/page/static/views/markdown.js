/** Renders the trees of `text/markdown.js` and `text/inline.js` as nodes. Never here: parsing. */

import { el, isolated } from "../dom.js";
import { parseInline } from "../text/inline.js";
import { parseMarkdown } from "../text/markdown.js";

/** @typedef {import("../text/markdown.js").Block} Block
 *  @typedef {import("../text/inline.js").Inline} Inline */

/** Headings of an answer rank below those of the page. */
const HEADING_SHIFT = 2;

/** @param {string} text @returns {Node[]} */
export function markdownNodes(text) {
  return parseMarkdown(text).map(blockNode);
}

/** @param {Block} block @returns {Node} */
function blockNode(block) {
  switch (block.kind) {
    case "heading":
      return el(`h${Math.min(6, block.level + HEADING_SHIFT)}`, { dir: "auto" }, inlineNodes(block.text));
    case "rule":
      return el("hr");
    case "code":
      return codeNode(block.text, block.language);
    case "quote":
      return el("blockquote", null, block.blocks.map(blockNode));
    case "list":
      return listNode(block);
    case "table":
      return tableNode(block);
    default:
      return el("p", { dir: "auto" }, inlineNodes(block.text));
  }
}

/** A code block, which can be scrolled with the keyboard too. */
/** @param {string} text @param {string} language @returns {Node} */
export function codeNode(text, language = "") {
  return el("pre", { tabindex: 0, role: "group", "aria-label": language ? `code, ${language}` : "code" }, isolated("code", text));
}

/** @param {Extract<Block, {kind: "list"}>} list @returns {Node} */
function listNode(list) {
  const isTight = list.items.every((item) => item.blocks.filter((block) => block.kind === "paragraph").length <= 1);
  const items = list.items.map((item) => {
    const box = item.checked === null ? null : item.checked ? "☑ " : "☐ ";
    const nodes = item.blocks.map((block) =>
      isTight && block.kind === "paragraph" ? el("span", { dir: "auto" }, inlineNodes(block.text)) : blockNode(block),
    );
    return el("li", null, box, nodes);
  });
  return list.start === null ? el("ul", null, items) : el("ol", { start: list.start === 1 ? null : list.start }, items);
}

/** @param {Extract<Block, {kind: "table"}>} table @returns {Node} */
function tableNode(table) {
  const cell = (/** @type {string} */ tag) => (/** @type {string} */ text, /** @type {number} */ column) =>
    el(`${tag}.${table.align[column]}`, { dir: "auto", scope: tag === "th" ? "col" : null }, inlineNodes(text));
  const head = el("thead", null, el("tr", null, table.head.map(cell("th"))));
  const body = el("tbody", null, table.rows.map((row) => el("tr", null, row.map(cell("td")))));
  return el("div.scroll", { tabindex: 0, role: "group", "aria-label": "table" }, el("table", null, head, body));
}

/** @param {string} text @returns {Node[]} */
function inlineNodes(text) {
  return parseInline(text).map(inlineNode);
}

/** @param {Inline} inline @returns {Node} */
function inlineNode(inline) {
  switch (inline.kind) {
    case "text":
      return el("span", null, inline.text).firstChild ?? document.createTextNode("");
    case "code":
      return isolated("code", inline.text);
    case "break":
      return el("br");
    case "link":
      return linkNode(inline);
    default:
      return el(inline.kind, null, inline.children.map(inlineNode));
  }
}

/** @param {Extract<Inline, {kind: "link"}>} link @returns {Node} */
function linkNode(link) {
  const children = link.children.map(inlineNode);
  if (link.href === null) return el("span.file", null, children);
  return el("a", { href: link.href, rel: "noopener noreferrer nofollow", target: "_blank", title: link.href }, children);
}
