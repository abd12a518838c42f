/**
 * Creates nodes. All text becomes text nodes, and foreign text passes through `safe` first: `innerHTML` is not used,
 * and the page's policy (Trusted Types) would block it.
 */

import { safe } from "./text/safe.js";

const SVG = "http://www.w3.org/2000/svg";
/** How many announcements stay in the live region, for a screen reader that is behind. */
const SAID = 3;

/**
 * @param {string} tag for example `p`, or `p.class`
 * @param {Record<string, any>|null} properties attributes; `on…` are listeners; null, undefined and false are left out
 * @param {...any} children nodes and texts, also in lists; null, undefined and false are left out
 * @returns {any} an element
 */
export function el(tag, properties = null, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  return filled(node, properties, children);
}

/** The same for SVG. */
/** @param {string} tag @param {Record<string, any>|null} properties @param {...any} children */
export function svg(tag, properties = null, ...children) {
  return filled(document.createElementNS(SVG, tag), properties, children);
}

/** @param {any} node @param {Record<string, any>|null} properties @param {any[]} children */
function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : safe(value));
  }
  node.append(...nodesOf(children));
  return node;
}

/** @param {any[]} children @returns {Node[]} */
function nodesOf(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(safe(child))));
}

/** Replace the children of a node. */
/** @param {Element} node @param {...any} children */
export function fill(node, ...children) {
  node.replaceChildren(...nodesOf(children));
}

/** The element with this id, from `index.html`. */
/** @param {string} id @returns {any} */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`index.html has no #${id}`);
  return found;
}

/** Set the text of a node only if it differs, so that a screen reader does not read it again. */
/** @param {Element} node @param {unknown} text */
export function setText(node, text) {
  const shown = safe(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/** Announce something to screen readers, politely; repeated and quick successive announcements are read too. */
/** @param {string} words */
export function announce(words) {
  const node = byId("status");
  node.append(el("p", null, words));
  while (node.children.length > SAID) node.firstElementChild.remove();
}

/** Disable buttons until their request is answered. */
/** @param {HTMLButtonElement[]} buttons @returns {() => void} enables them, and restores the focus */
export function hold(buttons) {
  const focused = buttons.find((button) => button === document.activeElement);
  for (const button of buttons) button.disabled = true;
  return () => {
    for (const button of buttons) button.disabled = false;
    if (document.activeElement === document.body) focused?.focus();
  };
}

/** An element for text of unknown direction, isolated from its surroundings. */
/** @param {string} tag @param {unknown} text @returns {any} */
export function isolated(tag, text) {
  return el(tag, { dir: "auto" }, safe(text));
}
