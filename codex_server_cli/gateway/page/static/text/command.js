/**
 * A command as shown to people: without the shell that Codex wraps around it, as in `core/record/item_text.py`. Pure.
 * In doubt the whole command is shown. Never used for approvals: those show the command unchanged.
 */

/** In another folder a file with this name may be any program. */
const SHELLS = /^(?:\/bin\/|\/usr\/bin\/|\/usr\/local\/bin\/|\/opt\/homebrew\/bin\/)?(?:ba|z|da)?sh$/;
const FLAGS = ["-c", "-lc"];
/** A quoted or plain piece of a word; a backslash inside double quotes does not match, and counts as doubt. */
const PIECE = /'([^']*)'|"([^"\\$`]*)"|\\([^\n])|([^ \t\r\n'"\\]+)/y;

/**
 * @param {unknown} command a line, or a list of words
 * @returns {string} the script, if the command is only a shell with one script; else the whole command
 */
export function unwrapped(command) {
  const words = Array.isArray(command) ? command.map(String) : split(String(command ?? ""));
  const isWrapped = words?.length === 3 && SHELLS.test(words[0]) && FLAGS.includes(words[1]);
  if (isWrapped && words) return words[2];
  return Array.isArray(command) ? command.join(" ") : String(command ?? "");
}

/**
 * @param {string} line
 * @returns {string[]|null} its words, split as in a POSIX shell; null if this is not certain
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
