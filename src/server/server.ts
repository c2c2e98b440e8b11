/**
 * A server that runs in this process: it serves sessions, removes expired keys, and takes snapshots.
 *
 * ```text
 * start   lock the folder → load the newest snapshot and the log after it → listen
 * stop    listen no more → the batches that run end → the log is synced → the folder is unlocked
 * ```
 *
 * What it has in common with a proxy is in role/serving_role.ts.
 *
 * @module
 */

import { ObservedKeys } from "../command/observed_keys.ts";
import { SharedState } from "../command/shared_state.ts";
import { messageOf, ReplyError, StartError } from "../errors.ts";
import {
  EXPIRY_IDLE_INTERVAL_MS,
  EXPIRY_INTERVAL_MS,
  EXPIRY_SLICE_MS,
  FREEING_SLICE_MS,
  RECLAIM_STEPS_COUNT,
} from "../limits.ts";
import type { AppendLog, FsyncPolicy } from "../log/append_log.ts";
import type { Files } from "../log/files.ts";
import { families, type Family } from "../metrics/families.ts";
import { formatInfo } from "../metrics/info_text.ts";
import type { Observed, Overview, Problem } from "../metrics/overview.ts";
import type { ServedSocket } from "../net/socket.ts";
import { HugePages } from "../role/huge_pages.ts";
import { type LiveSettings, numberSetting, wordSetting } from "../role/live_settings.ts";
import { defaultClientMemoryLimit } from "../role/memory_limit.ts";
import { openServing, ServingRole, type ServingSettings, type ServingSockets } from "../role/serving_role.ts";
import { runFor } from "../run_for.ts";
import { Store } from "../store/store.ts";
import { serverConfiguration } from "./configuration.ts";
import type { Loaded } from "./loading.ts";
import { SERVER_METRICS, type ServerFacts } from "./metrics.ts";
import { serverOverview } from "./overview.ts";
import { Persistence } from "./persistence.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";
import { serveInTurns } from "./waiting.ts";

/** How a server runs. */
export interface ServerSettings extends ServingSettings {
  /** The data folder; without it nothing is kept on disk. */
  readonly dataPath?: string | undefined;
  /** A snapshot to start from instead of the folder's newest. */
  readonly backupPath?: string | undefined;
  /** The folder of snapshots that clients name; `backups` in the data folder unless it is given. */
  readonly backupFolder?: string | undefined;
  /** Whether to start from the intact part of damaged data on disk. */
  readonly repairs?: boolean;
  /** When the log is synced to disk; `everysec` unless it is given. */
  readonly fsync?: FsyncPolicy;
  /**
   * A snapshot is taken when the log has grown by this percentage of the last snapshot; never when it is 0 or missing.
   */
  readonly snapshotGrowthPercent?: number;
  /** A snapshot is taken after this time if something has changed; never when it is 0 or missing. */
  readonly snapshotIntervalMs?: number;
  /** The file system; for tests. */
  readonly files?: Files | undefined;
  /** Is called from time to time with the bytes loaded, and all bytes to load. */
  readonly loadProgress?: ((done: number, total: number) => void) | undefined;
  readonly memoryLimitBytes: number;
  /** Bytes of a snapshot that may wait for the disk; SNAPSHOT_QUEUE_MAX_BYTES unless it is given. */
  readonly snapshotQueueMaxBytes?: number;
  /** Whether the least recently used keys make room for new ones; otherwise writes are refused when memory is full. */
  readonly evicts: boolean;
  /** TTL of keys made without one, in ms; 0 for none. */
  readonly defaultTtlMs: number;
  /** Whether clients of this machine may run `debug`. */
  readonly enablesDebug?: boolean;
}

/**
 * Starts a server in this process.
 *
 * @returns the server, which has loaded its data and listens
 * @throws {StartError} when the data cannot be loaded, or the address not be listened on; nothing runs then
 */
export async function startServer(settings: ServerSettings): Promise<Server> {
  const { memoryLimitBytes, evicts } = settings;
  const store = makeStore(memoryLimitBytes, evicts);
  const keys = new ObservedKeys(store, Date.now());
  const persistence = await Persistence.open(store, {
    path: settings.dataPath,
    backup: settings.backupPath,
    backupFolder: settings.backupFolder,
    repair: settings.repairs ?? false,
    fsync: settings.fsync ?? "everysec",
    growthPercent: settings.snapshotGrowthPercent ?? 0,
    intervalMs: settings.snapshotIntervalMs ?? 0,
    ...settings.snapshotQueueMaxBytes && { snapshotQueueMaxBytes: settings.snapshotQueueMaxBytes },
    ...settings.files && { files: settings.files },
    ...settings.loadProgress && { progress: settings.loadProgress },
    noteLoaded: (bytes, start, length) => keys.noteSize(bytes, start, length),
    onFailure: (error) => settings.logger.error("Cannot save a snapshot", { error: messageOf(error) }),
  });
  try {
    return new Server(settings, store, persistence, await openServing(settings), keys);
  } catch (error) {
    await persistence.close();
    throw error;
  }
}

function makeStore(memoryLimitBytes: number, evicts: boolean): Store {
  const [first, second] = crypto.getRandomValues(new Uint32Array(2));
  try {
    return new Store({ memoryLimitBytes, evicts, seed: [first!, second!] });
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const message = `Cannot reserve ${memoryLimitBytes} bytes of memory: expected a smaller --max-memory`;
    throw new StartError(message, { cause });
  }
}

/** A server that runs. {@linkcode startServer} makes it. */
export class Server extends ServingRole<Session> implements SessionHost, Observed {
  readonly store: Store;
  /** TTL of keys made without one, in ms; 0 for none. */
  defaultTtlMs: number;
  /** The settings that can change while the server runs, by the names of their options. */
  readonly live: LiveSettings;
  readonly shared: SharedState;
  readonly log: AppendLog | undefined;
  readonly #persistence: Persistence;
  readonly #hugePages: HugePages | undefined;
  #reclaimTimer: number;
  /** The store's count of changes when data was last reclaimed. */
  #reclaimedChanges = 0;

  /** Use {@linkcode startServer}. */
  constructor(
    settings: ServerSettings,
    store: Store,
    persistence: Persistence,
    sockets: ServingSockets,
    keys: ObservedKeys,
  ) {
    super("server", settings, sockets, defaultClientMemoryLimit(settings.memoryLimitBytes));
    this.store = store;
    this.defaultTtlMs = settings.defaultTtlMs;
    this.#persistence = persistence;
    this.log = persistence.log;
    const { instruments } = this;
    const live = this.live = this.#liveSettings(settings.fsync ?? "everysec");
    this.shared = new SharedState(
      store,
      serverConfiguration({ settings, port: this.address.port, instruments, live }),
      this.instruments,
      keys,
    );
    this.shared.enablesDebug = settings.enablesDebug ?? false;
    serveInTurns(this.shared.waiters, this);
    this.#hugePages = HugePages.for(store.memory);
    if (this.#hugePages !== undefined) store.onGrowth = (frontier) => this.#hugePages?.reach(frontier);
    this.#reclaimTimer = this.#reclaimLater(EXPIRY_INTERVAL_MS);
    if (this.log !== undefined) {
      this.log.onRefusal = (refusal) => this.#tellRefusal(refusal);
      if (this.log.refusal !== undefined) this.#tellRefusal(this.log.refusal);
    }
  }

  /** @param fsync the policy without a log, for which it means nothing */
  #liveSettings(fsync: FsyncPolicy): LiveSettings {
    const persistence = this.#persistence;
    const { room } = this.store;
    return {
      ...this.commonSettings(),
      "max-memory": numberSetting(() => room.limitBytes, (bytes) => {
        if (bytes <= room.limitMaxBytes) return room.limit(bytes);
        return `argument must be at most ${room.limitMaxBytes}, the memory that was reserved at the start`;
      }),
      eviction: wordSetting(() => room.evicts ? "lru" : "none", (word) => room.evicts = word === "lru"),
      "default-ttl": numberSetting(() => this.defaultTtlMs, (ms) => {
        this.defaultTtlMs = ms;
        for (const session of this.sessions()) session.defaultTtlMs = ms;
      }, { absent: 0 }),
      fsync: wordSetting<FsyncPolicy>(() => this.log?.policy ?? fsync, (policy) => {
        fsync = policy;
        this.log?.setPolicy(policy);
      }),
      "snapshot-growth": numberSetting(() => persistence.growthPercent, (percent) => {
        persistence.growthPercent = percent;
      }),
      "snapshot-interval": numberSetting(() => persistence.intervalMs, (ms) => {
        persistence.intervalMs = ms;
      }),
    };
  }

  protected override openSession(socket: ServedSocket, isTrusted?: boolean): Session {
    return new Session(socket, this, isTrusted);
  }

  /** The data that the start has loaded from disk; `undefined` when there was nothing. */
  get loaded(): Loaded | undefined {
    return this.#persistence.loaded;
  }

  info(sections: readonly string[]): string {
    return formatInfo(SERVER_METRICS, this.#facts(), sections);
  }

  overview(): Overview {
    return serverOverview(this.#facts());
  }

  problems(): readonly Problem[] {
    return this.overview().problems;
  }

  families(): Iterable<Family> {
    return families(SERVER_METRICS, this.#facts());
  }

  refresh(): Promise<void> {
    return Promise.resolve();
  }

  #facts(): ServerFacts {
    const facts: ServerFacts = {
      ...this.roleFacts({
        blockedClients: this.shared.waiters.count + this.shared.pause.heldCount,
        pause: this.shared.pause,
        channels: this.shared.channels,
      }),
      data: { ...this.store.statistics, evicts: this.store.room.evicts },
      persistence: this.#persistence.status,
      standoutKeys: this.shared.keys.standouts(this.store.nowMs),
      problems: () => serverOverview(facts).problems,
    };
    return facts;
  }

  override notReady(): string | undefined {
    // Everybody may ask, so the reason does not say where the data is.
    return super.notReady() ?? (this.shared.refusal === undefined ? undefined : "it refuses writes");
  }

  async save(path?: string): Promise<void> {
    try {
      if (path !== undefined) {
        await this.#persistence.saveTo(path);
      } else {
        this.#checkPersistence();
        await this.#persistence.save({ isAsked: true });
      }
    } catch (cause) {
      if (cause instanceof ReplyError) throw cause;
      this.logger.error("Cannot save a snapshot", { error: messageOf(cause) });
      throw new ReplyError("ERR", `cannot save: ${messageOf(cause)}`, { cause });
    }
  }

  beginSave(): boolean {
    this.#checkPersistence();
    if (this.#persistence.isSaving) return false;
    this.#persistence.save({ isAsked: true }).catch((error) => {
      this.logger.error("Cannot save a snapshot", { error: messageOf(error) });
    });
    return true;
  }

  get lastSaveMs(): number {
    return this.#persistence.status.lastSaveMs;
  }

  #checkPersistence(): void {
    if (!this.#persistence.enabled) throw new ReplyError("ERR", "this server keeps nothing on disk");
  }

  #tellRefusal(refusal: string | undefined): void {
    this.shared.refusal = refusal;
    if (refusal === undefined) this.logger.info("Writes are accepted again");
    else this.logger.error("Writes are refused, reads are not", { reason: refusal });
  }

  override resetStatistics(): void {
    super.resetStatistics();
    this.store.resetStatistics();
  }

  protected override async end(): Promise<void> {
    clearTimeout(this.#reclaimTimer);
    await this.endServing();
    this.shared.pause.close();
    try {
      await this.#persistence.close();
    } finally {
      await this.#hugePages?.[Symbol.asyncDispose]();
    }
  }

  /**
   * Removes expired keys and frees what was removed, for a moment at a time. Continues immediately when there is more.
   */
  #reclaim(): void {
    this.store.nowMs = Date.now();
    // Removing a key has to be logged, so it waits while the log refuses. A key that a long command holds must stay.
    // While clients are paused, only a key that a command finds expired is removed.
    const { refusal, pause } = this.shared;
    const expires = refusal === undefined && this.store.held === undefined && !pause.isOn;
    const startedMs = performance.now();
    const expiresMore = expires && runFor(EXPIRY_SLICE_MS, () => this.store.expireDue(RECLAIM_STEPS_COUNT));
    this.#noteExpiry(performance.now() - startedMs);
    // Evictions are logged, and a long command keeps its keys and its room, so both hold the limit up, too.
    const lowersMore = refusal === undefined && this.store.held === undefined &&
      runFor(FREEING_SLICE_MS, () => this.store.room.approachLimit());
    const isMore = expiresMore || lowersMore ||
      runFor(FREEING_SLICE_MS, () => this.store.freeRemoved(RECLAIM_STEPS_COUNT));
    // Looking up an expired key removes it.
    if (!pause.isOn) this.shared.keys.sweep(this.store.nowMs);
    this.log?.flush();
    this.tick();
    this.store.notePeak();
    this.#reclaimTimer = this.#reclaimLater(isMore ? 0 : this.#reclaimDelayMs());
  }

  #reclaimLater(delayMs: number): number {
    const dueMs = performance.now() + delayMs;
    return setTimeout(() => {
      this.noteLateness(dueMs);
      this.#reclaim();
    }, delayMs);
  }

  /** Records how long the removal of expired keys took. Has the log measured while such durations are recorded. */
  #noteExpiry(durationMs: number): void {
    const { latency } = this.instruments;
    latency.note("expire-cycle", durationMs, Date.now());
    if (this.log !== undefined) this.log.onDuration = latency.thresholdMs > 0 ? this.#noteLog : undefined;
  }

  readonly #noteLog = (kind: "write" | "sync", durationMs: number): void => {
    const sync = this.log?.policy === "always" ? "aof-fsync-always" : "aof-fsync";
    this.instruments.latency.note(kind === "write" ? "aof-write" : sync, durationMs, Date.now());
  };

  /**
   * Returns the time to the next {@linkcode #reclaim} when this one has left nothing. An idle server wakes up less
   * often.
   */
  #reclaimDelayMs(): number {
    const { store } = this;
    const rests = store.changes === this.#reclaimedChanges && !store.isDueAt(store.nowMs + EXPIRY_IDLE_INTERVAL_MS);
    this.#reclaimedChanges = store.changes;
    return rests ? EXPIRY_IDLE_INTERVAL_MS : EXPIRY_INTERVAL_MS;
  }
}
