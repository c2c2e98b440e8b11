/**
 * Makes and changes elements. Text only ever becomes a text node, so that nothing in a key, a value or the name of a
 * client is taken for markup.
 */

/**
 * Returns the element with this id.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Cannot find the element "${id}"`);
  return element;
}

/**
 * Returns the field of a form with this id.
 *
 * @param {string} id
 * @returns {HTMLInputElement}
 */
export function field(id) {
  return /** @type {HTMLInputElement} */ (byId(id));
}

/**
 * Makes an element with attributes and children. An attribute whose value is `undefined` is left out.
 *
 * @param {string} name
 * @param {Readonly<Record<string, string | undefined>>} attributes
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/**
 * Makes a button.
 *
 * @param {string} text
 * @param {() => void} onClick
 * @param {Readonly<Record<string, string | undefined>>} attributes
 * @returns {HTMLButtonElement}
 */
export function button(text, onClick, attributes = {}) {
  const element = /** @type {HTMLButtonElement} */ (make("button", { type: "button", ...attributes }, text));
  element.addEventListener("click", onClick);
  return element;
}

/**
 * Sets the text of a node if it differs, since every assignment makes the browser lay out the page again.
 *
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Calls `refresh` now and then, while an element is on the screen and the page is visible, and when it becomes so.
 *
 * @param {Element} element
 * @param {number} intervalMs
 * @param {() => Promise<void>} refresh never rejects
 */
export function whileSeen(element, intervalMs, refresh) {
  let isSeen = false;
  let isBusy = false;
  let lastMs = -Infinity;
  async function look() {
    if (!isSeen || isBusy || document.hidden || performance.now() - lastMs < intervalMs) return;
    isBusy = true;
    lastMs = performance.now();
    await refresh();
    isBusy = false;
  }
  new IntersectionObserver((entries) => {
    isSeen = entries.some((entry) => entry.isIntersecting);
    look();
  }, { rootMargin: "200px" }).observe(element);
  document.addEventListener("visibilitychange", look);
  setInterval(look, 1000);
}
