/**
 * What waits to be written to one client, in order: messages of channels, whose bytes many clients share, and replies.
 *
 * ```text
 * front    [ head ┊ tail ]  [ message ]  [ replies ]  [ 64 small messages, joined ]  [ message ]      end
 *            a piece each       one         one                   one                    one
 * ```
 *
 * Nothing is copied where a client keeps up: it writes the bytes that others write as well. Small messages that wait behind
 * each other are joined, so that a client which does not keep up takes little more memory than its messages have bytes.
 *
 * A message is written as a whole: whoever writes replies in between asks {@linkcode MessageQueue.isWithin} first.
 *
 * @module
 */

/** Shorter pieces are small. */
const SMALL_MAX_BYTES = 1024;
/** So many small pieces are joined. */
const JOINED_COUNT = 64;
/** Pieces up to this size are written together, … */
const TOGETHER_MAX_BYTES = 16 * 1024;
/** … up to this size in all. */
const WRITTEN_TOGETHER_BYTES = 64 * 1024;
/** The message goes on with the next piece. */
const GOES_ON = 1;
/** The piece is of a message; of replies else. */
const OF_MESSAGE = 2;

/** Bytes that several queues hold, each of which charges its client with all of them. */
export class SharedBytes {
  readonly bytes: Uint8Array;
  #holders = 0;

  /** @param bytes never change from now on */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Takes note of one more holder. Returns the bytes that are charged once too often for that. */
  hold(): number {
    return ++this.#holders > 1 ? this.bytes.length : 0;
  }

  /** Takes note of one holder less. Returns what {@linkcode hold} has returned for it. */
  release(): number {
    return --this.#holders > 0 ? this.bytes.length : 0;
  }
}

/** A piece, and what stands after it. A list, since a queue mostly holds one piece or none: that takes one object. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly flags: number;
  next: Piece | undefined;
  /** Whose bytes they are, where other queues may hold them as well. */
  readonly shared?: SharedBytes;
}

/** See the module's comment. */
export class MessageQueue {
  /** Bytes that wait. */
  size = 0;
  /** Those of them that are of messages. */
  messagesSize = 0;
  /** Those of messages that came since {@linkcode age} was called. */
  #freshSize = 0;
  #head: Piece | undefined;
  #tail: Piece | undefined;
  /** Bytes of the first piece that were taken. */
  #offset = 0;
  /** Small pieces at the end that may be joined: how many, the first of them, and what stands before that. */
  #smallCount = 0;
  #smallFirst: Piece | undefined;
  #beforeSmall: Piece | undefined;
  #isWithin = false;
  readonly #share: (bytes: number) => void;

  /** @param share told how many bytes are charged once too often, since another queue holds them too; fewer if negative */
  constructor(share: (bytes: number) => void = () => {}) {
    this.#share = share;
  }

  /** Whether what was taken last ends within a message. */
  get isWithin(): boolean {
    return this.#isWithin;
  }

  /** Bytes of messages that wait and came before the present turn of the event loop: the client could have read them. */
  get agedSize(): number {
    return this.messagesSize - this.#freshSize;
  }

  /** Says that all messages that wait could have been read from now on. To be called when writing has its turn. */
  age(): void {
    this.#freshSize = 0;
  }

  /** Appends a message. The bytes never change; they are kept, not copied. */
  put(head: Uint8Array, tail: SharedBytes | undefined): void {
    const size = head.length + (tail === undefined ? 0 : tail.bytes.length);
    this.messagesSize += size;
    this.#freshSize += size;
    this.#push(head, tail === undefined ? OF_MESSAGE : OF_MESSAGE | GOES_ON);
    if (tail === undefined) return;
    const double = tail.hold();
    if (double > 0) this.#share(double);
    this.#push(tail.bytes, OF_MESSAGE, tail);
  }

  /** Appends replies, which the queue owns from now on. */
  putReplies(replies: Uint8Array): void {
    this.#push(replies, 0);
  }

  #push(bytes: Uint8Array, flags: number, shared?: SharedBytes): void {
    const piece: Piece = shared === undefined
      ? { bytes, flags, next: undefined }
      : { bytes, flags, next: undefined, shared };
    const before = this.#tail;
    if (before === undefined) this.#head = piece;
    else before.next = piece;
    this.#tail = piece;
    this.size += bytes.length;
    if (flags !== OF_MESSAGE || bytes.length > SMALL_MAX_BYTES) {
      this.#smallCount = 0;
      return;
    }
    if (this.#smallCount === 0) {
      this.#smallFirst = piece;
      this.#beforeSmall = before;
    }
    if (++this.#smallCount === JOINED_COUNT) this.#joinSmall();
  }

  /** Makes one piece of the small ones at the end. */
  #joinSmall(): void {
    const joined: Piece = { bytes: join(this.#smallFirst!, JOINED_COUNT), flags: OF_MESSAGE, next: undefined };
    if (this.#beforeSmall === undefined) this.#head = joined;
    else this.#beforeSmall.next = joined;
    this.#tail = joined;
    this.seal();
  }

  /** Sees to it that nothing that comes is joined with what is there. */
  seal(): void {
    this.#smallCount = 0;
    this.#smallFirst = this.#beforeSmall = undefined;
  }

  /**
   * Takes out what is to be written next: a part of a long piece, or several short ones. The bytes must not be changed.
   *
   * @param maxBytes at most so many
   * @returns `undefined` when there is nothing
   */
  take(maxBytes: number): Uint8Array | undefined {
    const piece = this.#head;
    if (piece === undefined) return undefined;
    const { length } = piece.bytes;
    const isAlone = piece.next === undefined || piece.next.bytes.length > TOGETHER_MAX_BYTES;
    if (isAlone || this.#offset > 0 || length > TOGETHER_MAX_BYTES || length >= maxBytes) {
      return this.#takePart(piece, maxBytes);
    }
    return this.#takeSeveral(piece, Math.min(maxBytes, WRITTEN_TOGETHER_BYTES));
  }

  #takePart(piece: Piece, maxBytes: number): Uint8Array {
    const { bytes } = piece;
    const offset = this.#offset;
    const end = Math.min(bytes.length, offset + maxBytes);
    this.#count(end - offset, piece.flags);
    this.#isWithin = end < bytes.length || (piece.flags & GOES_ON) !== 0;
    this.#offset = end;
    if (end === bytes.length) this.#drop(piece);
    return end - offset === bytes.length ? bytes : bytes.subarray(offset, end);
  }

  #takeSeveral(first: Piece, maxBytes: number): Uint8Array {
    let count = 0;
    let size = 0;
    for (let piece: Piece | undefined = first; piece !== undefined; piece = piece.next) {
      const { length } = piece.bytes;
      if (count > 0 && (size + length > maxBytes || length > TOGETHER_MAX_BYTES)) break;
      size += length;
      count++;
      this.#count(length, piece.flags);
      this.#isWithin = (piece.flags & GOES_ON) !== 0;
      this.#drop(piece);
    }
    return count === 1 ? first.bytes : join(first, count);
  }

  #count(size: number, flags: number): void {
    this.size -= size;
    if ((flags & OF_MESSAGE) === 0) return;
    this.messagesSize -= size;
    // What came first is taken first.
    if (this.#freshSize > this.messagesSize) this.#freshSize = this.messagesSize;
  }

  /** Drops the first piece. It still says what stands after it. */
  #drop(piece: Piece): void {
    this.#release(piece);
    this.#head = piece.next;
    this.#offset = 0;
    if (piece.next === undefined) this.#tail = undefined;
    if (piece === this.#beforeSmall) this.#beforeSmall = undefined;
    if (piece !== this.#smallFirst) return;
    this.#smallFirst = piece.next;
    this.#smallCount--;
  }

  #release({ shared }: Piece): void {
    const double = shared?.release() ?? 0;
    if (double > 0) this.#share(-double);
  }

  /** Forgets everything. */
  clear(): void {
    for (let piece = this.#head; piece !== undefined; piece = piece.next) this.#release(piece);
    this.#head = this.#tail = undefined;
    this.size =
      this.messagesSize =
      this.#freshSize =
      this.#offset =
        0;
    this.#isWithin = false;
    this.seal();
  }
}

/** The bytes of so many pieces, side by side. */
function join(first: Piece, count: number): Uint8Array {
  let size = 0;
  let piece = first;
  for (let i = 0; i < count; i++) {
    size += piece.bytes.length;
    if (i + 1 < count) piece = piece.next!;
  }
  const joined = new Uint8Array(size);
  let at = 0;
  piece = first;
  for (let i = 0; i < count; i++) {
    joined.set(piece.bytes, at);
    at += piece.bytes.length;
    if (i + 1 < count) piece = piece.next!;
  }
  return joined;
}
