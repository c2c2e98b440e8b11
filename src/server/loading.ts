/**
 * Loads a store at the start: from a snapshot and the log after it, or from a backup. Afterwards the store has the data
 * of the moment at which it was written. The caller removes keys that have expired since, when there is a log to record
 * that.
 *
 * @module
 */

import { CorruptionError, fileReason, StartError, StoreFullError } from "../errors.ts";
import { BLOCK_HEADER_BYTES } from "../log/block.ts";
import { BlockReader } from "../log/block_reader.ts";
import { type Files, isOutOfSpace } from "../log/files.ts";
import type { DataFolder, NumberedFile } from "../log/folder.ts";
import { type LeftOut, readSnapshotInTurns, recover, type Recovered } from "../log/recover.ts";
import { finishedPath, isFinishedPath } from "../log/segment.ts";
import { setTornAside } from "../log/set_aside.ts";
import type { Store } from "../store/store.ts";
import { type NoteLoaded, Replayer } from "./replayer.ts";

/** A time longer than a slot of the wheel of deadlines, in ms. */
const OVERDUE_MS = 1_000;

/** The options of a start. */
export interface LoadOptions {
  /** A snapshot to start from instead of the folder's data. */
  readonly backup: string | undefined;
  /** Whether to start from the intact data if some is damaged. */
  readonly repair: boolean;
  /** Called with the number of bytes loaded, and of all bytes. */
  readonly progress?: (done: number, total: number) => void;
  /** Called with the key of some of the records, and of all large ones, after they were applied. */
  readonly noteLoaded?: NoteLoaded;
}

/** A report of what a start loaded. */
export interface Loaded {
  /** The path of the snapshot; `undefined` when there was only a log. */
  readonly path: string | undefined;
  readonly keys: number;
  /** The number of batches of the log that were replayed. */
  readonly batches: number;
  /** The number of keys that were removed because they had expired. */
  readonly expired: number;
  /** The number of keys that were left out because there was no room for them: the least recently used ones. */
  readonly evicted: number;
  /** The number of keys that a repair left out because a part of them was missing. */
  readonly dropped: number;
  readonly torn: readonly LeftOut[];
  /** The torn ends that were cut off without a copy, because the disk is full. */
  readonly tornLost: readonly LeftOut[];
  readonly damaged: readonly LeftOut[];
  /** Whether there is a snapshot but no log at all, which no server leaves. */
  readonly lacksLog: boolean;
  readonly durationMs: number;
}

/** The result of loading: how the log continues. */
export interface Loading {
  /** The data that was read; `undefined` when there is neither a folder nor a backup. */
  readonly read: Recovered | undefined;
  /** The report of what was loaded; `undefined` when there was nothing. */
  readonly loaded: Loaded | undefined;
  /** The number of the next batch. */
  readonly next: number;
  /** The last batch that is on disk and whose effects are in the store. */
  readonly synced: number;
  /** Whether the store differs from the files, so that a snapshot has to replace them first. */
  readonly isAltered: boolean;
  /** The files that a repair could only use in part. They count until that snapshot exists. */
  readonly damaged: ReadonlySet<string>;
}

/**
 * Loads a store, which must be empty, and prepares the folder for the log. The store's time is 0 afterwards.
 *
 * @param nowMs the current time
 * @throws {StartError} when it cannot be loaded; then no file has changed
 */
export async function load(
  store: Store,
  { backup, repair, progress, noteLoaded }: LoadOptions,
  files: Files,
  folder: DataFolder | undefined,
  nowMs: number,
): Promise<Loading> {
  const startedMs = performance.now();
  const replayer = new Replayer(store, repair, noteLoaded);
  // The wheel of deadlines begins a little before the current time, so that keys that are then expired are due
  // immediately. Records are applied as if no time passed.
  store.nowMs = nowMs - OVERDUE_MS;
  store.expireDue(1);
  store.nowMs = 0;
  const reading = { files, target: replayer, repair, ...progress && { progress } };
  let read: Recovered | undefined;
  try {
    if (backup !== undefined) {
      // A person who restores a backup may still need the earlier files, so they are never removed.
      await folder?.protect();
      read = await readSnapshotInTurns(backup, reading);
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
    durationMs: performance.now() - startedMs,
  };
  const isEmpty = read.snapshot === undefined && read.batches + read.torn.length + read.damaged.length === 0;
  // If batches are merely missing, all of the file was used.
  const damaged = new Set(read.damaged.filter(({ bytes }) => bytes > 0).map(({ path }) => path));
  const isAltered = backup !== undefined || loaded.evicted > 0 || read.damaged.length > 0;
  const loading = { read, loaded: isEmpty ? undefined : loaded, isAltered, damaged };
  if (folder === undefined) return { ...loading, next: 1, synced: 0 };
  if (backup !== undefined) {
    // The earlier batches belong to the data that the backup replaces. Until there is a snapshot of the backup, a start
    // must find the new segment torn, rather than batches missing.
    return { ...loading, next: numberAfter(files, await folder.segments(), read.batch), synced: 0 };
  }
  try {
    loaded.tornLost = await makeReady(files, folder, read, damaged);
  } catch (cause) {
    throw new StartError(`Cannot write in the data folder "${folder.path}": ${fileReason(cause)}`, { cause });
  }
  return { ...loading, next: read.batch + 1, synced: read.batch };
}

/**
 * Cuts off torn ends, and makes the next segment's name free. A file that had it is removed from `damaged`.
 *
 * @returns the ends that were cut off without a copy
 */
async function makeReady(
  files: Files,
  folder: DataFolder,
  read: Recovered,
  damaged: Set<string>,
): Promise<readonly LeftOut[]> {
  const lost = await setTornAside(files, folder.path, read.torn);
  // Segments without a batch have the name of the next segment.
  for (const { path, number } of await folder.segments()) {
    if (number <= read.batch) continue;
    if (damaged.delete(path)) await files.rename(path, damagedPath(path));
    else await files.remove(path);
  }
  await syncSegments(files, folder, read.batch, damaged);
  await folder.protect([...damaged]);
  if (read.snapshot !== undefined) folder.expectSnapshot(read.snapshot.path);
  return lost;
}

/** Returns the new path of a file that a repair could only use in part. */
export function damagedPath(path: string): string {
  return `${path}.damaged`;
}

/**
 * Syncs the segments that were read. The previous process may have ended without a sync, and the next segment says that
 * they are on disk, so that a power loss would look like damage. A segment that was not finished gets its final name.
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
      // On a full disk it keeps its name until the next start.
      if (!isOutOfSpace(error)) throw error;
    });
  }
  await files.syncFolder(folder.path);
}

/**
 * Refuses a backup that is older than the folder's data: a second start with the same options would remove all that was
 * written since the first one.
 *
 * @throws {StartError} when it is older
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

/** Returns the path of a file of a folder with data that was written after a moment, or whose time is unknown. */
async function findNewer(files: Files, folder: DataFolder, momentMs: number): Promise<string | undefined> {
  const [snapshot] = await folder.snapshots();
  // A snapshot's number is its time or larger.
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
    // The torn end of a segment that was not finished has no acknowledged data.
    if (error instanceof CorruptionError) return isFinishedPath(path);
    throw error;
  } finally {
    file.close();
  }
}

/**
 * Returns a number that is larger than that of any batch of those segments, and of the snapshot that was loaded
 * instead.
 */
function numberAfter(files: Files, segments: readonly NumberedFile[], batch: number): number {
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

/** Returns an error that says in one sentence why nothing was loaded, and what the operator can do. */
function explain(cause: unknown, backup: string | undefined, folder: DataFolder | undefined): unknown {
  if (cause instanceof CorruptionError) {
    const advice = backup !== undefined
      ? "restore another backup, or start from what is intact with --repair"
      : `run "inmem check ${folder?.path}" for details, start from what is intact with --repair, or run ` +
        `"inmem restore FILE --data ${folder?.path} --move-aside" to go back to a copy`;
    return new StartError(`Cannot load damaged data: ${cause.message}. Nothing was changed; ${advice}`, { cause });
  }
  if (cause instanceof StoreFullError) {
    const what = backup ?? folder?.path;
    return new StartError(`Cannot load "${what}": it needs more than --max-memory, and --eviction is none`, { cause });
  }
  return cause;
}
