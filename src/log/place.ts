/**
 * The place of the data: checks whether its paths still lead to the files that this server has open.
 *
 * ```text
 * DIR                       the folder that was opened             otherwise: removed, renamed, replaced, mounted over
 *   inmem.lock              the lock that is held                  otherwise: another server may own the folder
 *   log-….inmem             the current segment, with its size     otherwise: acknowledged writes are in no file
 *   snapshot-….inmem        the newest snapshot, with its size                that a start would find
 * ```
 *
 * An open file accepts writes and syncs regardless of its name, so nothing fails when a folder is removed while a
 * server runs. Code that acknowledges writes or creates files by path checks the place first. Two files are the same
 * when their device and inode are equal. Both stay in use while the file is open, even after it was removed, so no
 * other file can get them.
 *
 * A check costs four system calls, which usually do not wait for the disk.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { FileFacts, Files } from "./files.ts";

/** A problem with the place. */
export interface Trouble {
  /**
   * The kind of problem.
   *
   * - `place`: the path leads elsewhere, and nothing may be written there.
   * - `files`: the place is ours, but files in it were removed or changed, and only a new snapshot contains the data.
   */
  readonly kind: "place" | "files";
  readonly reason: string;
  /** Whether the folder or file was removed and not replaced. */
  readonly isGone: boolean;
}

/** A file that is expected at a path. */
export interface ExpectedFile {
  readonly path: string;
  readonly facts: Pick<FileFacts, "dev" | "ino">;
  /** The size that it must have. */
  readonly bytes: number;
}

/** The identities of the folder and the lock that were opened. */
interface Opened {
  readonly folder: FileFacts;
  readonly lock: FileFacts;
}

/** The place of one data folder. */
export class Place {
  /** The newest snapshot, from which the log continues. */
  snapshot: ExpectedFile | undefined;
  readonly #files: Pick<Files, "stat">;
  readonly #folderPath: string;
  readonly #lockPath: string;
  #opened: Opened;

  constructor(files: Pick<Files, "stat">, folderPath: string, lockPath: string, opened: Opened) {
    this.#files = files;
    this.#folderPath = folderPath;
    this.#lockPath = lockPath;
    this.#opened = opened;
  }

  /** The folder that was opened. */
  get folder(): FileFacts {
    return this.#opened.folder;
  }

  /** Replaces the folder and lock with others that were opened instead. */
  move(opened: Opened): void {
    this.#opened = opened;
    this.snapshot = undefined;
  }

  /**
   * Returns whether a path leads to this open file with the expected size, next to the lock that is held. Then the
   * folder is in its place too. This costs two system calls; {@linkcode trouble} finds the reason when it is not so.
   */
  has({ path, facts, bytes }: ExpectedFile): boolean {
    try {
      const found = this.#files.stat(path);
      if (found === undefined || !isSameFile(found, facts) || found.size !== bytes) return false;
      const lock = this.#files.stat(this.#lockPath);
      return lock !== undefined && isSameFile(lock, this.#opened.lock);
    } catch {
      return false;
    }
  }

  /**
   * Returns what is wrong with the place; `undefined` when nothing is.
   *
   * @param log the current segment
   */
  trouble(log?: ExpectedFile): Trouble | undefined {
    return this.#folderTrouble() ?? this.#lockTrouble() ?? this.#fileTrouble("log", log) ??
      this.#fileTrouble("snapshot", this.snapshot);
  }

  #folderTrouble(): Trouble | undefined {
    const name = `the data folder "${this.#folderPath}"`;
    const found = this.#stat(this.#folderPath, name);
    if (isTrouble(found)) return found;
    const { folder } = this.#opened;
    if (found === undefined) {
      const advice = `move it back; if it is lost, create an empty one and run the command "save"`;
      return trouble("place", `${name} is gone: it was removed or renamed; ${advice}`, true);
    }
    if (isSameFile(found, folder)) return undefined;
    if (found.dev !== folder.dev) {
      return trouble(
        "place",
        `${name} is not the one that was opened: another file system is mounted there, or its own was unmounted`,
      );
    }
    return trouble("place", `${name} is not the one that was opened: it was replaced by another one`);
  }

  #lockTrouble(): Trouble | undefined {
    const name = `the lock file "${this.#lockPath}"`;
    const found = this.#stat(this.#lockPath, name);
    if (isTrouble(found)) return found;
    if (found === undefined) return trouble("place", `${name} was removed, and another server could start there`, true);
    if (isSameFile(found, this.#opened.lock)) return undefined;
    return trouble("place", `${name} was replaced by another one, and another server may own the folder`);
  }

  #fileTrouble(what: string, expected: ExpectedFile | undefined): Trouble | undefined {
    if (expected === undefined) return undefined;
    const name = `the ${what} "${expected.path}"`;
    const found = this.#stat(expected.path, name);
    if (isTrouble(found)) return found;
    if (found === undefined) return trouble("files", `${name} was removed or renamed by somebody else`, true);
    if (!isSameFile(found, expected.facts)) return trouble("files", `${name} was replaced by somebody else`);
    if (found.size === expected.bytes) return undefined;
    return trouble(
      "files",
      `${name} was changed by somebody else: expected ${expected.bytes} bytes, not ${found.size}`,
    );
  }

  /** Returns the identity of the file at a path. A path that cannot be read counts as another place. */
  #stat(path: string, name: string): FileFacts | Trouble | undefined {
    try {
      return this.#files.stat(path);
    } catch (error) {
      return trouble("place", `${name} cannot be checked: ${messageOf(error)}`);
    }
  }
}

function trouble(kind: Trouble["kind"], reason: string, isGone = false): Trouble {
  return { kind, reason, isGone };
}

function isTrouble(found: FileFacts | Trouble | undefined): found is Trouble {
  return found !== undefined && "reason" in found;
}

/** Returns whether two identities are those of the same file. */
export function isSameFile(one: Pick<FileFacts, "dev" | "ino">, other: Pick<FileFacts, "dev" | "ino">): boolean {
  return one.ino === other.ino && one.dev === other.dev;
}
