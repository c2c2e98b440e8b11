/**
 * The part that a server and a proxy have in common: they listen, let clients in, bound what clients may hold, and
 * report.
 *
 * ```text
 * ServingRole     listener · clients · passwords · memory of clients · slices · reports in the log
 *   ├─ Server     + store, log, snapshots
 *   └─ Proxy      + servers, routing
 * ```
 *
 * Sessions are the role's own kind. They reach their role as an object of one class, so nothing here costs a call that
 * only passes on.
 *
 * @module
 */

import { secretsOf } from "../catalog/secrets.ts";
import { COMMANDS } from "../catalog/specification.ts";
import { stackOf } from "../errors.ts";
import { ClientMemory } from "../memory/client_memory.ts";
import { FreedMemory } from "../memory/freed_memory.ts";
import { Instruments } from "../metrics/instruments.ts";
import { Clients, type ClientSession } from "../net/clients.ts";
import { InputRound } from "../net/input_round.ts";
import { listen, type Listener } from "../net/listener.ts";
import { memorySockets } from "../net/memory_socket.ts";
import { openPeerEnds, type PeerEnds } from "../net/peer_ends.ts";
import { ReadAhead } from "../net/read_ahead.ts";
import type { ServedSocket, Socket } from "../net/socket.ts";
import { FAILED_LOGINS_MAX_COUNT, TIMEOUT_MAX_MS } from "../limits.ts";
import { type AdminClient, AdminCommands } from "./admin_commands.ts";
import { expiryOf } from "./certificate_files.ts";
import { cpuTime } from "./cpu_time.ts";
import { DeliveryQueue } from "./delivery_queue.ts";
import { Disconnections } from "./disconnections.ts";
import { FailedLogins, type GuessingClient } from "./failed_logins.ts";
import { type LiveSettings, numberSetting } from "./live_settings.ts";
import type { Logger } from "./logger.ts";
import { clientHeapLimit } from "./memory_limit.ts";
import { Password } from "./password.ts";
import type { OwnFacts, RoleFacts } from "./role_facts.ts";
import { makeRunId } from "./run_id.ts";
import { Slices } from "./slices.ts";

/** How a role serves its clients. */
export interface ServingSettings {
  /** Where to listen; port 0 lets the system choose. */
  readonly hostname: string;
  readonly port: number;
  /** Certificate chain and key in PEM; without it the role speaks plaintext. */
  readonly certificate?: { readonly cert: string; readonly key: string } | undefined;
  /** The password of clients, or several that are all accepted; without any, every client may run every command. */
  readonly password?: string | readonly string[] | undefined;
  /** The most clients at a time. */
  readonly maxClients: number;
  /** The most connections at a time, those of refused clients included; without it there is no such limit. */
  readonly maxConnections?: number;
  /** Bytes that all clients together may hold. */
  readonly clientMemoryLimitBytes?: number;
  /** Bytes of freed buffers that may wait to be returned to the system; FREED_QUEUE_MAX_BYTES unless it is given. */
  readonly freedQueueMaxBytes?: number;
  /** The duration from which a command is in the slow log, in ms; 10 ms unless it is given. */
  readonly slowCommandMs?: number;
  /** The duration from which events are recorded, in ms; 0 and without it, none are. */
  readonly latencyThresholdMs?: number;
  readonly logger: Logger;
}

/** The sockets of a role that begins to serve. */
export interface ServingSockets {
  readonly listener: Listener;
  readonly input: InputRound | undefined;
}

/**
 * Listens for clients.
 *
 * @throws {StartError} when the address cannot be listened on; nothing is open then
 */
export async function openServing({ hostname, port, certificate }: ServingSettings): Promise<ServingSockets> {
  const input = await InputRound.open();
  try {
    return { listener: listen({ hostname, port, ...certificate }), input };
  } catch (error) {
    input?.[Symbol.dispose]();
    throw error;
  }
}

/** A role that serves clients. */
export abstract class ServingRole<S extends ClientSession> {
  /** Writes the settings that were changed into the file of `--config`; `undefined` without such a file. */
  rewriteConfig: (() => Promise<void>) | undefined;
  /** Requests taken, of all sessions, since the start or since the counts were set to zero. */
  commands = 0;
  /** Observes the requests of all sessions. */
  readonly instruments: Instruments = new Instruments(COMMANDS.length, performance.now(), secretsOf);
  /** Whether clients have to authenticate. */
  readonly passwordRequired: boolean;
  /** Bounds the memory that all clients hold. */
  readonly clientMemory: ClientMemory;
  /** Shares out the time of commands that take long. */
  readonly slices: Slices;
  /** Schedules the writing of messages that came for clients. */
  readonly deliveries: DeliveryQueue;
  /** Logs clients that do not keep up. */
  readonly disconnections: Disconnections;
  /** Sees which clients have gone; `undefined` where the system cannot be asked. */
  readonly peerEnds: PeerEnds | undefined = openPeerEnds();
  /** Bounds what is read of clients that wait. */
  readonly readAhead: ReadAhead = new ReadAhead();
  protected readonly logger: Logger;
  readonly #name: "server" | "proxy";
  protected readonly runId: string = makeRunId();
  readonly #failedLogins: FailedLogins;
  readonly #adminCommands: AdminCommands;
  readonly #freedMemory: FreedMemory;
  readonly #listener: Listener;
  readonly #input: InputRound | undefined;
  readonly #clients: Clients<S>;
  /** The sessions of connections within this process, each with the promise of its end. */
  readonly #internal = new Map<S, Promise<void>>();
  readonly #startedMs = performance.now();
  readonly #systemBytes = Deno.systemMemoryInfo().total;
  #password: Password | undefined;
  #certificateExpiresMs: number | undefined;
  #stopped: Promise<void> | undefined;

  /**
   * @param name as `info` calls the role
   * @param clientMemoryLimitBytes holds unless the settings have a limit
   */
  constructor(
    name: "server" | "proxy",
    settings: ServingSettings,
    { listener, input }: ServingSockets,
    clientMemoryLimitBytes: number,
  ) {
    const { logger, password = [], certificate, maxClients, maxConnections } = settings;
    const warn = (message: string, fields: Record<string, string | number>) => logger.warn(message, fields);
    const { slowLog, latency } = this.instruments;
    if (settings.slowCommandMs !== undefined) slowLog.thresholdUs = settings.slowCommandMs * 1000;
    latency.thresholdMs = settings.latencyThresholdMs ?? 0;
    this.instruments.followThresholds();
    this.#name = name;
    this.logger = logger;
    this.#input = input;
    this.#listener = listener;
    this.slices = new Slices(input);
    this.deliveries = new DeliveryQueue(this.slices);
    this.disconnections = new Disconnections(logger);
    this.#failedLogins = new FailedLogins(logger);
    this.#adminCommands = new AdminCommands(logger);
    this.#freedMemory = FreedMemory.open(settings.freedQueueMaxBytes);
    this.passwordRequired = password.length > 0;
    this.#password = password.length > 0 ? new Password(password) : undefined;
    this.#certificateExpiresMs = certificate && expiryOf(certificate.cert);
    this.clientMemory = new ClientMemory({
      limitBytes: settings.clientMemoryLimitBytes ?? clientMemoryLimitBytes,
      heapLimitBytes: clientHeapLimit(),
      warn,
    });
    // The first client is accepted in a later turn, when the role is complete.
    this.#clients = new Clients({
      listener,
      maxCount: maxClients,
      ...maxConnections !== undefined && { maxConnections },
      open: (socket) => this.openSession(socket),
      beforeSweep: () => this.peerEnds?.look(),
      warn,
    });
  }

  /**
   * Makes the session of a connection after its handshake; the session owns the connection.
   *
   * @param isTrusted whether the client needs no password
   */
  protected abstract openSession(socket: ServedSocket, isTrusted?: boolean): S;

  /**
   * Opens a connection within this process, which a session of this role serves like any other. It needs no password,
   * and does not count as a client. The caller closes it; the end of the role ends it in order.
   *
   * @throws {Deno.errors.ConnectionRefused} when the role stops
   */
  openInternal(): Socket {
    if (this.isStopping) throw new Deno.errors.ConnectionRefused(`the ${this.#name} is stopping`);
    const [client, served] = memorySockets();
    const session = this.openSession(served, true);
    const ended = session.run().finally(() => this.#internal.delete(session));
    this.#internal.set(session, ended);
    return client;
  }

  /** Ends what the role has beside its clients, and calls {@linkcode endServing}. */
  protected abstract end(): Promise<void>;

  /** The address listened on, with the real port. */
  get address(): Deno.NetAddr {
    return this.#listener.address;
  }

  /** The reason why replies may be slower here than elsewhere; `undefined` when there is none. */
  get untuned(): string | undefined {
    return this.#listener.untuned;
  }

  /** Returns whether the user and the password are right. A client with too many failures gets no further guess. */
  authenticate(client: GuessingClient, user: string, password: string): boolean {
    if (client.failedLogins >= FAILED_LOGINS_MAX_COUNT) return false;
    return this.#password?.matches(user, password) ?? true;
  }

  /** Records a wrong password of a client. Returns how long its refusal has to wait, in ms. */
  failedLogin(client: GuessingClient): number {
    return this.#failedLogins.note(client);
  }

  /** Writes a command of an administrator to the log, before it runs. No word of `words` may be a secret. */
  noteAdmin(client: AdminClient, command: string, words: string): void {
    this.#adminCommands.note(client, command, words);
  }

  /** Accepts other passwords from now on. Clients that have authenticated stay so. */
  replacePasswords(passwords: readonly string[]): void {
    this.#password = new Password(passwords);
  }

  /**
   * Serves new connections with another certificate; existing connections stay.
   *
   * @throws {StartError} when the certificate cannot be used; then nothing has changed
   */
  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void {
    this.#clients.replaceCertificate(certificate);
    this.#certificateExpiresMs = expiryOf(certificate.cert);
  }

  /** Returns the facts that the metrics of every role are made from. */
  protected roleFacts(own: OwnFacts): RoleFacts {
    const { rss, heapUsed } = Deno.memoryUsage();
    return {
      ...own,
      process: { rss, heapUsed, systemBytes: this.#systemBytes },
      cpu: cpuTime(),
      instruments: this.instruments,
      role: this.#name,
      runId: this.runId,
      certificateExpiresMs: this.#certificateExpiresMs,
      address: this.address,
      uptimeMs: performance.now() - this.#startedMs,
      clients: this.#clients,
      maxClients: this.#clients.maxCount,
      commands: this.commands,
      clientMemory: this.clientMemory,
      cutClients: this.disconnections.count,
      failedLogins: this.#failedLogins.count,
    };
  }

  /** The sessions of this role: those of clients, and those of connections within this process. */
  protected *sessions(): Iterable<S> {
    yield* this.#clients.served;
    yield* this.#internal.keys();
  }

  /** The settings of every role that can change while it runs. */
  protected commonSettings(): LiveSettings {
    const { slowLog, latency } = this.instruments;
    return {
      "max-clients": numberSetting(
        () => this.#clients.maxCount,
        (count) => {
          const most = this.#clients.mostCount;
          if (count <= most) return this.#clients.limit(count);
          // The reply of Redis, whose limit is that of the system as well.
          return `The operating system is not able to handle the specified number of clients, try with ${most}`;
        },
        { isOwn: true },
      ),
      "max-client-memory": numberSetting(() => this.clientMemory.limitBytes, (bytes) => {
        this.clientMemory.limit(bytes);
      }, { isOwn: true }),
      "slow-command": numberSetting(
        // An option has whole milliseconds. No command takes as long as the largest one: the slow log is off.
        () =>
          slowLog.thresholdUs < 0 ? TIMEOUT_MAX_MS : Math.min(TIMEOUT_MAX_MS, Math.ceil(slowLog.thresholdUs / 1000)),
        (ms) => {
          slowLog.thresholdUs = ms * 1000;
          this.instruments.followThresholds();
        },
      ),
      "latency-threshold": numberSetting(() => Math.min(latency.thresholdMs, TIMEOUT_MAX_MS), (ms) => {
        latency.thresholdMs = ms;
        this.instruments.followThresholds();
      }),
    };
  }

  /** Returns why the role should get no clients at present, in a few words; `undefined` when it is ready. */
  notReady(): string | undefined {
    return this.isStopping ? "it is stopping" : undefined;
  }

  /** Sets the counts of `info stats` to zero. */
  resetStatistics(): void {
    this.commands = this.disconnections.count = this.#failedLogins.count = 0;
    this.instruments.reset();
    this.#clients.resetStatistics();
    this.clientMemory.resetStatistics();
  }

  /** Logs an exception that nothing should throw. */
  reportBug(error: unknown): void {
    this.logger.error("A bug of inmem; please report it", { error: stackOf(error) });
  }

  /**
   * Updates what follows from the passing of time, and logs the events that were held back because there were too many.
   * A role calls it several times a second.
   */
  protected tick(): void {
    this.instruments.sweep(performance.now(), this.commands);
    this.disconnections.reportOthers();
    this.#failedLogins.reportOthers();
    this.#adminCommands.reportOthers();
  }

  /**
   * Records that a timer of the role was late, because something held up the process.
   *
   * @param dueMs when the timer was due, by `performance.now()`
   */
  protected noteLateness(dueMs: number): void {
    this.instruments.latency.note("event-loop", performance.now() - dueMs, Date.now());
  }

  /** Whether {@linkcode stop} was called. */
  protected get isStopping(): boolean {
    return this.#stopped !== undefined;
  }

  /**
   * Ends the role in order. Safe to call twice.
   *
   * @throws what ending failed with; everything is closed then all the same
   */
  stop(): Promise<void> {
    return this.#stopped ??= this.end();
  }

  /**
   * Listens no more, and lets the requests of clients end.
   *
   * @param onceGone is awaited when no client is connected any more
   */
  protected async endServing(onceGone?: () => Promise<void>): Promise<void> {
    for (const session of this.#internal.keys()) session.stop();
    await Promise.all([this.#clients.stop(), ...this.#internal.values()]);
    await onceGone?.();
    await this.slices.rest();
    this.peerEnds?.[Symbol.dispose]();
    this.#input?.[Symbol.dispose]();
    this.#freedMemory[Symbol.dispose]();
  }
}
