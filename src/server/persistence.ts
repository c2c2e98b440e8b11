/**
 * The store on disk: which snapshot a start loads, and when one is written.
 *
 * A start either has exactly what the newest snapshot holds, or it does not happen. Falling back to an older one by
 * itself would lose keys without a word, so a damaged one stops the start, and the person decides (`--backup`). What is
 * left out all the same is counted and told: keys that have expired, and, where there is eviction, what has no room.
 *
 * Writing walks over the whole store in one go, so that the snapshot is of one moment; commands wait for it. Syncing
 * and renaming happen beside commands.
 *
 * @module
 */

import { CorruptionError, messageOf, StartError, StoreFullError } from "../errors.ts";
import { DataFolder } from "../log/folder.ts";
import type { SnapshotFile } from "../log/folder.ts";
import { SnapshotWriter } from "../log/snapshot.ts";
import type { SnapshotSummary } from "../log/snapshot.ts";
import { readSnapshot } from "../log/snapshot_reader.ts";
import type { Store } from "../store/store.ts";
import { StoreLoader, writeStore } from "./store_snapshot.ts";

/** Where a server's data is kept, and what it starts from. */
export interface PersistenceOptions {
  /** The data folder; `undefined` keeps nothing. */
  readonly path: string | undefined;
  /** A snapshot to start from instead of the folder's newest. */
  readonly backup: string | undefined;
}

/** What a start loaded. */
export interface Loaded extends SnapshotSummary {
  readonly path: string;
  /** Keys that were left out since their deadline had passed. */
  readonly expired: number;
  /** Keys that were left out since there was no room for them: the least recently used ones. */
  readonly evicted: number;
}

/** What `info persistence` tells. */
export interface PersistenceStatus {
  readonly enabled: boolean;
  readonly saving: boolean;
  /** When the last snapshot that was written or loaded was taken, in ms since 1970; 0 for never. */
  readonly lastSaveMs: number;
  readonly lastSaveKeys: number;
  readonly lastSaveBytes: number;
  readonly lastSaveDurationMs: number;
  /** Why the last attempt failed; empty when it did not. */
  readonly lastError: string;
  readonly changesSinceSave: number;
}

/** Loads the store at start and writes snapshots of it. */
export class Persistence {
  /** What the start loaded; `undefined` when there was nothing. */
  readonly loaded: Loaded | undefined;
  readonly #store: Store;
  readonly #folder: DataFolder | undefined;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;
  /** `store.changes` when the last snapshot was taken; -1 when what the store holds is in no snapshot of the folder. */
  #savedChanges: number;
  #last: SnapshotSummary | undefined;
  #lastDurationMs = 0;
  #lastError = "";

  private constructor(store: Store, folder: DataFolder | undefined, loaded: Loaded | undefined, isBackup: boolean) {
    this.#store = store;
    this.#folder = folder;
    this.loaded = loaded;
    this.#last = loaded;
    this.#savedChanges = isBackup ? -1 : store.changes;
  }

  /**
   * Takes the data folder and loads the store, which must be empty and know the time.
   *
   * @throws {StartError} when the folder cannot be used or the snapshot not be loaded; no file has changed then
   */
  static async open(store: Store, options: PersistenceOptions): Promise<Persistence> {
    const { path, backup } = options;
    const folder = path === undefined ? undefined : await DataFolder.open(path);
    try {
      if (backup !== undefined) {
        // Whatever made a person restore a backup, the files of before are not ours to remove.
        await folder?.spare();
        return new Persistence(store, folder, load(store, backup, "restore another backup"), true);
      }
      const [newest, previous] = await folder?.snapshots() ?? [];
      if (newest === undefined) return new Persistence(store, folder, undefined, false);
      return new Persistence(store, folder, load(store, newest.path, wayOut(newest, previous)), false);
    } catch (error) {
      folder?.close();
      throw error;
    }
  }

  /** Whether {@linkcode save} can do anything. */
  get enabled(): boolean {
    return this.#folder !== undefined;
  }

  /** Changes that no snapshot holds. */
  get changesSinceSave(): number {
    return this.#savedChanges < 0 ? this.#store.changes + 1 : this.#store.changes - this.#savedChanges;
  }

  get status(): PersistenceStatus {
    return {
      enabled: this.enabled,
      saving: this.#running !== undefined,
      lastSaveMs: this.#last?.createdMs ?? 0,
      lastSaveKeys: this.#last?.keys ?? 0,
      lastSaveBytes: this.#last?.sizeBytes ?? 0,
      lastSaveDurationMs: this.#lastDurationMs,
      lastError: this.#lastError,
      changesSinceSave: this.changesSinceSave,
    };
  }

  /**
   * Writes a snapshot that holds all that the store holds now. While one is being written, all who ask get the one
   * after it.
   *
   * @throws what the file system throws; the snapshots of before are as they were then
   */
  save(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#write().finally(() => this.#running = undefined);
      return this.#running;
    }
    this.#queued ??= this.#running.catch(() => {}).then(() => {
      this.#queued = undefined;
      return this.save();
    });
    return this.#queued;
  }

  /** Waits for a snapshot under way and gives the folder up. */
  async close(): Promise<void> {
    while (this.#running) await this.#running.catch(() => {});
    this.#folder?.close();
  }

  async #write(): Promise<void> {
    if (this.#folder === undefined) throw new Error("Cannot save: this server keeps nothing on disk (--no-persist)");
    const begunMs = performance.now();
    try {
      let changes = 0;
      const nowMs = Date.now();
      this.#last = await this.#folder.write(nowMs, (file) => {
        changes = this.#store.changes;
        return writeStore(this.#store, new SnapshotWriter(file, nowMs));
      });
      this.#savedChanges = changes;
      this.#lastDurationMs = performance.now() - begunMs;
      this.#lastError = "";
    } catch (error) {
      this.#lastError = messageOf(error);
      throw error;
    }
  }
}

function wayOut(newest: SnapshotFile, previous: SnapshotFile | undefined): string {
  return previous === undefined
    ? `move "${newest.path}" away to start empty, or restore a copy of it with --backup FILE`
    : `restore the one before with --backup "${previous.path}"`;
}

/** Loads one snapshot; `advice` is what a person can do when it is damaged. */
function load(store: Store, path: string, advice: string): Loaded {
  const loader = new StoreLoader(store);
  try {
    using file = Deno.openSync(path, { read: true });
    const summary = readSnapshot(file, file.statSync().size, path, loader);
    return { ...summary, path, expired: loader.expired, evicted: store.statistics.evictedKeys };
  } catch (cause) {
    if (cause instanceof StartError) throw cause;
    if (cause instanceof CorruptionError) {
      throw new StartError(`Cannot load a damaged snapshot: ${cause.message}. Nothing was changed; ${advice}`, {
        cause,
      });
    }
    if (cause instanceof StoreFullError) {
      throw new StartError(`Cannot load "${path}": it needs more than --max-memory, and --eviction is none`, { cause });
    }
    throw new StartError(`Cannot load "${path}": ${messageOf(cause)}`, { cause });
  }
}
