/**
 * A server that runs in this process: it accepts, serves sessions, removes what expires and saves from time to time.
 *
 * ```text
 * start   lock the folder → load the newest snapshot → listen
 * stop    listen no more → batches under way are answered → snapshot → the folder is given up
 * ```
 *
 * @module
 */

import { messageOf, ReplyError, stackOf, StartError } from "../errors.ts";
import {
  EXPIRY_INTERVAL_MS,
  EXPIRY_SLICE_MS,
  FREEING_SLICE_MS,
  RECLAIM_STEPS_COUNT,
  SNAPSHOT_INTERVAL_MS,
} from "../limits.ts";
import { SharedState } from "../command/shared_state.ts";
import { HugePages } from "../role/huge_pages.ts";
import type { Logger } from "../role/logger.ts";
import { formatInfo } from "../role/info_text.ts";
import { Password } from "../role/password.ts";
import { formatSize } from "../role/quantities.ts";
import { serverConfiguration } from "./configuration.ts";
import { SERVER_SECTIONS } from "./info.ts";
import { Persistence } from "./persistence.ts";
import type { Loaded } from "./persistence.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";
import { Slices } from "./slices.ts";
import { Store } from "../store/store.ts";
import { Clients } from "../wire/clients.ts";
import { listen } from "../wire/socket.ts";
import type { Listener } from "../wire/socket.ts";

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
  readonly memoryLimitBytes: number;
  /** Whether the least recently used keys make room for new ones; otherwise writes are refused when memory is full. */
  readonly evicts: boolean;
  /** TTL of keys made without one, in ms; 0 for none. */
  readonly defaultTtlMs: number;
  /** What clients have to know; without it everybody may do everything. */
  readonly password?: string | undefined;
  /** Clients at once. */
  readonly maxClients: number;
  readonly logger: Logger;
}

/**
 * Starts a server in this process.
 *
 * @returns the server, which listens and has loaded its data
 * @throws {StartError} when the data cannot be loaded or the address not be listened on; nothing runs then
 */
export async function startServer(settings: ServerSettings): Promise<Server> {
  const { memoryLimitBytes, evicts, dataPath, backupPath, hostname, port, certificate } = settings;
  const store = makeStore(memoryLimitBytes, evicts);
  store.nowMs = Date.now();
  const persistence = await Persistence.open(store, { path: dataPath, backup: backupPath });
  try {
    return new Server(settings, store, persistence, listen({ hostname, port, ...certificate }));
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

/** A server that runs. Made by {@linkcode startServer}. */
export class Server implements SessionHost {
  readonly store: Store;
  readonly defaultTtlMs: number;
  readonly passwordRequired: boolean;
  commands = 0;
  readonly slices: Slices = new Slices();
  readonly shared: SharedState;
  readonly #settings: ServerSettings;
  readonly #logger: Logger;
  readonly #password: Password | undefined;
  readonly #persistence: Persistence;
  readonly #listener: Listener;
  readonly #hugePages: HugePages | undefined;
  readonly #clients: Clients<Session>;
  readonly #startedMs = performance.now();
  #reclaimTimer: number;
  readonly #snapshotTimer: number;
  #stopped: Promise<void> | undefined;

  /** Use {@linkcode startServer}. */
  constructor(settings: ServerSettings, store: Store, persistence: Persistence, listener: Listener) {
    this.#settings = settings;
    this.#logger = settings.logger;
    this.store = store;
    this.defaultTtlMs = settings.defaultTtlMs;
    this.passwordRequired = settings.password !== undefined;
    this.#password = settings.password === undefined ? undefined : new Password(settings.password);
    this.#persistence = persistence;
    this.#listener = listener;
    this.shared = new SharedState(serverConfiguration({ settings, store, port: listener.address.port }));
    this.#hugePages = HugePages.for(store.memory);
    if (this.#hugePages !== undefined) store.onGrowth = (frontier) => this.#hugePages?.reach(frontier);
    this.#clients = new Clients({
      listener,
      maxCount: settings.maxClients,
      open: (socket) => new Session(socket, this),
      warn: (message, fields) => this.#logger.warn(message, fields),
    });
    this.#reclaimTimer = setTimeout(() => this.#reclaim(), EXPIRY_INTERVAL_MS);
    this.#snapshotTimer = setInterval(() => this.#saveChanges(), SNAPSHOT_INTERVAL_MS);
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

  info(sections: readonly string[]): string {
    const facts = {
      role: "server",
      port: this.address.port,
      uptimeMs: performance.now() - this.#startedMs,
      clients: this.#clients,
      maxClients: this.#settings.maxClients,
      commands: this.commands,
      blockedClients: this.shared.waiters.count,
      store: this.store,
      persistence: this.#persistence.status,
    };
    return formatInfo(SERVER_SECTIONS, facts, sections);
  }

  async save(): Promise<void> {
    if (!this.#persistence.enabled) throw new ReplyError("ERR", "this server keeps nothing on disk");
    try {
      await this.#persistence.save();
    } catch (cause) {
      this.#logger.error("Cannot save a snapshot", { error: messageOf(cause) });
      throw new ReplyError("ERR", `cannot save: ${messageOf(cause)}`, { cause });
    }
  }

  resetStatistics(): void {
    this.commands = 0;
    this.store.resetStatistics();
    this.#clients.resetStatistics();
  }

  reportBug(error: unknown): void {
    this.#logger.error("A bug of inmem; please report it", { error: stackOf(error) });
  }

  /**
   * Ends the server in order: see the module's comment. Safe to call twice.
   *
   * @throws what the last snapshot failed with; everything is closed then all the same
   */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#snapshotTimer);
    clearTimeout(this.#reclaimTimer);
    await this.#clients.stop();
    try {
      if (this.#persistence.enabled && this.#persistence.changesSinceSave > 0) {
        await this.#persistence.save();
        const { lastSaveKeys, lastSaveBytes } = this.#persistence.status;
        this.#logger.info("Saved a snapshot", { keys: lastSaveKeys, size: formatSize(lastSaveBytes) });
      }
    } finally {
      await this.#persistence.close();
      await this.#hugePages?.[Symbol.asyncDispose]();
    }
  }

  /** Removes what has expired, and frees what was removed, for a moment at a time; goes on at once when there is more. */
  #reclaim(): void {
    this.store.nowMs = Date.now();
    const isMore = runFor(EXPIRY_SLICE_MS, () => this.store.expireDue(RECLAIM_STEPS_COUNT)) ||
      runFor(FREEING_SLICE_MS, () => this.store.freeRemoved(RECLAIM_STEPS_COUNT));
    this.#reclaimTimer = setTimeout(() => this.#reclaim(), isMore ? 0 : EXPIRY_INTERVAL_MS);
  }

  /** The snapshot from time to time. A failure is told, and the next time may do better. */
  #saveChanges(): void {
    if (!this.#persistence.enabled || this.#persistence.changesSinceSave === 0) return;
    this.#persistence.save().catch((error) => {
      this.#logger.error("Cannot save a snapshot", { error: messageOf(error) });
    });
  }
}

/** Calls `step` until it answers that there is no more to do, or the time is up. Answers whether there is more. */
function runFor(durationMs: number, step: () => boolean): boolean {
  const endMs = performance.now() + durationMs;
  let isMore: boolean;
  do isMore = step(); while (isMore && performance.now() < endMs);
  return isMore;
}
