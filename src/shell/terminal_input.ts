/**
 * Keys from the terminal, handed to the line editor up to the end of a line while no command runs.
 *
 * ```text
 * terminal ─ read ─▶ KeyDecoder ─▶ typed ahead ─ while no command runs ─▶ line editor
 *                                       └─ Ctrl-C, Ctrl-Z while a command runs ─▶ interrupt, suspend
 * ```
 *
 * Lines that are typed or pasted while a command runs wait here, so that each is echoed when those before it are answered,
 * and a Ctrl-C after them is seen at once.
 *
 * @module
 */

import { ESCAPE_KEY_DELAY_MS, TYPED_AHEAD_MAX_BYTES } from "../limits.ts";
import { KeyDecoder } from "./keys.ts";
import type { Key } from "./keys.ts";

/** What takes the keys. */
export interface KeyHandlers {
  /** Takes keys from `from` on; returns the place of the first that it leaves, as it does after the end of a line. */
  take(keys: readonly Key[], from: number): number;
  /** Ctrl-C while input is held. */
  interrupt(): void;
  /** Ctrl-Z while input is held. */
  suspend(): void;
  /** Too much was typed ahead, and all of it is dropped. */
  overflow(): void;
}

/** The line editor's input. */
export class TerminalInput {
  readonly #handlers: KeyHandlers;
  readonly #decoder = new KeyDecoder();
  #typed: Key[] = [];
  /** The first of `#typed` that was not taken. */
  #head = 0;
  /** What was put back while keys were taken. */
  #unread: Key[] = [];
  #isHeld = false;
  #heldBytes = 0;
  #escapeTimer: number | undefined;

  constructor(handlers: KeyHandlers) {
    this.#handlers = handlers;
  }

  /** Takes what was read from the terminal; the bytes are not kept. */
  add(bytes: Uint8Array): void {
    clearTimeout(this.#escapeTimer);
    if (this.#isHeld) this.#heldBytes += bytes.length;
    this.#addKeys(this.#decoder.decode(bytes));
    if (!this.#decoder.isUnfinished) return;
    this.#escapeTimer = setTimeout(() => this.#addKeys(this.#decoder.flush()), ESCAPE_KEY_DELAY_MS);
  }

  /**
   * Puts lines before everything that was typed ahead, as if they had been typed, each with Enter. It is for the editor,
   * while it takes keys.
   */
  unread(lines: readonly string[]): void {
    this.#unread = lines.flatMap((text): Key[] => [{ name: "text", text }, { name: "enter", text: "" }]);
  }

  /** The terminal is gone: what was typed is handed over. */
  end(): void {
    clearTimeout(this.#escapeTimer);
    this.#isHeld = false;
    this.#addKeys(this.#decoder.flush());
  }

  /** Keeps what is typed from the editor while a command runs. The editor may call it while it takes keys. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Lets the editor have its input again. */
  release(): void {
    this.#isHeld = false;
    this.#heldBytes = 0;
    this.#feed();
  }

  #addKeys(keys: readonly Key[]): void {
    for (const key of keys) this.#typed.push(key);
    this.#feed();
    // Something is left only after the line of a command that runs.
    const unseen = this.#typed.slice(Math.max(this.#head, this.#typed.length - keys.length));
    const stop = unseen.findLastIndex(({ name }) => name === "ctrl-c");
    if (stop >= 0) {
      // What was typed ahead is given up together with that command.
      this.#drop(this.#typed.length - unseen.length + stop + 1);
      this.#handlers.interrupt();
    } else if (unseen.some(({ name }) => name === "ctrl-z")) {
      this.#typed = this.#typed.filter(({ name }, index) => index < this.#head || name !== "ctrl-z");
      this.#handlers.suspend();
    } else if (this.#heldBytes > TYPED_AHEAD_MAX_BYTES) {
      this.#drop(this.#typed.length);
      this.#handlers.overflow();
    }
  }

  #drop(count: number): void {
    this.#typed = this.#typed.slice(count);
    this.#head = 0;
    this.#heldBytes = 0;
  }

  #feed(): void {
    while (!this.#isHeld && this.#head < this.#typed.length) {
      const from = this.#head;
      this.#head = this.#handlers.take(this.#typed, from);
      if (this.#head === from) break;
      if (this.#unread.length === 0) continue;
      this.#typed = this.#unread.concat(this.#typed.slice(this.#head));
      this.#head = 0;
      this.#unread = [];
    }
    if (this.#head === this.#typed.length) {
      this.#typed = [];
      this.#head = 0;
    }
  }
}
