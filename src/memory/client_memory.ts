/**
 * The memory that clients make a role hold: one limit for all of them together.
 *
 * ```text
 * ClientMemory    limit ├──────────────────────────────────────────────┤
 *                 used  [ A: unread replies | B: upload | C: transaction ]
 * ClientAccount         one a connection: what it holds, by kind
 * ```
 *
 * Buffers are charged when they are allocated and released when they are freed, never for each command. What every
 * connection costs at least (its objects and its first small buffers) is not charged: `--max-clients` bounds it.
 *
 * When a charge would pass the limit, room is made in this order:
 *
 * 1. A request that alone needs more than the limit is refused.
 * 2. The connections that hold more than twice as much as the one that asks are closed, the largest first, if that
 *    makes enough room. Those that asked for `client no-evict on` come last.
 * 3. Otherwise the one that asks is refused: it is among the largest itself.
 *
 * So a client that needs little is never refused or closed because of others that hold much.
 *
 * Objects (subscriptions, watched keys, keys that are waited for …) live in the heap of the JavaScript engine, which is much
 * smaller than the machine's memory, and a process whose heap is full aborts. So they have a second limit, a share of
 * that heap.
 *
 * Whoever releases the bytes of a large buffer returns its memory to the system at once (freed_memory.ts).
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { CLIENT_MEMORY_REPORT_INTERVAL_MS, CLIENT_MEMORY_REPORTS_MAX_COUNT } from "../limits.ts";

/** What memory is held for. */
export const enum Held {
  /** A request that is not whole, and the read buffer it arrives in. */
  Request,
  /** Replies that are not written yet. */
  Reply,
  /** Requests queued between `multi` and `exec`. */
  Transaction,
  /** Messages of channels that are not written yet. */
  Messages,
  /** Channels, patterns, watched keys and keys that are waited for: they are objects in the engine's heap. */
  Objects,
}

/** The kinds of {@linkcode Held} in their order, as log lines and `info` call them. */
export const HELD_NAMES = ["request", "replies", "transaction", "messages", "objects"] as const;

/** Whose memory it is. */
export interface MemoryOwner {
  readonly id: number;
  readonly address: string;
  readonly name: string;
  /** Whether it is to be closed after all others. */
  readonly isKept: boolean;
  readonly connection: {
    /** Ends the connection, whatever it does. */
    kill(): void;
  };
}

/** How the memory of clients is bounded. */
export interface ClientMemoryOptions {
  /** For all clients together. */
  readonly limitBytes: number;
  /** For the objects of all clients together, which live in the engine's heap. */
  readonly heapLimitBytes?: number;
  /** Told what was refused and who was closed, a few times in a row and then once in a while. */
  readonly warn?: (message: string, fields: Record<string, string | number>) => void;
}

/** A connection is closed for another one only if it holds more than so many times as much. */
const CLEARLY_MORE_FACTOR = 2;

/** The memory of all clients of one role. */
export class ClientMemory {
  readonly limitBytes: number;
  readonly heapLimitBytes: number;
  /** Bytes charged at present. */
  usedBytes = 0;
  /** The part of {@linkcode usedBytes} that objects in the engine's heap take. */
  heapBytes = 0;
  /** The most that was ever charged. */
  peakBytes = 0;
  /** Requests refused, and connections closed, since the start. */
  refusals = 0;
  closed = 0;
  readonly #accounts = new Set<ClientAccount>();
  readonly #warn: NonNullable<ClientMemoryOptions["warn"]>;
  #reports = CLIENT_MEMORY_REPORTS_MAX_COUNT;
  #reportedMs = 0;
  #untold = 0;

  constructor(options: ClientMemoryOptions) {
    this.limitBytes = options.limitBytes;
    this.heapLimitBytes = Math.min(options.limitBytes, options.heapLimitBytes ?? Infinity);
    this.#warn = options.warn ?? (() => {});
  }

  /** Opens the account of a connection. {@linkcode ClientAccount.close} ends it. */
  open(owner: MemoryOwner): ClientAccount {
    const account = new ClientAccount(this, owner);
    this.#accounts.add(account);
    return account;
  }

  /**
   * Opens an account for what is held for clients but for none of them alone, such as replies that come from servers. It is
   * refused where clients hold too much, and never closed.
   */
  openShared(): ClientAccount {
    const account = new ClientAccount(this, NOBODY, true);
    this.#accounts.add(account);
    return account;
  }

  /** Whether buffers that are not in use had better be freed: a quarter of the limit is taken. */
  get isTight(): boolean {
    return this.usedBytes > this.limitBytes / 4;
  }

  /** The account that holds most; `undefined` when none holds anything. */
  get largest(): ClientAccount | undefined {
    let largest: ClientAccount | undefined;
    for (const account of this.#accounts) {
      if (!account.isShared && account.bytes > (largest?.bytes ?? 0)) largest = account;
    }
    return largest;
  }

  /** Bytes held, by what they are held for. */
  get heldByKind(): Record<string, number> {
    const sums: Record<string, number> = {};
    HELD_NAMES.forEach((name, kind) => {
      sums[name] = 0;
      for (const account of this.#accounts) sums[name] += account.held[kind]!;
    });
    return sums;
  }

  /** Sets the counts and the peak back. */
  resetStatistics(): void {
    this.refusals = this.closed = 0;
    this.peakBytes = this.usedBytes;
  }

  /** For {@linkcode ClientAccount}: takes note that `bytes` more are held, or fewer if negative. */
  change(kind: Held, bytes: number): void {
    this.usedBytes += bytes;
    if (kind === Held.Objects) this.heapBytes += bytes;
    if (this.usedBytes > this.peakBytes) this.peakBytes = this.usedBytes;
  }

  /** Takes note that several accounts were charged with the same bytes, of which so many are not held in truth. */
  share(bytes: number): void {
    this.usedBytes -= bytes;
  }

  /** For {@linkcode ClientAccount}: takes an account out of the list. */
  remove(account: ClientAccount): void {
    this.#accounts.delete(account);
  }

  /** Whether an account may hold `bytes` more, with room made for them by closing others if need be. */
  admit(account: ClientAccount, kind: Held, bytes: number): boolean {
    if (account.isClosed) return false;
    if (this.#missing(kind, bytes) <= 0) return true;
    return this.#makeRoom(account, kind, bytes, CLEARLY_MORE_FACTOR);
  }

  /**
   * As {@linkcode admit}, for what cannot be refused any more: where nobody holds more than the one that asks, its own
   * connection is closed.
   */
  admitOrClose(account: ClientAccount, kind: Held, bytes: number): void {
    if (account.isClosed || this.#missing(kind, bytes) <= 0 || this.#makeRoom(account, kind, bytes, 1)) return;
    if (!account.isShared) this.#close(account, bytes);
  }

  /** Takes note that a request of `bytes` was refused. */
  refused(account: ClientAccount, bytes: number): void {
    this.refusals++;
    this.#tell(false, account, bytes);
  }

  /** Bytes that have to be freed before `bytes` more may be held. */
  #missing(kind: Held, bytes: number): number {
    const missing = this.usedBytes + bytes - this.limitBytes;
    return kind === Held.Objects ? Math.max(missing, this.heapBytes + bytes - this.heapLimitBytes) : missing;
  }

  #makeRoom(account: ClientAccount, kind: Held, bytes: number, factor: number): boolean {
    const limit = kind === Held.Objects ? this.heapLimitBytes : this.limitBytes;
    // Where only the heap is short, what counts is who holds objects.
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
    this.#tell(true, account, askedBytes);
    account.close();
    account.owner.connection.kill();
  }

  #tell(isClosed: boolean, account: ClientAccount, askedBytes: number): void {
    const nowMs = performance.now();
    if (nowMs - this.#reportedMs > CLIENT_MEMORY_REPORT_INTERVAL_MS) {
      this.#reports = CLIENT_MEMORY_REPORTS_MAX_COUNT;
      this.#reportedMs = nowMs;
    }
    if (this.#reports === 0) {
      this.#untold++;
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
      ...this.#untold === 0 ? {} : { not_logged: this.#untold },
    });
    this.#untold = 0;
  }
}

/** What one connection holds. */
export class ClientAccount {
  readonly owner: MemoryOwner;
  /** Bytes held in all. */
  bytes = 0;
  /** Bytes held for each kind, in the order of {@linkcode HELD_NAMES}. */
  readonly held: number[] = [0, 0, 0, 0, 0];
  /** Whether it is of no client alone. */
  readonly isShared: boolean;
  /** Whether {@linkcode close} was called: then nothing more is charged. */
  isClosed = false;
  readonly #memory: ClientMemory;

  /** Use {@linkcode ClientMemory.open}. */
  constructor(memory: ClientMemory, owner: MemoryOwner, isShared = false) {
    this.isShared = isShared;
    this.#memory = memory;
    this.owner = owner;
  }

  /** Whether buffers that are not in use had better be freed. */
  get isTight(): boolean {
    return this.#memory.isTight;
  }

  /** Whether `bytes` more would leave at least half of all that clients may hold. */
  hasPlenty(bytes: number): boolean {
    return this.#memory.usedBytes + bytes <= this.#memory.limitBytes / 2;
  }

  /** What most of it is held for. */
  get mostlyFor(): string {
    return HELD_NAMES[this.held.indexOf(Math.max(...this.held))]!;
  }

  /** Charges `bytes` if they may be held. @returns whether they were charged; if not, that is counted and logged */
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

  /** Charges `bytes` that have to be held whatever the limit says. The connection may be closed for that. */
  force(kind: Held, bytes: number): void {
    this.#memory.admitOrClose(this, kind, bytes);
    if (!this.isClosed) this.#add(kind, bytes);
  }

  /** Takes note that `bytes` are not held any more. */
  release(kind: Held, bytes: number): void {
    // After the end of the account everything was released.
    if (!this.isClosed) this.#add(kind, -bytes);
  }

  /** Releases everything, for good. Safe to call twice. */
  close(): void {
    if (this.isClosed) return;
    for (let kind = 0; kind < this.held.length; kind++) this.#add(kind, -this.held[kind]!);
    this.isClosed = true;
    this.#memory.remove(this);
  }

  /** Takes note that another account was charged with the same bytes, of which so many are not held in truth. */
  share(bytes: number): void {
    this.#memory.share(bytes);
  }

  /** Why no more of a kind may be held, for the client. */
  refusal(kind: Held): string {
    const { limitBytes, heapLimitBytes } = this.#memory;
    const limit = kind === Held.Objects ? heapLimitBytes : limitBytes;
    return `this ${
      REFUSED[kind]
    } needs more memory than is left of the ${limit} bytes that all clients may hold together ` +
      "(--max-client-memory); ask for less at a time, or later";
  }

  /** Charges or releases as much as it takes until `bytes` of a kind are charged, whatever the limit says. */
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

/** What is refused of each kind. */
const REFUSED = ["request", "reply", "transaction", "message", "request"] as const;

/** Who owns what belongs to no client alone. */
const NOBODY: MemoryOwner = { id: 0, address: "", name: "", isKept: true, connection: { kill: () => {} } };

/** The account of those that no limit concerns: clients of ours, and tests. */
export const UNLIMITED_ACCOUNT: ClientAccount = new ClientMemory({ limitBytes: Infinity }).openShared();
