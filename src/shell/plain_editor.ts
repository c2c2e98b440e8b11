/**
 * The prompt on a terminal that obeys no control sequences: the kernel edits and echoes the lines.
 *
 * @module
 */

import type { Key } from "./keys.ts";

/** Collects the text of one line. It has the methods of the line editor that the shell uses. */
export class PlainEditor {
  readonly #prompt: () => string;
  readonly #write: (text: string) => void;
  readonly #takeLine: (line: string) => void;
  #line = "";
  #isActive = false;

  constructor(prompt: () => string, write: (text: string) => void, takeLine: (line: string) => void) {
    this.#prompt = prompt;
    this.#write = write;
    this.#takeLine = takeLine;
  }

  /** Shows the prompt. */
  start(): void {
    this.#line = "";
    this.#isActive = true;
    this.#write(this.#prompt());
  }

  /** Takes keys until a line is complete. Returns the index of the first key that was not taken. */
  take(keys: readonly Key[], from: number): number {
    let at = from;
    while (at < keys.length && this.#isActive) {
      const { name, text } = keys[at++]!;
      if (name === "text") this.#line += text;
      else if (name === "tab") this.#line += "\t";
      else if (name === "enter") {
        this.#isActive = false;
        this.#takeLine(this.#line);
      }
    }
    return at;
  }

  /** Handles Ctrl-C, after which the kernel has dropped the line. */
  interrupt(): void {
    this.#write("\n");
    this.start();
  }

  /** Does nothing, since the prompt does not depend on the size. */
  resize(): void {}

  /** Does nothing, since the terminal itself shows the typed text. */
  pause(): void {}

  /** Shows the prompt again. */
  resume(): void {
    this.#write(this.#prompt());
  }
}
