/**
 * A command as a person reads it: without the shell that Codex wraps around it, as `core/record/item_text.py` shows it.
 * Pure. Where there is any doubt the whole command is shown. Never for what is to be approved, which is shown as it is.
 */

/** In another folder it may be any program. */
const SHELLS = /^(?:\/bin\/|\/usr\/bin\/|\/usr\/local\/bin\/|\/opt\/homebrew\/bin\/)?(?:ba|z|da)?sh$/;
const FLAGS = ["-c", "-lc"];
/** A quoted or plain piece of a word; what follows a backslash within double quotes is left for the doubtful. */
const PIECE = /'([^']*)'|"([^"\\$`]*)"|\\([^\n])|([^ \t\r\n'"\\]+)/y;

/**
 * @param {unknown} command a line, or its words
 * @returns {string} what the shell is told, where it is nothing but a shell with one script; else all of it
 */
export function unwrapped(command) {
  const words = Array.isArray(command) ? command.map(String) : split(String(command ?? ""));
  const isWrapped = words?.length === 3 && SHELLS.test(words[0]) && FLAGS.includes(words[1]);
  if (isWrapped && words) return words[2];
  return Array.isArray(command) ? command.join(" ") : String(command ?? "");
}

/**
 * @param {string} line
 * @returns {string[]|null} its words, as a POSIX shell splits it; null where this is not certain
 */
export function split(line) {
  const words = [];
  let word = null;
  PIECE.lastIndex = 0;
  for (let at = 0; at < line.length; ) {
    if (" \t\r\n".includes(line[at])) {
      if (word !== null) words.push(word);
      word = null;
      at += 1;
      continue;
    }
    PIECE.lastIndex = at;
    const piece = PIECE.exec(line);
    if (!piece) return null;
    word = (word ?? "") + (piece[1] ?? piece[2] ?? piece[3] ?? piece[4]);
    at = PIECE.lastIndex;
  }
  if (word !== null) words.push(word);
  return words;
}
