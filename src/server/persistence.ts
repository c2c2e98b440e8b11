/**
 * The store on disk: what a start loads, where effects are written, and when a snapshot is taken.
 *
 * ```text
 * start      newest snapshot → log after it → a torn end is set aside → a new segment
 * running    effects → log (append_log.ts); growth, time or a command → snapshot → the log before it is removed
 * stop       the log is synced; nothing else is necessary
 * ```
 *
 * A start either loads exactly what was acknowledged, or fails. Falling back to an older snapshot automatically would
 * lose keys silently, so damage stops the start, and the operator decides: `--repair`, or `inmem restore`.
 *
 * If the store then differs from the files (a backup was loaded, something was repaired, there was not room for all), a
 * snapshot is written before any client is served, so that the log continues from it.
 *
 * Twice a second the log checks whether the folder is still ours (place.ts). While it is not, writes are refused. A
 * snapshot that a person asks for may use an empty folder of the same name instead; automatic snapshots never do.
 *
 * Durations are measured with a monotonic clock.
 *
 * @module
 */

import { messageOf, StartError } from "../errors.ts";
import {
  LOG_SYNC_INTERVAL_MS,
  PLACE_LOOK_INTERVAL_MS,
  SNAPSHOT_GAP_MS,
  SNAPSHOT_GROWTH_MIN_BYTES,
  SNAPSHOT_IDLE_SLICES_COUNT,
  SNAPSHOT_LOOK_FACTOR,
  SNAPSHOT_RETRY_MS,
  SNAPSHOT_SLICE_MAX_MS,
  SNAPSHOT_SLICE_MS,
} from "../limits.ts";
import { AppendLog, type FsyncPolicy } from "../log/append_log.ts";
import { type Files, isOutOfSpace } from "../log/files.ts";
import { DataFolder } from "../log/folder.ts";
import { SnapshotWriter } from "../log/snapshot.ts";
import type { SnapshotSummary } from "../log/snapshot.ts";
import { systemFiles } from "../log/system_files.ts";
import type { PersistenceStatus } from "../role/persistence_metrics.ts";
import type { Store } from "../store/store.ts";
import { BackupFolder } from "./backup_folder.ts";
import { LogRecorder } from "./log_recorder.ts";
import { damagedPath, load, type Loaded, type Loading, type LoadOptions } from "./loading.ts";
import { SnapshotScan } from "./snapshot_scan.ts";

const CHECKS_A_TICK_COUNT = LOG_SYNC_INTERVAL_MS / PLACE_LOOK_INTERVAL_MS;

/** Where a server's data is kept, and what it is loaded from. */
export interface PersistenceOptions extends LoadOptions {
  /** The path of the data folder; `undefined` for a server without persistence. */
  readonly path: string | undefined;
  readonly fsync: FsyncPolicy;
  /** The growth of the log that causes a snapshot, in percent of the last one's size; 0 for never. */
  readonly growthPercent: number;
  /** The time after which a snapshot is taken if there were changes, in ms; 0 for never. */
  readonly intervalMs: number;
  /** The most bytes of a snapshot that may wait for the disk. The default is SNAPSHOT_QUEUE_MAX_BYTES. */
  readonly snapshotQueueMaxBytes?: number;
  /** The folder for snapshots with a name. The default is `backups` in the data folder. */
  readonly backupFolder?: string | undefined;
  /** The file system. The default is that of the machine. */
  readonly files?: Files;
  /** Returns the time, in ms since 1970. The default is `Date.now`. */
  readonly now?: () => number;
  /** Returns the time for measuring durations, in ms. The default is `now`, if given, and else a monotonic clock. */
  readonly monotonicNow?: () => number;
  /** Called when an automatic snapshot could not be taken. */
  readonly onFailure?: (error: unknown) => void;
}

/** The options of {@linkcode Persistence.save}. */
export interface SaveOptions {
  /** Whether to take the snapshot without pauses, since no client is served. */
  readonly hurries?: boolean;
  /** Whether a person asks for the snapshot, who has dealt with any problem of the folder. */
  readonly isAsked?: boolean;
}

/** A snapshot being taken. */
interface Saving {
  readonly writer: SnapshotWriter;
  readonly startedMs: number;
  keys: number;
  /** The cursor's `ahead` at the last slice. */
  ahead: number;
  /** The number of successive slices in which no key was used. */
  idleTurns: number;
}

/** Loads the store at the start, and keeps it on disk. */
export class Persistence {
  /** The result of loading at the start; `undefined` when there was nothing to load. */
  readonly loaded: Loaded | undefined;
  /** The log that effects are written to; `undefined` without persistence. */
  readonly log: AppendLog | undefined;
  readonly #store: Store;
  readonly #options: PersistenceOptions;
  readonly #files: Files;
  readonly #now: () => number;
  readonly #monotonicNow: () => number;
  readonly #folder: DataFolder | undefined;
  readonly #backups: BackupFolder | undefined;
  readonly #recorder: LogRecorder | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #saving: Saving | undefined;
  /** The queue of all requested snapshots, which are taken one after another. */
  #queue: Promise<unknown> = Promise.resolve();
  #running: Promise<void> | undefined;
  /** Whether the current snapshot has ended: later changes are not in it. */
  #isMarked = false;
  /** Whether a person has asked for the current snapshot. */
  #isAsked = false;
  #waiting: Promise<void> | undefined;
  #isClosing = false;
  #checks = 0;
  /** When the last snapshot was taken, by the monotonic clock; the start, when there is none. */
  #savedMs: number;
  /** The value of `store.changes` at the end of the last snapshot. */
  #savedChanges: number;
  #last: SnapshotSummary | undefined;
  #lastDurationMs = 0;
  #saves = 0;
  #lastError = "";
  #triedMs = -Infinity;
  /** The bytes of the log that existed at the start. */
  #logBytesBefore: number;
  /** The size of the new log when the last snapshot ended, in bytes. */
  #logMark = 0;
  /** The growth of the log that causes a snapshot, in percent of the last one's size; 0 for never. */
  growthPercent: number;
  /** The time after which a snapshot is taken if there were changes, in ms; 0 for never. */
  intervalMs: number;

  private constructor(
    store: Store,
    options: PersistenceOptions,
    folder: DataFolder | undefined,
    recorder: LogRecorder | undefined,
    { read, loaded }: Loading,
  ) {
    this.#store = store;
    this.#options = options;
    this.growthPercent = options.growthPercent;
    this.intervalMs = options.intervalMs;
    this.#files = options.files ?? systemFiles;
    this.#now = options.now ?? Date.now;
    this.#monotonicNow = monotonicOf(options);
    this.#folder = folder;
    const { backupFolder = folder && `${folder.path}/backups` } = options;
    if (backupFolder !== undefined) {
      this.#backups = new BackupFolder(this.#files, backupFolder, options.backupFolder === undefined);
    }
    this.log = recorder?.log;
    this.#recorder = recorder;
    this.loaded = loaded;
    this.#last = read?.snapshot;
    // Only the time of day says how long before the start the snapshot was taken.
    const agoMs = this.#last === undefined ? 0 : this.#now() - this.#last.takenMs;
    this.#savedMs = this.#monotonicNow() - Math.max(0, agoMs);
    this.#logBytesBefore = read?.logBytes ?? 0;
    // The effects in the log are in no snapshot.
    this.#savedChanges = store.changes - (read?.batches ?? 0);
  }

  /**
   * Opens the data folder and loads the store, which must be empty.
   *
   * @throws {StartError} when the folder cannot be used or its data cannot be loaded; then no file has changed
   */
  static async open(store: Store, options: PersistenceOptions): Promise<Persistence> {
    const { path, files = systemFiles, now = Date.now } = options;
    const folder = path === undefined ? undefined : await DataFolder.open(files, path);
    try {
      const loading = await load(store, options, files, folder, now());
      const recorder = folder && new LogRecorder(openLog(folder, options, loading), store);
      if (recorder !== undefined) store.attach(recorder);
      // Time must not go back: keys that had expired when the log was last written stay expired.
      const expired = expireAll(store, recorder?.log, Math.max(now(), loading.read?.lastMs ?? 0));
      store.nowMs = now();
      const loaded = loading.loaded && { ...loading.loaded, keys: store.size, expired };
      const persistence = new Persistence(store, options, folder, recorder, { ...loading, loaded });
      if (folder !== undefined && loading.isAltered) await persistence.#replace(loading.damaged);
      if (recorder !== undefined) {
        await recorder.log.begin();
        persistence.#timer = setInterval(() => persistence.#checkAndTick(), PLACE_LOOK_INTERVAL_MS);
      }
      return persistence;
    } catch (error) {
      folder?.close();
      throw error;
    }
  }

  /** Saves the loaded data if it differs from the files, before it is served. */
  async #replace(damaged: ReadonlySet<string>): Promise<void> {
    try {
      await this.save({ hurries: true });
    } catch (cause) {
      // On a full disk, only reads are served until there is room for a snapshot.
      if (isOutOfSpace(cause) && this.#options.backup === undefined && damaged.size === 0) {
        return this.log?.requireSnapshot();
      }
      await this.log?.close().catch(() => {});
      throw new StartError(`Cannot save what was loaded: ${messageOf(cause)}`, { cause });
    }
    for (const path of damaged) await this.#files.rename(path, damagedPath(path)).catch(() => {});
  }

  /** Whether there is a data folder. */
  get enabled(): boolean {
    return this.#folder !== undefined;
  }

  /** The number of changes that are in no snapshot. */
  get changesSinceSave(): number {
    return this.#store.changes - this.#savedChanges;
  }

  /** The bytes of the log that no snapshot makes unnecessary. */
  get logBytes(): number {
    return this.log === undefined ? 0 : this.#logBytesBefore + this.log.sizeBytes - this.#logMark;
  }

  get status(): PersistenceStatus {
    const saving = this.#saving;
    return {
      enabled: this.enabled,
      saving: this.isSaving,
      savingKeys: saving?.keys ?? 0,
      savingBytes: saving?.writer.sizeBytes ?? 0,
      savingMs: saving === undefined ? 0 : performance.now() - saving.startedMs,
      saves: this.#saves,
      lastSaveMs: this.#last?.takenMs ?? 0,
      lastSaveKeys: this.#last?.keys ?? 0,
      lastSaveBytes: this.#last?.sizeBytes ?? 0,
      lastSaveDurationMs: this.#lastDurationMs,
      lastError: this.#lastError,
      changesSinceSave: this.changesSinceSave,
      loadedKeys: this.loaded?.keys ?? 0,
      loadedExpiredKeys: this.loaded?.expired ?? 0,
      fsync: this.log?.policy,
      logBytes: this.logBytes,
      logBatch: this.log?.batch ?? 0,
      logSyncedBatch: this.log?.synced ?? 0,
      refusal: this.log?.refusal ?? "",
    };
  }

  /**
   * Takes a snapshot with all data that the store has now. If one is being taken that has not ended yet, that one is
   * used.
   *
   * @throws the file system's error; then the earlier snapshots are unchanged
   */
  save(options: SaveOptions = {}): Promise<void> {
    const { hurries = false, isAsked = false } = options;
    if (this.#folder === undefined) {
      return Promise.reject(new Error("Cannot save: this server keeps nothing on disk (--no-persist)"));
    }
    if (this.#running === undefined) {
      this.#isMarked = false;
      this.#isAsked = isAsked;
      const running = this.#enqueue(() => this.#saveToFolder(hurries)).finally(() => this.#running = undefined);
      this.#running = running;
      return running;
    }
    if (!this.#isMarked) {
      this.#isAsked ||= isAsked;
      return this.#running;
    }
    this.#waiting ??= this.#running.catch(() => {}).then(() => {
      this.#waiting = undefined;
      return this.save(options);
    });
    return this.#waiting;
  }

  /** Whether a snapshot is being taken. */
  get isSaving(): boolean {
    return this.#running !== undefined;
  }

  /**
   * Writes a snapshot to a new file in the folder for backups.
   *
   * @param name its path in that folder
   * @throws the file system's error; then there is no such file
   */
  saveTo(name: string): Promise<void> {
    const backups = this.#backups;
    if (backups === undefined) {
      return Promise.reject(new Error("this server has no folder for backups: start it with --backup-folder FOLDER"));
    }
    return this.#enqueue(async () => {
      // The default folder would be created at the path from which the data folder was removed.
      if (this.#options.backupFolder === undefined) this.#folder?.checkPlace();
      const { path, temporary } = await backups.prepare(name);
      try {
        await this.#take(temporary, false);
        await backups.publish(temporary, path);
      } catch (error) {
        await this.#files.remove(temporary).catch(() => {});
        throw error;
      }
    });
  }

  #checkAndTick(): void {
    this.log?.check();
    if (++this.#checks % CHECKS_A_TICK_COUNT === 0) this.tick();
  }

  /** Performs periodic work: syncing, and snapshots. */
  tick(): void {
    const { log } = this;
    if (log === undefined || this.#isClosing) return;
    log.tick();
    if (this.isSaving || this.#monotonicNow() - this.#triedMs < SNAPSHOT_RETRY_MS || !this.#isDue(log)) return;
    this.save().catch((error) => this.#options.onFailure?.(error));
  }

  /**
   * Abandons the current snapshot, syncs the log, and releases the folder.
   *
   * @throws the log's error
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    await this.#queue.catch(() => {});
    if (this.#recorder !== undefined) this.#store.detach(this.#recorder);
    try {
      await this.log?.close();
    } finally {
      this.#folder?.close();
    }
  }

  #isDue(log: AppendLog): boolean {
    if (log.needsSnapshot) return true;
    if (log.refusal !== undefined) return false;
    const { growthPercent, intervalMs } = this;
    const grown = Math.max(SNAPSHOT_GROWTH_MIN_BYTES, (this.#last?.sizeBytes ?? 0) * growthPercent / 100);
    if (growthPercent > 0 && this.logBytes > grown) return true;
    const isLongAgo = this.#monotonicNow() - this.#savedMs > intervalMs;
    return intervalMs > 0 && isLongAgo && this.changesSinceSave > 0;
  }

  #enqueue(run: () => Promise<void>): Promise<void> {
    // The status reports its progress until it is complete and has its name.
    const done = this.#queue.then(run).finally(() => this.#saving = undefined);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #saveToFolder(hurries: boolean): Promise<void> {
    const folder = this.#folder!;
    const { log } = this;
    this.#triedMs = this.#monotonicNow();
    const startedMs = performance.now();
    let temporary: string | undefined;
    try {
      log?.check();
      if (this.#isAsked && await folder.retake()) log?.abandonSegment("the data folder was replaced by an empty one");
      const paths = await folder.nextSnapshot(this.#now());
      temporary = paths.temporary;
      let logMark = 0;
      let changes = 0;
      let savedMs = 0;
      const summary = await this.#take(temporary, hurries, () => {
        this.#isMarked = true;
        logMark = log?.sizeBytes ?? 0;
        changes = this.#store.changes;
        savedMs = this.#monotonicNow();
      });
      await folder.publish(temporary, paths.path);
      temporary = undefined;
      this.#last = summary;
      this.#savedMs = savedMs;
      this.#savedChanges = changes;
      this.#logBytesBefore = 0;
      this.#logMark = logMark;
      try {
        log?.captured(summary.batch);
      } finally {
        // If there was no room for a segment, this makes some.
        await folder.removeOld(summary.batch);
      }
      this.#lastDurationMs = performance.now() - startedMs;
      this.#saves++;
      this.#lastError = "";
      if (this.#isAsked) log?.readmit();
      await log?.begin();
    } catch (error) {
      this.#lastError = messageOf(error);
      // The partial file is useless. If it cannot be removed, the next start removes it.
      if (temporary !== undefined) await this.#files.remove(temporary).catch(() => {});
      throw error;
    }
  }

  /** Writes all keys to a file. Calls `mark` at the moment at which the snapshot ends. */
  async #take(path: string, hurries: boolean, mark?: () => void): Promise<SnapshotSummary> {
    const store = this.#store;
    const { snapshotQueueMaxBytes } = this.#options;
    const writer = new SnapshotWriter(this.#files, path, this.#now, {
      ...snapshotQueueMaxBytes !== undefined && { queueMaxBytes: snapshotQueueMaxBytes },
      onBehind: (caughtUp) => this.log?.holdWriters(caughtUp),
    });
    const saving: Saving = {
      writer,
      startedMs: performance.now(),
      keys: 0,
      ahead: store.snapshotCursor.ahead,
      idleTurns: 0,
    };
    this.#saving = saving;
    const scan = new SnapshotScan(store, writer);
    store.attach(scan);
    try {
      while (!this.#captureSlice(scan, saving, hurries)) {
        const gapMs = hurries || saving.idleTurns > SNAPSHOT_IDLE_SLICES_COUNT ? 0 : SNAPSHOT_GAP_MS;
        await new Promise((resolve) => setTimeout(resolve, gapMs));
        if (this.#isClosing) {
          await writer.abandon();
          throw new Error("the server is stopping");
        }
      }
      // A command that takes several turns is in the snapshot completely, or not at all. Other commands run between the
      // end of the last group and this loop, and one of them may have begun another group.
      while (this.log !== undefined && this.log.openGroups > 0) await this.log.groupsClosed();
      // Nothing can change from here to the next `await`.
      store.detach(scan);
      const batch = this.log?.mark() ?? 0;
      mark?.();
      const finished = writer.finish(store.size, batch);
      try {
        if (mark !== undefined) this.log?.rotate();
      } catch {
        // The segment continues, and is removed with the next snapshot.
      }
      return await finished;
    } finally {
      store.detach(scan);
      this.log?.endMarking();
    }
  }

  /**
   * Captures keys for a slice of time. Returns whether all keys are captured.
   *
   * The slice is longer when no key has been used for a while. It is also longer when commands have used many keys
   * since the last slice, because the snapshot would not progress otherwise.
   */
  #captureSlice(scan: SnapshotScan, saving: Saving, hurries: boolean): boolean {
    const startedMs = performance.now();
    const store = this.#store;
    const { blocks } = saving.writer;
    const ahead = store.snapshotCursor.ahead - saving.ahead;
    const goal = store.snapshotCursor.visited + ahead * SNAPSHOT_LOOK_FACTOR;
    saving.ahead = store.snapshotCursor.ahead;
    saving.idleTurns = ahead === 0 ? saving.idleTurns + 1 : 0;
    const isIdle = hurries || saving.idleTurns > SNAPSHOT_IDLE_SLICES_COUNT;
    while (!saving.writer.isBehind) {
      if (scan.step()) return true;
      saving.keys = scan.keys;
      const ranMs = performance.now() - startedMs;
      if (ranMs >= SNAPSHOT_SLICE_MAX_MS) return false;
      // Writing a block takes time as well.
      const isEnough = ranMs >= SNAPSHOT_SLICE_MS || saving.writer.blocks !== blocks;
      if (isEnough && store.snapshotCursor.visited >= goal && !isIdle) return false;
    }
    return false;
  }
}

/** The number of expired keys that are removed in one step at the start. */
const EXPIRED_A_STEP_COUNT = 100_000;

function openLog(
  folder: DataFolder,
  options: PersistenceOptions,
  { next, synced }: Loading,
): AppendLog {
  const { fsync: policy, now = Date.now } = options;
  const { files, path, place } = folder;
  try {
    const monotonicNow = monotonicOf(options);
    return new AppendLog({ files, folder: path, policy, next, synced, now, monotonicNow, place });
  } catch (cause) {
    throw new StartError(`Cannot write in the data folder "${folder.path}": ${messageOf(cause)}`, { cause });
  }
}

/** Returns the clock for durations. */
function monotonicOf({ now, monotonicNow = now }: PersistenceOptions): () => number {
  return monotonicNow ?? (() => performance.now());
}

/** Removes all expired keys, and records that in the log. Returns their number. */
function expireAll(store: Store, log: AppendLog | undefined, nowMs: number): number {
  const before = store.statistics.expiredKeys;
  store.nowMs = nowMs;
  for (let isMore = true; isMore;) {
    isMore = store.expireDue(EXPIRED_A_STEP_COUNT);
    log?.flush();
  }
  return store.statistics.expiredKeys - before;
}
