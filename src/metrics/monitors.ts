/**
 * The clients that see each request: `monitor`.
 *
 * ```text
 * +1700000000.123456 [0 127.0.0.1:50000] "set" "k" "a\x00b"
 * ```
 *
 * A line is written once for all clients that monitor. They get it as they get messages of channels, so a client that
 * does not keep up is disconnected. Without such clients nothing here is called.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { MONITOR_WORD_MAX_BYTES, MONITOR_WORDS_MAX_COUNT } from "../limits.ts";
import { cutWords, type FindSecrets, type Words } from "./request_words.ts";

/** A client that monitors. */
export interface Monitor {
  /** Sends a line with its end. The bytes never change. */
  monitored(line: Uint8Array): void;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const DELETE = 0x7f;

/** The form of a byte in a line: the byte itself, a backslash and a letter, or `\x` and two digits. */
const enum Form {
  Plain,
  Letter,
  Digits,
}

const LETTERS: Readonly<Record<number, string>> = {
  7: "a",
  8: "b",
  9: "t",
  10: "n",
  13: "r",
  [QUOTE]: '"',
  [BACKSLASH]: "\\",
};
const FORMS = Uint8Array.from({ length: 256 }, (_, byte) => {
  if (LETTERS[byte] !== undefined) return Form.Letter;
  return byte >= SPACE && byte < DELETE ? Form.Plain : Form.Digits;
});
const LETTER_BYTES = Uint8Array.from({ length: 256 }, (_, byte) => LETTERS[byte]?.charCodeAt(0) ?? 0);
const DIGITS = encodeText("0123456789abcdef");
const LETTER_X = 0x78;
const ESCAPE_MAX_BYTES = 4;

const LINE_END = encodeText("\r\n");

/** The clients of one role that monitor. */
export class Monitors {
  readonly #monitors = new Set<Monitor>();
  readonly #findSecrets: FindSecrets;
  readonly #onChange: () => void;

  /**
   * @param findSecrets finds the words of a request that must not be shown
   * @param onChange is called when the first client begins to monitor, and when the last one ends
   */
  constructor(findSecrets: FindSecrets, onChange: () => void) {
    this.#findSecrets = findSecrets;
    this.#onChange = onChange;
  }

  /** The number of clients that monitor. */
  get count(): number {
    return this.#monitors.size;
  }

  add(monitor: Monitor): void {
    this.#monitors.add(monitor);
    if (this.count === 1) this.#onChange();
  }

  /** Ends the monitoring of a client. Does nothing if it does not monitor. */
  remove(monitor: Monitor): void {
    if (this.#monitors.delete(monitor) && this.count === 0) this.#onChange();
  }

  /**
   * Shows a request to all clients that monitor.
   *
   * @param words borrowed until return
   * @param address the address of the client that has sent the request
   * @param nowMs the present in ms since 1970
   * @param except a client that does not get the line
   * @returns the line
   */
  note(words: Words, address: string, nowMs: number, except?: Monitor): Uint8Array {
    const seconds = Math.floor(nowMs / 1000);
    const microseconds = Math.floor((nowMs - seconds * 1000) * 1000);
    const head = encodeText(`+${seconds}.${String(microseconds).padStart(6, "0")} [0 ${address}]`);
    const shown = cutWords(words, this.#findSecrets(words), MONITOR_WORDS_MAX_COUNT, MONITOR_WORD_MAX_BYTES);
    const line = composeLine(head, shown);
    // A client that does not keep up leaves the set when it gets the line.
    for (const monitor of [...this.#monitors]) if (monitor !== except) monitor.monitored(line);
    return line;
  }
}

function composeLine(head: Uint8Array, words: readonly Uint8Array[]): Uint8Array {
  const size = words.reduce((size, word) => size + 3 + ESCAPE_MAX_BYTES * word.length, head.length + LINE_END.length);
  const line = new Uint8Array(size);
  line.set(head);
  let at = head.length;
  for (const word of words) {
    line[at++] = SPACE;
    line[at++] = QUOTE;
    for (const byte of word) {
      const form = FORMS[byte]!;
      if (form === Form.Plain) {
        line[at++] = byte;
        continue;
      }
      line[at++] = BACKSLASH;
      if (form === Form.Letter) {
        line[at++] = LETTER_BYTES[byte]!;
      } else {
        line[at++] = LETTER_X;
        line[at++] = DIGITS[byte >> 4]!;
        line[at++] = DIGITS[byte & 15]!;
      }
    }
    line[at++] = QUOTE;
  }
  line.set(LINE_END, at);
  // The copy does not keep the room for escapes that were not needed.
  return line.slice(0, at + LINE_END.length);
}
