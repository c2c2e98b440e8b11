/**
 * The data folder: its owner, and which of its files count.
 *
 * ```text
 * DIR                                    0700
 *   inmem.lock                           0600  held by the server that owns the folder; names its process
 *   snapshot-001765432100000.inmem       0600  complete; the number grows from one to the next
 *   snapshot-001765432400000.tmp         0600  being written; removed at the next start
 *   log-000000000000001.inmem            0600  a segment of the log, by the number of its first batch
 *   log-000000000004711.new              0600  one whose header may not be on disk yet (segment.ts)
 *   backups                              0700  what `save PATH` writes, unless an option names another folder
 *   replaced-20261130T093000.123Z        0700  what a restore has moved aside
 *   restore.unfinished                   0600  a restore is running, or was interrupted: no server starts
 *   log-000000000000001.inmem.17.torn    0600  what was cut off its end, by the batch that was torn
 *   log-000000000000001.inmem.damaged    0600  a file that a repair could only use in part
 * ```
 *
 * A snapshot gets its final name only after its bytes are on disk: temporary file, write, sync, rename, sync of the
 * folder. A crash at any point leaves the files that were there before, and at most a temporary one. The number is the
 * time in ms, or one more than the newest number if the clock was set back.
 *
 * The lock is on a file, but every snapshot is written by path. So the place is checked before each snapshot
 * (place.ts): if the folder was moved or mounted over, another server may own the folder at that path now.
 *
 * @module
 */

import { messageOf, StartError } from "../errors.ts";
import { SNAPSHOTS_KEPT_COUNT } from "../limits.ts";
import { type Files, type FolderLock, LockedError } from "./files.ts";
import { isSameFile, Place, type Trouble } from "./place.ts";

const LOCK_NAME = "inmem.lock";
const RESTORE_NAME = "restore.unfinished";
const SNAPSHOT_PATTERN = /^snapshot-([0-9]{15})\.inmem$/;
const SEGMENT_PATTERN = /^log-([0-9]{15})\.(?:inmem|new)$/;
/** Matches every name that begins like that of a file of ours. */
const OWN_NAME_PATTERN = /^(?:inmem\.lock|restore\.unfinished|(?:snapshot|log)-[0-9]+\.)/i;
const TEMPORARY_PATTERN = /^snapshot-[0-9]{15}\.tmp$/;
/** The largest number that fits into a snapshot's name; as a time it is in the year 33658. */
const NUMBER_MAX = 999_999_999_999_999;

/** A snapshot of the folder, or a segment of its log, by its name. */
export interface NumberedFile {
  readonly path: string;
  /** The number in the name: it grows from one snapshot to the next; for a segment, it is that of its first batch. */
  readonly number: number;
}

/** Returns whether a name is one that a server gives its files, or looks like one. */
export function isOwnName(name: string): boolean {
  return OWN_NAME_PATTERN.test(name);
}

/** Returns the snapshots of a folder, the newest first. */
export function listSnapshots(files: Files, folder: string): Promise<NumberedFile[]> {
  // Every entry with such a name counts, even a link: a start that ignored it would lose keys silently.
  return list(files, folder, SNAPSHOT_PATTERN, (a, b) => b.number - a.number);
}

/** Returns the segments of a folder's log, the oldest first. */
export function listSegments(files: Files, folder: string): Promise<NumberedFile[]> {
  return list(files, folder, SEGMENT_PATTERN, (a, b) => a.number - b.number);
}

/** Returns whether a restore into a folder was interrupted. */
export async function isRestoreUnfinished(files: Files, folder: string): Promise<boolean> {
  return (await files.names(folder)).includes(RESTORE_NAME);
}

async function list(
  files: Files,
  folder: string,
  pattern: RegExp,
  order: (a: NumberedFile, b: NumberedFile) => number,
): Promise<NumberedFile[]> {
  const found: NumberedFile[] = [];
  for (const name of await files.names(folder)) {
    const match = pattern.exec(name);
    if (match) found.push({ path: `${folder}/${name}`, number: Number(match[1]) });
  }
  return found.sort(order);
}

/** A folder that this process owns until {@linkcode close}. */
export class DataFolder {
  readonly path: string;
  readonly files: Files;
  /** The check whether the folder is still the one that was opened. */
  readonly place: Place;
  #lock: FolderLock;
  /** The paths of files that a start did not use. They are never removed. */
  readonly #protected = new Set<string>();

  private constructor(path: string, files: Files, lock: FolderLock) {
    this.path = path;
    this.files = files;
    this.#lock = lock;
    this.place = new Place(files, path, `${path}/${LOCK_NAME}`, lock);
  }

  /**
   * Creates the folder if it does not exist, locks it, and removes the temporary files of an interrupted snapshot.
   *
   * @param restores whether it is opened to restore a backup; otherwise an interrupted restore is an error
   * @throws {StartError} when another process owns the folder or it cannot be written
   */
  static async open(files: Files, path: string, restores = false): Promise<DataFolder> {
    try {
      await files.makeFolder(path);
    } catch (cause) {
      throw new StartError(`Cannot make the data folder "${path}": ${messageOf(cause)}`, { cause });
    }
    const folder = new DataFolder(path, files, await lock(files, path));
    try {
      for (const name of await files.names(path)) {
        if (name === RESTORE_NAME && !restores) throw interrupted(path);
        if (TEMPORARY_PATTERN.test(name)) await files.remove(`${path}/${name}`);
      }
    } catch (cause) {
      folder.close();
      if (cause instanceof StartError) throw cause;
      throw new StartError(`Cannot write in the data folder "${path}": ${messageOf(cause)}`, { cause });
    }
    return folder;
  }

  /** Returns the snapshots in the folder, the newest first. */
  snapshots(): Promise<NumberedFile[]> {
    return listSnapshots(this.files, this.path);
  }

  /** Returns the segments of the log, the oldest first. */
  segments(): Promise<NumberedFile[]> {
    return listSegments(this.files, this.path);
  }

  /**
   * Protects files from {@linkcode removeOld}.
   *
   * @param paths the files; by default all that exist now, for a start that did not use them
   */
  async protect(paths?: readonly string[]): Promise<void> {
    paths ??= await this.dataFiles();
    for (const path of paths) this.#protected.add(path);
  }

  /**
   * Returns the next snapshot's paths: the temporary one, and the final one.
   *
   * @param nowMs the time that gives it its number
   * @throws {StartError} when the folder is not the one that was opened
   */
  async nextSnapshot(nowMs: number): Promise<{ readonly temporary: string; readonly path: string }> {
    this.checkPlace();
    const [newest] = await this.snapshots();
    const number = Math.max(nowMs, newest ? newest.number + 1 : 0);
    if (number > NUMBER_MAX) throw new Error(`Cannot number a snapshot after "${newest?.path}": move it away`);
    const base = `${this.path}/snapshot-${String(number).padStart(15, "0")}`;
    return { temporary: `${base}.tmp`, path: `${base}.inmem` };
  }

  /**
   * Checks that the folder is the one that was opened.
   *
   * @throws {StartError} when it is not
   */
  checkPlace(): void {
    const trouble = this.place.trouble();
    if (trouble?.kind === "place") throw this.#elsewhere(trouble);
  }

  /**
   * Gives a snapshot that is on disk its name, durably.
   *
   * @throws {StartError} when the folder is not the one that was opened: then nothing may rely on the snapshot
   */
  async publish(temporary: string, path: string): Promise<void> {
    this.checkPlace();
    await this.files.rename(temporary, path);
    await this.files.syncFolder(this.path);
    this.checkPlace();
    this.expectSnapshot(path);
  }

  /** Makes a snapshot the one from which the log continues. */
  expectSnapshot(path: string): void {
    const facts = this.files.stat(path);
    this.place.snapshot = facts && { path, facts, bytes: facts.size };
  }

  /**
   * Takes the folder at the path again, for a person who asks for a snapshot: either the same folder without its lock,
   * or an empty one that replaces a removed one. A folder that was moved, or that a mount covers, still has all the
   * data, and would appear again with it.
   *
   * @returns whether it is another folder, which is empty
   * @throws {StartError} when there is no such folder, or it belongs to another server
   */
  async retake(): Promise<boolean> {
    const trouble = this.place.trouble();
    if (trouble?.kind !== "place") return false;
    const found = this.files.stat(this.path);
    if (found === undefined) throw this.#elsewhere(trouble);
    const isOther = !isSameFile(found, this.place.folder);
    if (isOther) await this.#checkEmpty(trouble);
    else if (!trouble.isGone) throw this.#elsewhere(trouble);
    const again = await lock(this.files, this.path);
    this.#lock.close();
    this.#lock = again;
    this.place.move(again);
    return isOther;
  }

  /**
   * Checks that the path leads to an empty folder, and that the folder that was opened no longer exists.
   *
   * @throws {StartError} when one of these is not so
   */
  async #checkEmpty(trouble: Trouble): Promise<void> {
    if (!this.#lock.isFolderRemoved()) throw this.#elsewhere(trouble, "; that one still exists: move it back");
    // A lock would belong to another server, and a start would mix the data in the folder with ours.
    const own = (await this.files.names(this.path)).find(isOwnName);
    if (own !== undefined) throw this.#elsewhere(trouble, `; in this one there is "${own}"`);
  }

  /**
   * Returns the paths of all files that a start would read: snapshots, the newest first, then segments, the oldest
   * first.
   */
  async dataFiles(): Promise<string[]> {
    return [...await this.snapshots(), ...await this.segments()].map(({ path }) => path);
  }

  /** Marks the folder, so that no server starts there until {@linkcode unmark}. */
  async markUnfinished(): Promise<void> {
    const path = `${this.path}/${RESTORE_NAME}`;
    if (this.files.stat(path) === undefined) this.files.create(path).close();
    await this.files.syncFolder(this.path);
  }

  /** Removes the mark of {@linkcode markUnfinished}. */
  async unmark(): Promise<void> {
    await this.files.remove(`${this.path}/${RESTORE_NAME}`);
    await this.files.syncFolder(this.path);
  }

  /**
   * Creates a folder inside this one for files that are to be moved aside.
   *
   * @returns its path
   */
  async makeAside(nowMs: number): Promise<string> {
    const time = new Date(nowMs).toISOString().replace(/[-:]/g, "");
    const aside = `${this.path}/replaced-${time}`;
    await this.files.makeFolder(aside);
    return aside;
  }

  /** Moves files into a folder that {@linkcode makeAside} created, durably. */
  async moveAside(paths: readonly string[], aside: string): Promise<void> {
    for (const path of paths) await this.files.rename(path, `${aside}/${path.slice(this.path.length + 1)}`);
    await this.files.syncFolder(aside);
    await this.files.syncFolder(this.path);
  }

  #elsewhere({ reason }: Trouble, more = ""): StartError {
    return new StartError(`Cannot write in the data folder "${this.path}": ${reason}${more}`);
  }

  /** Removes what the newest snapshot makes unnecessary: all snapshots but the last two, and segments up to a batch. */
  async removeOld(batch: number): Promise<void> {
    const snapshots = (await this.snapshots()).filter(({ path }) => !this.#protected.has(path));
    for (const { path } of snapshots.slice(SNAPSHOTS_KEPT_COUNT)) await this.#removeOwn(path);
    const segments = await this.segments();
    for (const [index, { path }] of segments.entries()) {
      const next = segments[index + 1];
      // The last segment is being written.
      if (next === undefined || next.number > batch + 1) break;
      if (!this.#protected.has(path)) await this.#removeOwn(path);
    }
  }

  /** Removes a file of ours. If the path leads elsewhere by now, the file is another server's and stays. */
  async #removeOwn(path: string): Promise<void> {
    if (this.place.trouble()?.kind !== "place") await this.files.remove(path);
  }

  /** Releases the folder. */
  close(): void {
    this.#lock.close();
  }
}

async function lock(files: Files, path: string): Promise<FolderLock> {
  try {
    return await files.lock(path, LOCK_NAME);
  } catch (cause) {
    if (cause instanceof LockedError) {
      const owner = cause.owner && ` (process ${cause.owner})`;
      throw new StartError(`Cannot use the data folder "${path}": another inmem server${owner} has it open`, { cause });
    }
    throw new StartError(`Cannot write in the data folder "${path}": ${messageOf(cause)}`, { cause });
  }
}

function interrupted(path: string): StartError {
  return new StartError(
    `Cannot use the data folder "${path}": a restore into it was interrupted; run "inmem restore" once more`,
  );
}
