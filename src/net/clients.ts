/**
 * The clients of a role: accepted, counted, limited, swept, and in the end let go.
 *
 * ```text
 * accept → handshake (with a deadline, and not too many at a time)
 *        → below the limit: session.run()        until it ends
 *        → else:            session.reject(…)    told why, and closed
 * stop     listen no more → sessions end in order → those that do not within SHUTDOWN_GRACE_MS are cut off
 * ```
 *
 * What a session does is the role's business.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import {
  ACCEPT_REPORT_INTERVAL_MS,
  CONNECTION_SWEEP_INTERVAL_MS,
  HANDSHAKES_MAX_COUNT,
  LISTENER_REPLACED_MS,
  REJECTED_CLIENTS_MAX_COUNT,
  SHUTDOWN_GRACE_MS,
  SLICE_MS,
} from "../limits.ts";
import { runFor } from "../run_for.ts";
import { closeQuietly } from "./abort.ts";
import { abort } from "./abort.ts";
import { acceptLoop, handshake, replaceListener } from "./listener.ts";
import type { Listener } from "./listener.ts";

/** One client's connection, as this module handles it. */
export interface ClientSession {
  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  run(): Promise<void>;
  /** Tells the peer why it is not served, and closes. Never rejects because of what the peer does. */
  reject(message: string): Promise<void>;
  /** Ends the session once what is in flight is answered. */
  stop(): unknown;
  /** Closes the connection whatever it does; resolves when its descriptor is free. */
  abort(): Promise<void>;
  /** Cuts the connection off when something has taken too long; `nowMs` is what `performance.now()` tells. */
  sweep(nowMs: number): void;
}

/** How clients are accepted. */
export interface ClientsOptions<S extends ClientSession> {
  readonly listener: Listener;
  /** Clients at once; a further one is rejected. */
  readonly maxCount: number;
  /**
   * Connections at once, whatever becomes of them; no more are accepted until one of them is closed. Half of what is beyond
   * `maxCount` is for those that are closed without a word. There is no such limit unless it is given.
   */
  readonly maxConnections?: number;
  /** Makes the session of a connection after its handshake; the session owns the connection. */
  readonly open: (socket: Deno.TcpConn | Deno.TlsConn) => S;
  /** Called about once a second, before the sessions are swept. */
  readonly beforeSweep?: () => void;
  /** How long a listener that was replaced still accepts, in ms; for tests. */
  readonly replacedMs?: number;
  /** Told what accepting failed with, and when clients had to be cut off at the end. */
  readonly warn: (message: string, fields: Record<string, string | number>) => void;
}

/** What accepts at one listener. */
interface Accepting {
  readonly ended: Promise<void>;
  /** Closes a listener that was replaced. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The clients of one address, from now on until `stop`. */
export class Clients<S extends ClientSession> {
  /** Connections accepted since the start. */
  accepted = 0;
  /** Those of them that were too many. */
  rejected = 0;
  /** Those of them whose handshake failed, or was not finished in time. */
  handshakeFailures = 0;
  /** Peers that were gone before they were accepted. */
  lost = 0;
  /** Accepts that failed and were not told of yet, and when one was told last. */
  #untoldFailures = 0;
  #toldMs = -Infinity;
  readonly #options: ClientsOptions<S>;
  #listener: Listener;
  /** The listener, and those that it has replaced while connections may still be on their way to them. */
  readonly #accepting = new Map<Listener, Accepting>();
  readonly #handshaking = new Set<Deno.Conn>();
  readonly #served = new Set<S>();
  readonly #turnedAway = new Set<S>();
  /** Connections being closed without a word. */
  #closing = 0;
  readonly #maxConnections: number;
  /** From this number of connections on, a further one is closed without a word. */
  readonly #fullCount: number;
  /** Resolved when a connection was closed, while there is no room for more. */
  #whenRoom: PromiseWithResolvers<void> | undefined;
  readonly #sweepTimer: number;
  /** While a sweep is not over. */
  #sweepingTimer: ReturnType<typeof setTimeout> | undefined;
  #stopped: Promise<void> | undefined;
  /** Tells `#drain` that a session has ended. */
  #onEnd: () => void = () => {};

  constructor(options: ClientsOptions<S>) {
    this.#options = options;
    this.#maxConnections = options.maxConnections ?? Infinity;
    const beyond = this.#maxConnections - options.maxCount;
    this.#fullCount = Number.isFinite(beyond) ? options.maxCount + Math.max(1, Math.floor(beyond / 2)) : Infinity;
    this.#listener = options.listener;
    this.#accept(options.listener);
    this.#sweepTimer = setInterval(() => this.#sweep(), CONNECTION_SWEEP_INTERVAL_MS);
  }

  /** Clients being served. */
  get count(): number {
    return this.#served.size;
  }

  /** One line tells of all failures of a while: out of descriptors, each accept fails. */
  #tellFailure(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#toldMs < ACCEPT_REPORT_INTERVAL_MS) {
      this.#untoldFailures++;
      return;
    }
    this.#toldMs = nowMs;
    this.#options.warn("Cannot accept a connection", {
      error: messageOf(error),
      ...this.#untoldFailures > 0 && { failures_before: this.#untoldFailures },
    });
    this.#untoldFailures = 0;
  }

  /** Connections that take a descriptor. */
  get #open(): number {
    return this.#handshaking.size + this.#served.size + this.#turnedAway.size + this.#closing;
  }

  /** Resolves when one more may be accepted; nothing when it may be now. */
  #room(): Promise<void> | undefined {
    if (this.#open < this.#maxConnections) return undefined;
    return (this.#whenRoom ??= Promise.withResolvers()).promise;
  }

  /** Takes note that a connection was closed. */
  #ended(): void {
    this.#onEnd();
    if (this.#whenRoom === undefined || this.#open >= this.#maxConnections) return;
    this.#whenRoom.resolve();
    this.#whenRoom = undefined;
  }

  /** Closes a connection without a word. */
  async #drop(close: () => Promise<void>): Promise<void> {
    this.#closing++;
    try {
      await close();
    } finally {
      this.#closing--;
      this.#ended();
    }
  }

  /**
   * Serves new connections with another certificate; those that were made stay.
   *
   * @throws {StartError} when that cannot be; then nothing has changed
   */
  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void {
    if (this.#stopped) return;
    const replaced = this.#listener;
    this.#listener = replaceListener(replaced, certificate);
    this.#accept(this.#listener);
    const accepting = this.#accepting.get(replaced)!;
    accepting.timer = setTimeout(() => replaced.close(), this.#options.replacedMs ?? LISTENER_REPLACED_MS);
  }

  #accept(listener: Listener): void {
    const ended = acceptLoop(listener, {
      onConnection: (socket) => this.#serve(socket),
      whenRoom: () => this.#room(),
      onError: (error) => this.#tellFailure(error),
      // Not worth a line each, as failed handshakes are not.
      onLost: () => this.lost++,
    }).then(() => {
      clearTimeout(this.#accepting.get(listener)?.timer);
      this.#accepting.delete(listener);
    });
    this.#accepting.set(listener, { ended, timer: undefined });
  }

  /** Sets the counts to zero. */
  resetStatistics(): void {
    this.accepted =
      this.rejected =
      this.handshakeFailures =
      this.lost =
        0;
  }

  /** Accepts no more, and resolves when every client is gone. Safe to call twice. */
  stop(): Promise<void> {
    return this.#stopped ??= this.#stop();
  }

  async #stop(): Promise<void> {
    const accepting = [...this.#accepting];
    for (const [listener] of accepting) listener.close();
    clearInterval(this.#sweepTimer);
    clearTimeout(this.#sweepingTimer);
    for (const socket of this.#handshaking) closeQuietly(socket);
    for (const session of [...this.#served, ...this.#turnedAway]) session.stop();
    await Promise.all(accepting.map(([, { ended }]) => ended));
    await this.#drain();
  }

  /** Waits for the sessions to end; those that have not after a while are cut off. */
  async #drain(): Promise<void> {
    const count = () => this.#open;
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, SHUTDOWN_GRACE_MS);
    while (count() > 0) {
      const ended = Promise.withResolvers<"ended">();
      this.#onEnd = () => ended.resolve("ended");
      if (await Promise.race([ended.promise, late.promise]) !== "ended") break;
    }
    clearTimeout(timer);
    if (count() === 0) return;
    this.#options.warn("Cut off clients whose requests were not finished", { clients: count() });
    await Promise.all([...this.#served, ...this.#turnedAway].map((session) => session.abort()));
  }

  async #serve(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> {
    this.accepted++;
    if (this.#handshaking.size >= HANDSHAKES_MAX_COUNT || this.#open >= this.#fullCount) {
      this.rejected++;
      return await this.#drop(() => abort(socket));
    }
    this.#handshaking.add(socket);
    try {
      await handshake(socket);
    } catch {
      // Not worth a line each: whoever scans ports makes thousands of them.
      this.handshakeFailures++;
      return;
    } finally {
      this.#handshaking.delete(socket);
      this.#ended();
    }
    const session = this.#options.open(socket);
    if (this.#stopped) return await session.abort();
    if (this.#served.size < this.#options.maxCount) {
      await this.#during(this.#served, session, () => session.run());
    } else {
      this.rejected++;
      if (this.#turnedAway.size >= REJECTED_CLIENTS_MAX_COUNT) return await this.#drop(() => session.abort());
      await this.#during(this.#turnedAway, session, () => session.reject("max number of clients reached"));
    }
  }

  async #during(group: Set<S>, session: S, run: () => Promise<void>): Promise<void> {
    group.add(session);
    try {
      await run();
    } finally {
      group.delete(session);
      this.#ended();
    }
  }

  #sweep(): void {
    const nowMs = performance.now();
    this.#options.beforeSweep?.();
    this.#sweepOn([...this.#served, ...this.#turnedAway].values(), nowMs);
  }

  /** Sweeps in slices: closing thousands takes long. */
  #sweepOn(sessions: Iterator<S>, nowMs: number): void {
    clearTimeout(this.#sweepingTimer);
    const isMore = runFor(SLICE_MS, () => {
      const { value, done } = sessions.next();
      if (done === true) return false;
      if (this.#served.has(value) || this.#turnedAway.has(value)) value.sweep(nowMs);
      return true;
    });
    if (isMore) this.#sweepingTimer = setTimeout(() => this.#sweepOn(sessions, nowMs), 0);
  }
}
