/** Renders diffs: one element per line, with its colour and sign. */

import { byId, el } from "../dom.js";
import { countsOf, diffLines } from "../text/diff.js";

/** @typedef {import("../text/diff.js").DiffLine} DiffLine */

const MOST_LINES = 3000;
const SHORT_LINES = 400;

/**
 * @param {DiffLine[]} lines
 * @param {string} label for a screen reader
 * @param {number} most number of lines shown
 * @returns {Node}
 */
export function diffNode(lines, label = "diff", most = MOST_LINES) {
  const shown = lines.slice(0, most).map((line) => el(`span.line.${line.kind}`, null, line.text === "" ? " " : line.text));
  const rest = lines.length - shown.length;
  if (rest > 0) shown.push(el("span.line.meta", null, `… ${rest} more lines: codex-server diff ${byId("turn").dataset.turn}`));
  return el("pre.diff", { tabindex: 0, role: "group", "aria-label": label }, shown);
}

/** A diff of several files: each can be collapsed. */
/** @param {string} diff @returns {Node[]} */
export function filesOf(diff) {
  /** @type {Array<{name: string, lines: DiffLine[]}>} */
  const files = [];
  for (const line of diffLines(diff)) {
    if (line.kind === "file" || files.length === 0) files.push({ name: nameOf(line), lines: [] });
    if (line.kind !== "file") files[files.length - 1].lines.push(line);
  }
  return files.map(({ name, lines }) => {
    const counts = countsOf(lines);
    const summary = el("summary", null, el("bdi", null, name), countsNode(counts));
    return el("details.file", { open: lines.length <= SHORT_LINES }, summary, diffNode(lines, `diff of ${name}`));
  });
}

/** @param {{added: number, removed: number}} counts @returns {Node} */
function countsNode(counts) {
  return el("span.counts", null, " ", el("span.added", null, `+${counts.added}`), " ", el("span.removed", null, `−${counts.removed}`));
}

/** @param {DiffLine} line @returns {string} */
function nameOf(line) {
  return line.kind === "file" ? (/ "?b\/(.*?)"?$/.exec(line.text)?.[1] ?? line.text) : "changes";
}
