/**
 * Keys from the terminal, handed to the line editor one line at a time.
 *
 * ```text
 * terminal ─ read ─▶ typed ahead ─ up to a newline, while no command runs ─▶ node:readline
 *                         └─ Ctrl-C while a command runs ─▶ interrupt
 * ```
 *
 * `node:readline` would take all lines of a paste at once, so that their echo and the replies stood in each other's way,
 * and a Ctrl-C behind them would be seen too late. Here a line is echoed when those before it are answered.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { PassThrough } from "node:stream";

const CONTROL_C = 0x03;
const CARRIAGE_RETURN = 0x0d;
const NEWLINE = 0x0a;

/** The line editor's input. */
export class TerminalInput {
  /** What `node:readline` reads from. Its data events are made here and reach the editor before `feed` returns. */
  readonly stream = new PassThrough();
  readonly #interrupt: () => void;
  #typed: Uint8Array = new Uint8Array(0);
  #held = false;

  /** @param interrupt is called for a Ctrl-C while input is held */
  constructor(interrupt: () => void) {
    this.#interrupt = interrupt;
  }

  /** Takes what was read from the terminal; the bytes are copied. */
  add(bytes: Uint8Array): void {
    const joined = new Uint8Array(this.#typed.length + bytes.length);
    joined.set(this.#typed);
    joined.set(bytes, this.#typed.length);
    this.#typed = joined;
    this.#feed();
    // Something is left only behind the line of a command that runs.
    const stop = this.#typed.lastIndexOf(CONTROL_C);
    if (stop < 0) return;
    // What was typed ahead is given up together with that command.
    this.#typed = this.#typed.subarray(stop + 1);
    this.#interrupt();
  }

  /** The terminal is gone: what was typed is handed over, then the editor is told. */
  end(): void {
    this.#held = false;
    this.#feed();
    this.stream.end();
  }

  /** Keeps what is typed from the editor, beginning with the next line, while a command runs. */
  hold(): void {
    this.#held = true;
  }

  /** Lets the editor have its input again. */
  release(): void {
    this.#held = false;
    this.#feed();
  }

  #feed(): void {
    while (!this.#held && this.#typed.length > 0) {
      const end = this.#typed.findIndex((byte) => byte === CARRIAGE_RETURN || byte === NEWLINE);
      let length = end < 0 ? this.#typed.length : end + 1;
      // A newline behind it belongs to it: apart, they could be taken for two.
      if (end >= 0 && this.#typed[end] === CARRIAGE_RETURN && this.#typed[end + 1] === NEWLINE) length++;
      const piece = this.#typed.subarray(0, length);
      this.#typed = this.#typed.subarray(length);
      this.stream.emit("data", Buffer.from(piece));
    }
  }
}
