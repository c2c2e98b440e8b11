/**
 * The terminal of this process: its modes, its size, and stopping by Ctrl-Z.
 *
 * ```text
 * raw mode           the kernel passes on each key, without an echo and without turning keys into signals
 * bracketed paste    the terminal marks pasted text, so that a line break in it is not an Enter
 * ```
 *
 * A terminal whose type is `dumb` obeys no control sequences. It stays in the mode in which the kernel edits lines.
 *
 * @module
 */

import { PLATFORM } from "../operating_system.ts";

/** The size of a terminal. */
export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const PASTE_MARKS_ON = "\x1b[?2004h";
const PASTE_MARKS_OFF = "\x1b[?2004l";

/** The size of a terminal that reports none, as some serial lines. */
const DEFAULT_SIZE: ScreenSize = { columns: 80, rows: 24 };

/** Returns whether the terminal obeys no control sequences. */
export function isDumbTerminal(): boolean {
  return Deno.env.get("TERM") === "dumb";
}

/** Returns the size of the terminal on standard output. */
export function terminalSize(): ScreenSize {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows };
  } catch {
    return DEFAULT_SIZE;
  }
}

/**
 * Sets the terminal's raw mode, for the line editor.
 *
 * @returns the text to write to it; empty when the terminal is gone, which reading will report
 */
export function enterRawMode(): string {
  try {
    Deno.stdin.setRaw(true);
    return PASTE_MARKS_ON;
  } catch {
    return "";
  }
}

/** The text that has to be written before {@linkcode leaveRawMode}. */
export const RAW_MODE_FAREWELL = PASTE_MARKS_OFF;

/** Restores the terminal's mode, unless the terminal is gone. */
export function leaveRawMode(): void {
  try {
    Deno.stdin.setRaw(false);
  } catch {
    // The terminal is gone, so its mode does not matter.
  }
}

/**
 * Stops this process and its process group, as the kernel does for Ctrl-Z outside of raw mode.
 *
 * @returns whether the signal was sent; the process stops soon after, unless no shell could continue it
 */
export function stopProcessGroup(): boolean {
  const { library: cLibrary } = PLATFORM;
  if (cLibrary === undefined) return false;
  try {
    // Deno's own API needs another permission to send signals, which would also allow starting programs.
    const library = Deno.dlopen(cLibrary.path, { kill: { parameters: ["i32", "i32"], result: "i32" } });
    try {
      return library.symbols.kill(0, cLibrary.SIGTSTP) === 0;
    } finally {
      library.close();
    }
  } catch {
    return false;
  }
}
