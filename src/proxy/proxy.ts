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

import { createHash, timingSafeEqual } from "node:crypto";
import {
  BACKEND_SWEEP_INTERVAL_MS,
  BACKEND_TIMEOUT_MS,
  CONNECTION_SWEEP_INTERVAL_MS,
  HANDSHAKES_MAX_COUNT,
  REJECTED_CLIENTS_MAX_COUNT,
  SHUTDOWN_GRACE_MS,
} from "../limits.ts";
import type { Logger } from "../logger.ts";
import { readMembers, watchMembers } from "../route/members.ts";
import type { MembersWatch } from "../route/members.ts";
import type { PoolState } from "../route/pool.ts";
import type { Member } from "../route/slots.ts";
import { Turn } from "../route/turn.ts";
import { VERSION } from "../version.ts";
import { abort, acceptLoop, handshake, listen } from "../wire/socket.ts";
import type { Listener } from "../wire/socket.ts";
import { checkPlaintext, openBackend, replyFrameSize } from "./backend.ts";
import type { BackendSettings } from "./backend.ts";
import { Cluster } from "./cluster.ts";
import { formatInfo } from "./info.ts";
import { Router } from "./router.ts";
import type { RouterHost } from "./router.ts";
import { Session } from "./session.ts";
import type { SessionHost } from "./session.ts";

/** How a proxy is to run. */
export interface ProxySettings {
  /** Where to listen; port 0 lets the system choose. */
  readonly hostname: string;
  readonly port: number;
  /** Certificate chain and key in PEM; without it the proxy speaks plaintext. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** What clients have to know; without it everybody may do everything. */
  readonly password?: string | undefined;
  /** Clients at once. */
  readonly maxClients: number;
  /** The file that names the servers; it is followed. */
  readonly serversPath: string;
  /** Connections to each server, at most. */
  readonly connectionsMaxCount: number;
  /** How servers are reached. */
  readonly backend: BackendSettings;
  /** How long a server may take to answer, in ms. */
  readonly timeoutMs?: number;
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
  const members = await readMembers(settings.serversPath);
  // One that the list names later is refused when it is connected to.
  if (settings.backend.plaintext) { for (const { address } of members) checkPlaintext(address); }
  const { hostname, port, certificate } = settings;
  return new Proxy(settings, members, listen({ hostname, port, ...certificate }));
}

/** A proxy that runs. Made by {@linkcode startProxy}. */
export class Proxy implements SessionHost, RouterHost {
  readonly router: Router;
  readonly turn = new Turn();
  readonly passwordRequired: boolean;
  commands = 0;
  readonly #settings: ProxySettings;
  readonly #logger: Logger;
  readonly #passwordDigest: Uint8Array;
  readonly #cluster: Cluster;
  readonly #clock = { nowMs: performance.now() };
  readonly #watch: MembersWatch;
  readonly #listener: Listener;
  readonly #accepting: Promise<void>;
  readonly #handshaking = new Set<Deno.Conn>();
  readonly #sessions = new Set<Session>();
  readonly #rejected = new Set<Session>();
  readonly #startedMs = performance.now();
  readonly #clientsTimer: number;
  readonly #serversTimer: number;
  #connections = 0;
  #rejectedCount = 0;
  #changes = 0;
  #stopped: Promise<void> | undefined;
  /** Tells {@linkcode #drain} that a session has ended. */
  #onSessionEnd: () => void = () => {};

  /** Use {@linkcode startProxy}. */
  constructor(settings: ProxySettings, members: readonly Member[], listener: Listener) {
    this.#settings = settings;
    this.#logger = settings.logger;
    this.passwordRequired = settings.password !== undefined;
    this.#passwordDigest = digest(settings.password ?? "");
    const timeoutMs = settings.timeoutMs ?? BACKEND_TIMEOUT_MS;
    this.#cluster = new Cluster({
      connectionsMaxCount: settings.connectionsMaxCount,
      timeoutMs,
      turn: this.turn,
      clock: this.#clock,
      open: (address, signal) => openBackend(address, settings.backend, signal),
      frameSize: replyFrameSize,
      report: (address, state, reason) => this.#reportServer(address, state, reason),
    });
    this.#cluster.apply(members);
    this.router = new Router(this.#cluster, this);
    this.#watch = watchMembers(
      settings.serversPath,
      members,
      (changed) => this.#follow(changed),
      (sentence) => this.#logger.warn(sentence),
    );
    this.#listener = listener;
    this.#accepting = acceptLoop(listener, {
      onConnection: (socket) => this.#serve(socket),
      onError: (error) => this.#logger.warn("Cannot accept a connection", { error: messageOf(error) }),
    });
    this.#clientsTimer = setInterval(() => this.#sweepClients(), CONNECTION_SWEEP_INTERVAL_MS);
    this.#serversTimer = setInterval(
      () => this.#sweepServers(),
      Math.max(1, Math.min(BACKEND_SWEEP_INTERVAL_MS, timeoutMs / 4)),
    );
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

  isPassword(password: Uint8Array): boolean {
    return timingSafeEqual(digest(password), this.#passwordDigest);
  }

  info(sections: readonly string[]): string {
    return formatInfo({
      version: VERSION,
      port: this.address.port,
      uptimeMs: performance.now() - this.#startedMs,
      clients: this.#sessions.size,
      maxClients: this.#settings.maxClients,
      connections: this.#connections,
      rejected: this.#rejectedCount,
      commands: this.commands,
      changes: this.#changes,
      cluster: this.#cluster,
    }, sections);
  }

  reportBug(error: unknown): void {
    const stack = error instanceof Error ? error.stack ?? error.message : String(error);
    this.#logger.error("A bug of inmem; please report it", { error: stack });
  }

  #reportServer(address: string, state: PoolState, reason: string): void {
    if (state === "down") this.#logger.warn(`Server "${address}" is down`, { reason });
    else if (state === "up") this.#logger.info(`Server "${address}" is up again`);
    else if (this.#stopped === undefined) this.#logger.info(`Server "${address}" gets no new requests`);
  }

  #follow(members: readonly Member[]): void {
    this.#changes++;
    this.#cluster.apply(members);
    const addresses = members.map(({ address }) => address).join(" ");
    this.#logger.info("The list of servers has changed", { servers: members.length, addresses });
  }

  /** Ends the proxy in order: see the module's comment. Safe to call twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    this.#watch.close();
    this.#listener.close();
    for (const socket of this.#handshaking) closeQuietly(socket);
    for (const session of [...this.#sessions, ...this.#rejected]) session.stop();
    await this.#accepting;
    await this.#drain();
    clearInterval(this.#clientsTimer);
    clearInterval(this.#serversTimer);
    this.#cluster.close();
  }

  /** Waits for the sessions to end; those that have not after a while are cut off. */
  async #drain(): Promise<void> {
    const count = () => this.#sessions.size + this.#rejected.size + this.#handshaking.size;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, SHUTDOWN_GRACE_MS);
    while (count() > 0) {
      const ended = Promise.withResolvers<"ended">();
      this.#onSessionEnd = () => ended.resolve("ended");
      if (await Promise.race([ended.promise, late.promise]) !== "ended") break;
    }
    clearTimeout(timer);
    if (count() === 0) return;
    this.#logger.warn("Cut off clients whose requests were not finished", { clients: count() });
    await Promise.all([...this.#sessions, ...this.#rejected].map((session) => session.abort()));
  }

  async #serve(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> {
    this.#connections++;
    if (this.#handshaking.size >= HANDSHAKES_MAX_COUNT) {
      this.#rejectedCount++;
      return await abort(socket);
    }
    this.#handshaking.add(socket);
    try {
      await handshake(socket);
    } catch {
      // Not worth a line each: whoever scans ports makes thousands of them.
      return;
    } finally {
      this.#handshaking.delete(socket);
      this.#onSessionEnd();
    }
    const session = new Session(socket, this);
    if (this.#stopped) return await session.abort();
    if (this.#sessions.size < this.#settings.maxClients) {
      await this.#during(this.#sessions, session, () => session.run());
    } else {
      this.#rejectedCount++;
      if (this.#rejected.size >= REJECTED_CLIENTS_MAX_COUNT) return await session.abort();
      await this.#during(this.#rejected, session, () => session.reject("max number of clients reached"));
    }
  }

  async #during(group: Set<Session>, session: Session, run: () => Promise<void>): Promise<void> {
    group.add(session);
    try {
      await run();
    } finally {
      group.delete(session);
      this.#onSessionEnd();
    }
  }

  #sweepClients(): void {
    const nowMs = performance.now();
    for (const session of this.#sessions) session.sweep(nowMs);
    for (const session of this.#rejected) session.sweep(nowMs);
  }

  #sweepServers(): void {
    this.#clock.nowMs = performance.now();
    this.#cluster.sweep();
  }
}

/** Digests are equally long, whatever was sent. */
function digest(text: string | Uint8Array): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function closeQuietly(socket: Deno.Conn): void {
  try {
    socket.close();
  } catch {
    // It has ended by itself.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
