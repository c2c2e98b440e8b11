/**
 * Shows a text that changes: each frame replaces the one before on a terminal, and follows it elsewhere.
 *
 * ```text
 * terminal          ESC [ n A to the first line of the frame before, and each line erased before it is written
 * dumb terminal,    the frames one after another, with an empty line in between
 * file, pipe
 * ```
 *
 * The frame stays in the terminal's normal screen and changes none of its modes. So nothing has to be restored when
 * the program is stopped or killed, and the last frame remains to be read.
 *
 * @module
 */

import type { Output } from "../../terminal/output.ts";
import type { ScreenSize } from "../../terminal/terminal.ts";
import { cutEnd } from "./columns.ts";

/** Writes frames to one output. */
export class Frames {
  readonly #output: Output;
  readonly #isRedrawn: boolean;
  readonly #size: () => ScreenSize;
  /** The number of lines of the last frame; 0 when the next frame replaces none. */
  #height = 0;
  /** The width of the terminal at the last frame. */
  #columns = 0;
  #count = 0;

  /**
   * @param isRedrawn whether the output is a terminal that obeys control sequences
   * @param size the size of that terminal
   */
  constructor(output: Output, isRedrawn: boolean, size: () => ScreenSize) {
    this.#output = output;
    this.#isRedrawn = isRedrawn;
    this.#size = size;
  }

  /** Shows a frame. Its lines fit the width of the terminal. */
  show(lines: readonly string[]): void {
    if (!this.#isRedrawn) {
      this.#output.add(`${this.#count++ === 0 ? "" : "\n"}${lines.join("\n")}\n`);
      return;
    }
    const { rows, columns } = this.#size();
    // A terminal of another width may have broken the lines differently.
    if (this.#height > 0 && columns !== this.#columns) {
      this.#output.add("\x1b[H\x1b[2J");
      this.#height = 0;
    }
    this.#columns = columns;
    // The cursor is below the last line, so the frame has a line less than the terminal.
    const shown = lines.length < rows ? lines : [
      ...lines.slice(0, Math.max(0, rows - 2)),
      cutEnd(`… ${lines.length - Math.max(0, rows - 2)} more lines`, columns),
    ];
    const up = this.#height === 0 ? "" : `\x1b[${this.#height}A`;
    this.#output.add(`${up}\r${shown.map((line) => `\x1b[K${line}\n`).join("")}\x1b[J`);
    this.#height = shown.length;
  }

  /** Removes the frame from the terminal, as before other text. */
  clear(): void {
    if (this.#height > 0) this.#output.add(`\x1b[${this.#height}A\r\x1b[J`);
    this.#height = 0;
  }

  /** Removes the `^C` that the terminal has shown below the frame. Without a frame, what follows begins a line. */
  hideInterrupt(): void {
    this.#output.add(this.#height > 0 ? "\r\x1b[K" : "\n");
  }

  /** Leaves the last frame where it is, as after the program was stopped and the terminal was used. */
  leave(): void {
    this.#height = 0;
  }
}
