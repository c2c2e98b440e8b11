/**
 * Passes keys from the terminal to the line editor, up to the end of a line and while no command runs.
 *
 * ```text
 * terminal ─ read ─▶ KeyDecoder ─▶ typed ahead ─ while no command runs ─▶ line editor
 *                                       └─ Ctrl-C, Ctrl-Z while a command runs ─▶ interrupt, suspend
 * ```
 *
 * Lines that are typed or pasted while a command runs wait here. Each is therefore echoed after the replies to those
 * before it, and a Ctrl-C after them takes effect immediately.
 *
 * @module
 */

import { ESCAPE_KEY_DELAY_MS, TYPED_AHEAD_MAX_BYTES } from "../limits.ts";
import { KeyDecoder } from "./keys.ts";
import type { Key } from "./keys.ts";

/** The handlers of keys. */
export interface KeyHandlers {
  /**
   * Takes keys from `from` on. Returns the index of the first key that was not taken, such as after the end of a line.
   */
  take(keys: readonly Key[], from: number): number;
  /** Called on Ctrl-C while input is held. */
  interrupt(): void;
  /** Called on Ctrl-Z while input is held. */
  suspend(): void;
  /** Called when too much was typed ahead and all of it is dropped. */
  overflow(): void;
}

/** The input of the line editor. */
export class TerminalInput {
  readonly #handlers: KeyHandlers;
  readonly #decoder = new KeyDecoder();
  #typed: Key[] = [];
  /** The index of the first key that was not taken. */
  #head = 0;
  /** The keys that were put back while keys were taken. */
  #unread: Key[] = [];
  #isHeld = false;
  #heldBytes = 0;
  #escapeTimer: number | undefined;

  constructor(handlers: KeyHandlers) {
    this.#handlers = handlers;
  }

  /** Whether nothing is typed ahead. */
  get isEmpty(): boolean {
    return this.#head >= this.#typed.length && this.#unread.length === 0;
  }

  /** Adds bytes that were read from the terminal. They are not kept. */
  add(bytes: Uint8Array): void {
    clearTimeout(this.#escapeTimer);
    if (this.#isHeld) this.#heldBytes += bytes.length;
    this.#addKeys(this.#decoder.decode(bytes));
    if (!this.#decoder.isUnfinished) return;
    this.#escapeTimer = setTimeout(() => this.#addKeys(this.#decoder.flush()), ESCAPE_KEY_DELAY_MS);
  }

  /**
   * Inserts lines before all keys that were typed ahead, as if they had been typed, each with Enter. The editor calls
   * it while it takes keys.
   */
  unread(lines: readonly string[]): void {
    this.#unread = lines.flatMap((text): Key[] => [{ name: "text", text }, { name: "enter", text: "" }]);
  }

  /** Passes on all keys that were typed, because the terminal is gone. */
  end(): void {
    clearTimeout(this.#escapeTimer);
    this.#isHeld = false;
    this.#addKeys(this.#decoder.flush());
  }

  /** Holds keys back while a command runs. The editor may call it while it takes keys. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Passes held keys on to the editor. */
  release(): void {
    this.#isHeld = false;
    this.#heldBytes = 0;
    this.#feed();
  }

  #addKeys(keys: readonly Key[]): void {
    for (const key of keys) this.#typed.push(key);
    this.#feed();
    // Keys are left only after the line of a running command.
    const unseen = this.#typed.slice(Math.max(this.#head, this.#typed.length - keys.length));
    const stop = unseen.findLastIndex(({ name }) => name === "ctrl-c");
    if (stop >= 0) {
      // The keys that were typed ahead are dropped together with that command.
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
