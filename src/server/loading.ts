/**
 * What a start reads: a snapshot and the log behind it, or a backup. The store holds it then, as of the moment at which it
 * was written; what has expired since is the caller's to remove, once the log is there to be told.
 *
 * @module
 */

import { CorruptionError, messageOf, StartError, StoreFullError } from "../errors.ts";
import { BLOCK_HEADER_BYTES } from "../log/block.ts";
import { BlockReader } from "../log/block_reader.ts";
import { type Files, isOutOfSpace } from "../log/files.ts";
import type { DataFolder, NumberedFile } from "../log/folder.ts";
import { type LeftOut, readSnapshot, recover, type Recovered } from "../log/recover.ts";
import { finishedPath, isFinishedPath } from "../log/segment.ts";
import { setTornAside } from "../log/set_aside.ts";
import type { Store } from "../store/store.ts";
import { Replayer } from "./replayer.ts";

/** More than a slot of the wheel of deadlines spans. */
const OVERDUE_MS = 1_000;

/** What a start reads, and how. */
export interface LoadOptions {
  /** A snapshot to start from instead of what the folder has. */
  readonly backup: string | undefined;
  /** Whether to start from what is intact where something is damaged. */
  readonly repair: boolean;
  /** Told how many bytes of how many are loaded. */
  readonly progress?: (done: number, total: number) => void;
}

/** What a start loaded. */
export interface Loaded {
  /** The snapshot; `undefined` when there was only a log. */
  readonly path: string | undefined;
  readonly keys: number;
  /** Batches of the log that were replayed. */
  readonly batches: number;
  /** Keys that are gone since their deadline had passed. */
  readonly expired: number;
  /** Keys that were left out since there was no room for them: the least recently used ones. */
  readonly evicted: number;
  /** Keys that a repair left out since a part of them was missing. */
  readonly dropped: number;
  readonly torn: readonly LeftOut[];
  /** Those of them that were cut off without a copy, since the disk is full. */
  readonly tornLost: readonly LeftOut[];
  readonly damaged: readonly LeftOut[];
  /** Whether there is a snapshot and no log at all, which a server never leaves. */
  readonly lacksLog: boolean;
  readonly durationMs: number;
}

/** How the log goes on from what was read. */
export interface Loading {
  /** What was read; `undefined` when there is no folder, nor a backup. */
  readonly read: Recovered | undefined;
  /** What to tell of it; `undefined` when there was nothing. */
  readonly loaded: Loaded | undefined;
  /** The number of the next batch. */
  readonly next: number;
  /** The last batch that is on disk, of those that lead to what the store holds. */
  readonly synced: number;
  /** Whether the store holds something else than the files say, so that they are to be replaced by a snapshot first. */
  readonly isAltered: boolean;
  /** Files that a repair could not use all of. They count until that snapshot is there. */
  readonly damaged: ReadonlySet<string>;
}

/**
 * Loads a store, which must be empty, and makes the folder ready for the log to go on. The store's time is 0 afterwards.
 *
 * @param nowMs the present
 * @throws {StartError} when it cannot be loaded; no file has changed then
 */
export async function load(
  store: Store,
  { backup, repair, progress }: LoadOptions,
  files: Files,
  folder: DataFolder | undefined,
  nowMs: number,
): Promise<Loading> {
  const begunMs = performance.now();
  const replayer = new Replayer(store, repair);
  // The wheel of deadlines begins a little before the present, so that what is over then is due at once; records are applied
  // as if no time passed.
  store.nowMs = nowMs - OVERDUE_MS;
  store.expireDue(1);
  store.nowMs = 0;
  const reading = { files, target: replayer, repair, ...progress && { progress } };
  let read: Recovered | undefined;
  try {
    if (backup !== undefined) {
      // Whatever made a person restore a backup, the files of before are not ours to remove.
      await folder?.spare();
      read = readSnapshot(backup, reading);
      await refuseOlder(files, folder, backup, read.snapshot?.takenMs ?? 0);
    } else if (folder !== undefined) {
      read = await recover({ ...reading, folder: folder.path });
    }
  } catch (cause) {
    throw explain(cause, backup, folder);
  }
  if (read === undefined) {
    return { read, loaded: undefined, next: 1, synced: 0, isAltered: false, damaged: new Set() };
  }
  const loaded = {
    path: read.snapshot?.path,
    keys: store.size,
    batches: read.batches,
    expired: 0,
    evicted: store.statistics.evictedKeys,
    dropped: replayer.dropped,
    torn: read.torn,
    tornLost: [] as readonly LeftOut[],
    damaged: read.damaged,
    lacksLog: folder !== undefined && backup === undefined && read.snapshot !== undefined && read.segments.length === 0,
    durationMs: performance.now() - begunMs,
  };
  const isEmpty = read.snapshot === undefined && read.batches + read.torn.length + read.damaged.length === 0;
  // Where something is merely missing, all that there is was used.
  const damaged = new Set(read.damaged.filter(({ bytes }) => bytes > 0).map(({ path }) => path));
  const isAltered = backup !== undefined || loaded.evicted > 0 || read.damaged.length > 0;
  const loading = { read, loaded: isEmpty ? undefined : loaded, isAltered, damaged };
  if (folder === undefined) return { ...loading, next: 1, synced: 0 };
  if (backup !== undefined) {
    // The batches before are those of what the backup replaces: until there is a snapshot of it, a start shall find the new
    // segment torn, rather than batches missing.
    return { ...loading, next: behind(files, await folder.segments(), read.batch), synced: 0 };
  }
  try {
    loaded.tornLost = await makeReady(files, folder, read, damaged);
  } catch (cause) {
    throw new StartError(`Cannot write in the data folder "${folder.path}": ${messageOf(cause)}`, { cause });
  }
  return { ...loading, next: read.batch + 1, synced: read.batch };
}

/**
 * Cuts off what is torn, and sees to it that the next segment can have its name: `damaged` loses what had it.
 *
 * @returns what was cut off without a copy
 */
async function makeReady(
  files: Files,
  folder: DataFolder,
  read: Recovered,
  damaged: Set<string>,
): Promise<readonly LeftOut[]> {
  const lost = await setTornAside(files, folder.path, read.torn);
  // Those without a batch have the name that the next segment gets.
  for (const { path, number } of await folder.segments()) {
    if (number <= read.batch) continue;
    if (damaged.delete(path)) await files.rename(path, damagedPath(path));
    else await files.remove(path);
  }
  await syncSegments(files, folder, read.batch, damaged);
  await folder.spare([...damaged]);
  if (read.snapshot !== undefined) folder.expectSnapshot(read.snapshot.path);
  return lost;
}

/** The path that a file gets which a repair could not use all of. */
export function damagedPath(path: string): string {
  return `${path}.damaged`;
}

/**
 * Puts on disk what was read. The process before may have ended without that, and the next segment says that it is there,
 * so that a power loss would look like damage. A segment that was not finished is so then.
 */
async function syncSegments(
  files: Files,
  folder: DataFolder,
  batch: number,
  damaged: ReadonlySet<string>,
): Promise<void> {
  for (const { path, number } of await folder.segments()) {
    if (number > batch) continue;
    const file = files.openToChange(path);
    try {
      await file.syncData();
    } finally {
      file.close();
    }
    if (isFinishedPath(path) || damaged.has(path)) continue;
    await files.rename(path, finishedPath(path)).catch((error) => {
      // On a full disk it stays as it is, until the next start.
      if (!isOutOfSpace(error)) throw error;
    });
  }
  await files.syncFolder(folder.path);
}

/**
 * Refuses a backup that is older than what the folder holds: a start that is repeated with the same options would take
 * away all that was written since the first one.
 *
 * @throws {StartError}
 */
async function refuseOlder(
  files: Files,
  folder: DataFolder | undefined,
  backup: string,
  takenMs: number,
): Promise<void> {
  if (folder === undefined) return;
  const newer = await findNewer(files, folder, takenMs);
  if (newer === undefined) return;
  throw new StartError(
    `Cannot start from the backup "${backup}": "${newer}" in the data folder is newer. Nothing was changed; ` +
      `leave --backup out to start with the folder's data, or run ` +
      `"inmem restore ${backup} --data ${folder.path} --move-aside" once to go back to the backup`,
  );
}

/** A file of a folder with data that was written after a moment, or of which that cannot be told. */
async function findNewer(files: Files, folder: DataFolder, momentMs: number): Promise<string | undefined> {
  const [snapshot] = await folder.snapshots();
  // Its number is the time, or more.
  if (snapshot !== undefined && snapshot.number > momentMs) return snapshot.path;
  for (const { path } of (await folder.segments()).reverse()) {
    if (isWrittenAfter(files, path, momentMs)) return path;
  }
  return undefined;
}

function isWrittenAfter(files: Files, path: string, momentMs: number): boolean {
  const file = files.openToRead(path);
  try {
    const reader = new BlockReader(file, path, "log");
    reader.readHeader();
    while (reader.next()) if (reader.writtenMs > momentMs) return true;
    return false;
  } catch (error) {
    // What is torn in a segment that was not finished is nobody's.
    if (error instanceof CorruptionError) return isFinishedPath(path);
    throw error;
  } finally {
    file.close();
  }
}

/** A number that no batch of those segments has, nor the snapshot that was loaded instead of them. */
function behind(files: Files, segments: readonly NumberedFile[], batch: number): number {
  const last = segments.at(-1);
  if (last === undefined) return batch + 1;
  const file = files.openToRead(last.path);
  try {
    const most = Math.ceil(file.statSync().size / BLOCK_HEADER_BYTES);
    return Math.max(batch, last.number + most) + 1;
  } finally {
    file.close();
  }
}

/** Says in one sentence why nothing was loaded, and what a person can do. */
function explain(cause: unknown, backup: string | undefined, folder: DataFolder | undefined): unknown {
  if (cause instanceof CorruptionError) {
    const advice = backup !== undefined
      ? "restore another backup, or start from what is intact with --repair"
      : `"inmem check ${folder?.path}" tells more, --repair starts from what is intact, ` +
        `"inmem restore FILE --data ${folder?.path} --move-aside" goes back to a copy`;
    return new StartError(`Cannot load damaged data: ${cause.message}. Nothing was changed; ${advice}`, { cause });
  }
  if (cause instanceof StoreFullError) {
    const what = backup ?? folder?.path;
    return new StartError(`Cannot load "${what}": it needs more than --max-memory, and --eviction is none`, { cause });
  }
  return cause;
}
