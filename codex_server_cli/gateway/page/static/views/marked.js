/** Preserves the user's text selection when a node is redrawn. */

/**
 * @param {HTMLElement} node
 * @returns {{ends: number[], text: string}|null} both ends as offsets in its text, and the text up to there; null if
 *   nothing is selected, or the selection leaves the node
 */
export function markedIn(node) {
  const { anchorNode, anchorOffset, focusNode, focusOffset, isCollapsed } = /** @type {Selection} */ (getSelection());
  if (isCollapsed || !anchorNode || !focusNode || !node.contains(anchorNode) || !node.contains(focusNode)) return null;
  const ends = [offsetOf(node, anchorNode, anchorOffset), offsetOf(node, focusNode, focusOffset)];
  return { ends, text: (node.textContent ?? "").slice(0, Math.max(...ends)) };
}

/** Restore the selection in the new node, unless its text differs up to there. */
/** @param {HTMLElement} node @param {{ends: number[], text: string}|null} marked */
export function markIn(node, marked) {
  if (!marked || !node.textContent?.startsWith(marked.text)) return;
  const [from, to] = marked.ends.map((end) => placeOf(node, end));
  if (from && to) getSelection()?.setBaseAndExtent(from.node, from.offset, to.node, to.offset);
}

/** @param {Node} node @param {Node} inner @param {number} offset in it @returns {number} in the text of the node */
function offsetOf(node, inner, offset) {
  const range = document.createRange();
  range.selectNodeContents(node);
  range.setEnd(inner, offset);
  return range.toString().length;
}

/** @param {Node} node @param {number} offset in its text @returns {{node: Node, offset: number}|null} */
function placeOf(node, offset) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(), rest = offset; text; text = walker.nextNode()) {
    const length = text.nodeValue?.length ?? 0;
    if (rest <= length) return { node: text, offset: rest };
    rest -= length;
  }
  return null;
}
