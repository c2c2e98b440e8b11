/**
 * The lines typed before, kept in a file of the user's own.
 *
 * A line a row, the oldest first. A line is appended when it is typed, so shells open at the same time lose nothing of
 * each other; the file is cut to its newest lines when a shell starts and finds it too long. What must not be written
 * down never gets here: see {@linkcode isSecret}.
 *
 * @module
 */

import { dirname } from "@std/path";
import { encodeText } from "../bytes.ts";
import { HISTORY_MAX_COUNT } from "../limits.ts";

/**
 * Whether a line holds a password, or begins with a blank, by which people mark what shall not be remembered.
 */
export function isSecret(line: string): boolean {
  return /^\s/.test(line) || /^["']?auth["']?(\s|$)/i.test(line);
}

/**
 * The history in one file. Every failure (no home, no permission, a full disk) means a shorter memory and is no error:
 * the shell works without.
 */
export class History {
  readonly #path: string | undefined;

  /** @param path the file, made with mode 0600 when there is something to keep; `undefined` keeps nothing */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** The lines kept, the newest first, at most `HISTORY_MAX_COUNT`. */
  load(): string[] {
    if (this.#path === undefined) return [];
    try {
      const lines = Deno.readTextFileSync(this.#path).split("\n").filter((line) => line !== "");
      const kept = lines.slice(-HISTORY_MAX_COUNT);
      if (lines.length >= HISTORY_MAX_COUNT * 2) this.#replace(this.#path, kept);
      return kept.reverse();
    } catch {
      return [];
    }
  }

  /** Keeps one line, unless it is blank or a secret. */
  append(line: string): void {
    if (this.#path === undefined || line.trim() === "" || isSecret(line)) return;
    try {
      Deno.mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      using file = Deno.openSync(this.#path, { append: true, create: true, mode: 0o600 });
      // The mode above is for a new file only.
      if (((file.statSync().mode ?? 0) & 0o077) !== 0) Deno.chmodSync(this.#path, 0o600);
      const bytes = encodeText(line.replaceAll("\n", " ") + "\n");
      for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
    } catch {
      // See the comment of the class.
    }
  }

  #replace(path: string, lines: readonly string[]): void {
    const temporary = `${path}.${Deno.pid}`;
    Deno.writeTextFileSync(temporary, lines.map((line) => line + "\n").join(""), { mode: 0o600 });
    Deno.renameSync(temporary, path);
  }
}
