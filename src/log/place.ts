/**
 * The place of the data: says whether its paths still lead to the files that this server has open.
 *
 * ```text
 * DIR                       the folder that was opened            else: removed, renamed, replaced, mounted over
 *   inmem.lock              the lock that is held                 else: another server may own the folder
 *   log-….inmem             the segment that is written, as long  else: what was acknowledged is in no file that
 *   snapshot-….inmem        the newest one, as long                     a start would find
 * ```
 *
 * A file that is open takes writes and syncs whatever becomes of its name, so nothing fails when a folder is removed under
 * a server. Whoever acknowledges writes or makes files by path asks here first. A file is the same when device and inode
 * are: both stay taken as long as the file is open, also after it was removed, so that no other one can get them.
 *
 * Looking costs four calls of the system, none of which waits for the disk as a rule.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { FileFacts, Files } from "./files.ts";

/** What is wrong with the place. */
export interface Trouble {
  /**
   * `place`: the path leads elsewhere, and nothing may be written there. `files`: the place is ours, but files in it are
   * gone or were changed, and only a new snapshot holds the data.
   */
  readonly kind: "place" | "files";
  readonly reason: string;
  /** Whether there is nothing in the stead of what is missing. */
  readonly isGone: boolean;
}

/** A file that is expected at a path. */
export interface ExpectedFile {
  readonly path: string;
  readonly facts: Pick<FileFacts, "dev" | "ino">;
  /** How long it has to be. */
  readonly bytes: number;
}

/** What was opened. */
interface Opened {
  readonly folder: FileFacts;
  readonly lock: FileFacts;
}

/** The place of one data folder. */
export class Place {
  /** The newest snapshot; the log goes on from it. */
  snapshot: ExpectedFile | undefined;
  readonly #files: Pick<Files, "look">;
  readonly #folderPath: string;
  readonly #lockPath: string;
  #opened: Opened;

  constructor(files: Pick<Files, "look">, folderPath: string, lockPath: string, opened: Opened) {
    this.#files = files;
    this.#folderPath = folderPath;
    this.#lockPath = lockPath;
    this.#opened = opened;
  }

  /** The folder that was opened. */
  get folder(): FileFacts {
    return this.#opened.folder;
  }

  /** From now on the place is another one, which was opened in the stead of the first. */
  move(opened: Opened): void {
    this.#opened = opened;
    this.snapshot = undefined;
  }

  /**
   * Whether a path leads to a file that is open, as long as it has to be, beside the lock that is held. That says of the
   * folder, too, that it is where it was, and costs two calls. Its reason is what {@linkcode trouble} is for.
   */
  has({ path, facts, bytes }: ExpectedFile): boolean {
    try {
      const found = this.#files.look(path);
      if (found === undefined || !isSameFile(found, facts) || found.size !== bytes) return false;
      const lock = this.#files.look(this.#lockPath);
      return lock !== undefined && isSameFile(lock, this.#opened.lock);
    } catch {
      return false;
    }
  }

  /**
   * What is wrong with the place; `undefined` when all is well.
   *
   * @param log the segment that is written
   */
  trouble(log?: ExpectedFile): Trouble | undefined {
    return this.#folderTrouble() ?? this.#lockTrouble() ?? this.#fileTrouble("log", log) ??
      this.#fileTrouble("snapshot", this.snapshot);
  }

  #folderTrouble(): Trouble | undefined {
    const name = `the data folder "${this.#folderPath}"`;
    const found = this.#look(this.#folderPath, name);
    if (isTrouble(found)) return found;
    const { folder } = this.#opened;
    if (found === undefined) {
      const advice = `move it back, or where it is lost make an empty one and run the command "save"`;
      return trouble("place", `${name} is gone: it was removed or renamed; ${advice}`, true);
    }
    if (isSameFile(found, folder)) return undefined;
    if (found.dev !== folder.dev) {
      return trouble(
        "place",
        `${name} is not the one that was opened: another file system is mounted there, or its own is not any more`,
      );
    }
    return trouble("place", `${name} is not the one that was opened: it was replaced by another one`);
  }

  #lockTrouble(): Trouble | undefined {
    const name = `the lock file "${this.#lockPath}"`;
    const found = this.#look(this.#lockPath, name);
    if (isTrouble(found)) return found;
    if (found === undefined) return trouble("place", `${name} was removed, and another server could start there`, true);
    if (isSameFile(found, this.#opened.lock)) return undefined;
    return trouble("place", `${name} was replaced by another one, and another server may own the folder`);
  }

  #fileTrouble(what: string, expected: ExpectedFile | undefined): Trouble | undefined {
    if (expected === undefined) return undefined;
    const name = `the ${what} "${expected.path}"`;
    const found = this.#look(expected.path, name);
    if (isTrouble(found)) return found;
    if (found === undefined) return trouble("files", `${name} was removed or renamed by somebody else`, true);
    if (!isSameFile(found, expected.facts)) return trouble("files", `${name} was replaced by somebody else`);
    if (found.size === expected.bytes) return undefined;
    return trouble(
      "files",
      `${name} was changed by somebody else: expected ${expected.bytes} bytes, not ${found.size}`,
    );
  }

  /** What stands at a path. What cannot be looked at counts as another place: nobody knows what it is. */
  #look(path: string, name: string): FileFacts | Trouble | undefined {
    try {
      return this.#files.look(path);
    } catch (error) {
      return trouble("place", `${name} cannot be looked at: ${messageOf(error)}`);
    }
  }
}

function trouble(kind: Trouble["kind"], reason: string, isGone = false): Trouble {
  return { kind, reason, isGone };
}

function isTrouble(found: FileFacts | Trouble | undefined): found is Trouble {
  return found !== undefined && "reason" in found;
}

/** Whether two are the same file. */
export function isSameFile(one: Pick<FileFacts, "dev" | "ino">, other: Pick<FileFacts, "dev" | "ino">): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
