/**
 * One connection: a read buffer, and ordered writes.
 *
 * ```text
 * buffer   [ consumed | unread … | room ]
 *          0          start      end     buffer.length
 * ```
 *
 * `fill` reads once and appends. The role then takes every whole frame out of `[start, end)`, runs them, and writes
 * all replies with one `write`. It does not read while it writes. So TCP's flow control slows a peer that does not read
 * its replies, and the peer costs one read buffer and one batch of replies.
 *
 * The buffer grows as bytes arrive, never by the length that a prefix announces, so an announcement alone costs
 * nothing. A buffer that is larger than the first one is charged to the client's account. The memory of a buffer that
 * is replaced is returned to the system.
 *
 * Fresh memory takes a millisecond per megabyte. So a long request is moved once or not at all, and in parts, and one
 * read takes little, so that the event loop serves other connections in between.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import {
  BUFFER_KEEP_MAX_BYTES,
  READ_BUFFER_BATCH_BYTES,
  READ_BUFFER_INITIAL_BYTES,
  READ_BUFFER_TIGHT_BYTES,
  READ_LARGE_BYTES,
  READ_MAX_BYTES,
} from "../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../memory/client_memory.ts";
import { freeBuffer, freePart } from "../memory/freed_memory.ts";
import { ByteCounts } from "../metrics/byte_counts.ts";
import { closeQuietly } from "./abort.ts";
import { type Socket, writeAll } from "./socket.ts";

/** The factor by which a buffer grows after one read has filled it. */
const BATCH_FACTOR = 4;
/** The room made for a long request, as a multiple of its arrived bytes. So each byte is moved at most once. */
const RESERVE_FACTOR = 8;
/** The arrived bytes of a request after which all of it gets room. Moving them takes half a millisecond. */
const RESERVE_ALL_BYTES = 512 * 1024;

/** The most bytes moved to a larger buffer in one turn of the event loop. It takes 2 ms, mostly for fresh pages. */
const MOVED_AT_ONCE_BYTES = 2 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

/** The part of a socket that a connection uses. */
export type ByteSocket = Pick<Socket, "read" | "write" | "close">;

/** The event loop as a connection uses it to let other connections be served while it reads much. */
export interface ReadTurns {
  /** Whether the present turn of the event loop has taken long. */
  readonly isTurnLong: boolean;
  /** Returns a promise that resolves in a later turn. */
  readTurn(): Promise<void>;
}

/** The protocol that a connection speaks, by its first byte. */
export type Protocol = "native" | "resp" | "unknown";

/**
 * Returns the protocol that begins with this byte. A native frame is shorter than 2^29 bytes, so its first byte is at
 * most 0x1f. RESP begins with `*`, or with a letter for an inline command.
 */
export function protocolOf(firstByte: number): Protocol {
  if (firstByte <= 0x1f) return "native";
  const letter = firstByte | 0x20;
  return firstByte === 0x2a || (letter >= 0x61 && letter <= 0x7a) ? "resp" : "unknown";
}

/** A socket with a read buffer, for one reader and one writer at a time. */
export class Connection {
  /** The read buffer. Unread bytes are `[start, end)`. Requests borrow it until the next `fill`. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(READ_BUFFER_INITIAL_BYTES);
  /** The position of the first unread byte. The role moves it forward as it takes frames out. */
  start = 0;
  /** The position after the last unread byte. */
  end = 0;
  readonly #socket: ByteSocket;
  readonly #account: ClientAccount;
  readonly #counts: ByteCounts;
  /** The bytes charged: the sizes of all buffers but the first. */
  #charged = 0;
  /** Buffers that were replaced while requests borrowed them. */
  #outgrown: Uint8Array<ArrayBuffer>[] = [];
  #closed = false;
  /** Whether the last read has filled the buffer. */
  #filled = false;
  /** Whether the last read has filled all that {@linkcode writable} returned. Then more bytes can probably be read. */
  #hasMore = false;
  #roomBytes = 0;
  /** The larger buffer that replaces the present one once all unread bytes are moved to it. */
  #grown: Uint8Array<ArrayBuffer> | undefined;
  /** The unread bytes that are moved to `#grown` already. */
  #movedBytes = 0;
  /** The number of bytes that the last read returned. */
  #readBytes = 0;
  /** The read that {@linkcode readAhead} has under way. */
  #ahead: Promise<boolean> | undefined;

  /**
   * @param account the account that is charged for the read buffer
   * @param counts counts the bytes that are read and written
   */
  constructor(
    socket: ByteSocket,
    account: ClientAccount = UNLIMITED_ACCOUNT,
    counts: ByteCounts = new ByteCounts(),
  ) {
    this.#socket = socket;
    this.#account = account;
    this.#counts = counts;
  }

  /** Whether {@linkcode close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Reads once and appends to the buffer, which is compacted or doubled when it has no room.
   *
   * @returns `false` when the peer has ended the connection in order
   * @throws the socket's error when the connection is lost or was closed
   */
  fill(): Promise<boolean> {
    if (this.#ahead === undefined) return this.#fill();
    // That read uses a separate buffer, or a small one.
    this.#freeOutgrown();
    return this.#ahead;
  }

  /**
   * Reads once, as {@linkcode fill} does, while requests borrow the buffer: borrowed bytes stay where they are. It is
   * used to notice that the peer ends the connection. A `fill` called meanwhile gets the result of the same read.
   *
   * @returns `false` when the peer has ended the connection in order
   * @throws the socket's error when the connection is lost or was closed
   */
  readAhead(): Promise<boolean> {
    this.#ahead ??= this.#readWhileBorrowed().finally(() => this.#ahead = undefined);
    return this.#ahead;
  }

  async #readWhileBorrowed(): Promise<boolean> {
    // The read may stay under way for long and would hold a large buffer, so it gets another one.
    if (this.end === this.buffer.length || this.#isTooLarge) {
      const size = Math.min(this.buffer.length * 2, Math.max(READ_BUFFER_BATCH_BYTES, (this.end - this.start) * 2));
      this.#outgrown.push(this.#grow(size, true));
    }
    const count = await this.#socket.read(this.buffer.subarray(this.end));
    if (count === null) return false;
    this.end += count;
    this.#counts.inputBytes += count;
    return true;
  }

  async #fill(): Promise<boolean> {
    const count = await this.#socket.read(this.writable());
    if (count === null) return false;
    this.commit(count);
    return true;
  }

  /** Reads and drops bytes until the peer has ended its side. No request may borrow the buffer any more. */
  async drop(turns: ReadTurns): Promise<void> {
    do {
      this.start = this.end;
      if (this.hasReadMuch && turns.isTurnLong) await turns.readTurn();
    } while (await this.fill());
  }

  /** Whether a read of {@linkcode readAhead} is under way. Then only `fill` may be called. */
  get isReading(): boolean {
    return this.#ahead !== undefined;
  }

  /**
   * Returns the part of the buffer that the next read writes to, after compacting or growing the buffer if necessary.
   * Together with {@linkcode commit} it is `fill` without a promise, for a caller that reads the socket itself. No
   * request may borrow the buffer any more.
   *
   * @throws {ProtocolError} when the memory of all clients has no room for a request as large as this
   */
  writable(): Uint8Array<ArrayBuffer> {
    while (!this.#movePart());
    // A read that filled the buffer probably left bytes unread. Such a peer gets a larger buffer; an idle one costs
    // little.
    const isSmall = this.#filled && this.buffer.length < READ_BUFFER_BATCH_BYTES && this.#mayGrow;
    if (this.#outgrown.length > 0) this.#freeOutgrown();
    if (this.start === this.end) {
      this.start = this.end = 0;
      if (this.#isTooLarge) freeBuffer(this.#replace(READ_BUFFER_BATCH_BYTES));
      else if (isSmall) this.#replace(this.buffer.length * BATCH_FACTOR);
    } else if (isSmall) {
      this.#growFreeing(this.buffer.length * BATCH_FACTOR);
    } else if (this.end === this.buffer.length) {
      this.#makeRoom();
    }
    const isLarge = this.buffer.length > READ_BUFFER_BATCH_BYTES;
    // When many peers send at the same time, their reads end in one turn, so each read of a large request is short.
    const roomMaxBytes = isLarge ? this.#hasMore ? READ_MAX_BYTES : READ_LARGE_BYTES : Infinity;
    this.#roomBytes = Math.min(this.buffer.length - this.end, roomMaxBytes);
    if (this.#roomBytes === this.buffer.length) return this.buffer;
    return this.buffer.subarray(this.end, this.end + this.#roomBytes);
  }

  /**
   * Gives the buffer to the caller, who owns its bytes before `until`. The connection continues with another buffer,
   * which has the unread bytes from `until` on. The buffer given away is not charged here any more.
   */
  detach(until: number): Uint8Array<ArrayBuffer> {
    const rest = this.end - until;
    const old = this.#replace(Math.max(READ_BUFFER_BATCH_BYTES, rest));
    this.buffer.set(old.subarray(until, this.end));
    this.start = 0;
    this.end = rest;
    return old;
  }

  /**
   * Makes room for the next read.
   *
   * @param size the known size of the unread request; 0 when it is unknown
   * @returns `false` when the memory of all clients has no room for it
   */
  makeRoom(size = 0): boolean {
    try {
      if (size > 0) this.reserve(size);
      this.writable();
      return true;
    } catch (error) {
      if (error instanceof ProtocolError) return false;
      throw error;
    }
  }

  /**
   * Whether the next step may take long: the last read returned much, or it filled a large buffer, which has to grow.
   * More bytes may have arrived already, and then the next read gives other connections no turn.
   */
  get hasReadMuch(): boolean {
    return this.#readBytes >= READ_LARGE_BYTES ||
      (this.end === this.buffer.length && this.end > READ_BUFFER_BATCH_BYTES);
  }

  /** Adds the `count` bytes that the caller has read into {@linkcode writable} to the unread ones. */
  commit(count: number): void {
    this.end += count;
    this.#counts.inputBytes += count;
    this.#readBytes = count;
    this.#hasMore = count === this.#roomBytes;
    // That a nearly full buffer was filled does not show that the peer sends much.
    this.#filled = this.end === this.buffer.length && count > this.buffer.length / 2;
  }

  /**
   * Makes room for a request that is known to take `size` bytes in all, so that it is moved as seldom as possible. The
   * room is at most a multiple of the bytes that have arrived, so an announcement alone costs nothing. No request may
   * borrow the buffer any more.
   *
   * @throws {ProtocolError} when the memory of all clients has no room for it
   */
  reserve(size: number): void {
    // Only a full buffer grows: otherwise each read would make it a little larger.
    if (this.end < this.buffer.length) return;
    const unread = this.end - this.start;
    // Room for the bytes after a long argument, so that they do not make all of it move.
    const all = size + READ_BUFFER_BATCH_BYTES;
    const wanted = unread >= RESERVE_ALL_BYTES ? all : Math.min(size, unread * RESERVE_FACTOR);
    if (this.start + wanted > this.buffer.length && wanted > unread) this.#growInParts(wanted);
  }

  /**
   * Makes room for a request that has not come completely. The decoder knows that it takes at least `needed` bytes, and
   * expects `expected` bytes in all.
   *
   * @throws {ProtocolError} when the memory of all clients has no room for it
   */
  prepare({ needed, expected }: { readonly needed: number; readonly expected: number }): void {
    // Growing for one argument after another would move the whole request again and again.
    if (expected > needed) this.#expect(expected);
    else if (needed > READ_BUFFER_BATCH_BYTES) this.reserve(needed);
    // Otherwise the next call of `writable` would move all of it in one turn.
    const isFull = this.end === this.buffer.length && this.end - this.start > MOVED_AT_ONCE_BYTES;
    if (isFull && this.#grown === undefined) this.#growInParts(this.buffer.length * 2);
  }

  /**
   * Whether many bytes are still to be moved to a larger buffer. A caller that can wait calls {@linkcode move};
   * otherwise the next call of {@linkcode writable} moves all of them.
   */
  get isMoving(): boolean {
    return this.#grown !== undefined;
  }

  /** Moves the unread bytes to a larger buffer, a part in each turn of the event loop. */
  async move(turns: ReadTurns): Promise<void> {
    while (!this.#movePart()) await turns.readTurn();
  }

  /** Moves a part of the unread bytes. Returns whether it was the last part. */
  #movePart(): boolean {
    const grown = this.#grown;
    if (grown === undefined) return true;
    const unread = this.end - this.start;
    const from = this.start + this.#movedBytes;
    const part = this.buffer.subarray(from, Math.min(this.end, from + MOVED_AT_ONCE_BYTES));
    grown.set(part, this.#movedBytes);
    this.#movedBytes += part.length;
    if (this.#movedBytes < unread) {
      freePart(part);
      return false;
    }
    freeBuffer(this.buffer);
    this.buffer = grown;
    this.start = 0;
    this.end = unread;
    this.#grown = undefined;
    return true;
  }

  /** Does what `reserve` does, but nothing when clients hold much memory already, or when little has arrived. */
  #expect(size: number): void {
    const unread = this.end - this.start;
    if (this.end < this.buffer.length || unread < RESERVE_ALL_BYTES || this.start + size <= this.buffer.length) return;
    if (this.#account.hasPlenty(size)) this.#growInParts(size);
  }

  #makeRoom(): void {
    const unread = this.end - this.start;
    // Moving pays when at least half of the buffer becomes free; otherwise each byte would be moved many times.
    if (unread > this.buffer.length / 2) return this.#growFreeing(this.buffer.length * 2);
    this.buffer.copyWithin(0, this.start, this.end);
    this.start = 0;
    this.end = unread;
  }

  /** Whether there is memory for a larger buffer that only makes reading faster. */
  get #mayGrow(): boolean {
    return this.buffer.length < READ_BUFFER_TIGHT_BYTES || !this.#account.isTight;
  }

  /**
   * Whether an empty buffer should be freed. The buffer of a large request is kept only while there is memory to spare.
   */
  get #isTooLarge(): boolean {
    const size = this.buffer.length;
    return size > READ_BUFFER_BATCH_BYTES && (size > BUFFER_KEEP_MAX_BYTES || this.#account.isTight);
  }

  #growFreeing(size: number): void {
    freeBuffer(this.#grow(size, false));
  }

  /** Does what `#growFreeing` does, but leaves the moving of many bytes to {@linkcode move}. */
  #growInParts(size: number): void {
    if (this.end - this.start <= MOVED_AT_ONCE_BYTES) return this.#growFreeing(size);
    this.#chargeGrowth(size, costOf(this.buffer));
    this.#grown = new Uint8Array(size);
    this.#movedBytes = 0;
  }

  /** Charges a buffer of `size` bytes. `lessBytes` is the charge of the buffer that it replaces. */
  #chargeGrowth(size: number, lessBytes: number): void {
    const bytes = size - lessBytes;
    if (size <= READ_BUFFER_BATCH_BYTES) this.#account.force(Held.Request, bytes);
    else if (!this.#account.tryCharge(Held.Request, bytes)) {
      throw new ProtocolError(this.#account.refusal(Held.Request));
    }
    this.#charged += bytes;
  }

  /**
   * Replaces the buffer by a larger one, and returns the old one unchanged.
   *
   * @param keepsOld whether the old buffer is still needed, and stays charged
   */
  #grow(size: number, keepsOld: boolean): Uint8Array<ArrayBuffer> {
    const old = this.buffer;
    // While bytes are copied both buffers exist, but for one connection at a time.
    this.#chargeGrowth(size, keepsOld ? 0 : costOf(old));
    const grown = new Uint8Array(size);
    grown.set(old.subarray(this.start, this.end));
    this.buffer = grown;
    this.end -= this.start;
    this.start = 0;
    return old;
  }

  /** Replaces the buffer by an empty one of `size` bytes, which is always granted. Returns the old one. */
  #replace(size: number): Uint8Array<ArrayBuffer> {
    const old = this.buffer;
    this.#release(costOf(old));
    this.#account.force(Held.Request, size);
    this.#charged += size;
    this.buffer = new Uint8Array(size);
    return old;
  }

  #freeOutgrown(): void {
    for (const buffer of this.#outgrown) {
      this.#release(costOf(buffer));
      freeBuffer(buffer);
    }
    this.#outgrown = [];
  }

  #release(bytes: number): void {
    this.#account.release(Held.Request, bytes);
    this.#charged -= bytes;
  }

  /**
   * Frees the read buffer of a connection that has ended. No request may borrow the buffer any more, and no read may be
   * under way.
   */
  free(): void {
    for (const buffer of this.#outgrown) freeBuffer(buffer);
    freeBuffer(this.buffer);
    this.#outgrown = [];
    this.buffer = EMPTY;
    this.#grown = undefined;
    this.start = this.end = 0;
    this.#release(this.#charged);
  }

  /**
   * Writes all of `bytes`, which must not change until the promise is settled.
   *
   * @throws the socket's error when the connection is lost or was closed
   */
  write(bytes: Uint8Array): Promise<void> {
    this.#counts.outputBytes += bytes.length;
    return writeAll(this.#socket, bytes);
  }

  /** Closes the socket. Idempotent. Reads and writes under way reject. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#socket);
  }
}

/** Returns the charge for a read buffer: 0 for the first one, which every connection has. */
function costOf(buffer: Uint8Array): number {
  return buffer.length > READ_BUFFER_INITIAL_BYTES ? buffer.length : 0;
}
