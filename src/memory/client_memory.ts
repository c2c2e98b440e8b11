/**
 * Limits the memory that a role holds for its clients: one limit for all of them together.
 *
 * ```text
 * ClientMemory    limit ├──────────────────────────────────────────────┤
 *                 used  [ A: unread replies | B: upload | C: transaction ]
 * ClientAccount         one per connection: the bytes it holds, by kind
 * ```
 *
 * Buffers are charged when they are allocated and released when they are freed, not for each command. The minimum that
 * every connection needs (its objects and its first small buffers) is not charged: `--max-clients` bounds it.
 *
 * When a charge would exceed the limit, these rules apply in order:
 *
 * 1. A request that alone needs more than the limit is refused.
 * 2. Connections that hold more than twice as much as the requesting one are closed, the largest first, if that makes
 *    enough room. Those with `client no-evict on` are closed last.
 * 3. Otherwise the request is refused: its connection is among the largest.
 *
 * So a client that needs little is never refused or closed because others hold much.
 *
 * Objects (subscriptions, watched keys, keys that clients wait for …) are in the JavaScript engine's heap. The heap is
 * much smaller than the machine's memory, and a process whose heap is full aborts. So objects have a second limit, a
 * share of that heap.
 *
 * Code that releases the charge of a large buffer also returns the buffer's memory to the system (freed_memory.ts).
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { CLIENT_MEMORY_REPORT_INTERVAL_MS, CLIENT_MEMORY_REPORTS_MAX_COUNT } from "../limits.ts";

/** The kinds of memory that is held for clients. */
export const enum Held {
  /** A request that has not come completely, and its read buffer. */
  Request,
  /** Replies that are not written yet. */
  Reply,
  /** Requests queued between `multi` and `exec`. */
  Transaction,
  /** Messages of channels that are not written yet. */
  Messages,
  /** Channels, patterns, watched keys and keys that clients wait for, which are objects in the engine's heap. */
  Objects,
  /** The result of a command that is about to store or remove it. */
  Result,
}

/** The names of the kinds in log lines and `info`, in the order of {@linkcode Held}. */
export const HELD_NAMES = ["request", "replies", "transaction", "messages", "objects", "results"] as const;

/** The client for which memory is held. */
export interface MemoryOwner {
  readonly id: number;
  readonly address: string;
  readonly name: string;
  /** Whether it is closed only after all others, as `client no-evict on` demands. */
  readonly isKept: boolean;
  readonly connection: {
    /** Closes the connection in any state. */
    kill(): void;
  };
}

/** The limits of the memory of clients. */
export interface ClientMemoryOptions {
  /** The most bytes that are held for all clients together. */
  readonly limitBytes: number;
  /** The most bytes that the objects of all clients together take in the engine's heap. */
  readonly heapLimitBytes?: number;
  /** Logs refused requests and closed clients, at most a few per interval. */
  readonly warn?: (message: string, fields: Record<string, string | number>) => void;
}

/** A connection is closed for another one only if it holds more than this many times the other's bytes. */
const CLEARLY_MORE_FACTOR = 2;

/** The memory of all clients of one role. */
export class ClientMemory {
  /** The most bytes that are held for all clients together. {@linkcode limit} changes it. */
  limitBytes = 0;
  /** The most bytes that objects may take of it. */
  heapLimitBytes = 0;
  /** The bytes charged at present. */
  usedBytes = 0;
  /** The part of {@linkcode usedBytes} that objects in the engine's heap take. */
  heapBytes = 0;
  /** The most bytes charged at a time. */
  peakBytes = 0;
  /** The number of requests refused since the start. */
  refusals = 0;
  /** The number of connections closed since the start to make room. */
  closed = 0;
  readonly #accounts = new Set<ClientAccount>();
  readonly #heapMaxBytes: number;
  readonly #warn: NonNullable<ClientMemoryOptions["warn"]>;
  #reports = CLIENT_MEMORY_REPORTS_MAX_COUNT;
  #reportedMs = 0;
  #unlogged = 0;

  constructor(options: ClientMemoryOptions) {
    this.#heapMaxBytes = options.heapLimitBytes ?? Infinity;
    this.#warn = options.warn ?? (() => {});
    this.limit(options.limitBytes);
  }

  /** Sets the most bytes of all clients. If they hold more, the next one that needs bytes makes room for itself. */
  limit(limitBytes: number): void {
    this.limitBytes = limitBytes;
    this.heapLimitBytes = Math.min(limitBytes, this.#heapMaxBytes);
  }

  /** Opens the account of a connection. {@linkcode ClientAccount.close} ends it. */
  open(owner: MemoryOwner): ClientAccount {
    const account = new ClientAccount(this, owner);
    this.#accounts.add(account);
    return account;
  }

  /**
   * Opens an account for memory that is held for no single client, such as replies that come from servers. Its charges
   * are refused when clients hold too much, but the account is never closed.
   */
  openShared(): ClientAccount {
    const account = new ClientAccount(this, NOBODY, true);
    this.#accounts.add(account);
    return account;
  }

  /** Whether unused buffers should be freed, since more than a quarter of the limit is used. */
  get isTight(): boolean {
    return this.usedBytes > this.limitBytes / 4;
  }

  /** The account of a client that holds most; `undefined` when none holds anything. */
  get largest(): ClientAccount | undefined {
    let largest: ClientAccount | undefined;
    for (const account of this.#accounts) {
      if (!account.isShared && account.bytes > (largest?.bytes ?? 0)) largest = account;
    }
    return largest;
  }

  /** The bytes held, by the name of their kind. */
  get heldByKind(): Record<string, number> {
    const sums: Record<string, number> = {};
    HELD_NAMES.forEach((name, kind) => {
      sums[name] = 0;
      for (const account of this.#accounts) sums[name] += account.held[kind]!;
    });
    return sums;
  }

  /** Resets the counts and the peak. */
  resetStatistics(): void {
    this.refusals = this.closed = 0;
    this.peakBytes = this.usedBytes;
  }

  /** Adds `bytes`, which may be negative, to the bytes used. Only {@linkcode ClientAccount} calls it. */
  change(kind: Held, bytes: number): void {
    this.usedBytes += bytes;
    if (kind === Held.Objects) this.heapBytes += bytes;
    if (this.usedBytes > this.peakBytes) this.peakBytes = this.usedBytes;
  }

  /** Subtracts `bytes` that several accounts are charged with, but that are held only once. */
  share(bytes: number): void {
    this.usedBytes -= bytes;
  }

  /** Removes an account from the list. Only {@linkcode ClientAccount} calls it. */
  remove(account: ClientAccount): void {
    this.#accounts.delete(account);
  }

  /** Returns whether an account may hold `bytes` more. If necessary, other connections are closed to make room. */
  admit(account: ClientAccount, kind: Held, bytes: number): boolean {
    if (account.isClosed) return false;
    if (this.#missing(kind, bytes) <= 0) return true;
    return this.#makeRoom(account, kind, bytes, CLEARLY_MORE_FACTOR);
  }

  /**
   * Does what {@linkcode admit} does for bytes that cannot be refused: if closing larger connections does not make
   * enough room, the connection of the account itself is closed.
   */
  admitOrClose(account: ClientAccount, kind: Held, bytes: number): void {
    if (account.isClosed || this.#missing(kind, bytes) <= 0 || this.#makeRoom(account, kind, bytes, 1)) return;
    if (!account.isShared) this.#close(account, bytes);
  }

  /** Counts and logs a refused request for `bytes`. */
  refused(account: ClientAccount, bytes: number): void {
    this.refusals++;
    this.#log(false, account, bytes);
  }

  /** Returns the number of bytes that have to be freed before `bytes` more may be held. */
  #missing(kind: Held, bytes: number): number {
    const missing = this.usedBytes + bytes - this.limitBytes;
    return kind === Held.Objects ? Math.max(missing, this.heapBytes + bytes - this.heapLimitBytes) : missing;
  }

  #makeRoom(account: ClientAccount, kind: Held, bytes: number, factor: number): boolean {
    const limit = kind === Held.Objects ? this.heapLimitBytes : this.limitBytes;
    // When only the heap is short, only the bytes of objects count.
    const isOfHeap = kind === Held.Objects && this.usedBytes + bytes <= this.limitBytes;
    const size = (each: ClientAccount) => isOfHeap ? each.held[Held.Objects]! : each.bytes;
    const needed = (account.isShared ? 0 : size(account)) + bytes;
    if (needed > limit) return false;
    const larger: ClientAccount[] = [];
    let freeable = 0;
    for (const each of this.#accounts) {
      if (each === account || each.isShared || size(each) <= needed * factor) continue;
      larger.push(each);
      freeable += size(each);
    }
    if (freeable < this.#missing(kind, bytes)) return false;
    larger.sort((a, b) => Number(a.owner.isKept) - Number(b.owner.isKept) || size(b) - size(a));
    for (const each of larger) {
      if (this.#missing(kind, bytes) <= 0) break;
      this.#close(each, bytes);
    }
    return true;
  }

  #close(account: ClientAccount, askedBytes: number): void {
    this.closed++;
    this.#log(true, account, askedBytes);
    account.close();
    account.owner.connection.kill();
  }

  #log(isClosed: boolean, account: ClientAccount, askedBytes: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#reportedMs > CLIENT_MEMORY_REPORT_INTERVAL_MS) {
      this.#reports = CLIENT_MEMORY_REPORTS_MAX_COUNT;
      this.#reportedMs = nowMs;
    }
    if (this.#reports === 0) {
      this.#unlogged++;
      return;
    }
    this.#reports--;
    const { address, name } = account.owner;
    let message = "Refused a request: clients hold too much memory, and its client is among those that hold most";
    if (isClosed) message = "Closed a client: clients hold too much memory, and it was among those that hold most";
    if (account.isShared) message = "Refused the reply of a server: clients hold too much memory, or it is too long";
    this.#warn(message, {
      ...address === "" ? {} : { address },
      ...name === "" ? {} : { name },
      held_bytes: account.bytes,
      held_for: account.mostlyFor,
      asked_bytes: askedBytes,
      clients_bytes: this.usedBytes,
      limit_bytes: this.limitBytes,
      ...this.#unlogged === 0 ? {} : { not_logged: this.#unlogged },
    });
    this.#unlogged = 0;
  }
}

/** The memory that one connection holds. */
export class ClientAccount {
  readonly owner: MemoryOwner;
  /** The bytes held, of all kinds together. */
  bytes = 0;
  /** The bytes held of each kind, in the order of {@linkcode HELD_NAMES}. */
  readonly held: number[] = [0, 0, 0, 0, 0, 0];
  /** Whether the account belongs to no single client. */
  readonly isShared: boolean;
  /** Whether {@linkcode close} was called. A closed account is not charged any more. */
  isClosed = false;
  readonly #memory: ClientMemory;

  /** Use {@linkcode ClientMemory.open}. */
  constructor(memory: ClientMemory, owner: MemoryOwner, isShared = false) {
    this.isShared = isShared;
    this.#memory = memory;
    this.owner = owner;
  }

  /** Whether unused buffers should be freed. */
  get isTight(): boolean {
    return this.#memory.isTight;
  }

  /** Returns whether at least half of the limit would be left after `bytes` more. */
  hasPlenty(bytes: number): boolean {
    return this.#memory.usedBytes + bytes <= this.#memory.limitBytes / 2;
  }

  /** The name of the kind of which most bytes are held. */
  get mostlyFor(): string {
    return HELD_NAMES[this.held.indexOf(Math.max(...this.held))]!;
  }

  /** Charges `bytes` if they may be held. Returns whether they are charged. A refusal is counted and logged. */
  tryCharge(kind: Held, bytes: number): boolean {
    if (!this.#memory.admit(this, kind, bytes)) {
      if (!this.isClosed) this.#memory.refused(this, bytes);
      return false;
    }
    this.#add(kind, bytes);
    return true;
  }

  /**
   * Charges `bytes`.
   *
   * @throws {ReplyError} when they may not be held; nothing is charged then
   */
  charge(kind: Held, bytes: number): void {
    if (!this.tryCharge(kind, bytes)) throw new ReplyError("ERR", this.refusal(kind));
  }

  /** Charges `bytes` that have to be held regardless of the limit. The connection may be closed for that. */
  force(kind: Held, bytes: number): void {
    this.#memory.admitOrClose(this, kind, bytes);
    if (!this.isClosed) this.#add(kind, bytes);
  }

  /** Subtracts `bytes` that are not held any more. */
  release(kind: Held, bytes: number): void {
    // A closed account has released everything already.
    if (!this.isClosed) this.#add(kind, -bytes);
  }

  /** Releases everything permanently. Safe to call twice. */
  close(): void {
    if (this.isClosed) return;
    for (let kind = 0; kind < this.held.length; kind++) this.#add(kind, -this.held[kind]!);
    this.isClosed = true;
    this.#memory.remove(this);
  }

  /** Subtracts `bytes` from the memory used: another account is charged with them too, but they are held only once. */
  share(bytes: number): void {
    this.#memory.share(bytes);
  }

  /** Returns the error text for a client of which no more of a kind may be held. */
  refusal(kind: Held): string {
    const { limitBytes, heapLimitBytes } = this.#memory;
    const limit = kind === Held.Objects ? heapLimitBytes : limitBytes;
    return `this ${
      REFUSED[kind]
    } needs more memory than is left of the ${limit} bytes that all clients may hold together ` +
      "(--max-client-memory); ask for less at a time, or later";
  }

  /** Charges or releases bytes of a kind until `bytes` are charged, regardless of the limit. */
  set(kind: Held, bytes: number): void {
    const more = bytes - this.held[kind]!;
    if (more > 0) this.force(kind, more);
    else if (more < 0) this.release(kind, -more);
  }

  #add(kind: Held, bytes: number): void {
    this.held[kind]! += bytes;
    this.bytes += bytes;
    this.#memory.change(kind, bytes);
  }
}

/** The noun for each kind in the text of a refusal. */
const REFUSED = ["request", "reply", "transaction", "message", "request", "request"] as const;

/** The owner of accounts that belong to no single client. */
const NOBODY: MemoryOwner = { id: 0, address: "", name: "", isKept: true, connection: { kill: () => {} } };

/** An account without a limit, for the client library and for tests. */
export const UNLIMITED_ACCOUNT: ClientAccount = new ClientMemory({ limitBytes: Infinity }).openShared();
