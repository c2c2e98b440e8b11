/**
 * The data folder: who owns it, and which files in it count.
 *
 * ```text
 * DIR                                    0700
 *   inmem.lock                           0600  held by the server that owns the folder; names its process
 *   snapshot-001765432100000.inmem       0600  whole, by its name: the number grows from one to the next
 *   snapshot-001765432400000.tmp         0600  being written; removed at the next start
 * ```
 *
 * A snapshot gets its final name only when its bytes are on disk: temporary file, write, fsync, rename, fsync of the
 * folder. A crash at any point leaves the files that were there before, and at most a temporary one.
 * The number is the time in ms, or one more than the newest where the clock has gone back.
 *
 * The lock is on the file, and every snapshot is written by path. So before each one it is made sure that the path still
 * leads to the file that is locked: where the folder was moved or mounted over, another server may own what is there now.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { messageOf, StartError } from "../errors.ts";
import { SNAPSHOTS_KEPT_COUNT } from "../limits.ts";

const LOCK_NAME = "inmem.lock";
const SNAPSHOT_PATTERN = /^snapshot-([0-9]{15})\.inmem$/;
const TEMPORARY_PATTERN = /^snapshot-[0-9]{15}\.tmp$/;
/** The largest number that a snapshot's name has room for; as a time it is in the year 33658. */
const NUMBER_MAX = 999_999_999_999_999;

/** A snapshot of the folder, by its name. */
export interface SnapshotFile {
  readonly path: string;
  /** Grows from one snapshot to the next. */
  readonly number: number;
}

/** A folder that this process owns until {@linkcode close}. */
export class DataFolder {
  readonly path: string;
  #lock: Deno.FsFile;
  /** Snapshots with numbers in here were there at start and stay, whatever is written. */
  readonly #spared = new Set<number>();

  private constructor(path: string, lock: Deno.FsFile) {
    this.path = path;
    this.#lock = lock;
  }

  /**
   * Makes the folder if it is not there, locks it, and removes what an interrupted snapshot left.
   *
   * @throws {StartError} when another process owns the folder or it cannot be written
   */
  static async open(path: string): Promise<DataFolder> {
    try {
      await Deno.mkdir(path, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new StartError(`Cannot make the data folder "${path}": ${messageOf(cause)}`, { cause });
    }
    const folder = new DataFolder(path, await lock(path));
    try {
      await folder.#removeTemporaries();
    } catch (cause) {
      folder.close();
      throw new StartError(`Cannot write in the data folder "${path}": ${messageOf(cause)}`, { cause });
    }
    return folder;
  }

  /** The snapshots in the folder, the newest first. */
  async snapshots(): Promise<SnapshotFile[]> {
    const found: SnapshotFile[] = [];
    for await (const { name } of Deno.readDir(this.path)) {
      // Whatever has such a name counts, a link too: a start without it would lose keys without a word.
      const match = SNAPSHOT_PATTERN.exec(name);
      if (match) found.push({ path: `${this.path}/${name}`, number: Number(match[1]) });
    }
    return found.sort((a, b) => b.number - a.number);
  }

  /** Keeps the snapshots that are there now, however many are written. For a start that did not use them. */
  async spare(): Promise<void> {
    for (const { number } of await this.snapshots()) this.#spared.add(number);
  }

  /**
   * Writes the next snapshot durably, then removes those beyond the last two.
   *
   * @param nowMs gives the snapshot its number
   * @param write fills the file, synchronously; what it returns is returned
   * @throws what `write` or the file system throws; the snapshots of before are still there then
   */
  async write<Result>(nowMs: number, write: (file: Deno.FsFile) => Result): Promise<Result> {
    await this.#keepLock();
    const [newest] = await this.snapshots();
    const number = Math.max(nowMs, newest ? newest.number + 1 : 0);
    if (number > NUMBER_MAX) throw new Error(`Cannot number a snapshot after "${newest?.path}": move it away`);
    const base = `${this.path}/snapshot-${String(number).padStart(15, "0")}`;
    const temporary = `${base}.tmp`;
    let result: Result;
    try {
      const file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
      try {
        result = write(file);
        await file.sync();
      } finally {
        file.close();
      }
      await Deno.rename(temporary, `${base}.inmem`);
    } catch (error) {
      // What was written of it is of no use; when it cannot be removed either, the next start does so.
      await Deno.remove(temporary).catch(() => {});
      throw error;
    }
    await this.#sync();
    await this.#removeOld();
    return result;
  }

  /** Gives the folder up. */
  close(): void {
    this.#lock.close();
  }

  /**
   * Makes sure that the path still leads to the lock. One that has gone is made again, for a folder that was emptied by
   * hand; one of somebody else's is theirs.
   *
   * @throws {StartError} when there is no such folder, or it is not the one that was taken at start
   */
  async #keepLock(): Promise<void> {
    let found: Deno.FileInfo;
    try {
      found = await Deno.stat(`${this.path}/${LOCK_NAME}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      const again = await lock(this.path);
      this.#lock.close();
      this.#lock = again;
      return;
    }
    const held = await this.#lock.stat();
    if (held.ino === found.ino && held.dev === found.dev) return;
    throw new StartError(
      `Cannot write in the data folder "${this.path}": since the start it, or its lock, was replaced by another one`,
    );
  }

  async #sync(): Promise<void> {
    using folder = await Deno.open(this.path, { read: true });
    await folder.sync();
  }

  async #removeOld(): Promise<void> {
    const candidates = (await this.snapshots()).filter(({ number }) => !this.#spared.has(number));
    for (const { path } of candidates.slice(SNAPSHOTS_KEPT_COUNT)) await Deno.remove(path);
  }

  async #removeTemporaries(): Promise<void> {
    for await (const { name, isFile } of Deno.readDir(this.path)) {
      if (isFile && TEMPORARY_PATTERN.test(name)) await Deno.remove(`${this.path}/${name}`);
    }
  }
}

async function lock(path: string): Promise<Deno.FsFile> {
  const name = `${path}/${LOCK_NAME}`;
  let file: Deno.FsFile;
  try {
    file = await Deno.open(name, { read: true, write: true, create: true, mode: 0o600 });
  } catch (cause) {
    throw new StartError(`Cannot write in the data folder "${path}": ${messageOf(cause)}`, { cause });
  }
  try {
    if (!await file.tryLock(true)) {
      const owner = (await Deno.readTextFile(name)).trim();
      throw new StartError(
        `Cannot use the data folder "${path}": another inmem server${owner && ` (process ${owner})`} has it open`,
      );
    }
    await file.truncate();
    await file.write(encodeText(`${Deno.pid}\n`));
    return file;
  } catch (cause) {
    file.close();
    if (cause instanceof StartError) throw cause;
    throw new StartError(`Cannot lock the data folder "${path}": ${messageOf(cause)}`, { cause });
  }
}
