/**
 * The key browser: finds keys by a pattern, and shows the value of one, a part at a time. It changes something only
 * where the server allows it (`--metrics-edit`).
 */

import { ask, tell } from "./api.js";
import { button, byId, field, make, setText } from "./dom.js";
import * as format from "./format.js";
import { shortKey } from "./lists.js";
import { Table } from "./table.js";

/** @import { KeyFacts, KeyPart } from "../data.ts" */

/**
 * The titles of the columns of elements, by the type of the value.
 *
 * @type {Readonly<Record<string, readonly string[]>>}
 */
const HEADS = { list: ["Index", "Element"], hash: ["Field", "Value"], set: ["Member"] };

/** The longest name in base64 that is put into a URL. */
const NAME_IN_URL_MAX_LENGTH = 2000;

/** How long a button waits for the second press that confirms the first one, in ms. */
const CONFIRMATION_MS = 5000;

/** The list of found keys, and the value of the chosen one. */
export class KeyBrowser {
  constructor() {
    this.cursor = "0";
    this.foundCount = 0;
    /** The number of the present search, so that a late reply to an earlier one is dropped. */
    this.search = 0;
    this.chosen = "";
    byId("keys-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.find();
    });
    byId("keys-more").addEventListener("click", () => this.findMore());
  }

  /** Begins a search. */
  find() {
    this.search++;
    this.cursor = "0";
    this.foundCount = 0;
    byId("keys-list").replaceChildren();
    return this.findMore();
  }

  /** Asks for more keys, until some are found. */
  async findMore() {
    const { search } = this;
    const more = byId("keys-more");
    more.hidden = true;
    const match = format.toBase64(patternOf(field("keys-match").value));
    const type = field("keys-type").value;
    let foundCount = 0;
    try {
      do {
        const { cursor, keys } = await ask("/api/keys", { cursor: this.cursor, match, type });
        if (search !== this.search) return;
        this.cursor = cursor;
        foundCount = keys.length;
        this.foundCount += foundCount;
        byId("keys-list").append(...keys.map((/** @type {string} */ name) => this.item(name)));
        const end = cursor === "0" ? "" : foundCount > 0 ? " so far" : " so far; searching";
        setText(byId("keys-summary"), `${format.count(this.foundCount)} found${end}`);
      } while (foundCount === 0 && this.cursor !== "0");
      more.hidden = this.cursor === "0";
    } catch (error) {
      if (search === this.search) setText(byId("keys-summary"), /** @type {Error} */ (error).message);
    }
  }

  /** @param {string} name in base64 */
  item(name) {
    const isCurrent = name === this.chosen ? "true" : undefined;
    return make(
      "li",
      {},
      button(shortKey(name), () => this.open(name), { "data-name": name, "aria-current": isCurrent }),
    );
  }

  /**
   * Shows the value of a key that was chosen elsewhere on the page, and moves the focus there.
   *
   * @param {string} name in base64
   */
  async visit(name) {
    await this.open(name);
    byId("key").focus({ preventScroll: true });
    byId("keys").scrollIntoView();
  }

  /**
   * Shows the value of a key.
   *
   * @param {string} name in base64
   */
  async open(name) {
    this.chosen = name;
    for (const each of byId("keys-list").querySelectorAll("button")) {
      if (each.dataset.name === name) each.setAttribute("aria-current", "true");
      else each.removeAttribute("aria-current");
    }
    const article = byId("key");
    try {
      const facts = await askForKey(name, "0");
      if (name === this.chosen) article.replaceChildren(...new KeyView(this, facts).elements());
    } catch (error) {
      if (name !== this.chosen) return;
      article.replaceChildren(title(name), make("p", {}, /** @type {Error} */ (error).message));
    }
  }
}

/**
 * Asks for a part of a key's value. A long name is not put into a URL.
 *
 * @param {string} name in base64
 * @param {string} cursor
 * @returns {Promise<KeyFacts>}
 */
function askForKey(name, cursor) {
  const isShort = name.length <= NAME_IN_URL_MAX_LENGTH;
  return isShort ? ask("/api/key", { name, cursor }) : tell("/api/key", { name, cursor });
}

/**
 * Returns a pattern as bytes. `\xNN` is a byte, as keys that are not text are shown.
 *
 * @param {string} text
 */
function patternOf(text) {
  const parts = (text || "*").split(/(\\x[0-9a-f]{2})/i);
  return new Uint8Array(parts.flatMap((part) => {
    const code = /^\\x([0-9a-f]{2})$/i.exec(part)?.[1];
    return code === undefined ? [...new TextEncoder().encode(part)] : [Number.parseInt(code, 16)];
  }));
}

/** @param {string} name in base64 */
function title(name) {
  const text = format.readable(format.fromBase64(name));
  return make("h3", { dir: "auto" }, text === "" ? '"" (the empty key)' : text);
}

/** The value of one key on the screen. */
class KeyView {
  /**
   * @param {KeyBrowser} browser
   * @param {KeyFacts} facts
   */
  constructor(browser, facts) {
    this.browser = browser;
    this.facts = facts;
  }

  elements() {
    const { name, type, ttlMs, sizeBytes, encoding, elements, canEdit } = this.facts;
    if (type === "none") return [title(name), make("p", {}, "There is no such key; it may have expired.")];
    const dl = make(
      "dl",
      { class: "facts" },
      fact("Type", type),
      fact(
        type === "string" ? "Length" : "Elements",
        type === "string" ? format.bytes(elements) : format.whole(elements),
      ),
      fact("Expires", ttlMs === null ? "never" : `in ${format.duration(Math.ceil(ttlMs / 1000))}`),
      fact("Memory", format.bytes(sizeBytes)),
      fact("Encoding", encoding),
    );
    const value = type === "string" ? this.stringElements() : this.itemElements();
    return [title(name), dl, ...value, ...canEdit ? [this.editor()] : []];
  }

  /** The bytes of a string, as text or in hexadecimal. */
  stringElements() {
    const { part } = this.facts;
    const bytes = format.fromBase64(part.items[0]?.value ?? "");
    const pre = make("pre", { tabindex: "0", "aria-label": "Value" });
    const forms = [
      ...format.isText(bytes) ? [] : ["Escaped"],
      ...format.isText(bytes) ? ["Text"] : [],
      ...jsonOf(bytes) === undefined ? [] : ["JSON"],
      "Hexadecimal",
    ];
    const show = (/** @type {string} */ form) => {
      pre.className = form === "Hexadecimal" ? "hex" : "";
      if (form === "JSON") setText(pre, jsonOf(bytes) ?? "");
      else setText(pre, form === "Hexadecimal" ? format.hexadecimal(bytes) : format.readable(bytes, true));
    };
    const select = make("select", {}, ...forms.map((form) => make("option", {}, form)));
    select.addEventListener("change", () => show(/** @type {HTMLSelectElement} */ (select).value));
    show(forms[0] ?? "");
    const note = part.cursor === "0" ? [] : [make("p", {}, `The first ${format.bytes(bytes.length)} are shown.`)];
    return [make("label", {}, "Shown as ", select), pre, ...note];
  }

  /** The elements of a list, a hash or a set, a part at a time. */
  itemElements() {
    const { name, type, part } = this.facts;
    const heads = HEADS[type] ?? ["Element"];
    const box = make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Elements" });
    /** @type {Table<KeyPart["items"][number]>} */
    const table = new Table(
      box,
      "Elements",
      heads.map((head, i) => ({
        title: head,
        isCode: true,
        cell: (item) => {
          if (type === "list" && i === 0) return String(item.index);
          const [bytes, isCut] = i === 0 && type === "hash"
            ? [item.field, item.isFieldCut]
            : [item.value, item.isValueCut];
          return { text: format.readable(format.fromBase64(bytes ?? "")), detail: isCut ? "… cut" : "" };
        },
      })),
      (item) => `${item.index ?? ""} ${item.field ?? item.value}`,
      "No elements in this part.",
    );
    let items = part.items;
    let { cursor } = part;
    table.show(items);
    const more = button("Show more", async () => {
      more.disabled = true;
      try {
        const next = await askForKey(name, cursor);
        items = [...items, ...next.part.items];
        cursor = next.part.cursor;
        table.show(items);
      } catch (error) {
        more.textContent = /** @type {Error} */ (error).message;
      }
      more.disabled = false;
      more.hidden = cursor === "0";
    });
    more.hidden = cursor === "0";
    return [box, more];
  }

  /** The forms that change the key. */
  editor() {
    const { name, type, part } = this.facts;
    const note = make("p", { role: "status" });
    const act = async (/** @type {string} */ path, /** @type {object} */ body) => {
      try {
        await tell(path, { name, ...body });
        await this.browser.open(name);
      } catch (error) {
        setText(note, /** @type {Error} */ (error).message);
      }
    };
    const seconds = /** @type {HTMLInputElement} */ (make("input", { type: "number", min: "1", step: "1" }));
    const children = [
      make("label", {}, "Seconds to live ", seconds),
      button("Set", () => act("/api/expire", { seconds: Number(seconds.value) })),
      button("Keep for ever", () => act("/api/expire", { seconds: null })),
      confirmed("Delete the key", () => act("/api/delete", {})),
    ];
    const bytes = format.fromBase64(part.items[0]?.value ?? "");
    // Text that is shown with escapes, or only in part, would be stored wrongly.
    if (type === "string" && part.cursor === "0" && format.isText(bytes)) {
      const text = /** @type {HTMLTextAreaElement} */ (make("textarea", { rows: "3", "aria-label": "New value" }));
      text.value = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
      const store = () => act("/api/set", { value: format.toBase64(new TextEncoder().encode(text.value)) });
      children.push(text, button("Store the value", store));
    }
    return make("div", { class: "actions" }, ...children, note);
  }
}

/**
 * Makes a button that acts when it is pressed twice.
 *
 * @param {string} text
 * @param {() => void} act
 */
function confirmed(text, act) {
  let isSure = false;
  const element = button(text, () => {
    if (isSure) return act();
    isSure = true;
    setText(element, `${text}: press again`);
    setTimeout(() => {
      isSure = false;
      setText(element, text);
    }, CONFIRMATION_MS);
  }, { class: "danger" });
  return element;
}

/**
 * @param {string} name
 * @param {string} value
 */
function fact(name, value) {
  return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}

/**
 * Returns JSON with indentation; `undefined` if the bytes are not an object or array of JSON.
 *
 * @param {Uint8Array} bytes
 */
function jsonOf(bytes) {
  const text = new TextDecoder().decode(bytes);
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return undefined;
  }
}
