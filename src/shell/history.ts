/**
 * The history of typed lines, in memory and in a private file of the user.
 *
 * ```text
 * get a          one line per row, the oldest first; bytes that are not UTF-8 stay as they are
 * set b "x y"
 * ```
 *
 * A line is appended when it is typed, under a lock, so that shells that are open at the same time do not lose each
 * other's lines. When a shell starts and finds the file too long, it cuts the file to its newest lines, in place and
 * under the same lock. Secrets are stored neither in the file nor in memory; `secrets.ts` recognizes them.
 *
 * The file is used if it is a regular one, and its mode is changed so that only its owner can read it. A symbolic link
 * may point to anything, so its target is neither read nor changed.
 *
 * @module
 */

import { dirname } from "@std/path";
import { messageOf } from "../errors.ts";
import {
  HISTORY_FILE_MAX_BYTES,
  HISTORY_LINE_MAX_BYTES,
  HISTORY_MAX_CHARACTERS,
  HISTORY_MAX_COUNT,
} from "../limits.ts";
import { decodeTyped, encodeTyped } from "../terminal/typed_text.ts";
import { asksForSecret, isLoneWord, isSecret } from "./secrets.ts";

const NEWLINE = 0x0a;

/** How often the lock is tried. Another shell holds it while it writes a line or cuts the file. */
const LOCK_TRIES_MAX_COUNT = 50;
const LOCK_TRY_INTERVAL_MS = 2;

/**
 * The history in memory and in one file. A failure (no home, no permission, a full disk) only shortens the history: the
 * shell works without a file, and {@linkcode History.problem} contains the reason.
 */
export class History {
  readonly #path: string | undefined;
  /** The lines, the newest first. */
  #lines: string[] = [];
  #problem: string | undefined;
  /** Whether the last line was a command for a password without the password. */
  #awaitsSecret = false;

  /** @param path the file, created with mode 0600 when there is a line to store; `undefined` stores nothing */
  constructor(path: string | undefined) {
    this.#path = path;
  }

  /** The lines that were loaded and added, the newest first, at most `HISTORY_MAX_COUNT`. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The reason why lines are not stored in the file; `undefined` when they are. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads the file, and cuts it when it is too long or contains secrets. */
  load(): readonly string[] {
    this.#try((path) => {
      if (pathKind(path) === "nothing") return;
      using file = openPrivate(path);
      const { rows, isLong } = readRows(file);
      const kept = rows.filter(isKept);
      if (isLong || kept.length < rows.length) cut(file);
      for (const line of kept) this.#remember(line);
    });
    return this.#lines;
  }

  /** Adds a line, unless it is blank or a secret. A single word after `auth` alone is a secret. */
  append(line: string): void {
    const isAnswer = this.#awaitsSecret && isLoneWord(line);
    this.#awaitsSecret = asksForSecret(line);
    if (line.trim() === "" || isAnswer || isSecret(line)) return;
    this.#remember(line);
    const bytes = encodeTyped(line + "\n");
    if (bytes.length > HISTORY_LINE_MAX_BYTES) return;
    this.#try((path) => {
      Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      using file = openPrivate(path);
      // Without the lock another shell that cuts the file may lose the line. Without writing, it is certainly lost.
      lock(file);
      writeAll(file, bytes);
    });
  }

  #remember(line: string): void {
    const others = this.#lines.filter((other) => other !== line).slice(0, HISTORY_MAX_COUNT - 1);
    this.#lines = [line, ...others];
    let characters = 0;
    const excess = this.#lines.findIndex((each) => (characters += each.length) > HISTORY_MAX_CHARACTERS);
    if (excess >= 0) this.#lines.length = excess;
  }

  #try(use: (path: string) => void): void {
    if (this.#path === undefined || this.#problem !== undefined) return;
    try {
      use(this.#path);
    } catch (error) {
      const reason = messageOf(error);
      this.#problem = /^Cannot/.test(reason) ? reason : `Cannot keep the history in "${this.#path}": ${reason}`;
    }
  }
}

/** Returns whether a row of the file, which another version may have written, is a line of history. */
function isKept(row: string): boolean {
  return row.length <= HISTORY_LINE_MAX_BYTES && !isSecret(row);
}

function pathKind(path: string): "nothing" | "file" | "link" | "other" {
  try {
    const { isFile, isSymlink } = Deno.lstatSync(path);
    return isSymlink ? "link" : isFile ? "file" : "other";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "nothing";
    throw error;
  }
}

/** Opens the file for reading and appending, creates it if necessary, and makes it private. */
function openPrivate(path: string): Deno.FsFile {
  const kind = pathKind(path);
  // Opening a pipe would wait for its other end.
  if (kind === "link" || kind === "other") {
    const found = kind === "link" ? "a symbolic link" : "not a regular file";
    throw new Error(`Cannot keep the history in "${path}": it is ${found}; expected a regular file`);
  }
  const file = Deno.openSync(path, { read: true, append: true, create: true, mode: 0o600 });
  try {
    // The mode above applies to a new file only.
    if (((file.statSync().mode ?? 0) & 0o077) !== 0) Deno.chmodSync(path, 0o600);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Locks the file until it is closed. Returns `false` when another program holds the lock for too long. */
function lock(file: Deno.FsFile): boolean {
  for (let i = 0; i < LOCK_TRIES_MAX_COUNT; i++) {
    if (file.tryLockSync(true)) return true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_TRY_INTERVAL_MS);
  }
  return false;
}

/** Returns the last rows of the file that are not empty, and whether it has many more. */
function readRows(file: Deno.FsFile): { rows: string[]; isLong: boolean } {
  const { size } = file.statSync();
  const start = Math.max(0, size - HISTORY_FILE_MAX_BYTES);
  file.seekSync(start, Deno.SeekMode.Start);
  const bytes = new Uint8Array(size - start);
  let filled = 0;
  while (filled < bytes.length) {
    const count = file.readSync(bytes.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  const from = start > 0 ? bytes.indexOf(NEWLINE) + 1 : 0;
  const rows = decodeTyped(bytes.subarray(from, filled)).split("\n").filter((row) => row !== "");
  const isLong = start > 0 || rows.length >= HISTORY_MAX_COUNT * 2;
  return { rows: rows.slice(-HISTORY_MAX_COUNT), isLong };
}

/** Keeps only the newest lines in the file. Other shells wait with theirs. */
function cut(file: Deno.FsFile): void {
  if (!lock(file)) return;
  const rows = readRows(file).rows.filter(isKept);
  const bytes = encodeTyped(rows.map((row) => row + "\n").join(""));
  file.truncateSync(0);
  writeAll(file, bytes);
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}
