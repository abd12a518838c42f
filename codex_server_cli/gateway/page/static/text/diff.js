/**
 * Unified diffs, line by line. Pure: text in, lines with their kinds out; `views/diff.js` renders them.
 */

import { counted } from "./words.js";

/** @typedef {{kind: "file"|"meta"|"hunk"|"add"|"remove"|"same", text: string}} DiffLine */

const META = /^(?:index |new file|deleted file|old mode|new mode|similarity|rename |copy |Binary |GIT binary|\\ )/;

/**
 * @param {string} text a git diff, or only hunks
 * @returns {DiffLine[]}
 */
export function diffLines(text) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  let removed = 0;
  let added = 0; // remaining lines of the hunk: inside it `--- x` is a removed line
  return lines.map((line) => {
    if (removed > 0 || added > 0) {
      if (line.startsWith("\\")) return { kind: "meta", text: line };
      if (line.startsWith("+")) {
        added -= 1;
        return { kind: "add", text: line };
      }
      if (line.startsWith("-")) {
        removed -= 1;
        return { kind: "remove", text: line };
      }
      removed -= 1;
      added -= 1;
      return { kind: "same", text: line };
    }
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (hunk) {
      removed = Number(hunk[1] ?? 1);
      added = Number(hunk[2] ?? 1);
      return { kind: "hunk", text: line };
    }
    if (line.startsWith("diff --git ")) return { kind: "file", text: line.slice("diff --git ".length) };
    return { kind: META.test(line) || /^(?:---|\+\+\+) /.test(line) ? "meta" : "same", text: line };
  });
}

/**
 * @param {{kind?: any, diff?: string, path: string}} change of a Codex `fileChange`
 * @returns {DiffLine[]} for a new or deleted file Codex sends the text itself instead of a diff
 */
export function changeLines(change) {
  const kind = change.kind?.type ?? change.kind;
  const text = change.diff ?? "";
  if (kind === "add" || kind === "delete") {
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.map((line) => (kind === "add" ? { kind: "add", text: `+${line}` } : { kind: "remove", text: `-${line}` }));
  }
  return diffLines(text);
}

/**
 * @param {{kind?: any, diff?: string, path: string}} change of a `fileChange`
 * @param {(path: string) => string} [shown] how a move's target path is shown
 * @returns {Array<{look: "added"|"removed"|"moved", text: string}>} a summary as on a terminal: `+1`, `−2`, `→ new.txt`
 */
export function changeWords(change, shown = (path) => path) {
  const lines = changeLines(change);
  const kind = change.kind?.type ?? change.kind;
  if (kind === "add") return [{ look: "added", text: `new, ${counted(lines.length, "line")}` }];
  if (kind === "delete") return [{ look: "removed", text: "deleted" }];
  const { added, removed } = countsOf(lines);
  const target = change.kind?.move_path;
  /** @type {Array<{look: "added"|"removed"|"moved", text: string}>} */
  const words = [{ look: "added", text: `+${added}` }, { look: "removed", text: `−${removed}` }];
  return target ? [...words, { look: "moved", text: `→ ${shown(String(target))}` }] : words;
}

/** @param {DiffLine[]} lines @returns {{added: number, removed: number}} */
export function countsOf(lines) {
  return {
    added: lines.filter((line) => line.kind === "add").length,
    removed: lines.filter((line) => line.kind === "remove").length,
  };
}
