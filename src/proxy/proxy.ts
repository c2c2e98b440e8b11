/**
 * A proxy that runs in this process: it accepts clients, routes their requests, and follows the list of servers.
 *
 * ```text
 * clients ──► sessions ──► router ──► cluster ──► pools ──► servers
 *                                       ▲
 *                       servers.json ───┘
 * stop    listen no more → requests in flight are answered → connections to servers are closed
 * ```
 *
 * @module
 */

import type { ProtocolVersion } from "../connection/client_state.ts";
import { stackOf } from "../errors.ts";
import {
  ABANDONED_WAITS_GRACE_MS,
  BACKEND_CHECK_INTERVAL_MS,
  BACKEND_PROBE_TIMEOUT_MS,
  BACKEND_SUSPECT_MS,
  BACKEND_SWEEP_INTERVAL_MS,
  BACKEND_TIMEOUT_MS,
  CLIENT_MEMORY_DEFAULT_MAX_BYTES,
  CLIENT_REPLIES_MAX_BYTES,
  SERVER_REPORT_INTERVAL_MS,
  SERVER_REPORTS_MAX_COUNT,
} from "../limits.ts";
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
import { formatInfo } from "../role/info_text.ts";
import type { Logger } from "../role/logger.ts";
import { clientHeapLimit } from "../role/memory_limit.ts";
import { Password } from "../role/password.ts";
import { makeRunId } from "../role/run_id.ts";
import { Slices } from "../role/slices.ts";
import { FlushQueue } from "../route/flush_queue.ts";
import { readMembers, watchMembers } from "../route/members.ts";
import type { MembersWatch } from "../route/members.ts";
import type { PoolState } from "../route/pool.ts";
import type { Member } from "../route/slots.ts";
import { TokenBucket } from "../route/token_bucket.ts";
import { RespReply } from "../wire/resp/reply_writer.ts";
import { checkPlaintext, judgeBackend, openBackend, ServersPasswords } from "./backend/backend.ts";
import type { BackendSettings } from "./backend/backend.ts";
import { Cluster } from "./backend/cluster.ts";
import type { Dialect, Opener } from "./backend/dialect.ts";
import { Identities } from "./backend/identities.ts";
import { NativeDialect } from "./backend/native_dialect.ts";
import { Remap } from "./backend/remap.ts";
import { RespDialect } from "./backend/resp_dialect.ts";
import { ServerStats } from "./backend/server_stats.ts";
import { OwnReplies } from "./client/own_replies.ts";
import { WriteCoalescer } from "./client/write_coalescer.ts";
import { proxyConfiguration } from "./configuration.ts";
import { Connections } from "./connections.ts";
import { PROXY_SECTIONS } from "./info.ts";
import { ChannelHub } from "./routing/channel_hub.ts";
import { LocalCommands } from "./routing/local_commands.ts";
import { Router } from "./routing/router.ts";
import { Waits } from "./routing/waits.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";

/** How a proxy is to run. */
export interface ProxySettings {
  /** Where to listen; port 0 lets the system choose. */
  readonly hostname: string;
  readonly port: number;
  /** Certificate chain and key in PEM; without it the proxy speaks plaintext. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** What clients have to know, or one of several; without any everybody may do everything. */
  readonly password?: string | readonly string[] | undefined;
  /** Clients at once. */
  readonly maxClients: number;
  /** Connections of clients at once, whatever becomes of them; without it there is no such limit. */
  readonly maxConnections?: number;
  /** Connections to servers that clients may have for themselves, of all servers; without it each server's bound counts alone. */
  readonly dedicatedMaxCount?: number;
  /** The file that names the servers; it is followed. */
  readonly serversPath: string;
  /** What that file has, if it was read already. */
  readonly members?: readonly Member[];
  /** Connections to each server, at most. */
  readonly connectionsMaxCount: number;
  /** How servers are reached. */
  readonly backend: BackendSettings;
  /** How long a server may take to answer, in ms. */
  readonly timeoutMs?: number;
  /** What becomes of the slots of a server that is down: `fail`, unless given, for requests fail; `remap` for proxy/backend/remap.ts. */
  readonly onDown?: "fail" | "remap";
  /** Bytes of replies that are held for one client. */
  readonly repliesMaxBytes?: number;
  /** What all clients may hold together; CLIENT_MEMORY_DEFAULT_MAX_BYTES unless it is said. */
  readonly clientMemoryLimitBytes?: number;
  /** Bytes of freed buffers that may wait for their turn; FREED_QUEUE_MAX_BYTES unless it is said. */
  readonly freedQueueMaxBytes?: number;
  readonly logger: Logger;
}

/**
 * Starts a proxy in this process. Servers need not be reachable: that shows when they are asked.
 *
 * @returns the proxy, which listens
 * @throws {UsageError} when the list of servers cannot be used
 * @throws {StartError} when the address cannot be listened on
 */
export async function startProxy(settings: ProxySettings): Promise<Proxy> {
  const members = settings.members ?? await readMembers(settings.serversPath);
  // One that the list names later is refused when it is connected to.
  if (settings.backend.plaintext) { for (const { address } of members) checkPlaintext(address); }
  const { hostname, port, certificate } = settings;
  const listener = listen({ hostname, port, ...certificate });
  return new Proxy(settings, members, listener, await InputRound.open());
}

/** A proxy that runs. Made by {@linkcode startProxy}. */
export class Proxy implements SessionHost {
  readonly router: Router;
  readonly ownReplies: OwnReplies;
  readonly dialects: Readonly<Record<ProtocolVersion, Dialect>>;
  readonly connections: Connections;
  readonly peerEnds: PeerEnds | undefined = openPeerEnds();
  readonly #freedMemory: FreedMemory;
  readonly readAhead: ReadAhead = new ReadAhead();
  readonly flushQueue = new FlushQueue();
  readonly coalescer = new WriteCoalescer();
  readonly slices: Slices;
  readonly deliveries: DeliveryQueue;
  readonly disconnections: Disconnections;
  readonly failedLogins: FailedLogins;
  readonly adminCommands: AdminCommands;
  readonly passwordRequired: boolean;
  readonly clientMemory: ClientMemory;
  readonly repliesMaxBytes: number;
  commands = 0;
  readonly #settings: ProxySettings;
  readonly #logger: Logger;
  readonly #runId = makeRunId();
  readonly #identities: Identities;
  #password: Password | undefined;
  #certificateExpiresMs: number | undefined;
  #backend: BackendSettings;
  #serversPasswords: ServersPasswords;
  readonly #cluster: Cluster;
  readonly #serverStats: ServerStats;
  readonly #remap: Remap | undefined;
  readonly #hub: ChannelHub;
  readonly #waits: Waits;
  readonly #timeoutMs: number;
  readonly #clock = { nowMs: performance.now() };
  readonly #watch: MembersWatch;
  readonly #listener: Listener;
  readonly #input: InputRound | undefined;
  readonly #clients: Clients<Session>;
  readonly #startedMs = performance.now();
  readonly #serversTimer: number;
  /** How much more may be said in the log about each server. */
  readonly #told = new Map<string, TokenBucket>();
  readonly #sweepIntervalMs: number;
  #sweptMs = performance.now();
  #changes = 0;
  #stopped: Promise<void> | undefined;

  /** Use {@linkcode startProxy}. */
  constructor(
    settings: ProxySettings,
    members: readonly Member[],
    listener: Listener,
    input: InputRound | undefined,
  ) {
    this.#settings = settings;
    this.#input = input;
    this.#freedMemory = FreedMemory.open(settings.freedQueueMaxBytes);
    this.slices = new Slices(input);
    this.deliveries = new DeliveryQueue(this.slices);
    this.#logger = settings.logger;
    this.disconnections = new Disconnections(settings.logger);
    this.failedLogins = new FailedLogins(settings.logger);
    this.adminCommands = new AdminCommands(settings.logger);
    this.repliesMaxBytes = settings.repliesMaxBytes ?? CLIENT_REPLIES_MAX_BYTES;
    this.clientMemory = new ClientMemory({
      limitBytes: settings.clientMemoryLimitBytes ?? CLIENT_MEMORY_DEFAULT_MAX_BYTES,
      heapLimitBytes: clientHeapLimit(),
      warn: (message, fields) => this.#logger.warn(message, fields),
    });
    const { password = [], certificate } = settings;
    this.passwordRequired = password.length > 0;
    this.#password = password.length > 0 ? new Password(password) : undefined;
    this.#certificateExpiresMs = certificate && expiryOf(certificate.cert);
    this.#backend = settings.backend;
    this.#serversPasswords = new ServersPasswords(settings.backend.password);
    const timeoutMs = this.#timeoutMs = settings.timeoutMs ?? BACKEND_TIMEOUT_MS;
    const account = this.clientMemory.openShared();
    const open: Opener = (dialect, address, signal) =>
      openBackend(dialect, address, this.#backend, signal, {
        account,
        passwords: this.#serversPasswords,
        admit: (identity) => this.#identities.admit(address, identity),
      });
    const reply = new RespReply(Infinity);
    // What the proxy itself asks is in RESP, so that it can stand before other servers that speak it.
    const resp = new RespDialect(2, open, reply);
    this.dialects = {
      0: new NativeDialect(open),
      2: resp,
      3: new RespDialect(3, open, reply),
    };
    this.#cluster = new Cluster({
      connectionsMaxCount: settings.connectionsMaxCount,
      timeoutMs,
      suspectAfterMs: BACKEND_SUSPECT_MS,
      probeTimeoutMs: BACKEND_PROBE_TIMEOUT_MS,
      judge: judgeBackend,
      check: { framing: resp, intervalMs: BACKEND_CHECK_INTERVAL_MS },
      flushQueue: this.flushQueue,
      clock: this.#clock,
      mayDedicate: () => this.#dedicated < (settings.dedicatedMaxCount ?? Infinity),
      report: (address, state, reason) => this.#reportServer(address, state, reason),
    }, settings.onDown === "remap");
    this.#identities = new Identities(this.#runId, this.#cluster, (address, reason) => this.#hub.lose(address, reason));
    this.#cluster.apply(members);
    this.ownReplies = new OwnReplies((error) => this.reportBug(error));
    this.#serverStats = new ServerStats(resp, this.#clock);
    if (settings.onDown === "remap") {
      this.#remap = new Remap(this.#cluster, resp, this.flushQueue, this.#clock, {
        taken: (address, slots, removed) => this.#reportTaken(address, slots, removed),
        refused: (address, reason) => {
          this.#logger.warn(`Server "${address}" cannot be flushed of slots, so it gets none`, { reason });
        },
      });
    }
    this.#hub = new ChannelHub(this.#cluster, this.ownReplies, this.dialects[3], this.#clock, {
      slices: this.slices,
      end: (client) => this.connections.end(client),
      lost: (address, reason) => this.#reportLost(address, reason),
      ended: (address, clients) => this.#reportEnded(address, clients),
    });
    this.#waits = new Waits(this.#cluster, this.ownReplies, {
      look: () => this.peerEnds?.look(),
      reportLoss: (problem) => {
        this.#logger.warn("Cannot put back an element that was taken for a client that had gone", { problem });
      },
    });
    this.router = new Router(
      this.#cluster,
      this.ownReplies,
      new LocalCommands(this.ownReplies),
      this.#waits,
      this.#hub,
    );
    this.#watch = watchMembers(
      settings.serversPath,
      members,
      (changed) => this.#follow(changed),
      (sentence) => this.#logger.warn(sentence),
    );
    this.#listener = listener;
    this.connections = new Connections(
      proxyConfiguration({
        hostname: settings.hostname,
        port: listener.address.port,
        isTls: settings.certificate !== undefined,
        maxClients: settings.maxClients,
        clientMemory: this.clientMemory,
      }),
      this.#hub.channels,
    );
    this.#clients = new Clients({
      listener,
      maxCount: settings.maxClients,
      ...settings.maxConnections !== undefined && { maxConnections: settings.maxConnections },
      open: (socket) => new Session(socket, this),
      beforeSweep: () => this.peerEnds?.look(),
      warn: (message, fields) => this.#logger.warn(message, fields),
    });
    this.#sweepIntervalMs = Math.max(1, Math.min(BACKEND_SWEEP_INTERVAL_MS, timeoutMs / 4));
    this.#serversTimer = setInterval(() => this.#sweepServers(), this.#sweepIntervalMs);
  }

  /** Connections to servers that clients have for themselves. */
  get #dedicated(): number {
    let count = 0;
    for (const pool of this.#cluster.pools) count += pool.dedicated;
    for (const pool of this.#cluster.draining) count += pool.dedicated;
    return count;
  }

  /** The address listened on, with the real port. */
  get address(): Deno.NetAddr {
    return this.#listener.address;
  }

  /** Why replies may be slower here than elsewhere; `undefined` when all is well. */
  get untuned(): string | undefined {
    return this.#listener.untuned;
  }

  /** The servers in use, by address. */
  get members(): readonly Member[] {
    return this.#cluster.members;
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

  /** Connects to servers with another authority or other passwords from now on; connections that were made stay. */
  replaceBackend(changes: Pick<BackendSettings, "authority" | "authorityExpiresMs" | "password">): void {
    this.#backend = { ...this.#backend, ...changes };
    this.#serversPasswords = new ServersPasswords(this.#backend.password);
  }

  /** Reads the list of servers now. */
  reload(): void {
    this.#watch.reload();
  }

  info(sections: readonly string[]): string {
    const facts = {
      role: "proxy",
      runId: this.#runId,
      certificateExpiresMs: this.#certificateExpiresMs,
      authorityExpiresMs: this.#backend.authorityExpiresMs,
      port: this.address.port,
      uptimeMs: performance.now() - this.#startedMs,
      clients: this.#clients,
      maxClients: this.#settings.maxClients,
      commands: this.commands,
      cutClients: this.disconnections.count,
      failedLogins: this.failedLogins.count,
      lostChannelLinks: this.#hub.lostLinks,
      lostChannelClients: this.#hub.lostClients,
      changes: this.#changes,
      clientMemory: this.clientMemory,
      blockedClients: this.#waits.count,
      cluster: this.#cluster,
      serverStats: this.#serverStats,
    };
    const text = formatInfo(PROXY_SECTIONS, facts, sections);
    // Who asks for this section by name is likely to ask again: the servers' answers are there then.
    if (sections.includes("cluster")) this.#serverStats.refresh(this.#cluster.pools);
    return text;
  }

  resetStatistics(): void {
    this.commands = this.disconnections.count = this.failedLogins.count = 0;
    this.#hub.resetStatistics();
    this.#clients.resetStatistics();
    this.clientMemory.resetStatistics();
  }

  reportBug(error: unknown): void {
    this.#logger.error("A bug of inmem; please report it", { error: stackOf(error) });
  }

  #reportServer(address: string, state: PoolState, reason: string): void {
    this.#logServer(address, state, reason);
    this.#remap?.changed();
  }

  /** Whether one more line may be about a server: one that comes and goes must not fill the log. */
  #mayTell(address: string): boolean {
    let bucket = this.#told.get(address);
    if (bucket === undefined) {
      this.#told.set(address, bucket = new TokenBucket(SERVER_REPORTS_MAX_COUNT, SERVER_REPORT_INTERVAL_MS));
    }
    return bucket.take(performance.now());
  }

  #logServer(address: string, state: PoolState, reason: string): void {
    if (!this.#mayTell(address)) return;
    if (state === "down") {
      const level = this.#identities.isMistaken(address) ? "error" : "warn";
      this.#logger[level](`Server "${address}" is down`, { reason });
    } else if (state === "up") this.#logger.info(`Server "${address}" is up again`);
    else if (this.#stopped === undefined) this.#logger.info(`Server "${address}" gets no new requests`);
  }

  #reportLost(address: string, reason: string): void {
    if (!this.#mayTell(address)) return;
    this.#logger.warn(`Messages of server "${address}" may be missed, so those who listen there are disconnected`, {
      reason,
    });
  }

  #reportEnded(address: string, clients: number): void {
    if (clients === 0 || !this.#mayTell(address)) return;
    this.#logger.warn(`Disconnected those who listened at server "${address}"`, { clients });
  }

  #reportTaken(address: string, slots: number, removedKeys: number): void {
    if (!this.#mayTell(address)) return;
    const { lent } = this.#cluster;
    this.#logger.info(`Server "${address}" serves ${slots} more slots`, {
      removed_keys: removedKeys,
      lent_slots: lent,
    });
  }

  #follow(members: readonly Member[]): void {
    this.#changes++;
    this.#cluster.apply(members);
    this.#remap?.changed();
    const known = new Set(members.map(({ address }) => address));
    for (const address of this.#told.keys()) if (!known.has(address)) this.#told.delete(address);
    const addresses = [...known].join(" ");
    this.#logger.info("The list of servers has changed", { servers: members.length, addresses });
  }

  /** Ends the proxy in order: see the module's comment. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#watch.close();
    await this.#clients.stop();
    await this.#settleWaits();
    await this.slices.rest();
    this.peerEnds?.[Symbol.dispose]();
    this.#input?.[Symbol.dispose]();
    this.#freedMemory[Symbol.dispose]();
    clearInterval(this.#serversTimer);
    this.#hub.close();
    this.#remap?.close();
    this.#cluster.close();
  }

  /** Has servers give up what clients that have gone waited for, so that no element is on its way to nobody. */
  async #settleWaits(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ABANDONED_WAITS_GRACE_MS);
    await Promise.race([this.#waits.settled(), promise]);
    clearTimeout(timer);
  }

  #sweepServers(): void {
    // While this process itself is held up, or stopped, nobody is late.
    const nowMs = performance.now();
    this.#clock.nowMs += Math.min(nowMs - this.#sweptMs, 2 * this.#sweepIntervalMs);
    this.#sweptMs = nowMs;
    this.#cluster.sweep();
    this.#remap?.sweep();
    this.#hub.sweep(this.#timeoutMs);
    this.disconnections.reportOthers();
    this.failedLogins.reportOthers();
    this.adminCommands.reportOthers();
  }
}
