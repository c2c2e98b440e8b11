/**
 * A server that runs in this process: it accepts, serves sessions, removes what expires and saves from time to time.
 *
 * ```text
 * start   lock the folder → load the newest snapshot and the log behind it → listen
 * stop    listen no more → batches under way are answered → the log is synced → the folder is given up
 * ```
 *
 * @module
 */

import { SharedState } from "../command/shared_state.ts";
import { messageOf, ReplyError, stackOf, StartError } from "../errors.ts";
import {
  EXPIRY_IDLE_INTERVAL_MS,
  EXPIRY_INTERVAL_MS,
  EXPIRY_SLICE_MS,
  FREEING_SLICE_MS,
  RECLAIM_STEPS_COUNT,
} from "../limits.ts";
import type { AppendLog, FsyncPolicy } from "../log/append_log.ts";
import type { Files } from "../log/files.ts";
import { ClientMemory } from "../memory/client_memory.ts";
import { FreedMemory } from "../memory/freed_memory.ts";
import { Clients } from "../net/clients.ts";
import { InputRound } from "../net/input_round.ts";
import { listen } from "../net/listener.ts";
import type { Listener } from "../net/listener.ts";
import { openPeerEnds } from "../net/peer_ends.ts";
import type { PeerEnds } from "../net/peer_ends.ts";
import { ReadAhead } from "../net/read_ahead.ts";
import { AdminCommands } from "../role/admin_commands.ts";
import { expiryOf } from "../role/certificate_files.ts";
import { DeliveryQueue } from "../role/delivery_queue.ts";
import { Disconnections } from "../role/disconnections.ts";
import { FailedLogins } from "../role/failed_logins.ts";
import { HugePages } from "../role/huge_pages.ts";
import { formatInfo } from "../role/info_text.ts";
import type { Logger } from "../role/logger.ts";
import { clientHeapLimit, defaultClientMemoryLimit } from "../role/memory_limit.ts";
import { Password } from "../role/password.ts";
import { makeRunId } from "../role/run_id.ts";
import { Slices } from "../role/slices.ts";
import { runFor } from "../run_for.ts";
import { Store } from "../store/store.ts";
import { serverConfiguration } from "./configuration.ts";
import { SERVER_SECTIONS } from "./info.ts";
import type { Loaded } from "./loading.ts";
import { Persistence } from "./persistence.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";
import { serveInTurns } from "./waiting.ts";

/** How a server is to run. */
export interface ServerSettings {
  /** Where to listen; port 0 lets the system choose. */
  readonly hostname: string;
  readonly port: number;
  /** Certificate chain and key in PEM; without it the server speaks plaintext. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** The data folder; without it nothing is kept on disk. */
  readonly dataPath?: string | undefined;
  /** A snapshot to start from instead of the folder's newest. */
  readonly backupPath?: string | undefined;
  /** Where snapshots go that clients give a name; `backups` in the data folder unless it is said. */
  readonly backupFolder?: string | undefined;
  /** Whether to start from what is intact where data on disk is damaged. */
  readonly repairs?: boolean;
  /** When the log is put on disk: `everysec` unless it is said. */
  readonly fsync?: FsyncPolicy;
  /** A snapshot is taken when the log has grown by as many percent of the last one; 0, or nothing, for never. */
  readonly snapshotGrowthPercent?: number;
  /** A snapshot is taken after this time when something has changed; 0, or nothing, for never. */
  readonly snapshotIntervalMs?: number;
  /** The file system; for tests. */
  readonly files?: Files | undefined;
  /** Told from time to time how many bytes of how many are loaded. */
  readonly loadProgress?: ((done: number, total: number) => void) | undefined;
  readonly memoryLimitBytes: number;
  /** What all clients may hold together; a quarter of `memoryLimitBytes`, within bounds, unless it is said. */
  readonly clientMemoryLimitBytes?: number;
  /** Bytes of a snapshot that may wait for the disk; SNAPSHOT_QUEUE_MAX_BYTES unless it is said. */
  readonly snapshotQueueMaxBytes?: number;
  /** Bytes of freed buffers that may wait for their turn; FREED_QUEUE_MAX_BYTES unless it is said. */
  readonly freedQueueMaxBytes?: number;
  /** Whether the least recently used keys make room for new ones; otherwise writes are refused when memory is full. */
  readonly evicts: boolean;
  /** TTL of keys made without one, in ms; 0 for none. */
  readonly defaultTtlMs: number;
  /** What clients have to know, or one of several; without any everybody may do everything. */
  readonly password?: string | readonly string[] | undefined;
  /** Clients at once. */
  readonly maxClients: number;
  /** Connections at once, whatever becomes of them; without it there is no such limit. */
  readonly maxConnections?: number;
  /** Whether clients of this machine may run `debug`. */
  readonly enablesDebug?: boolean;
  readonly logger: Logger;
}

/**
 * Starts a server in this process.
 *
 * @returns the server, which listens and has loaded its data
 * @throws {StartError} when the data cannot be loaded or the address not be listened on; nothing runs then
 */
export async function startServer(settings: ServerSettings): Promise<Server> {
  const { memoryLimitBytes, evicts, hostname, port, certificate } = settings;
  const store = makeStore(memoryLimitBytes, evicts);
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
    onFailure: (error) => settings.logger.error("Cannot save a snapshot", { error: messageOf(error) }),
  });
  const input = await InputRound.open();
  try {
    return new Server(settings, store, persistence, listen({ hostname, port, ...certificate }), input);
  } catch (error) {
    input?.[Symbol.dispose]();
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

/** A server that runs. Made by {@linkcode startServer}. */
export class Server implements SessionHost {
  readonly store: Store;
  readonly defaultTtlMs: number;
  readonly passwordRequired: boolean;
  commands = 0;
  readonly slices: Slices;
  readonly clientMemory: ClientMemory;
  readonly deliveries: DeliveryQueue;
  readonly disconnections: Disconnections;
  readonly failedLogins: FailedLogins;
  readonly adminCommands: AdminCommands;
  readonly shared: SharedState;
  readonly peerEnds: PeerEnds | undefined;
  readonly readAhead: ReadAhead = new ReadAhead();
  readonly log: AppendLog | undefined;
  readonly #settings: ServerSettings;
  readonly #logger: Logger;
  #password: Password | undefined;
  #certificateExpiresMs: number | undefined;
  readonly #persistence: Persistence;
  readonly #listener: Listener;
  readonly #input: InputRound | undefined;
  readonly #hugePages: HugePages | undefined;
  readonly #freedMemory: FreedMemory;
  readonly #clients: Clients<Session>;
  readonly #runId = makeRunId();
  readonly #startedMs = performance.now();
  #reclaimTimer: number;
  /** The store's count of changes when data was last reclaimed. */
  #reclaimedChanges = 0;
  #stopped: Promise<void> | undefined;

  /** Use {@linkcode startServer}. */
  constructor(
    settings: ServerSettings,
    store: Store,
    persistence: Persistence,
    listener: Listener,
    input: InputRound | undefined,
  ) {
    this.#settings = settings;
    this.#input = input;
    this.slices = new Slices(input);
    this.deliveries = new DeliveryQueue(this.slices);
    this.#logger = settings.logger;
    this.disconnections = new Disconnections(settings.logger);
    this.failedLogins = new FailedLogins(settings.logger);
    this.adminCommands = new AdminCommands(settings.logger);
    this.store = store;
    this.defaultTtlMs = settings.defaultTtlMs;
    const { password = [], certificate } = settings;
    this.passwordRequired = password.length > 0;
    this.#password = password.length > 0 ? new Password(password) : undefined;
    this.#certificateExpiresMs = certificate && expiryOf(certificate.cert);
    this.#persistence = persistence;
    this.log = persistence.log;
    this.#listener = listener;
    this.clientMemory = new ClientMemory({
      limitBytes: settings.clientMemoryLimitBytes ?? defaultClientMemoryLimit(settings.memoryLimitBytes),
      heapLimitBytes: clientHeapLimit(),
      warn: (message, fields) => this.#logger.warn(message, fields),
    });
    const { port } = listener.address;
    this.shared = new SharedState(
      store,
      serverConfiguration({ settings, store, port, clientMemory: this.clientMemory }),
    );
    this.shared.enablesDebug = settings.enablesDebug ?? false;
    this.#freedMemory = FreedMemory.open(settings.freedQueueMaxBytes);
    this.peerEnds = openPeerEnds();
    serveInTurns(this.shared.waiters, this);
    this.#hugePages = HugePages.for(store.memory);
    if (this.#hugePages !== undefined) store.onGrowth = (frontier) => this.#hugePages?.reach(frontier);
    this.#clients = new Clients({
      listener,
      maxCount: settings.maxClients,
      ...settings.maxConnections !== undefined && { maxConnections: settings.maxConnections },
      open: (socket) => new Session(socket, this),
      beforeSweep: () => this.peerEnds?.look(),
      warn: (message, fields) => this.#logger.warn(message, fields),
    });
    this.#reclaimTimer = setTimeout(() => this.#reclaim(), EXPIRY_INTERVAL_MS);
    if (this.log !== undefined) {
      this.log.onRefusal = (refusal) => this.#tellRefusal(refusal);
      if (this.log.refusal !== undefined) this.#tellRefusal(this.log.refusal);
    }
  }

  /** The address listened on, with the real port. */
  get address(): Deno.NetAddr {
    return this.#listener.address;
  }

  /** What the start loaded from disk; `undefined` when there was nothing. */
  get loaded(): Loaded | undefined {
    return this.#persistence.loaded;
  }

  /** Why replies may be slower here than elsewhere; `undefined` when all is well. */
  get untuned(): string | undefined {
    return this.#listener.untuned;
  }

  authenticate(user: string, password: string): boolean {
    return this.#password?.matches(user, password) ?? true;
  }

  /** Accepts other passwords from now on; who has authenticated stays so. */
  replacePasswords(passwords: readonly string[]): void {
    this.#password = new Password(passwords);
  }

  /**
   * Serves new connections with another certificate; those that were made stay.
   *
   * @throws {StartError} when that cannot be; then nothing has changed
   */
  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void {
    this.#clients.replaceCertificate(certificate);
    this.#certificateExpiresMs = expiryOf(certificate.cert);
  }

  info(sections: readonly string[]): string {
    const facts = {
      role: "server",
      runId: this.#runId,
      certificateExpiresMs: this.#certificateExpiresMs,
      port: this.address.port,
      uptimeMs: performance.now() - this.#startedMs,
      clients: this.#clients,
      maxClients: this.#settings.maxClients,
      commands: this.commands,
      clientMemory: this.clientMemory,
      cutClients: this.disconnections.count,
      failedLogins: this.failedLogins.count,
      blockedClients: this.shared.waiters.count,
      store: this.store,
      persistence: this.#persistence.status,
    };
    return formatInfo(SERVER_SECTIONS, facts, sections);
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
      this.#logger.error("Cannot save a snapshot", { error: messageOf(cause) });
      throw new ReplyError("ERR", `cannot save: ${messageOf(cause)}`, { cause });
    }
  }

  beginSave(): boolean {
    this.#checkPersistence();
    if (this.#persistence.isSaving) return false;
    this.#persistence.save({ isAsked: true }).catch((error) => {
      this.#logger.error("Cannot save a snapshot", { error: messageOf(error) });
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
    if (refusal === undefined) this.#logger.info("Writes are accepted again");
    else this.#logger.error("Writes are refused, reads are not", { reason: refusal });
  }

  resetStatistics(): void {
    this.commands = this.disconnections.count = this.failedLogins.count = 0;
    this.store.resetStatistics();
    this.#clients.resetStatistics();
    this.clientMemory.resetStatistics();
  }

  reportBug(error: unknown): void {
    this.#logger.error("A bug of inmem; please report it", { error: stackOf(error) });
  }

  /**
   * Ends the server in order: see the module's comment. Safe to call twice.
   *
   * @throws what the log failed with; everything is closed then all the same
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    clearTimeout(this.#reclaimTimer);
    await this.#clients.stop();
    await this.slices.rest();
    this.peerEnds?.[Symbol.dispose]();
    this.#input?.[Symbol.dispose]();
    this.#freedMemory[Symbol.dispose]();
    try {
      await this.#persistence.close();
    } finally {
      await this.#hugePages?.[Symbol.asyncDispose]();
    }
  }

  /** Removes what has expired, and frees what was removed, for a moment at a time; goes on at once when there is more. */
  #reclaim(): void {
    this.store.nowMs = Date.now();
    // What goes has to be logged: not while that cannot be. A key that a long command holds must not go.
    const expires = this.shared.refusal === undefined && this.store.held === undefined;
    const isMore = (expires && runFor(EXPIRY_SLICE_MS, () => this.store.expireDue(RECLAIM_STEPS_COUNT))) ||
      runFor(FREEING_SLICE_MS, () => this.store.freeRemoved(RECLAIM_STEPS_COUNT));
    this.log?.flush();
    this.disconnections.reportOthers();
    this.failedLogins.reportOthers();
    this.adminCommands.reportOthers();
    this.#reclaimTimer = setTimeout(() => this.#reclaim(), isMore ? 0 : this.#reclaimDelayMs());
  }

  /** Until the next {@linkcode #reclaim} when this one has left nothing. A server that rests wakes up less often. */
  #reclaimDelayMs(): number {
    const { store } = this;
    const rests = store.changes === this.#reclaimedChanges && !store.isDueAt(store.nowMs + EXPIRY_IDLE_INTERVAL_MS);
    this.#reclaimedChanges = store.changes;
    return rests ? EXPIRY_IDLE_INTERVAL_MS : EXPIRY_INTERVAL_MS;
  }
}
