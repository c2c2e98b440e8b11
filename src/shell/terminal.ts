/**
 * The terminal of this process: its modes, its size, and stopping by Ctrl-Z.
 *
 * ```text
 * raw mode           keys come one by one, and the kernel neither echoes them nor makes signals of them
 * bracketed paste    the terminal marks what is pasted, so that a line break in it is no Enter
 * ```
 *
 * A terminal that calls itself `dumb` obeys no control sequences. It stays in the mode in which the kernel edits lines.
 *
 * @module
 */

import type { ScreenSize } from "./line_display.ts";

const PASTE_MARKS_ON = "\x1b[?2004h";
const PASTE_MARKS_OFF = "\x1b[?2004l";

/** When the system tells no size, as some serial lines do. */
const DEFAULT_SIZE: ScreenSize = { columns: 80, rows: 24 };

/** The signal number of a stop from the keyboard, where it is known. */
const SIGTSTP = 20;

/** Whether the terminal obeys no control sequences. */
export function isDumbTerminal(): boolean {
  return Deno.env.get("TERM") === "dumb";
}

/** The size of the terminal on standard output. */
export function terminalSize(): ScreenSize {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || DEFAULT_SIZE.columns, rows: rows || DEFAULT_SIZE.rows };
  } catch {
    return DEFAULT_SIZE;
  }
}

/**
 * Takes the terminal for editing.
 *
 * @returns what has to be written to it; nothing when it is gone, as reading it will tell
 */
export function enterRawMode(): string {
  try {
    Deno.stdin.setRaw(true);
    return PASTE_MARKS_ON;
  } catch {
    return "";
  }
}

/** What has to be written before {@linkcode leaveRawMode}. */
export const RAW_MODE_FAREWELL = PASTE_MARKS_OFF;

/** Gives the terminal back as it was, unless it is gone. */
export function leaveRawMode(): void {
  try {
    Deno.stdin.setRaw(false);
  } catch {
    // Nobody is there to see it.
  }
}

/**
 * Stops this process and those that were started with it, as the kernel does for Ctrl-Z outside of raw mode.
 *
 * @returns whether the signal was sent. The process stops soon after, unless no shell could continue it
 */
export function stopProcessGroup(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    // Sending signals takes another permission in Deno's own API, and that one would allow to start programs.
    const library = Deno.dlopen("libc.so.6", { kill: { parameters: ["i32", "i32"], result: "i32" } });
    try {
      return library.symbols.kill(0, SIGTSTP) === 0;
    } finally {
      library.close();
    }
  } catch {
    return false;
  }
}
