/**
 * One connection: batches in, one ordered write out.
 *
 * ```text
 * buffer   [ consumed | unread … | room ]
 *          0          start      end     buffer.length
 * ```
 *
 * `fill` reads once and appends; the role then takes every whole frame out of `[start, end)`, runs them, and writes
 * all replies with one `write`. While it writes it does not read, so a peer that does not take its replies is slowed
 * by its own TCP window and costs one read buffer and one batch of replies.
 *
 * The buffer grows as bytes arrive, never as a length prefix promises: a stranger's announcement costs nothing. Once it is larger
 * than at first, it is charged to the account of its client, and the memory of one that is replaced is returned.
 *
 * Fresh memory is dear (a millisecond a megabyte), so a long request is moved once or not at all, in parts, and a read takes
 * little at a time: others have their turns between.
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
import { closeQuietly } from "./abort.ts";
import { type Socket, writeAll } from "./socket.ts";

/** A buffer that is too small for what comes in one read is replaced by one so many times its size. */
const BATCH_FACTOR = 4;
/** Room is made for that many times what has arrived of a long request: each byte is moved once or not at all then. */
const RESERVE_FACTOR = 8;
/** Of a request of which so much has arrived all is reserved: that much is moved in half a millisecond. */
const RESERVE_ALL_BYTES = 512 * 1024;

/** So much is moved to a larger buffer at once: 2 ms, most of it for fresh pages. */
const MOVED_AT_ONCE_BYTES = 2 * 1024 * 1024;

const EMPTY = new Uint8Array(0);

/** What a connection needs of a socket. */
export type ByteSocket = Pick<Socket, "read" | "write" | "close">;

/** What a connection needs of the turns of the event loop, so that others have theirs while it reads much. */
export interface ReadTurns {
  /** Whether the present turn has taken long. */
  readonly isTurnLong: boolean;
  /** Resolves in a later one. */
  readTurn(): Promise<void>;
}

/** Which protocol a connection speaks, by its first byte. */
export type Protocol = "native" | "resp" | "unknown";

/**
 * Tells the protocols apart: a native frame is shorter than 2^29 bytes, so its first byte is at most 0x1f; RESP begins
 * with `*` or a letter (an inline command).
 */
export function protocolOf(firstByte: number): Protocol {
  if (firstByte <= 0x1f) return "native";
  const letter = firstByte | 0x20;
  return firstByte === 0x2a || (letter >= 0x61 && letter <= 0x7a) ? "resp" : "unknown";
}

/** A socket with a read buffer. Not safe for two readers or two writers at a time. */
export class Connection {
  /** Unread bytes are `[start, end)`. Borrowed by requests until the next `fill`. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(READ_BUFFER_INITIAL_BYTES);
  /** First unread byte. The role moves it forward as it takes frames out. */
  start = 0;
  /** Behind the last unread byte. */
  end = 0;
  readonly #socket: ByteSocket;
  readonly #account: ClientAccount;
  /** Bytes that are charged: those of all buffers but the first. */
  #charged = 0;
  /** Buffers that were replaced while requests borrowed them. */
  #outgrown: Uint8Array<ArrayBuffer>[] = [];
  #closed = false;
  /** Whether the last read took all the room there was. */
  #filled = false;
  /** The same of the room that {@linkcode writable} had given, which may be less: then more is there to be read. */
  #hasMore = false;
  #roomBytes = 0;
  /** A larger buffer that takes the place of this one once all that is unread was moved to it, and how much was. */
  #grown: Uint8Array<ArrayBuffer> | undefined;
  #movedBytes = 0;
  /** What the last read has brought. */
  #readBytes = 0;
  /** The read that {@linkcode readAhead} has under way. */
  #ahead: Promise<boolean> | undefined;

  /** @param account is charged for the read buffer */
  constructor(socket: ByteSocket, account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#socket = socket;
    this.#account = account;
  }

  /** Whether {@linkcode close} was called. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Reads once and appends to the buffer, which is compacted or doubled when it has no room.
   *
   * @returns `false` when the peer has ended the connection in order
   * @throws what the socket throws when the connection is lost or was closed
   */
  fill(): Promise<boolean> {
    if (this.#ahead === undefined) return this.#fill();
    // That read has a buffer of its own, or a small one.
    this.#freeOutgrown();
    return this.#ahead;
  }

  /**
   * Reads once, as {@linkcode fill} does, while requests borrow the buffer: what they borrow stays where it is. For
   * noticing that the peer ends the connection. A `fill` that comes meanwhile is answered by the same read.
   *
   * @returns `false` when the peer has ended the connection in order
   * @throws what the socket throws when the connection is lost or was closed
   */
  readAhead(): Promise<boolean> {
    this.#ahead ??= this.#readBehind().finally(() => this.#ahead = undefined);
    return this.#ahead;
  }

  async #readBehind(): Promise<boolean> {
    // A large buffer is put aside: the read may stay under way for long, and would keep it.
    if (this.end === this.buffer.length || this.#isTooLarge) {
      const size = Math.min(this.buffer.length * 2, Math.max(READ_BUFFER_BATCH_BYTES, (this.end - this.start) * 2));
      this.#outgrown.push(this.#grow(size, true));
    }
    const count = await this.#socket.read(this.buffer.subarray(this.end));
    if (count === null) return false;
    this.end += count;
    return true;
  }

  async #fill(): Promise<boolean> {
    const count = await this.#socket.read(this.writable());
    if (count === null) return false;
    this.commit(count);
    return true;
  }

  /** Reads and drops what still comes, until the peer has ended its side. Nobody may borrow the buffer any more. */
  async drop(turns: ReadTurns): Promise<void> {
    do {
      this.start = this.end;
      if (this.hasReadMuch && turns.isTurnLong) await turns.readTurn();
    } while (await this.fill());
  }

  /** Whether {@linkcode readAhead} has a read under way: then only `fill` may be called. */
  get isReading(): boolean {
    return this.#ahead !== undefined;
  }

  /**
   * Where the next bytes go, compacted or grown when it has to be. With {@linkcode commit} this is `fill` without its promise,
   * for whoever reads the socket by itself. Nobody may borrow the buffer any more.
   *
   * @throws {ProtocolError} when the memory of all clients has no room for a request as large as this
   */
  writable(): Uint8Array<ArrayBuffer> {
    while (!this.#movePart());
    // One read that filled the buffer left more behind: such a peer gets larger batches, and an idle one costs little.
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
    // Reads that wait end together when many peers send at once, so each of them takes little of what is large.
    const roomMaxBytes = isLarge ? this.#hasMore ? READ_MAX_BYTES : READ_LARGE_BYTES : Infinity;
    this.#roomBytes = Math.min(this.buffer.length - this.end, roomMaxBytes);
    if (this.#roomBytes === this.buffer.length) return this.buffer;
    return this.buffer.subarray(this.end, this.end + this.#roomBytes);
  }

  /**
   * Gives the buffer away, whose bytes before `behind` are the caller's from then on, and are not charged here any more. It
   * goes on with another one, which has those from `behind` on.
   */
  detach(behind: number): Uint8Array<ArrayBuffer> {
    const rest = this.end - behind;
    const old = this.#replace(Math.max(READ_BUFFER_BATCH_BYTES, rest));
    this.buffer.set(old.subarray(behind, this.end));
    this.start = 0;
    this.end = rest;
    return old;
  }

  /**
   * Makes room for the next read.
   *
   * @param size what is known of the size of what is unread
   * @returns `false` when the memory of all clients has none for it
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
   * Whether what comes now takes long: the last read has brought much, or has filled a large buffer, which is to grow. More may
   * be there already, and the next read would not let others have a turn.
   */
  get hasReadMuch(): boolean {
    return this.#readBytes >= READ_LARGE_BYTES ||
      (this.end === this.buffer.length && this.end > READ_BUFFER_BATCH_BYTES);
  }

  /** Takes note that so many bytes were read into the {@linkcode writable}. */
  commit(count: number): void {
    this.end += count;
    this.#readBytes = count;
    this.#hasMore = count === this.#roomBytes;
    // What was left of a buffer that is nearly full says nothing.
    this.#filled = this.end === this.buffer.length && count > this.buffer.length / 2;
  }

  /**
   * Makes room for a request that is known to take `size` bytes in all, so that it is moved as seldom as may be. At most
   * several times what has arrived of it: an announcement alone costs nothing. Nobody may borrow the buffer any more.
   *
   * @throws {ProtocolError} when the memory of all clients has no room for it
   */
  reserve(size: number): void {
    // Not before there is none: else each read would make a little more of it.
    if (this.end < this.buffer.length) return;
    const unread = this.end - this.start;
    // What stands behind a long argument shall not make all of it move.
    const all = size + READ_BUFFER_BATCH_BYTES;
    const wanted = unread >= RESERVE_ALL_BYTES ? all : Math.min(size, unread * RESERVE_FACTOR);
    if (this.start + wanted > this.buffer.length && wanted > unread) this.#growInParts(wanted);
  }

  /**
   * Makes room for the request under way, of which a decoder knows that it needs so many bytes at least, and expects so many
   * in all.
   *
   * @throws {ProtocolError} when the memory of all clients has no room for it
   */
  prepare({ needed, expected }: { readonly needed: number; readonly expected: number }): void {
    // What is needed for the next argument alone would make all of it move again and again.
    if (expected > needed) this.#expect(expected);
    else if (needed > READ_BUFFER_BATCH_BYTES) this.reserve(needed);
    // Else the next room would make all of it move at once.
    const isFull = this.end === this.buffer.length && this.end - this.start > MOVED_AT_ONCE_BYTES;
    if (isFull && this.#grown === undefined) this.#growInParts(this.buffer.length * 2);
  }

  /** Whether much is to be moved to a larger buffer. Who can wait calls {@linkcode move}; else the next room moves all of it. */
  get isMoving(): boolean {
    return this.#grown !== undefined;
  }

  /** Moves what is unread to a larger buffer, a part in each turn. */
  async move(turns: ReadTurns): Promise<void> {
    while (!this.#movePart()) await turns.readTurn();
  }

  /** Moves a part, and returns whether that was the last. */
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

  /** As `reserve`. Where clients hold much memory already, or little has arrived, nothing is done. */
  #expect(size: number): void {
    const unread = this.end - this.start;
    if (this.end < this.buffer.length || unread < RESERVE_ALL_BYTES || this.start + size <= this.buffer.length) return;
    if (this.#account.hasPlenty(size)) this.#growInParts(size);
  }

  #makeRoom(): void {
    const unread = this.end - this.start;
    // Moving is worth it while at least half of the buffer becomes free; else each byte would be moved many times.
    if (unread > this.buffer.length / 2) return this.#growFreeing(this.buffer.length * 2);
    this.buffer.copyWithin(0, this.start, this.end);
    this.start = 0;
    this.end = unread;
  }

  /** Whether there is memory for a larger buffer that only makes reading faster. */
  get #mayGrow(): boolean {
    return this.buffer.length < READ_BUFFER_TIGHT_BYTES || !this.#account.isTight;
  }

  /** Whether an empty buffer is given back: what large requests have left is kept only while there is memory to spare. */
  get #isTooLarge(): boolean {
    const size = this.buffer.length;
    return size > READ_BUFFER_BATCH_BYTES && (size > BUFFER_KEEP_MAX_BYTES || this.#account.isTight);
  }

  #growFreeing(size: number): void {
    freeBuffer(this.#grow(size, false));
  }

  /** As `#growFreeing`. Where much has to be moved, that is left to {@linkcode move}. */
  #growInParts(size: number): void {
    if (this.end - this.start <= MOVED_AT_ONCE_BYTES) return this.#growFreeing(size);
    this.#chargeGrowth(size, costOf(this.buffer));
    this.#grown = new Uint8Array(size);
    this.#movedBytes = 0;
  }

  /** Charges a buffer of `size`, less what another one was charged with that goes. */
  #chargeGrowth(size: number, lessBytes: number): void {
    const bytes = size - lessBytes;
    if (size <= READ_BUFFER_BATCH_BYTES) this.#account.force(Held.Request, bytes);
    else if (!this.#account.tryCharge(Held.Request, bytes)) {
      throw new ProtocolError(this.#account.refusal(Held.Request));
    }
    this.#charged += bytes;
  }

  /**
   * Goes on with a larger buffer, and returns the one of before, which stays as it is.
   *
   * @param keepsOld whether that one is still needed, and stays charged
   */
  #grow(size: number, keepsOld: boolean): Uint8Array<ArrayBuffer> {
    const old = this.buffer;
    // For the moment of copying there are both of them, but of one connection at a time.
    this.#chargeGrowth(size, keepsOld ? 0 : costOf(old));
    const grown = new Uint8Array(size);
    grown.set(old.subarray(this.start, this.end));
    this.buffer = grown;
    this.end -= this.start;
    this.start = 0;
    return old;
  }

  /** Goes on with an empty buffer of `size`, which is always granted. Returns the one of before. */
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

  /** Frees the read buffer, for good: the connection has ended, and nobody borrows it. A read under way ends first. */
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
   * @throws what the socket throws when the connection is lost or was closed
   */
  write(bytes: Uint8Array): Promise<void> {
    return writeAll(this.#socket, bytes);
  }

  /** Closes the socket. Idempotent. Reads and writes under way reject. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeQuietly(this.#socket);
  }
}

/** What is charged for a read buffer: nothing for the first one, which every connection has. */
function costOf(buffer: Uint8Array): number {
  return buffer.length > READ_BUFFER_INITIAL_BYTES ? buffer.length : 0;
}
