/**
 * What a server knows of one connection, beside its socket: who it is, and what state its commands have brought it into.
 *
 * Most connections are *plain*: authenticated, in no transaction, and free to run any command. Whether one is stands in a
 * field of its own, so that the way to a command looks at one field and not at three.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { ProtocolVersion } from "../catalog/specification.ts";
import type { ReplyError } from "../errors.ts";
import { type ClientAccount, ClientMemory, Held } from "../memory/client_memory.ts";
import type { ChannelMessage } from "./channel_message.ts";

export type { ProtocolVersion } from "../catalog/specification.ts";

/** Longer than the name of any command. */
const LAST_NAME_MAX_BYTES = 16;

/** What the connection does for the commands of others. */
export interface ClientConnection {
  /** Ends the connection, whatever it does. */
  kill(): void;
  /**
   * Sends a message of a channel. The message is borrowed until return; the bytes that it consists of may be kept.
   *
   * @param isOwn whether this client has published it, with the command now running
   */
  deliver(message: ChannelMessage, isOwn: boolean): void;
}

/** What a connection has queued since `multi`; a role has its own kind. */
export interface QueuedCommands {
  readonly count: number;
  /** Whether a request could not be queued. */
  isSpoilt: boolean;
  /** Gives the memory of the queue back. Safe to call twice. */
  free(): void;
}

/** A command that waits, as it is ended by others. */
export interface PendingWait {
  /** Answers what is answered when the time is up. */
  expire(): void;
  /** Answers an error. */
  refuse(error: ReplyError): void;
}

/** The steps of a command in a transaction that are still to be taken. */
export interface UnfinishedSteps {
  readonly steps: Generator<void, void, void>;
  /** To be called once when they have ended, whichever way. */
  readonly after: (() => void) | undefined;
}

/** A key that a connection watches for the sake of a transaction. */
export interface WatchedKey {
  /** The key as text of one character a byte. */
  readonly key: string;
  /** Whether it was there when the watch began. */
  readonly existed: boolean;
  /** Whether it was changed since. */
  isChanged: boolean;
}

/** One connection. */
export class ClientState<Queue extends QueuedCommands = QueuedCommands> {
  /** Unique since the start, and growing. */
  readonly id: number;
  /** `host:port` of the peer, and of our end. */
  readonly address: string;
  readonly localAddress: string;
  readonly connection: ClientConnection;
  /** As `performance.now()` tells it, which nobody sets: when it was made, and when it last sent something. */
  readonly createdMs: number;
  lastMs: number;
  /** By `client setname` and `client setinfo`. */
  name = "";
  libraryName = "";
  libraryVersion = "";
  version: ProtocolVersion = 0;
  /** Whether its reads leave the order of eviction alone, by `client no-touch`. */
  touchesNothing = false;
  /** By `client no-evict`: it is closed after all others, and more messages may wait for it. */
  isKept = false;
  /** Wrong passwords that it has given. */
  failedLogins = 0;
  /** Whether the connection ends once what it was answered is written. */
  closing = false;
  /** Whether `exec` is running its commands: they must not wait. */
  executing = false;
  /** What is left of the command of a transaction that has just had its first slice. */
  steps: UnfinishedSteps | undefined;
  /** Whether one of them has published to this client: then messages follow the reply to `exec`, before others. */
  hasHeardItself = false;
  /** What it waits for. */
  waiter: PendingWait | undefined;
  /** Keys that it watches, by themselves. */
  readonly watched = new Map<string, WatchedKey>();
  /** Channels it listens to, and patterns, by their bytes as text. */
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  /** See the module's comment. */
  isFastPath = false;
  /** What it holds of the memory of all clients. */
  readonly account: ClientAccount;
  readonly #lastName = new Uint8Array(LAST_NAME_MAX_BYTES);
  #lastNameLength = 0;
  #authenticated: boolean;
  #transaction: Queue | undefined;

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
   * Charges this client for something that it has the server keep in the engine's heap: a subscription, a watched key, a key
   * that it waits for. `NAME_OVERHEAD_BYTES` and the length of its name are what it costs.
   *
   * @throws {ReplyError} when clients hold too much already; nothing is charged then
   */
  charge(bytes: number): void {
    this.account.charge(Held.Objects, bytes);
  }

  /**
   * Refuses what {@linkcode charge} would refuse, before anything of it is done.
   *
   * @throws {ReplyError} when clients hold too much already
   */
  checkCharge(bytes: number): void {
    this.charge(bytes);
    this.release(bytes);
  }

  /** Takes note that what {@linkcode charge} was called for is gone. */
  release(bytes: number): void {
    this.account.release(Held.Objects, bytes);
  }

  /** Takes note of the name of the last command of a batch; it costs no allocation. */
  noteCommand(bytes: Uint8Array, start: number, length: number): void {
    this.#lastNameLength = Math.min(length, LAST_NAME_MAX_BYTES);
    for (let i = 0; i < this.#lastNameLength; i++) this.#lastName[i] = bytes[start + i]!;
  }

  /** The name of the last command of the last batch, in lower case. */
  get lastCommand(): string {
    return decodeText(this.#lastName, 0, this.#lastNameLength).toLowerCase().replace(/[^!-~]/g, "?") || "NULL";
  }

  /** Whether it may run commands that are not open. */
  get authenticated(): boolean {
    return this.#authenticated;
  }

  set authenticated(authenticated: boolean) {
    this.#authenticated = authenticated;
    this.update();
  }

  /** What it has queued since `multi`. */
  get transaction(): Queue | undefined {
    return this.#transaction;
  }

  set transaction(transaction: Queue | undefined) {
    this.#transaction = transaction;
    this.update();
  }

  /** Channels and patterns that it listens to. */
  get subscriptions(): number {
    return this.channels.size + this.patterns.size;
  }

  /** Whether it may only listen and leave: in RESP2 a message could be taken for a reply. */
  get onlyListens(): boolean {
    return this.version === 2 && this.subscriptions > 0;
  }

  /** Decides anew whether it is plain. For whoever has changed subscriptions or version. */
  update(): void {
    this.isFastPath = this.#authenticated && this.#transaction === undefined && !this.onlyListens;
  }
}
