/**
 * The state of one connection besides its socket: its identity, and the state that its commands have set.
 *
 * Most connections are on the *fast path*: authenticated, not in a transaction, and free to run any command. A separate
 * field says so, so that running a command checks one field instead of three.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { ProtocolVersion } from "../catalog/specification.ts";
import type { ReplyError } from "../errors.ts";
import { type ClientAccount, ClientMemory, Held } from "../memory/client_memory.ts";
import type { Monitor } from "../metrics/monitors.ts";
import type { Message } from "./channel_message.ts";

export type { ProtocolVersion } from "../catalog/specification.ts";

/** The most bytes of a command's name that are kept. It is longer than the name of any command. */
const LAST_NAME_MAX_BYTES = 16;

/** The operations of a connection that other clients' commands use. */
export interface ClientConnection {
  /** Ends the connection, even in the middle of a command. */
  kill(): void;
  /**
   * Sends a message of a channel, or a line of `monitor`. The message is borrowed until return; its bytes may be kept.
   *
   * @param isOwn whether this client published it with the command that is running
   */
  deliver(message: Message, isOwn: boolean): void;
}

/** The commands that a connection has queued since `multi`. Each role has its own kind. */
export interface QueuedCommands {
  readonly count: number;
  /** Whether a request could not be queued. */
  isSpoilt: boolean;
  /** Whether one of the requests may change data. */
  readonly writes: boolean;
  /** Releases the memory of the queue. Safe to call twice. */
  free(): void;
}

/** A waiting command, with the ways in which other code can end its wait. */
export interface PendingWait {
  /** Whether the command waits for the end of a pause of all clients, which `client unblock` does not end. */
  readonly isPostponed?: boolean;
  /** Sends the reply for a wait that has timed out. */
  expire(): void;
  /** Sends an error as the reply. */
  refuse(error: ReplyError): void;
}

/**
 * The replies that a client does not get, set by `client reply`: none of them, the one to the next request, the one to
 * the request that is running, or all.
 */
export type Silence = "none" | "next" | "this" | "all";

/** The remaining steps of a command in a transaction. */
export interface UnfinishedSteps {
  readonly steps: Generator<void, void, void>;
  /** Called once when the steps have ended, successfully or not. */
  readonly after: (() => void) | undefined;
}

/** A key that a connection watches for a transaction. */
export interface WatchedKey {
  /** The key as text of one character per byte. */
  readonly key: string;
  /** Whether the key existed when the watch began. */
  readonly existed: boolean;
  /** Whether the key was changed since. */
  isChanged: boolean;
}

/** The state of one connection. */
export class ClientState<Queue extends QueuedCommands = QueuedCommands> {
  /** A number that is unique since the server started, and higher than those of all older connections. */
  readonly id: number;
  /** The address of the peer, as `host:port`. */
  readonly address: string;
  /** The address of this end, as `host:port`. */
  readonly localAddress: string;
  readonly connection: ClientConnection;
  /** The time at which the connection was made, by `performance.now()`, which no clock setting changes. */
  readonly createdMs: number;
  /** The time at which the client last sent a request, by `performance.now()`. */
  lastMs: number;
  /** The name set by `client setname`. */
  name = "";
  /** The name of the client's library, set by `client setinfo`. */
  libraryName = "";
  /** The version of the client's library, set by `client setinfo`. */
  libraryVersion = "";
  version: ProtocolVersion = 0;
  /** Whether it is this process itself, such as its page, whose requests say nothing about clients. */
  isInternal = false;
  /** Whether its reads do not count for eviction, set by `client no-touch`. */
  touchesNothing = false;
  /**
   * Whether the connection is closed only after all others and may have more waiting messages, set by
   * `client no-evict`.
   */
  isKept = false;
  /**
   * Whether a command of a client that gets no replies has written something that the client gets all the same: the
   * confirmation of a subscription.
   */
  isHeard = false;
  /** The number of wrong passwords that the client has sent. */
  failedLogins = 0;
  /** Whether the connection ends after the pending replies are written. */
  closing = false;
  /** Whether `exec` is running the client's commands, which must not wait. */
  executing = false;
  /** The number of commands in the transaction that `exec` is running; -1 when none is. `client list` shows it. */
  executedCount = -1;
  /** The remaining steps of a command in the transaction that is running. */
  steps: UnfinishedSteps | undefined;
  /**
   * Whether a command of the transaction has published to this client. Its messages then follow the reply to `exec`,
   * before others.
   */
  hasHeardItself = false;
  /** The wait of the client's blocked command, if there is one. */
  waiter: PendingWait | undefined;
  /** The watched keys, by their names. */
  readonly watched = new Map<string, WatchedKey>();
  /** The channels that the client listens to, as text of one character per byte. */
  readonly channels = new Set<string>();
  /** The patterns that the client listens to, as text of one character per byte. */
  readonly patterns = new Set<string>();
  /** Whether the client is authenticated, in no transaction, gets its replies, and is free to run any command. */
  isFastPath = false;
  /** The memory that the client uses, as part of the memory of all clients. */
  readonly account: ClientAccount;
  readonly #lastName = new Uint8Array(LAST_NAME_MAX_BYTES);
  #lastNameLength = 0;
  #authenticated: boolean;
  #transaction: Queue | undefined;
  #isPaused = false;
  #monitor: Monitor | undefined;
  #silence: Silence = "none";

  constructor(
    id: number,
    address: string,
    localAddress: string,
    connection: ClientConnection,
    authenticated: boolean,
    memory: ClientMemory = new ClientMemory({ limitBytes: Infinity }),
  ) {
    this.id = id;
    this.address = address;
    this.localAddress = localAddress;
    this.connection = connection;
    this.createdMs = this.lastMs = performance.now();
    this.account = memory.open(this);
    this.#authenticated = authenticated;
    this.update();
  }

  /**
   * Charges this client for an object that the server keeps for it in the engine's heap: a subscription, a watched key,
   * or a key that it waits for. An object costs `NAME_OVERHEAD_BYTES` and the length of its name.
   *
   * @throws {ReplyError} when clients hold too much already; nothing is charged then
   */
  charge(bytes: number): void {
    this.account.charge(Held.Objects, bytes);
  }

  /**
   * Throws if {@linkcode charge} would throw, before any part of the work is done.
   *
   * @throws {ReplyError} when clients hold too much already
   */
  checkCharge(bytes: number): void {
    this.charge(bytes);
    this.release(bytes);
  }

  /** Returns memory that was charged by {@linkcode charge}, because the object is gone. */
  release(bytes: number): void {
    this.account.release(Held.Objects, bytes);
  }

  /** Records the name of the last command of a batch, without an allocation. */
  noteCommand(bytes: Uint8Array, start: number, length: number): void {
    this.#lastNameLength = Math.min(length, LAST_NAME_MAX_BYTES);
    for (let i = 0; i < this.#lastNameLength; i++) this.#lastName[i] = bytes[start + i]!;
  }

  /** The name of the last command of the last batch, in lower case. */
  get lastCommand(): string {
    return decodeText(this.#lastName, 0, this.#lastNameLength).toLowerCase().replace(/[^!-~]/g, "?") || "NULL";
  }

  /** Whether the client may run commands that need authentication. */
  get authenticated(): boolean {
    return this.#authenticated;
  }

  set authenticated(authenticated: boolean) {
    this.#authenticated = authenticated;
    this.update();
  }

  /** The commands queued since `multi`; `undefined` outside of a transaction. */
  get transaction(): Queue | undefined {
    return this.#transaction;
  }

  set transaction(transaction: Queue | undefined) {
    this.#transaction = transaction;
    this.update();
  }

  /** Whether the clients of the role are paused (pause.ts). */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  set isPaused(isPaused: boolean) {
    this.#isPaused = isPaused;
    this.update();
  }

  /** The object that gets the requests of all clients for this one, set by `monitor`. */
  get monitor(): Monitor | undefined {
    return this.#monitor;
  }

  set monitor(monitor: Monitor | undefined) {
    this.#monitor = monitor;
    this.update();
  }

  /** Whether the client gets the requests of all clients, so that it may not use keys itself. */
  get isMonitoring(): boolean {
    return this.#monitor !== undefined;
  }

  /** The replies that the client does not get. */
  get silence(): Silence {
    return this.#silence;
  }

  set silence(silence: Silence) {
    this.#silence = silence;
    this.update();
  }

  /** The number of channels and patterns that the client listens to. */
  get subscriptions(): number {
    return this.channels.size + this.patterns.size;
  }

  /** Whether the client may only listen and leave: in RESP2 a message could be taken for a reply. */
  get onlyListens(): boolean {
    return this.version === 2 && this.subscriptions > 0;
  }

  /** Sets {@linkcode isFastPath} again. Code that changes the subscriptions or the protocol's version calls this. */
  update(): void {
    this.isFastPath = this.#authenticated && this.#transaction === undefined && !this.onlyListens &&
      !this.#isPaused && this.#monitor === undefined && this.#silence === "none";
  }
}
