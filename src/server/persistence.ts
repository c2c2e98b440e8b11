/**
 * The store on disk: what a start loads, where effects go, and when a snapshot is taken.
 *
 * ```text
 * start      newest snapshot → log behind it → a torn end is set aside → a new segment
 * running    effects → log (append_log.ts); growth, time or a command → snapshot → the log behind it goes
 * stop       the log is synced; there is nothing else to do
 * ```
 *
 * A start either has exactly what was promised to be there, or it does not happen. Falling back to an older snapshot by
 * itself would lose keys without a word, so damage stops the start, and the person decides: `--repair`, or `inmem restore`.
 *
 * Where the store then holds something else than the files say (a backup was loaded, something was repaired, there was not
 * room for all), a snapshot is written before anybody is served, so that the log goes on from that.
 *
 * Twice a second the log looks whether the folder is still ours (place.ts). When it is not, writes are refused. A snapshot that a
 * person asks for may take an empty folder of the same name instead; nobody else's snapshot does.
 *
 * Durations are measured by a clock that nobody sets.
 *
 * @module
 */

import { messageOf, StartError } from "../errors.ts";
import {
  LOG_SYNC_INTERVAL_MS,
  PLACE_LOOK_INTERVAL_MS,
  SNAPSHOT_GAP_MS,
  SNAPSHOT_GROWTH_MIN_BYTES,
  SNAPSHOT_IDLE_TURNS_COUNT,
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
import type { Store } from "../store/store.ts";
import { BackupFolder } from "./backup_folder.ts";
import { ChangeRecorder } from "./change_recorder.ts";
import { damagedPath, load, type Loaded, type Loading, type LoadOptions } from "./loading.ts";
import { SnapshotScan } from "./snapshot_scan.ts";

const LOOKS_A_TICK_COUNT = LOG_SYNC_INTERVAL_MS / PLACE_LOOK_INTERVAL_MS;

/** Where a server's data is kept, and what it starts from. */
export interface PersistenceOptions extends LoadOptions {
  /** The data folder; `undefined` keeps nothing. */
  readonly path: string | undefined;
  readonly fsync: FsyncPolicy;
  /** A snapshot is taken when the log has grown by as many percent of the last one; 0 for never. */
  readonly growthPercent: number;
  /** A snapshot is taken after this time when something has changed; 0 for never. */
  readonly intervalMs: number;
  /** Bytes of a snapshot that may wait for the disk; SNAPSHOT_QUEUE_MAX_BYTES unless it is said. */
  readonly snapshotQueueMaxBytes?: number;
  /** Where snapshots go that are given a name; `backups` in the data folder unless it is said. */
  readonly backupFolder?: string | undefined;
  /** The file system, the time, and what durations are measured by: `now`, if that is given. */
  readonly files?: Files;
  readonly now?: () => number;
  readonly monotonicNow?: () => number;
  /** Told of a snapshot that nobody waits for and that could not be taken. */
  readonly onFailure?: (error: unknown) => void;
}

/** What `info persistence` tells. */
export interface PersistenceStatus {
  readonly enabled: boolean;
  readonly saving: boolean;
  /** What the snapshot under way has come to. */
  readonly savingKeys: number;
  readonly savingBytes: number;
  readonly savingMs: number;
  /** When the last snapshot that was written or loaded was taken, in ms since 1970; 0 for never. */
  readonly lastSaveMs: number;
  readonly lastSaveKeys: number;
  readonly lastSaveBytes: number;
  readonly lastSaveDurationMs: number;
  /** Why the last attempt failed; empty when it did not. */
  readonly lastError: string;
  readonly changesSinceSave: number;
  readonly fsync: FsyncPolicy | undefined;
  readonly logBytes: number;
  readonly logBatch: number;
  readonly logSyncedBatch: number;
  readonly refusal: string;
}

/** How a snapshot is to be taken. */
export interface SaveOptions {
  /** Whether to take all the time there is, since nobody else is served. */
  readonly hurries?: boolean;
  /** Whether a person asks for it, who has seen to the folder if something was wrong with it. */
  readonly isAsked?: boolean;
}

/** A snapshot under way. */
interface Saving {
  readonly writer: SnapshotWriter;
  readonly begunMs: number;
  keys: number;
  /** `ahead` of the walk at the last slice. */
  ahead: number;
  /** Slices in a row since which nobody has used a key. */
  idleTurns: number;
}

/** Loads the store at start, and keeps it on disk. */
export class Persistence {
  /** What the start loaded; `undefined` when there was nothing. */
  readonly loaded: Loaded | undefined;
  /** Where effects go; `undefined` when nothing is kept. */
  readonly log: AppendLog | undefined;
  readonly #store: Store;
  readonly #options: PersistenceOptions;
  readonly #files: Files;
  readonly #now: () => number;
  readonly #monotonicNow: () => number;
  readonly #folder: DataFolder | undefined;
  readonly #backups: BackupFolder | undefined;
  readonly #recorder: ChangeRecorder;
  #timer: ReturnType<typeof setInterval> | undefined;
  #saving: Saving | undefined;
  /** All snapshots asked for, one behind another, and the last one that the folder is to get. */
  #queue: Promise<unknown> = Promise.resolve();
  #running: Promise<void> | undefined;
  /** Whether the moment of the one under way has come: what changes now is not in it. */
  #isMarked = false;
  /** Whether a person has asked for the one under way. */
  #isAsked = false;
  #waiting: Promise<void> | undefined;
  #isClosing = false;
  #looks = 0;
  /** When the last snapshot was taken, by the clock that nobody sets; the start, when there is none. */
  #savedMs: number;
  /** `store.changes` at the moment of the last snapshot. */
  #savedChanges: number;
  #last: SnapshotSummary | undefined;
  #lastDurationMs = 0;
  #lastError = "";
  #triedMs = -Infinity;
  /** Bytes of the log that were there at the start, and size of the new one when the last snapshot was taken. */
  #logBytesBefore: number;
  #logMark = 0;

  private constructor(
    store: Store,
    options: PersistenceOptions,
    folder: DataFolder | undefined,
    recorder: ChangeRecorder,
    { read, loaded }: Loading,
  ) {
    this.#store = store;
    this.#options = options;
    this.#files = options.files ?? systemFiles;
    this.#now = options.now ?? Date.now;
    this.#monotonicNow = monotonicOf(options);
    this.#folder = folder;
    const { backupFolder = folder && `${folder.path}/backups` } = options;
    if (backupFolder !== undefined) {
      this.#backups = new BackupFolder(this.#files, backupFolder, options.backupFolder === undefined);
    }
    this.#recorder = recorder;
    this.log = recorder.log;
    this.loaded = loaded;
    this.#last = read?.snapshot;
    // How long ago it was before the start, only the time of day tells.
    const agoMs = this.#last === undefined ? 0 : this.#now() - this.#last.takenMs;
    this.#savedMs = this.#monotonicNow() - Math.max(0, agoMs);
    this.#logBytesBefore = read?.logBytes ?? 0;
    // What the log had is in no snapshot.
    this.#savedChanges = store.changes - (read?.batches ?? 0);
  }

  /**
   * Takes the data folder and loads the store, which must be empty.
   *
   * @throws {StartError} when the folder cannot be used or what it has not be loaded; no file has changed then
   */
  static async open(store: Store, options: PersistenceOptions): Promise<Persistence> {
    const { path, files = systemFiles, now = Date.now } = options;
    const folder = path === undefined ? undefined : await DataFolder.open(files, path);
    try {
      const loading = await load(store, options, files, folder, now());
      const recorder = new ChangeRecorder(store);
      recorder.log = folder && openLog(folder, options, loading);
      store.journal = recorder;
      // Time does not go back: what was over when the log was written last is over.
      const expired = expireAll(store, recorder.log, Math.max(now(), loading.read?.lastMs ?? 0));
      store.nowMs = now();
      const loaded = loading.loaded && { ...loading.loaded, keys: store.size, expired };
      const persistence = new Persistence(store, options, folder, recorder, { ...loading, loaded });
      if (folder !== undefined && loading.isAltered) await persistence.#replace(loading.damaged);
      if (recorder.log !== undefined) {
        await recorder.log.begin();
        persistence.#timer = setInterval(() => persistence.#lookAndTick(), PLACE_LOOK_INTERVAL_MS);
      }
      return persistence;
    } catch (error) {
      folder?.close();
      throw error;
    }
  }

  /** Puts down what the files do not say before anybody relies on it. */
  async #replace(damaged: ReadonlySet<string>): Promise<void> {
    try {
      await this.save({ hurries: true });
    } catch (cause) {
      // On a full disk it is served to readers, until there is room for a snapshot.
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

  /** Changes that no snapshot holds. */
  get changesSinceSave(): number {
    return this.#store.changes - this.#savedChanges;
  }

  /** Bytes of the log that no snapshot makes needless. */
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
      savingMs: saving === undefined ? 0 : performance.now() - saving.begunMs,
      lastSaveMs: this.#last?.takenMs ?? 0,
      lastSaveKeys: this.#last?.keys ?? 0,
      lastSaveBytes: this.#last?.sizeBytes ?? 0,
      lastSaveDurationMs: this.#lastDurationMs,
      lastError: this.#lastError,
      changesSinceSave: this.changesSinceSave,
      fsync: this.log?.policy,
      logBytes: this.logBytes,
      logBatch: this.log?.batch ?? 0,
      logSyncedBatch: this.log?.synced ?? 0,
      refusal: this.log?.refusal ?? "",
    };
  }

  /**
   * Takes a snapshot that holds all that the store holds now. Where one is under way whose moment has not come yet, that
   * is the one.
   *
   * @throws what the file system throws; the snapshots of before are as they were then
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
   * Writes a snapshot to a file of its own in the folder for backups, which must not be there.
   *
   * @param name its path in that folder
   * @throws what the file system throws; there is no file then
   */
  saveTo(name: string): Promise<void> {
    const backups = this.#backups;
    if (backups === undefined) {
      return Promise.reject(new Error("this server has no folder for backups: start it with --backup-folder FOLDER"));
    }
    return this.#enqueue(async () => {
      // A default folder would be made where the data folder has been.
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

  #lookAndTick(): void {
    this.log?.look();
    if (++this.#looks % LOOKS_A_TICK_COUNT === 0) this.tick();
  }

  /** What is due from time to time: syncing, and snapshots. */
  tick(): void {
    const { log } = this;
    if (log === undefined || this.#isClosing) return;
    log.tick();
    if (this.isSaving || this.#monotonicNow() - this.#triedMs < SNAPSHOT_RETRY_MS || !this.#isDue(log)) return;
    this.save().catch((error) => this.#options.onFailure?.(error));
  }

  /** Gives up a snapshot under way, puts the log on disk, and gives the folder up. @throws what the log fails with */
  async close(): Promise<void> {
    this.#isClosing = true;
    clearInterval(this.#timer);
    await this.#queue.catch(() => {});
    this.#store.journal = undefined;
    try {
      await this.log?.close();
    } finally {
      this.#folder?.close();
    }
  }

  #isDue(log: AppendLog): boolean {
    if (log.needsSnapshot) return true;
    if (log.refusal !== undefined) return false;
    const { growthPercent, intervalMs } = this.#options;
    const grown = Math.max(SNAPSHOT_GROWTH_MIN_BYTES, (this.#last?.sizeBytes ?? 0) * growthPercent / 100);
    if (growthPercent > 0 && this.logBytes > grown) return true;
    const isLongAgo = this.#monotonicNow() - this.#savedMs > intervalMs;
    return intervalMs > 0 && isLongAgo && this.changesSinceSave > 0;
  }

  #enqueue(run: () => Promise<void>): Promise<void> {
    // What it has come to is told to the end, its name's included.
    const done = this.#queue.then(run).finally(() => this.#saving = undefined);
    this.#queue = done.catch(() => {});
    return done;
  }

  async #saveToFolder(hurries: boolean): Promise<void> {
    const folder = this.#folder!;
    const { log } = this;
    this.#triedMs = this.#monotonicNow();
    const begunMs = performance.now();
    let temporary: string | undefined;
    try {
      log?.look();
      if (this.#isAsked && await folder.takeAnew()) log?.leaveSegment("the data folder was replaced by an empty one");
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
        log?.covered(summary.batch);
      } finally {
        // Where there was no room for a segment, this makes some.
        await folder.removeOld(summary.batch);
      }
      this.#lastDurationMs = performance.now() - begunMs;
      this.#lastError = "";
      if (this.#isAsked) log?.readmit();
      await log?.begin();
    } catch (error) {
      this.#lastError = messageOf(error);
      // What was written of it is of no use; when it cannot be removed either, the next start does so.
      if (temporary !== undefined) await this.#files.remove(temporary).catch(() => {});
      throw error;
    }
  }

  /** Writes all keys to a file. `mark` is called at the moment of which the snapshot is. */
  async #take(path: string, hurries: boolean, mark?: () => void): Promise<SnapshotSummary> {
    const store = this.#store;
    const { snapshotQueueMaxBytes } = this.#options;
    const writer = new SnapshotWriter(this.#files, path, this.#now, {
      ...snapshotQueueMaxBytes !== undefined && { queueMaxBytes: snapshotQueueMaxBytes },
      onBehind: (caughtUp) => this.log?.holdWriters(caughtUp),
    });
    const saving: Saving = {
      writer,
      begunMs: performance.now(),
      keys: 0,
      ahead: store.snapshotCursor.ahead,
      idleTurns: 0,
    };
    this.#saving = saving;
    this.#recorder.snapshot = writer;
    const scan = new SnapshotScan(store, writer);
    try {
      while (!this.#cover(scan, saving, hurries)) {
        const gapMs = hurries || saving.idleTurns > SNAPSHOT_IDLE_TURNS_COUNT ? 0 : SNAPSHOT_GAP_MS;
        await new Promise((resolve) => setTimeout(resolve, gapMs));
        if (this.#isClosing) {
          await writer.abandon();
          throw new Error("the server is stopping");
        }
      }
      // A command that takes many turns is in the snapshot as a whole, or not at all.
      // Others run between the last group's end and here, and one of them may have begun another.
      while (this.log !== undefined && this.log.openGroups > 0) await this.log.groupsClosed();
      // From here to the next wait, nothing can change.
      this.#recorder.snapshot = undefined;
      const batch = this.log?.mark() ?? 0;
      mark?.();
      const finished = writer.finish(store.size, batch);
      try {
        if (mark !== undefined) this.log?.rotate();
      } catch {
        // The segment goes on, and is removed with the next snapshot.
      }
      return await finished;
    } finally {
      this.#recorder.snapshot = undefined;
      this.log?.endMarking();
    }
  }

  /**
   * Covers keys for a slice of time; for a longer one where nobody has used a key for a while, or where commands have used so
   * many since the last one that the walk would not get on. Answers whether all are covered.
   */
  #cover(scan: SnapshotScan, saving: Saving, hurries: boolean): boolean {
    const begunMs = performance.now();
    const store = this.#store;
    const { blocks } = saving.writer;
    const ahead = store.snapshotCursor.ahead - saving.ahead;
    const goal = store.snapshotCursor.visited + ahead * SNAPSHOT_LOOK_FACTOR;
    saving.ahead = store.snapshotCursor.ahead;
    saving.idleTurns = ahead === 0 ? saving.idleTurns + 1 : 0;
    const isIdle = hurries || saving.idleTurns > SNAPSHOT_IDLE_TURNS_COUNT;
    while (!saving.writer.isBehind) {
      if (scan.step()) return true;
      saving.keys = scan.keys;
      const ranMs = performance.now() - begunMs;
      if (ranMs >= SNAPSHOT_SLICE_MAX_MS) return false;
      // Writing a block takes its time, too.
      const isEnough = ranMs >= SNAPSHOT_SLICE_MS || saving.writer.blocks !== blocks;
      if (isEnough && store.snapshotCursor.visited >= goal && !isIdle) return false;
    }
    return false;
  }
}

/** Keys whose deadline has passed that are removed before the next look, at the start. */
const EXPIRED_AT_ONCE_COUNT = 100_000;

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

/** What durations are measured by. */
function monotonicOf({ now, monotonicNow = now }: PersistenceOptions): () => number {
  return monotonicNow ?? (() => performance.now());
}

/** Removes all keys whose time has passed, which the log is told. Answers how many. */
function expireAll(store: Store, log: AppendLog | undefined, nowMs: number): number {
  const before = store.statistics.expiredKeys;
  store.nowMs = nowMs;
  for (let isMore = true; isMore;) {
    isMore = store.expireDue(EXPIRED_AT_ONCE_COUNT);
    log?.flush();
  }
  return store.statistics.expiredKeys - before;
}
