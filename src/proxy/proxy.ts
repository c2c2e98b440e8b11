/**
 * A proxy that runs in this process: it routes the requests of its clients, and follows the list of servers.
 *
 * ```text
 * clients ──► sessions ──► router ──► cluster ──► pools ──► servers
 *                                       ▲
 *                       servers.json ───┘
 * stop    stop listening → requests in flight get their replies → connections to servers are closed
 * ```
 *
 * The parts that proxies and servers share are in role/serving_role.ts.
 *
 * @module
 */

import type { ProtocolVersion } from "../connection/client_state.ts";
import {
  ABANDONED_WAITS_GRACE_MS,
  BACKEND_CHECK_INTERVAL_MS,
  BACKEND_PROBE_TIMEOUT_MS,
  BACKEND_SUSPECT_MS,
  BACKEND_SWEEP_INTERVAL_MS,
  BACKEND_TIMEOUT_MS,
  CLIENT_MEMORY_DEFAULT_MAX_BYTES,
  CLIENT_REPLIES_MAX_BYTES,
  FOLLOWER_CLOSE_GRACE_MS,
  SERVER_REPORT_INTERVAL_MS,
  SERVER_REPORTS_MAX_COUNT,
} from "../limits.ts";
import { families, type Family } from "../metrics/families.ts";
import { formatInfo, sectionsOf } from "../metrics/info_text.ts";
import type { Report } from "../metrics/joined.ts";
import type { Section } from "../metrics/metric.ts";
import type { Observed, Overview, Problem, ServerOverview } from "../metrics/overview.ts";
import type { ServedSocket } from "../net/socket.ts";
import type { LiveSettings } from "../role/live_settings.ts";
import { openServing, ServingRole, type ServingSettings, type ServingSockets } from "../role/serving_role.ts";
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
import { type ServerReport, ServerStats } from "./backend/server_stats.ts";
import { OwnReplies } from "./client/own_replies.ts";
import { RequestCounts } from "./client/request_counts.ts";
import { WriteCoalescer } from "./client/write_coalescer.ts";
import { proxyConfiguration } from "./configuration.ts";
import { Connections } from "./connections.ts";
import { PROXY_METRICS, type ProxyFacts } from "./metrics.ts";
import { proxyOverview, serverOverviews } from "./overview.ts";
import { ChannelHub } from "./routing/channel_hub.ts";
import { LocalCommands } from "./routing/local_commands.ts";
import { Router } from "./routing/router.ts";
import { Waits } from "./routing/waits.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";

/** The sections of `info` that show facts of the servers. */
const JOINED_SECTIONS: readonly Section[] = ["memory", "persistence", "stats", "cluster", "keyspace"];

/** The settings of a proxy. */
export interface ProxySettings extends ServingSettings {
  /**
   * The most dedicated connections of single clients, to all servers together. Without it only the limit of each server
   * holds.
   */
  readonly dedicatedMaxCount?: number;
  /** The file that names the servers; the proxy follows it. */
  readonly serversPath: string;
  /** The contents of that file, if it was read already. */
  readonly members?: readonly Member[];
  /** The most shared connections to each server. */
  readonly connectionsMaxCount: number;
  /** The settings of connections to servers. */
  readonly backend: BackendSettings;
  /** The longest time that a server may take to reply, in ms. */
  readonly timeoutMs?: number;
  /**
   * The treatment of the slots of a server that is down. `fail`, the default, lets requests fail; `remap` gives the
   * slots to other servers (backend/remap.ts).
   */
  readonly onDown?: "fail" | "remap";
  /** The most bytes of replies that are held for one client. */
  readonly repliesMaxBytes?: number;
}

/**
 * Starts a proxy in this process. Servers need not be reachable yet.
 *
 * @returns the proxy, which listens
 * @throws {UsageError} when the list of servers cannot be used
 * @throws {StartError} when the address cannot be listened on
 */
export async function startProxy(settings: ProxySettings): Promise<Proxy> {
  const members = settings.members ?? readMembers(settings.serversPath);
  // A server that the list names later is checked when it is connected to.
  if (settings.backend.plaintext) { for (const { address } of members) checkPlaintext(address); }
  return new Proxy(settings, members, await openServing(settings));
}

/** A proxy that runs. {@linkcode startProxy} makes it. */
export class Proxy extends ServingRole<Session> implements SessionHost, Observed {
  readonly router: Router;
  readonly ownReplies: OwnReplies;
  readonly counts: RequestCounts = new RequestCounts(this.instruments);
  readonly dialects: Readonly<Record<ProtocolVersion, Dialect>>;
  readonly connections: Connections;
  /** The settings that can change while the proxy runs, by the names of their options. */
  readonly live: LiveSettings = this.commonSettings();
  readonly flushQueue = new FlushQueue();
  readonly coalescer = new WriteCoalescer();
  readonly repliesMaxBytes: number;
  readonly #identities: Identities;
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
  readonly #serversTimer: number;
  /** The limits of log lines about each server, by its address. */
  readonly #logBuckets = new Map<string, TokenBucket>();
  readonly #sweepIntervalMs: number;
  #sweptMs = performance.now();
  #changes = 0;

  /** Use {@linkcode startProxy}. */
  constructor(settings: ProxySettings, members: readonly Member[], sockets: ServingSockets) {
    super("proxy", settings, sockets, CLIENT_MEMORY_DEFAULT_MAX_BYTES);
    this.repliesMaxBytes = settings.repliesMaxBytes ?? CLIENT_REPLIES_MAX_BYTES;
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
    // The proxy's own requests are in RESP, so that the servers can be of other kinds that speak it.
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
    this.#identities = new Identities(this.runId, this.#cluster, (address, reason) => this.#hub.lose(address, reason));
    this.#cluster.apply(members);
    this.ownReplies = new OwnReplies((error) => this.reportBug(error));
    this.#serverStats = new ServerStats(resp, this.#clock);
    if (settings.onDown === "remap") {
      this.#remap = new Remap(this.#cluster, resp, this.flushQueue, this.#clock, {
        taken: (address, slots, removed) => this.#reportTaken(address, slots, removed),
        refused: (address, reason) => {
          this.logger.warn(`Server "${address}" cannot be flushed of slots, so it gets no slots`, { reason });
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
        this.logger.warn("Cannot put back an element that was taken for a client that has left", { problem });
      },
    });
    this.router = new Router(
      this.#cluster,
      this.counts,
      this.ownReplies,
      new LocalCommands(this.ownReplies),
      this.#waits,
      this.#hub,
    );
    this.#watch = watchMembers(
      settings.serversPath,
      members,
      (changed) => this.#follow(changed),
      (sentence) => this.logger.warn(sentence),
    );
    this.connections = new Connections(
      proxyConfiguration({
        hostname: settings.hostname,
        port: this.address.port,
        isTls: settings.certificate !== undefined,
        instruments: this.instruments,
        live: this.live,
      }),
      this.#hub.channels,
      this.instruments,
    );
    this.#sweepIntervalMs = Math.max(1, Math.min(BACKEND_SWEEP_INTERVAL_MS, timeoutMs / 4));
    this.#serversTimer = setInterval(() => this.#sweepServers(), this.#sweepIntervalMs);
  }

  /** The number of dedicated connections of single clients. */
  get #dedicated(): number {
    let count = 0;
    for (const pool of this.#cluster.pools) count += pool.dedicated;
    for (const pool of this.#cluster.draining) count += pool.dedicated;
    return count;
  }

  protected override openSession(socket: ServedSocket, isTrusted?: boolean): Session {
    return new Session(socket, this, isTrusted);
  }

  get ownership(): unknown {
    return this.router.ownership;
  }

  /** The servers in use, by address. */
  get members(): readonly Member[] {
    return this.#cluster.members;
  }

  /** Connects to servers with another authority or other passwords from now on; existing connections stay. */
  replaceBackend(changes: Pick<BackendSettings, "authority" | "authorityExpiresMs" | "password">): void {
    this.#backend = { ...this.#backend, ...changes };
    this.#serversPasswords = new ServersPasswords(this.#backend.password);
  }

  /** Reads the list of servers now. */
  reload(): void {
    this.#watch.reload();
  }

  info(sections: readonly string[]): string {
    return formatInfo(PROXY_METRICS, this.#facts(), sections);
  }

  refreshInfo(sections: readonly string[]): Promise<void> | undefined {
    const isJoined = sectionsOf(sections).some((section) => JOINED_SECTIONS.includes(section));
    return isJoined ? this.#serverStats.refresh(this.#cluster.pools) : undefined;
  }

  overview(): Overview {
    return proxyOverview(this.#facts());
  }

  problems(): readonly Problem[] {
    return this.overview().problems;
  }

  families(): Iterable<Family> {
    return families(PROXY_METRICS, this.#facts());
  }

  async refresh(): Promise<void> {
    await this.#serverStats.refresh(this.#cluster.pools);
  }

  #facts(): ProxyFacts {
    const cluster = this.#cluster;
    const { pools } = cluster;
    const reported = pools.map((pool) => this.#serverStats.of(pool));
    let servers: ServerOverview[] | undefined;
    const facts: ProxyFacts = {
      ...this.roleFacts({
        authorityExpiresMs: this.#backend.authorityExpiresMs,
        blockedClients: this.#waits.count + this.connections.pause.heldCount,
        pause: this.connections.pause,
        channels: this.#hub.channels,
      }),
      changes: this.#changes,
      lostChannelLinks: this.#hub.lostLinks,
      lostChannelClients: this.#hub.lostClients,
      cluster,
      reports: reportsOf(reported.filter((_, index) => pools[index]!.state !== "down")),
      lastReports: reportsOf(reported),
      // A client that asks for one section, as many do when they connect, needs nothing of this.
      get servers() {
        return servers ??= serverOverviews(cluster, reported);
      },
      problems: () => proxyOverview(facts).problems,
    };
    return facts;
  }

  override notReady(): string | undefined {
    const isDown = this.#cluster.pools.every(({ state }) => state === "down");
    return super.notReady() ?? (isDown ? "no server is up" : undefined);
  }

  override resetStatistics(): void {
    super.resetStatistics();
    this.#hub.resetStatistics();
  }

  #reportServer(address: string, state: PoolState, reason: string): void {
    this.#logServer(address, state, reason);
    this.#remap?.changed();
  }

  /** Returns whether one more line about a server may be logged: one that often goes down must not fill the log. */
  #mayLog(address: string): boolean {
    let bucket = this.#logBuckets.get(address);
    if (bucket === undefined) {
      this.#logBuckets.set(address, bucket = new TokenBucket(SERVER_REPORTS_MAX_COUNT, SERVER_REPORT_INTERVAL_MS));
    }
    return bucket.take(performance.now());
  }

  #logServer(address: string, state: PoolState, reason: string): void {
    if (!this.#mayLog(address)) return;
    if (state === "down") {
      const level = this.#identities.isMistaken(address) ? "error" : "warn";
      this.logger[level](`Server "${address}" is down`, { reason });
    } else if (state === "up") this.logger.info(`Server "${address}" is up again`);
    else if (!this.isStopping) this.logger.info(`Server "${address}" gets no new requests`);
  }

  #reportLost(address: string, reason: string): void {
    if (!this.#mayLog(address)) return;
    this.logger.warn(`Messages of server "${address}" may be missed, so its subscribers are disconnected`, {
      reason,
    });
  }

  #reportEnded(address: string, clients: number): void {
    if (clients === 0 || !this.#mayLog(address)) return;
    this.logger.warn(`Disconnected the subscribers of server "${address}"`, { clients });
  }

  #reportTaken(address: string, slots: number, removedKeys: number): void {
    if (!this.#mayLog(address)) return;
    const { lent } = this.#cluster;
    this.logger.info(`Server "${address}" serves ${slots} more slots`, {
      removed_keys: removedKeys,
      lent_slots: lent,
    });
  }

  #follow(members: readonly Member[]): void {
    this.#changes++;
    this.#cluster.apply(members);
    this.#remap?.changed();
    const known = new Set(members.map(({ address }) => address));
    for (const address of this.#logBuckets.keys()) if (!known.has(address)) this.#logBuckets.delete(address);
    const addresses = [...known].join(" ");
    this.logger.info("The list of servers has changed", { servers: members.length, addresses });
  }

  protected override async end(): Promise<void> {
    const unwatched = this.#watch.close();
    // Servers unblock the clients that have left, so that no element is taken for one of them.
    await this.endServing(() => withinMs(this.#waits.settled(), ABANDONED_WAITS_GRACE_MS));
    clearInterval(this.#serversTimer);
    this.connections.pause.close();
    this.#hub.close();
    this.#remap?.close();
    this.#cluster.close();
    this.#serverStats.close();
    await withinMs(unwatched, FOLLOWER_CLOSE_GRACE_MS);
  }

  #sweepServers(): void {
    // Time in which this process was held up or stopped does not count against servers.
    const nowMs = performance.now();
    this.#clock.nowMs += Math.min(nowMs - this.#sweptMs, 2 * this.#sweepIntervalMs);
    this.noteLateness(this.#sweptMs + this.#sweepIntervalMs);
    this.#sweptMs = nowMs;
    this.#cluster.sweep();
    this.#remap?.sweep();
    this.#hub.sweep(this.#timeoutMs);
    this.tick();
  }
}

function reportsOf(reported: readonly (ServerReport | undefined)[]): Report[] {
  return reported.flatMap((each) => each === undefined ? [] : [each.report]);
}

/** Waits for a promise, but not for longer than `timeoutMs`. */
async function withinMs(promise: Promise<void>, timeoutMs: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, timeoutMs);
  await Promise.race([promise, late.promise]);
  clearTimeout(timer);
}
