/**
 * Decodes the bytes of a terminal into keys and text.
 *
 * ```text
 * "get a" 01 1b 5b 44 0d       text "get a", ctrl-a, left, enter
 * 1b 5b 200~ … 1b 5b 201~      pasted text, if the terminal marks it (bracketed paste); line breaks in it are "\n"
 * ```
 *
 * A read may end anywhere: within a character, a sequence or the mark at the end of pasted text. Incomplete bytes wait
 * for the next ones, or for {@linkcode KeyDecoder.flush}.
 *
 * A mark within pasted text would end it early, and the rest would run. Most terminals remove such marks. In case one
 * does not, only the last mark of the bytes that arrive without a pause counts: the bytes after a mark wait for the
 * next ones, or for {@linkcode KeyDecoder.flush}, which is called after a pause.
 *
 * Text between marks is never a key, with one exception: Ctrl-C drops the rest of it, since the mark at its end may
 * never arrive. Few terminals pass that byte on from pasted text. The bytes after it are not taken for typed keys until
 * the mark, or until Ctrl-C arrives alone once more.
 *
 * @module
 */

import { KEY_SEQUENCE_MAX_BYTES } from "../limits.ts";
import { decodeTyped, unfinishedLength } from "../terminal/typed_text.ts";

/** A key, or text. */
export interface Key {
  /** `text` for typed or pasted text; otherwise a name such as `enter`, `ctrl-a` or `alt-left`. */
  readonly name: string;
  /** The text of a `text` key; empty for others. */
  readonly text: string;
}

const CONTROL_C = 0x03;
const TAB = 0x09;
const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const ESCAPE = 0x1b;
const DELETE = 0x7f;

// Both patterns match what follows the Escape. A control sequence is `[ parameters letter`.
const CONTROL_SEQUENCE = /^\[([0-?]*)[ -/]*([@-~])/;
/** Matches `O letter`, as some terminals send for arrows and the keypad. */
const SINGLE_SHIFT = /^O([ -~])/;
const UNFINISHED_SEQUENCE = /^(\[[0-?]*[ -/]*|O)?$/;
const PASTE_END = "\x1b[201~";
/** The marks between two texts that were pasted one right after the other. */
const PASTE_SEAM = `${PASTE_END}\x1b[200~`;

const ARROWS: Readonly<Record<string, string>> = {
  A: "up",
  B: "down",
  C: "right",
  D: "left",
  F: "end",
  H: "home",
};
/** The keys after `ESC O`: the arrows, Enter of the keypad, and arrows with Ctrl. */
const SHIFTED: Readonly<Record<string, string>> = {
  ...ARROWS,
  M: "enter",
  a: "ctrl-up",
  b: "ctrl-down",
  c: "ctrl-right",
  d: "ctrl-left",
};
const NUMBERS: Readonly<Record<string, string>> = {
  1: "home",
  3: "delete",
  4: "end",
  6: "page-down",
  7: "home",
  8: "end",
  200: "paste",
};

/** Decodes bytes as they arrive into keys. */
export class KeyDecoder {
  #pending: Uint8Array = new Uint8Array(0);
  #isPasting = false;
  /** Whether the pasted text is dropped. */
  #isDropping = false;
  /** Whether the pasted text so far ends with a carriage return, which a newline may follow. */
  #endsWithReturn = false;

  /** Whether bytes wait for others that may never arrive. {@linkcode KeyDecoder.flush} decodes them as they are. */
  get isUnfinished(): boolean {
    return this.#pending.length > 0 && (!this.#isPasting || startsWithPasteEnd(this.#pending));
  }

  /** @param bytes the bytes that were read; they are not kept */
  decode(bytes: Uint8Array): Key[] {
    if (this.#isDropping && bytes.length === 1 && bytes[0] === CONTROL_C) {
      this.#isPasting = false;
      this.#isDropping = false;
      this.#pending = new Uint8Array(0);
    }
    const joined = new Uint8Array(this.#pending.length + bytes.length);
    joined.set(this.#pending);
    joined.set(bytes, this.#pending.length);
    return this.#decode(joined, false);
  }

  /** Decodes incomplete bytes as they are: an Escape that is a key, or bytes that are not UTF-8. */
  flush(): Key[] {
    return this.isUnfinished ? this.#decode(this.#pending, true) : [];
  }

  #decode(bytes: Uint8Array, isAll: boolean): Key[] {
    const keys: Key[] = [];
    let at = 0;
    while (at < bytes.length) {
      const length = this.#isPasting
        ? this.#takePasted(bytes.subarray(at), keys, isAll)
        : this.#takeTyped(bytes.subarray(at), keys, isAll);
      if (length === 0) break;
      at += length;
    }
    this.#pending = bytes.slice(at);
    return keys.map((key, index) => isPastedTab(key, keys[index + 1]) ? { name: "text", text: "\t" } : key);
  }

  /** Decodes a key or a run of text at the beginning. Returns its length, or 0 when more bytes are needed. */
  #takeTyped(bytes: Uint8Array, keys: Key[], isAll: boolean): number {
    const first = bytes[0]!;
    if (first === ESCAPE) return this.#takeSequence(bytes, keys, isAll);
    if (first < 0x20 || first === DELETE) {
      keys.push(key(controlName(first)));
      return first === CARRIAGE_RETURN && bytes[1] === NEWLINE ? 2 : 1;
    }
    const end = bytes.findIndex((byte) => byte < 0x20 || byte === DELETE);
    const run = end < 0 ? bytes : bytes.subarray(0, end);
    const length = run.length - (end < 0 && !isAll ? unfinishedLength(run) : 0);
    if (length > 0) keys.push({ name: "text", text: decodeTyped(run.subarray(0, length)) });
    return length;
  }

  #takeSequence(bytes: Uint8Array, keys: Key[], isAll: boolean): number {
    // Some terminals send an additional Escape for Alt.
    const alt = bytes[1] === ESCAPE ? 1 : 0;
    const text = String.fromCharCode(...bytes.subarray(alt + 1, alt + 1 + KEY_SEQUENCE_MAX_BYTES));
    if (UNFINISHED_SEQUENCE.test(text) && !isAll && text.length < KEY_SEQUENCE_MAX_BYTES) return 0;
    const sequence = CONTROL_SEQUENCE.exec(text);
    const shifted = SINGLE_SHIFT.exec(text);
    if (sequence !== null) {
      const [all, parameters = "", letter = ""] = sequence;
      this.#addSequence(sequenceName(parameters, letter), alt === 1, keys);
      return alt + 1 + all.length;
    }
    if (shifted !== null) {
      this.#addSequence(SHIFTED[shifted[1]!], alt === 1, keys);
      return alt + 1 + shifted[0].length;
    }
    const next = bytes[1] ?? 0;
    if (next === DELETE || next === 0x08) {
      keys.push(key("alt-backspace"));
      return 2;
    }
    if (next > 0x20 && next < DELETE) {
      keys.push(key(`alt-${String.fromCharCode(next).toLowerCase()}`));
      return 2;
    }
    keys.push(key("escape"));
    return 1;
  }

  #addSequence(name: string | undefined, isAlt: boolean, keys: Key[]): void {
    if (name === "paste") {
      this.#isPasting = true;
      this.#endsWithReturn = false;
    } else if (name !== undefined) {
      keys.push(key(isAlt ? `alt-${name}` : name));
    }
  }

  /**
   * Decodes pasted text up to the last mark of its end, and the mark if all has arrived. Returns the decoded length.
   */
  #takePasted(bytes: Uint8Array, keys: Key[], isAll: boolean): number {
    const end = lastPasteEnd(bytes);
    const isEnd = end >= 0 && isAll;
    let content = bytes.subarray(0, end >= 0 ? end : lengthBeforeMark(bytes));
    if (end < 0) content = content.subarray(0, content.length - unfinishedLength(content));
    const stop = content.indexOf(CONTROL_C);
    if (stop >= 0 && !this.#isDropping) {
      this.#isDropping = true;
      keys.push(key("ctrl-c"));
    }
    if (!this.#isDropping) {
      const text = this.#withNewlines(decodeTyped(content).replaceAll(PASTE_SEAM, ""));
      if (text !== "") keys.push({ name: "text", text });
    }
    if (isEnd) {
      this.#isPasting = false;
      this.#isDropping = false;
    }
    return content.length + (isEnd ? PASTE_END.length : 0);
  }

  #withNewlines(text: string): string {
    const rest = this.#endsWithReturn && text.startsWith("\n") ? text.slice(1) : text;
    if (text !== "") this.#endsWithReturn = text.endsWith("\r");
    return rest.replace(/\r\n?/g, "\n");
  }
}

/** Returns the position of the last mark at the end of pasted text, or -1. */
function lastPasteEnd(bytes: Uint8Array): number {
  let at = bytes.lastIndexOf(ESCAPE);
  while (at >= 0 && !startsWithPasteEnd(bytes.subarray(at))) at = at === 0 ? -1 : bytes.lastIndexOf(ESCAPE, at - 1);
  return at;
}

function startsWithPasteEnd(bytes: Uint8Array): boolean {
  return bytes.length >= PASTE_END.length && beginsAsPasteEnd(bytes);
}

function beginsAsPasteEnd(bytes: Uint8Array): boolean {
  return PASTE_END.startsWith(String.fromCharCode(...bytes.subarray(0, PASTE_END.length)));
}

/** Returns the length of the part that cannot belong to an incomplete mark. `bytes` must not contain a whole mark. */
function lengthBeforeMark(bytes: Uint8Array): number {
  const at = bytes.lastIndexOf(ESCAPE);
  const isBegun = at >= 0 && bytes.length - at < PASTE_END.length && beginsAsPasteEnd(bytes.subarray(at));
  return isBegun ? at : bytes.length;
}

/** Returns whether a tab is text. A tab in the middle of bytes that arrived together was pasted. */
function isPastedTab({ name }: Key, next: Key | undefined): boolean {
  return name === "tab" && (next?.name === "text" || next?.name === "enter");
}

function key(name: string): Key {
  return { name, text: "" };
}

function controlName(byte: number): string {
  if (byte === CARRIAGE_RETURN || byte === NEWLINE) return "enter";
  if (byte === TAB) return "tab";
  if (byte === 0x08 || byte === DELETE) return "backspace";
  return `ctrl-${String.fromCharCode(byte + 0x40).toLowerCase()}`;
}

/** Returns the name of a key such as `ESC [ 1 ; 5 C`; `undefined` when it has no meaning here. */
function sequenceName(parameters: string, letter: string): string | undefined {
  const [number = "", modifiers = ""] = parameters.split(";");
  const name = letter === "~" ? NUMBERS[number] : /^1?$/.test(number) ? ARROWS[letter] : undefined;
  if (name === undefined) return undefined;
  // The number is one more than a bit for each of Shift, Alt and Ctrl.
  const bits = /^\d$/.test(modifiers) ? Number(modifiers) - 1 : 0;
  if ((bits & 4) !== 0) return `ctrl-${name}`;
  return (bits & 2) !== 0 ? `alt-${name}` : name;
}
