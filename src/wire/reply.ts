/**
 * Replies, collected for one write.
 *
 * A command gives its reply to a `Reply` as values (an integer, bytes, a map…); the protocol of the connection decides
 * which bytes are written. The replies of all commands of one read batch follow one another, and nothing is allocated
 * per reply.
 *
 * ```text
 * nearly always   buffer   [ reply | reply | reply … | room ]           one buffer, which doubles; one write
 *                                                    length
 *
 * long replies    chunks   [ reply | rep ] [ ly … ] [ …    ]            finished, written first
 *                 buffer   [ … | room ]                                 the chunk being filled
 *                              length
 * ```
 *
 * A buffer that would have to grow beyond `REPLY_CHUNK_BYTES` becomes a finished chunk, and another one is begun. A
 * larger value gets a chunk of its size. So bytes are not copied again however long a reply gets, and no step takes
 * longer than one chunk. The length of a frame and the count of an array may become known later; they are filled in
 * wherever their place is by then.
 *
 * Buffers larger than the first one are charged to the account of the client, and freed as soon as they are written.
 * When the memory is not there, the command is refused while it replies. A short reply is never refused, because its
 * command may have changed something.
 *
 * The size of an aggregate comes first: `map(2)` is followed by exactly four values.
 *
 * The reply to `exec` is an array of items, each the reply to one command, which may be an error. `openItem` and
 * `closeItem` enclose each item, and `error` between them discards what was written of this item and no more.
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
/** The most bytes that either protocol adds to a value. */
const VALUE_OVERHEAD_MAX_BYTES = 16;
/** A buffer that is filled to less than 1/64 is copied into the next one: it is not worth a write. */
const CHUNK_WORTHY_SHARE = 64;

const EMPTY = new Uint8Array(0);

/** Returns the charge for a buffer, or for the buffer of a chunk; 0 for one of the initial size. */
function costOf({ buffer }: Uint8Array<ArrayBuffer>): number {
  return buffer.byteLength > REPLY_BUFFER_INITIAL_BYTES ? buffer.byteLength : 0;
}

/** A writer of replies. A command writes one value, or one aggregate and its values. */
export abstract class Reply {
  /** The chunk being filled. It is replaced when it is full, so read it after `reserve`. */
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(REPLY_BUFFER_INITIAL_BYTES);
  /** The number of bytes of {@linkcode buffer} that are filled. */
  length = 0;
  /** A view on {@linkcode buffer}, for numbers of several bytes and for copies of eight bytes at a time. */
  view: DataView = new DataView(this.buffer.buffer);
  /** The start of the reply to the running command, in the chunk {@linkcode begunChunk}. */
  protected begun = 0;
  /** The index of the finished chunk in which the reply to the running command begins; -1 for {@linkcode buffer}. */
  protected begunChunk = -1;
  readonly #chunkBytes: number;
  readonly #sizeMaxBytes: number;
  readonly #account: ClientAccount;
  /** The chunk that {@linkcode takeChunk} returned last, as long as it is charged. */
  #taken: Uint8Array<ArrayBuffer> | undefined;
  /** The finished chunks. */
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #chunksSize = 0;
  /** The part of `#chunksSize` that belongs to the reply to the running command. */
  #begunSize = 0;
  /** The place of the array whose count is not known yet: the index of its chunk, and its start there. */
  #openChunk = 0;
  #openAt = 0;
  /** The place of the item being written: the index of its chunk, or -1 without an item, and its start there. */
  #itemChunk = -1;
  #itemAt = 0;
  /** The size of all replies when the item began. */
  #itemSize = 0;

  /**
   * @param chunkBytes the largest chunk, unless a single value is larger; `Infinity` keeps everything in one buffer
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

  /** The size of all replies of the batch, in bytes. */
  get size(): number {
    return this.#chunksSize + this.length;
  }

  /** Starts the reply to the next command. */
  abstract begin(): void;
  /** Completes the reply to the command. */
  abstract end(): void;
  /** Writes `OK`. */
  abstract ok(): void;
  /** Writes one of the server's own words, such as `PONG` or the name of a type. ASCII. */
  abstract status(word: string): void;
  /** Writes a safe integer. */
  abstract integer(value: number): void;
  /** Writes a 64-bit signed integer. */
  abstract integer64(value: bigint): void;
  /** Writes a double, with up to 17 digits, or `inf`, `-inf`, `nan`. */
  abstract double(value: number): void;
  /** Writes nil. */
  abstract nil(): void;
  /** Writes nil where an array is expected. */
  abstract nilArray(): void;
  /**
   * Begins and ends a value of `length` bytes, which the caller writes at the returned position of {@linkcode buffer}
   * before anything else.
   */
  abstract reserve(length: number): number;
  /** Begins an array of `count` values. */
  abstract array(count: number): void;
  /** Begins an array or a set, whose count {@linkcode closeArray} or {@linkcode closeSet} fills in. One at a time. */
  abstract openArray(): void;
  /** Fills in the number of values that have followed {@linkcode openArray}. */
  abstract closeArray(count: number): void;
  /** Makes a set of the different values that have followed {@linkcode openArray}, and fills in their number. */
  abstract closeSet(count: number): void;
  /** Begins a map of `count` pairs, each a key and a value. */
  abstract map(count: number): void;
  /** Begins a set of `count` values. */
  abstract set(count: number): void;
  /** Begins a message of `count` values about an event, which is not a reply to a command. */
  abstract push(count: number): void;
  /** Writes text for people, to be shown unchanged. */
  abstract verbatim(text: string): void;
  /** Whether the protocol has maps and doubles, and its clients expect pairs as arrays within an array. */
  abstract get isRich(): boolean;
  /** Discards what the running command, or the open item, has written, and writes an error. */
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

  /** Writes a copy of `source[start, start + length)`. */
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

  /** Writes text as bytes of UTF-8. */
  text(value: string): void {
    const encoded = encodeText(value);
    this.bytes(encoded, 0, encoded.length);
  }

  /**
   * Makes room for `count` values of `size` bytes in total, so that writing them cannot fail half way. For commands
   * that remove the values that they reply with.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`, or the memory of all
   * clients
   */
  prepare(count: number, size: number): void {
    this.grow(size + count * VALUE_OVERHEAD_MAX_BYTES);
  }

  /**
   * Announces that `count` values of `size` bytes in total will follow, so that a reply that is too long is refused
   * before anything is copied. For commands that know their values in advance. Room is made as the values follow.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`, or the memory of all
   * clients
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

  /** Begins a value of `length` bytes, which follow by {@linkcode piece}; {@linkcode closeBytes} ends it. */
  abstract openBytes(length: number): void;

  /** Makes room for `length` bytes, which the caller writes at the returned position before anything else. */
  piece(length: number): number {
    this.grow(length);
    const at = this.length;
    this.length += length;
    return at;
  }

  /** Ends the value that {@linkcode openBytes} began. */
  abstract closeBytes(): void;

  /**
   * Takes out the first finished chunk. The finished chunks precede {@linkcode buffer}. The chunk taken out before is
   * freed, as it was written. Call this only between commands.
   *
   * @returns `undefined` when there is none
   */
  takeChunk(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#taken !== undefined) this.#free(this.#taken);
    const chunk = this.#taken = this.#chunks.shift();
    if (chunk !== undefined) this.#chunksSize -= chunk.length;
    return chunk;
  }

  /**
   * Returns all replies of the batch in one piece: the buffer itself, borrowed until the next call, or a copy of the
   * chunks.
   */
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

  /** Discards all replies after they were written, and frees a large buffer. */
  clear(): void {
    this.length = 0;
    this.begun = 0;
    this.#itemChunk = -1;
    if (this.#chunksSize !== 0) this.#dropChunks(0);
    if (this.buffer.length > READ_BUFFER_BATCH_BYTES) this.#shrink();
  }

  /**
   * Takes out all replies in one piece. The caller owns a long piece; a short one is borrowed until the next reply is
   * written.
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
   * Takes out all replies, in pieces that the caller owns and that are no longer charged here. Nothing may be written
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

  /**
   * Frees a very large buffer, and any larger than the initial one when memory is short. All replies must have been
   * written.
   */
  #shrink(): void {
    if (this.buffer.length <= BUFFER_KEEP_MAX_BYTES && !this.#account.isTight) return;
    this.#free(this.buffer);
    this.#use(new Uint8Array(REPLY_BUFFER_INITIAL_BYTES));
  }

  /** Frees all memory, after the connection has ended. */
  free(): void {
    this.length = this.begun = 0;
    if (this.#taken !== undefined) this.#free(this.#taken);
    this.#taken = undefined;
    this.#dropChunks(0);
    this.#free(this.buffer);
    this.#use(EMPTY);
  }

  /** Frees a buffer, or the buffer of a chunk. */
  #free(chunk: Uint8Array<ArrayBuffer>): void {
    this.#account.release(Held.Reply, costOf(chunk));
    giveSpare(chunk);
  }

  /** The number of bytes that the running command has written. */
  protected get said(): number {
    return this.begunChunk === -1 ? this.length - this.begun : this.#begunSize + this.length;
  }

  /** Fills in a 32-bit number in a finished chunk, or in `buffer` for any other index. */
  protected patch(chunk: number, at: number, value: number): void {
    write32(chunk >= 0 && chunk < this.#chunks.length ? this.#chunks[chunk]! : this.buffer, at, value);
  }

  /** Records that an array whose count is not known yet begins at `length`. */
  protected markArray(): void {
    this.#openChunk = this.#chunks.length;
    this.#openAt = this.length;
  }

  /** Fills in a 32-bit number `offset` bytes after the place where {@linkcode markArray} was called. */
  protected patchArray(offset: number, value: number): void {
    this.patch(this.#openChunk, this.#openAt + offset, value);
  }

  /**
   * Replaces the `reserved` bytes at the place where {@linkcode markArray} was called by the first `length` bytes of
   * `head`, which are at most as many, and closes the gap by moving what follows them in their chunk.
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

  /** Whether an item is open. */
  protected get isInItem(): boolean {
    return this.#itemChunk !== -1;
  }

  /** Discards what the running command, or the open item, has written. */
  rollback(): void {
    if (this.#itemChunk !== -1) {
      this.#cut(this.#itemChunk, this.#itemAt);
    } else if (this.begunChunk !== -1) {
      this.#cut(this.begunChunk, this.begun);
    } else {
      this.length = this.begun;
    }
  }

  /** Discards everything after `at` in a chunk, which becomes `buffer` if it was finished. */
  #cut(index: number, at: number): void {
    const chunk = this.#chunks[index];
    if (chunk !== undefined) {
      this.#dropChunks(index, chunk);
      this.#free(this.buffer);
      this.#use(new Uint8Array(chunk.buffer));
    }
    this.length = at;
  }

  /** Discards the finished chunks from `index` on, and frees them, except `kept`. */
  #dropChunks(index: number, kept?: Uint8Array): void {
    for (const chunk of this.#chunks.splice(index)) {
      this.#chunksSize -= chunk.length;
      this.#begunSize -= chunk.length;
      if (chunk !== kept) this.#free(chunk);
    }
    if (this.begunChunk >= index) this.begunChunk = -1;
  }

  /**
   * Makes room for `size` more bytes, contiguous.
   *
   * @throws {ReplyError} when the reply to this command would exceed `REPLY_SIZE_MAX_BYTES`, or the memory of all
   * clients
   */
  protected grow(size: number): void {
    if (this.length + size > this.buffer.length) this.#extend(size);
  }

  /**
   * Makes room for an error, after `rollback`. When there is no room even for that, the whole command is refused.
   *
   * @throws {ReplyError} as {@linkcode grow} does; then no item is open any more
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

  /**
   * Charges `bytes`, by which a buffer is larger than the one before it, to make room for `size` more bytes of a reply.
   */
  #charge(bytes: number, size: number): void {
    const said = this.isInItem ? this.size - this.#itemSize : this.said;
    if (said + size <= REPLY_UNREFUSED_MAX_BYTES) this.#account.force(Held.Reply, bytes);
    else this.#account.charge(Held.Reply, bytes);
  }

  #tooLong(): ReplyError {
    return new ReplyError("ERR", `reply exceeds ${this.#sizeMaxBytes} bytes; ask for less at a time`);
  }

  /** Makes the filled part of `buffer` a finished chunk. The caller replaces `buffer`. */
  #putAside(): void {
    if (this.begunChunk !== -1) {
      this.#begunSize += this.length;
    } else if (this.begun === this.length) {
      // The command has written nothing yet: its reply begins in the next chunk.
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

/**
 * Returns the message of an error without the line breaks at its end, as Redis sends it. Those within become blanks.
 */
export function withoutLastBreaks(message: string): string {
  return /[\r\n]$/.test(message) ? message.replace(/[\r\n]+$/, "") : message;
}
