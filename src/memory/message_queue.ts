/**
 * A queue of bytes to be written to one client: replies, and messages of channels, whose bytes many clients share.
 *
 * ```text
 * front    [ head ┊ tail ]  [ message ]  [ replies ]  [ 64 small messages, joined ]  [ message ]      end
 *            two pieces         one         one                   one                    one piece
 * ```
 *
 * For a client that keeps up nothing is copied: all clients write the same bytes. Consecutive small messages are
 * joined, so a client that does not keep up takes little more memory than the bytes of its messages.
 *
 * A message is written as a whole. Code that writes replies in between checks {@linkcode MessageQueue.isWithin} first.
 *
 * @module
 */

/** The largest size of a small piece, in bytes. */
const SMALL_MAX_BYTES = 1024;
/** The number of consecutive small pieces that are joined. */
const JOINED_COUNT = 64;
/** The largest piece that is written together with others, in bytes. */
const TOGETHER_MAX_BYTES = 16 * 1024;
/** The most bytes of several pieces that are written together. */
const WRITTEN_TOGETHER_BYTES = 64 * 1024;
/** The flag of a piece whose message continues in the next piece. */
const GOES_ON = 1;
/** The flag of a piece of a message. A piece without it consists of replies. */
const OF_MESSAGE = 2;

/** Bytes that several queues hold. Each queue charges its client with all of them. */
export class SharedBytes {
  readonly bytes: Uint8Array;
  #holders = 0;

  /** @param bytes the shared bytes, which must not change any more */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Adds a holder. Returns the bytes that are charged again for it, though they are held only once. */
  hold(): number {
    return ++this.#holders > 1 ? this.bytes.length : 0;
  }

  /** Removes a holder. Returns the bytes by which the repeated charges decrease. */
  release(): number {
    return --this.#holders > 0 ? this.bytes.length : 0;
  }
}

/** A piece in a linked list. Most queues hold at most one piece, which so takes one object. */
interface Piece {
  readonly bytes: Uint8Array;
  readonly flags: number;
  next: Piece | undefined;
  /** The object that counts the holders of these bytes, when other queues may hold them as well. */
  readonly shared?: SharedBytes;
}

/** The messages and replies that wait to be written to one client. */
export class MessageQueue {
  /** The bytes that wait. */
  size = 0;
  /** The bytes of messages that wait. */
  messagesSize = 0;
  /** The bytes of messages that were added after the last call of {@linkcode age}. */
  #freshSize = 0;
  #head: Piece | undefined;
  #tail: Piece | undefined;
  /** The bytes of the first piece that are taken already. */
  #offset = 0;
  /** The number of small pieces at the end that may be joined. */
  #smallCount = 0;
  /** The first of these small pieces. */
  #smallFirst: Piece | undefined;
  /** The piece before the first of these small pieces. */
  #beforeSmall: Piece | undefined;
  #isWithin = false;
  readonly #share: (bytes: number) => void;

  /**
   * @param share called with the bytes that are charged repeatedly, since another queue holds them too; negative when
   * they decrease
   */
  constructor(share: (bytes: number) => void = () => {}) {
    this.#share = share;
  }

  /** Whether the bytes taken last end within a message. */
  get isWithin(): boolean {
    return this.#isWithin;
  }

  /**
   * The bytes of waiting messages that came before the last call of {@linkcode age}: the client could have read them.
   */
  get agedSize(): number {
    return this.messagesSize - this.#freshSize;
  }

  /**
   * Marks all waiting messages as ones that the client can read. It is called when the queue is about to be written.
   */
  age(): void {
    this.#freshSize = 0;
  }

  /** Appends a message. The bytes are not copied, and must not change any more. */
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

  /** Joins the small pieces at the end into one. */
  #joinSmall(): void {
    const joined: Piece = { bytes: join(this.#smallFirst!, JOINED_COUNT), flags: OF_MESSAGE, next: undefined };
    if (this.#beforeSmall === undefined) this.#head = joined;
    else this.#beforeSmall.next = joined;
    this.#tail = joined;
    this.seal();
  }

  /** Ensures that pieces added later are not joined with the present ones. */
  seal(): void {
    this.#smallCount = 0;
    this.#smallFirst = this.#beforeSmall = undefined;
  }

  /**
   * Removes and returns the bytes to be written next: a part of a long piece, or several short ones. The caller must
   * not change them.
   *
   * @param maxBytes the most bytes to return
   * @returns the bytes; `undefined` when the queue is empty
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
    // The oldest messages are taken first.
    if (this.#freshSize > this.messagesSize) this.#freshSize = this.messagesSize;
  }

  /** Removes the first piece, whose link to the next one stays valid. */
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

  /** Removes everything. */
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

/** Returns the bytes of `count` pieces in one array. */
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
