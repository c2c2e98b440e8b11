/**
 * Accepts the clients of a role, counts and limits them, enforces their deadlines, and disconnects them at the end.
 *
 * ```text
 * accept → handshake (with a deadline; HANDSHAKES_MAX_COUNT at a time)
 *        → below the limit: session.run()        until it ends
 *        → else:            session.reject(…)    sends the reason, and closes
 *          or, if the role says so, the connection that has waited longest gives up its place
 * stop     stop listening → sessions end in order → sessions that take longer than SHUTDOWN_GRACE_MS are cut off
 * ```
 *
 * The role implements the sessions.
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
import { acceptLoop, finishHandshake, replaceListener } from "./listener.ts";
import type { Listener } from "./listener.ts";

/** The part of a client's session that this module calls. */
export interface ClientSession {
  /** Serves the connection until it ends, and closes it. Never rejects because of what the peer does. */
  run(): Promise<void>;
  /** Sends the peer the reason why it is not served, and closes. Never rejects because of what the peer does. */
  reject(message: string): Promise<void>;
  /** Ends the session once every request in flight has its reply. */
  stop(): unknown;
  /** Closes the connection in any state. The promise resolves when its descriptor is free. */
  abort(): Promise<void>;
  /**
   * Closes the connection when the client has missed a deadline. `nowMs` is the present time by `performance.now()`.
   */
  sweep(nowMs: number): void;
  /**
   * The time by `performance.now()` since when the session waits for its peer, which may cost it its place;
   * `undefined` when it keeps its place. It is read only where {@linkcode ClientsOptions.displaces} is set.
   */
  readonly waitsSinceMs?: number | undefined;
}

/** The listener, the limits and the functions of {@linkcode Clients}. */
export interface ClientsOptions<S extends ClientSession> {
  readonly listener: Listener;
  /** The most clients served at a time; a further one is rejected. */
  readonly maxCount: number;
  /**
   * The most connections open at a time, rejected ones included; no more are accepted until one of them is closed. Half
   * of the connections beyond `maxCount` are those that are closed without a reply. Without it there is no such limit.
   */
  readonly maxConnections?: number;
  /**
   * Whether a new connection that finds all places taken gets the place of the one that has waited longest. Then no
   * client keeps others out by holding connections. Without it, the new connection is rejected.
   */
  readonly displaces?: boolean;
  /** Returns a promise that resolves when one more may be accepted; `undefined` when it may be accepted now. */
  readonly pace?: () => Promise<void> | undefined;
  /** Makes the session of a connection after its handshake; the session owns the connection. */
  readonly open: (socket: Deno.TcpConn | Deno.TlsConn) => S;
  /** A function that is called about once a second, before the sessions are swept. */
  readonly beforeSweep?: () => void;
  /** The time in which a replaced listener still accepts, in ms. Only tests set it. */
  readonly replacedMs?: number;
  /** Logs why accepting failed, and that clients had to be cut off at the end. */
  readonly warn: (message: string, fields: Record<string, string | number>) => void;
}

/** The accept loop of one listener. */
interface Accepting {
  /** Resolves when the loop has ended. */
  readonly ended: Promise<void>;
  /** Closes the listener some seconds after it was replaced. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** The clients of one address. They are accepted from the constructor's call until `stop`. */
export class Clients<S extends ClientSession> {
  /** The number of connections accepted since the start. */
  accepted = 0;
  /** The number of accepted connections that were rejected because there were too many. */
  rejected = 0;
  /** The number of accepted connections whose handshake failed, or was not finished in time. */
  handshakeFailures = 0;
  /** The number of peers that left before they were accepted. */
  lost = 0;
  /** The number of failed accepts that are not logged yet. */
  #unloggedFailures = 0;
  /** The time of the last log line about a failed accept. */
  #failureLoggedMs = -Infinity;
  readonly #options: ClientsOptions<S>;
  #listener: Listener;
  /** The listener, and the replaced ones to which connections may still be on their way. */
  readonly #accepting = new Map<Listener, Accepting>();
  readonly #handshaking = new Set<Deno.TcpConn | Deno.TlsConn>();
  readonly #served = new Set<S>();
  readonly #turnedAway = new Set<S>();
  /** The number of connections that are being closed without a reply. */
  #closing = 0;
  readonly #maxConnections: number;
  #maxCount = 0;
  /** The number of connections from which on a further one is closed without a reply. */
  #fullCount = 0;
  /** Resolves when a connection is closed; set only while there is no room for more. */
  #whenRoom: PromiseWithResolvers<void> | undefined;
  readonly #sweepTimer: number;
  /** The timer of the sweep's next slice, while a sweep is under way. */
  #sweepingTimer: ReturnType<typeof setTimeout> | undefined;
  #stopped: Promise<void> | undefined;
  /** Notifies `#drain` that a session has ended. */
  #onEnd: () => void = () => {};

  constructor(options: ClientsOptions<S>) {
    this.#options = options;
    this.#maxConnections = options.maxConnections ?? Infinity;
    this.limit(options.maxCount);
    this.#listener = options.listener;
    this.#accept(options.listener);
    this.#sweepTimer = setInterval(() => this.#sweep(), CONNECTION_SWEEP_INTERVAL_MS);
  }

  /** The most clients served at a time. */
  get maxCount(): number {
    return this.#maxCount;
  }

  /**
   * The largest value of {@linkcode maxCount}: one connection is kept for telling a further client why it is refused.
   */
  get mostCount(): number {
    return this.#maxConnections - 1;
  }

  /** Sets the most clients served at a time. Clients that are served already stay. */
  limit(maxCount: number): void {
    this.#maxCount = maxCount;
    const beyond = this.#maxConnections - maxCount;
    this.#fullCount = Number.isFinite(beyond) ? maxCount + Math.max(1, Math.floor(beyond / 2)) : Infinity;
  }

  /** The sessions that are being served. */
  get served(): Iterable<S> {
    return this.#served;
  }

  /** The number of clients that are being served. */
  get count(): number {
    return this.#served.size;
  }

  /** Logs failed accepts, at most one line per interval: without free descriptors every accept fails. */
  #logFailure(error: unknown): void {
    const nowMs = performance.now();
    if (nowMs - this.#failureLoggedMs < ACCEPT_REPORT_INTERVAL_MS) {
      this.#unloggedFailures++;
      return;
    }
    this.#failureLoggedMs = nowMs;
    this.#options.warn("Cannot accept a connection", {
      error: messageOf(error),
      ...this.#unloggedFailures > 0 && { failures_before: this.#unloggedFailures },
    });
    this.#unloggedFailures = 0;
  }

  /** The number of connections that hold a descriptor. */
  get #open(): number {
    return this.#handshaking.size + this.#served.size + this.#turnedAway.size + this.#closing;
  }

  /** Returns a promise that resolves when one more may be accepted; `undefined` when it may be accepted now. */
  #room(): Promise<void> | undefined {
    if (this.#open < this.#maxConnections) return this.#options.pace?.();
    return (this.#whenRoom ??= Promise.withResolvers()).promise;
  }

  /** Resolves the promises that wait for the end of a connection, after one was closed. */
  #ended(): void {
    this.#onEnd();
    if (this.#whenRoom === undefined || this.#open >= this.#maxConnections) return;
    this.#whenRoom.resolve();
    this.#whenRoom = undefined;
  }

  /** Closes a connection without a reply. */
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
   * Serves new connections with another certificate; existing connections stay.
   *
   * @throws {StartError} when the certificate cannot be replaced; then nothing has changed
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
      onError: (error) => this.#logFailure(error),
      // Counted and not logged, like failed handshakes.
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

  /** Stops accepting. The promise resolves when every client is gone. Safe to call twice. */
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

  /** Waits for the sessions to end, and cuts off those that take longer than `SHUTDOWN_GRACE_MS`. */
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
      if (this.#options.displaces !== true) {
        this.rejected++;
        return await this.#drop(() => abort(socket));
      }
      this.#displaceHandshake();
    }
    this.#handshaking.add(socket);
    let isDone = false;
    try {
      await finishHandshake(socket);
      isDone = true;
    } catch {
      // Counted and not logged: a port scanner makes thousands of them.
      this.handshakeFailures++;
    } finally {
      this.#handshaking.delete(socket);
      this.#ended();
    }
    if (!isDone) return await this.#drop(() => abort(socket));
    const session = this.#options.open(socket);
    if (this.#stopped) return await session.abort();
    if (this.#served.size < this.#maxCount || this.#displaceSession()) {
      await this.#during(this.#served, session, () => session.run());
    } else {
      this.rejected++;
      if (this.#turnedAway.size >= REJECTED_CLIENTS_MAX_COUNT) return await this.#drop(() => session.abort());
      await this.#during(this.#turnedAway, session, () => session.reject("max number of clients reached"));
    }
  }

  /** Closes the connection whose handshake began first, unless most of the others are being closed already. */
  #displaceHandshake(): void {
    const [oldest] = this.#handshaking;
    if (oldest === undefined || this.#handshaking.size < this.#maxConnections - this.#fullCount) return;
    this.rejected++;
    this.#handshaking.delete(oldest);
    this.#drop(() => abort(oldest));
  }

  /** Closes the session that has waited longest. Returns `false` when none may be closed. */
  #displaceSession(): boolean {
    if (this.#options.displaces !== true) return false;
    let longest: S | undefined;
    for (const session of this.#served) {
      if ((session.waitsSinceMs ?? Infinity) < (longest?.waitsSinceMs ?? Infinity)) longest = session;
    }
    if (longest === undefined) return false;
    const displaced = longest;
    this.rejected++;
    this.#served.delete(displaced);
    this.#drop(() => displaced.abort());
    return true;
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

  /** Sweeps in slices: closing thousands of connections takes long. */
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
