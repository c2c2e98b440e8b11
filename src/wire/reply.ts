/**
 * Replies, collected for one write.
 *
 * A command tells its answer to a `Reply` in terms of meaning (an integer, a bulk of bytes, a map…); the protocol of
 * the connection decides which bytes that is. Replies of all commands of one read batch stand one behind another, and
 * nothing is allocated per reply.
 *
 * ```text
 * nearly always   buffer   [ reply | reply | reply … | room ]           one buffer, which doubles; one write
 *                                                    length
 *
 * much said       chunks   [ reply | rep ] [ ly … ] [ …    ]            finished, written first
 *                 buffer   [ … | room ]                                 the chunk being filled
 *                              length
 * ```
 *
 * A buffer that would have to grow beyond `REPLY_CHUNK_BYTES` is put aside as a finished chunk, and another one is begun;
 * a value larger than that gets a chunk of its own size. So what was written is not copied again however long a reply
 * gets, and no step takes longer than a chunk does. What is told later than it stands (the length of a frame, the count
 * of an array) is filled in wherever it went.
 *
 * Buffers larger than the first one are charged to the account of the client, and freed at once when they were written. What is
 * refused then is the command, while it is told. A short reply is never refused: its command may have changed something.
 *
 * An aggregate is told head first: `map(2)` is followed by exactly four values.
 *
 * The reply to `exec` is an array of items, each the reply to one command, which may be a refusal. `openItem` and `closeItem`
 * stand around each, and `error` between them forgets what the item has said and no more.
 *
 * @module
 */

import { copyBytes, encodeText, write32 } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import {
  BUFFER_KEEP_MAX_BYTES,
  READ_BUFFER_BATCH_BYTES,
  REPLY_BUFFER_INITIAL_BYTES,
  REPLY_CHUNK_BYTES,
  REPLY_SIZE_MAX_BYTES,
  REPLY_UNREFUSED_MAX_BYTES,
} from "../limits.ts";
import { type ClientAccount, Held, UNLIMITED_ACCOUNT } from "../memory/client_memory.ts";
import { giveSpare, takeSpare } from "../memory/spare_chunks.ts";
/** Most bytes that any protocol puts around a value. */
const VALUE_OVERHEAD_MAX_BYTES = 16;
/** A buffer of which less than one part in so many is filled is copied into the next: it is not worth a write. */
const CHUNK_WORTHY_SHARE = 64;

const EMPTY = new Uint8Array(0);

/** What is charged for a buffer, or the one that a chunk is part of: nothing for the first one. */
function costOf({ buffer }: Uint8Array<ArrayBuffer>): number {
  return buffer.byteLength > REPLY_BUFFER_INITIAL_BYTES ? buffer.byteLength : 0;
}

/** What a command says its answer to. One value a command, unless it announced an aggregate. */
export abstract class Reply {
  /** The chunk being filled, up to {@linkcode length}. Replaced when it is full, so read it after `reserve`. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(REPLY_BUFFER_INITIAL_BYTES);
  /** Bytes of {@linkcode buffer} that are filled. */
  length = 0;
  /** {@linkcode buffer} for numbers of several bytes, and for copies of eight at a time. Replaced with it. */
  view: DataView = new DataView(this.buffer.buffer);
  /** Where the reply to the command now running begins, in the chunk that {@linkcode begunChunk} tells. */
  protected begun = 0;
  /** Which of the finished chunks the reply to the command now running begins in; -1 while that is {@linkcode buffer}. */
  protected begunChunk = -1;
  readonly #chunkBytes: number;
  readonly #sizeMaxBytes: number;
  readonly #account: ClientAccount;
  /** The chunk that {@linkcode takeChunk} has taken out last, while it is charged. */
  #taken: Uint8Array<ArrayBuffer> | undefined;
  /** The finished chunks. */
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #chunksSize = 0;
  /** The part of `#chunksSize` that the reply to the command now running has. */
  #begunSize = 0;
  /** Where the array begins whose count is not known yet: its chunk's index and its place in it. */
  #openChunk = 0;
  #openAt = 0;
  /** Where the item begins that is being told: its chunk's index, -1 when there is none, and its place in it. */
  #itemChunk = -1;
  #itemAt = 0;
  /** What had been told when it began. */
  #itemSize = 0;

  /**
   * @param chunkBytes what a chunk is at most, unless a single value is larger; `Infinity` keeps all in one buffer
   * @param sizeMaxBytes the largest reply to one command
   * @param account is charged for the buffers
   */
  constructor(
    chunkBytes: number = REPLY_CHUNK_BYTES,
    sizeMaxBytes: number = REPLY_SIZE_MAX_BYTES,
    account: ClientAccount = UNLIMITED_ACCOUNT,
  ) {
    this.#account = account;
    this.#chunkBytes = chunkBytes;
    this.#sizeMaxBytes = sizeMaxBytes;
  }

  /** Bytes of all replies of the batch. */
  get size(): number {
    return this.#chunksSize + this.length;
  }

  /** Starts the reply to the next command. */
  abstract begin(): void;
  /** Completes the reply to the command. */
  abstract end(): void;
  /** Answers `OK`. */
  abstract ok(): void;
  /** Answers a word of the server's own, such as `PONG` or a type's name. ASCII. */
  abstract status(word: string): void;
  /** Answers a safe integer. */
  abstract integer(value: number): void;
  /** Answers a 64-bit signed integer. */
  abstract integer64(value: bigint): void;
  /** Answers a number that need not be whole, with 17 digits where it takes so many, or `inf`, `-inf`, `nan`. */
  abstract double(value: number): void;
  /** Answers that there is nothing. */
  abstract nil(): void;
  /** Answers that there is nothing where an array is expected. */
  abstract nilArray(): void;
  /**
   * Answers `length` bytes, which the caller writes at the returned position of {@linkcode buffer} at once.
   */
  abstract reserve(length: number): number;
  /** Begins an array of `count` values. */
  abstract array(count: number): void;
  /** Begins an array whose count {@linkcode closeArray} tells. One at a time. */
  abstract openArray(): void;
  /** Tells how many values have followed {@linkcode openArray}. */
  abstract closeArray(count: number): void;
  /** Begins a map of `count` pairs, each a key and a value. */
  abstract map(count: number): void;
  /** Begins a set of `count` values. */
  abstract set(count: number): void;
  /** Begins a message of `count` values, which is no reply to a command but about what happened elsewhere. */
  abstract push(count: number): void;
  /** Answers text for people to read as it is. */
  abstract verbatim(text: string): void;
  /** Whether the protocol has maps and doubles, and clients expect pairs to be arrays within an array. */
  abstract get isRich(): boolean;
  /** Answers a refusal, and forgets what this command, or the item being told, has said so far. */
  abstract error(code: ReplyCode, message: string): void;

  /** Begins an item: the reply to one of the commands that this one runs. One at a time. */
  openItem(): void {
    this.#itemChunk = this.#chunks.length;
    this.#itemAt = this.length;
    this.#itemSize = this.size;
  }

  /** Completes an item. */
  closeItem(): void {
    this.#itemChunk = -1;
  }

  /** Answers a copy of `source[start, start + length)`. */
  bytes(source: Uint8Array, start: number, length: number): void {
    const at = this.reserve(length);
    copyBytes(source, start, this.buffer, at, length);
  }

  /** Appends `source[start, start + length)` as it is: whole values, in this protocol already. */
  raw(source: Uint8Array, start: number, length: number): void {
    this.grow(length);
    copyBytes(source, start, this.buffer, this.length, length);
    this.length += length;
  }

  /** Answers text as bytes of UTF-8. */
  text(value: string): void {
    const encoded = encodeText(value);
    this.bytes(encoded, 0, encoded.length);
  }

  /**
   * Makes room for `count` values of `size` bytes in all, so that answering with them cannot fail half way. For
   * commands that take away what they answer with.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`, or the memory of all clients
   */
  prepare(count: number, size: number): void {
    this.grow(size + count * VALUE_OVERHEAD_MAX_BYTES);
  }

  /**
   * Says that `count` values of `size` bytes in all will follow, so that a reply which is too long is refused before anything of
   * it is copied. For commands that know what they will answer with. Room is made as the values come.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`, or the memory of all clients
   */
  announce(count: number, size: number): void {
    const total = size + count * VALUE_OVERHEAD_MAX_BYTES;
    const missing = total - (this.buffer.length - this.length);
    if (missing <= 0) return;
    if (total > this.#sizeMaxBytes - this.said) throw this.#tooLong();
    if (total <= REPLY_UNREFUSED_MAX_BYTES) return;
    this.#account.charge(Held.Reply, missing);
    this.#account.release(Held.Reply, missing);
  }

  /** Begins a value of `length` bytes, which are told by {@linkcode piece}; {@linkcode closeBytes} ends it. */
  abstract openBytes(length: number): void;

  /** Takes the next `length` bytes, which the caller writes at the returned position of {@linkcode buffer} at once. */
  piece(length: number): number {
    this.grow(length);
    const at = this.length;
    this.length += length;
    return at;
  }

  /** Ends the value that {@linkcode openBytes} has begun. */
  abstract closeBytes(): void;

  /**
   * Takes out the first of the finished chunks, which stand before what {@linkcode buffer} holds. The one taken out before is
   * freed: it was written. Only between commands.
   *
   * @returns `undefined` when there is none
   */
  takeChunk(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#taken !== undefined) this.#free(this.#taken);
    const chunk = this.#taken = this.#chunks.shift();
    if (chunk !== undefined) this.#chunksSize -= chunk.length;
    return chunk;
  }

  /** All replies of the batch in one piece: borrowed until something changes where they are in one chunk, else a copy. */
  contents(): Uint8Array<ArrayBuffer> {
    const last = this.buffer.subarray(0, this.length);
    if (this.#chunks.length === 0) return last;
    const joined = new Uint8Array(this.size);
    let at = 0;
    for (const chunk of [...this.#chunks, last]) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    return joined;
  }

  /** Forgets all replies after they were written; a large buffer is given back. */
  clear(): void {
    this.length = 0;
    this.begun = 0;
    this.#itemChunk = -1;
    if (this.#chunksSize !== 0) this.#dropChunks(0);
    if (this.buffer.length > READ_BUFFER_BATCH_BYTES) this.#shrink();
  }

  /**
   * Takes out all that was told, in one piece, and begins anew. A long one is the caller's; a short one is borrowed until the
   * next is told.
   */
  takeContents(): Uint8Array<ArrayBuffer> {
    const contents = this.contents();
    if (this.#chunksSize === 0 && this.buffer.length > BUFFER_KEEP_MAX_BYTES) {
      this.#account.release(Held.Reply, costOf(this.buffer));
      this.#use(new Uint8Array(REPLY_BUFFER_INITIAL_BYTES));
    }
    this.clear();
    return contents;
  }

  /**
   * Takes out all that was told, in pieces which are the caller's, and not charged here any more. Nothing is to be told
   * afterwards.
   */
  takePieces(): Uint8Array<ArrayBuffer>[] {
    const pieces = this.#chunks;
    if (this.length > 0) pieces.push(this.buffer.subarray(0, this.length));
    for (const piece of pieces) this.#account.release(Held.Reply, costOf(piece));
    this.#chunks = [];
    this.#chunksSize = 0;
    this.length = this.begun = 0;
    this.#use(EMPTY);
    return pieces;
  }

  /** Gives a large buffer back; one that is not very large only where memory is needed. Nothing may have been told. */
  #shrink(): void {
    if (this.buffer.length <= BUFFER_KEEP_MAX_BYTES && !this.#account.isTight) return;
    this.#free(this.buffer);
    this.#use(new Uint8Array(REPLY_BUFFER_INITIAL_BYTES));
  }

  /** Gives all memory back, for good: its connection has ended. */
  free(): void {
    this.length = this.begun = 0;
    if (this.#taken !== undefined) this.#free(this.#taken);
    this.#taken = undefined;
    this.#dropChunks(0);
    this.#free(this.buffer);
    this.#use(EMPTY);
  }

  /** Frees a buffer, or the one that a chunk is part of. */
  #free(chunk: Uint8Array<ArrayBuffer>): void {
    this.#account.release(Held.Reply, costOf(chunk));
    giveSpare(chunk);
  }

  /** Bytes that the command now running has said. */
  protected get said(): number {
    return this.begunChunk === -1 ? this.length - this.begun : this.#begunSize + this.length;
  }

  /** Fills in a 32-bit number in a chunk: a finished one, or else `buffer`. */
  protected patch(chunk: number, at: number, value: number): void {
    write32(chunk >= 0 && chunk < this.#chunks.length ? this.#chunks[chunk]! : this.buffer, at, value);
  }

  /** Takes note that an array begins at `length` whose count is not known yet. */
  protected markArray(): void {
    this.#openChunk = this.#chunks.length;
    this.#openAt = this.length;
  }

  /** Fills in a 32-bit number `offset` bytes behind where {@linkcode markArray} was called. */
  protected patchArray(offset: number, value: number): void {
    this.patch(this.#openChunk, this.#openAt + offset, value);
  }

  /**
   * Replaces the `reserved` bytes at the place where {@linkcode markArray} was called by the first `length` bytes of
   * `head`, which are not more, and moves what follows them in their chunk up to it.
   */
  protected spliceArray(reserved: number, head: Uint8Array, length: number): void {
    const isFinished = this.#openChunk < this.#chunks.length;
    const chunk = isFinished ? this.#chunks[this.#openChunk]! : this.buffer;
    const at = this.#openAt;
    const moved = reserved - length;
    for (let i = 0; i < length; i++) chunk[at + i] = head[i]!;
    if (!isFinished) {
      chunk.copyWithin(at + length, at + reserved, this.length);
      this.length -= moved;
    } else {
      chunk.copyWithin(at + length, at + reserved);
      this.#chunks[this.#openChunk] = chunk.subarray(0, chunk.length - moved);
      this.#chunksSize -= moved;
      this.#begunSize -= moved;
    }
  }

  /** Whether an item is being told. */
  protected get isInItem(): boolean {
    return this.#itemChunk !== -1;
  }

  /** Forgets what the command now running, or the item being told, has said. */
  rollback(): void {
    if (this.#itemChunk !== -1) {
      this.#cut(this.#itemChunk, this.#itemAt);
    } else if (this.begunChunk !== -1) {
      this.#cut(this.begunChunk, this.begun);
    } else {
      this.length = this.begun;
    }
  }

  /** Forgets what stands behind `at` in a chunk, which becomes `buffer` if it was finished. */
  #cut(index: number, at: number): void {
    const chunk = this.#chunks[index];
    if (chunk !== undefined) {
      this.#dropChunks(index, chunk);
      this.#free(this.buffer);
      this.#use(new Uint8Array(chunk.buffer));
    }
    this.length = at;
  }

  /** Forgets the finished chunks from `index` on, and frees them but for `kept`. */
  #dropChunks(index: number, kept?: Uint8Array): void {
    for (const chunk of this.#chunks.splice(index)) {
      this.#chunksSize -= chunk.length;
      this.#begunSize -= chunk.length;
      if (chunk !== kept) this.#free(chunk);
    }
    if (this.begunChunk >= index) this.begunChunk = -1;
  }

  /**
   * Makes room for `size` more bytes, side by side.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`, or the memory of all clients
   */
  protected grow(size: number): void {
    if (this.length + size > this.buffer.length) this.#extend(size);
  }

  /**
   * Makes room for a refusal, behind `retract`. Where not even that has room, it is the whole command that is refused.
   *
   * @throws {ReplyError} as {@linkcode grow} does, and then there is no item any more
   */
  protected growForRefusal(size: number): void {
    try {
      this.grow(size);
    } catch (error) {
      this.#itemChunk = -1;
      throw error;
    }
  }

  #extend(size: number): void {
    const left = this.#sizeMaxBytes - this.said;
    if (size > left) throw this.#tooLong();
    const { buffer, length } = this;
    const isFull = length + size > this.#chunkBytes && length > this.#chunkBytes / CHUNK_WORTHY_SHARE;
    const kept = isFull ? 0 : length;
    // Never beyond the bound, so that spare room cannot carry a reply past it.
    const spare = Math.min(buffer.length * 2, this.#chunkBytes, kept + left);
    const grownSize = Math.max(kept + size, spare);
    this.#charge(grownSize - (isFull ? 0 : costOf(buffer)), size);
    const grown = takeSpare(grownSize);
    if (isFull) {
      this.#putAside();
    } else {
      grown.set(buffer.subarray(0, length));
      giveSpare(buffer);
    }
    this.#use(grown);
  }

  /** Charges what a buffer takes more than the one before, so that `size` bytes have room. */
  #charge(bytes: number, size: number): void {
    const said = this.isInItem ? this.size - this.#itemSize : this.said;
    if (said + size <= REPLY_UNREFUSED_MAX_BYTES) this.#account.force(Held.Reply, bytes);
    else this.#account.charge(Held.Reply, bytes);
  }

  #tooLong(): ReplyError {
    return new ReplyError("ERR", `reply exceeds ${this.#sizeMaxBytes} bytes; ask for less at a time`);
  }

  /** Puts the filled part of `buffer` aside as a finished chunk. The caller replaces `buffer`. */
  #putAside(): void {
    if (this.begunChunk !== -1) {
      this.#begunSize += this.length;
    } else if (this.begun === this.length) {
      // It has said nothing yet: it begins in the next chunk.
      this.begun = 0;
    } else {
      this.begunChunk = this.#chunks.length;
      this.#begunSize = this.length - this.begun;
    }
    this.#chunks.push(this.buffer.subarray(0, this.length));
    this.#chunksSize += this.length;
    this.length = 0;
  }

  #use(buffer: Uint8Array<ArrayBuffer>): void {
    this.buffer = buffer;
    this.view = new DataView(buffer.buffer);
  }
}

/** The message of an error as Redis tells it: line breaks at its end are left out; those within become blanks. */
export function withoutLastBreaks(message: string): string {
  return /[\r\n]$/.test(message) ? message.replace(/[\r\n]+$/, "") : message;
}
