/**
 * Unified diffs, line by line. Pure: text in, lines with their kinds out; `views/diff.js` draws them.
 */

/** @typedef {{kind: "file"|"meta"|"hunk"|"add"|"remove"|"same", text: string}} DiffLine */

const META = /^(?:index |new file|deleted file|old mode|new mode|similarity|rename |copy |Binary |GIT binary|\\ )/;

/**
 * @param {string} text a diff of git's, or the hunks alone
 * @returns {DiffLine[]}
 */
export function diffLines(text) {
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  let removed = 0;
  let added = 0; // how many lines of the hunk are left: in it `--- x` is a line that was removed
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
 * @param {{kind?: unknown, diff?: string, path: string}} change of a `fileChange` of Codex's
 * @returns {DiffLine[]} of a new or a deleted file Codex gives the text itself, in place of a diff
 */
export function changeLines(change) {
  const kind = typeof change.kind === "object" && change.kind !== null ? /** @type {any} */ (change.kind).type : change.kind;
  const text = change.diff ?? "";
  if (kind === "add" || kind === "delete") {
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return lines.map((line) => (kind === "add" ? { kind: "add", text: `+${line}` } : { kind: "remove", text: `-${line}` }));
  }
  return diffLines(text);
}

/** @param {DiffLine[]} lines @returns {{added: number, removed: number}} */
export function countsOf(lines) {
  return {
    added: lines.filter((line) => line.kind === "add").length,
    removed: lines.filter((line) => line.kind === "remove").length,
  };
}
