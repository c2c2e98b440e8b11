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
/** Room for pieces that were taken is given back once there are so many of them. */
const TAKEN_MAX_COUNT = 256;

/** The message goes on with the next piece. */
const GOES_ON = 1;
/** The piece is of a message; of replies else. */
const OF_MESSAGE = 2;

/** See the module's comment. */
export class MessageQueue {
  /** Bytes that wait. */
  size = 0;
  /** Those of them that are of messages. */
  messagesSize = 0;
  /** Those of messages that came since {@linkcode age} was called. */
  #freshSize = 0;
  #pieces: Uint8Array[] = [];
  #flags: number[] = [];
  /** Pieces before this one were taken, and of it that many bytes. */
  #first = 0;
  #offset = 0;
  /** Small pieces at the end that may be joined. */
  #smallCount = 0;
  #isWithin = false;

  /** Whether what was taken last ends within a message. */
  get isWithin(): boolean {
    return this.#isWithin;
  }

  /** Bytes of messages that wait and came before the present turn of the event loop: the client could have read them. */
  get agedSize(): number {
    return Math.max(0, this.messagesSize - this.#freshSize);
  }

  /** Says that all messages that wait could have been read from now on. To be called when writing has its turn. */
  age(): void {
    this.#freshSize = 0;
  }

  /** Appends a message. The bytes never change; they are kept, not copied. */
  put(head: Uint8Array, tail: Uint8Array | undefined): void {
    const size = head.length + (tail?.length ?? 0);
    this.messagesSize += size;
    this.#freshSize += size;
    this.#push(head, tail === undefined ? OF_MESSAGE : OF_MESSAGE | GOES_ON);
    if (tail !== undefined) this.#push(tail, OF_MESSAGE);
  }

  /** Appends replies, which the queue owns from now on. */
  putReplies(replies: Uint8Array): void {
    this.#push(replies, 0);
  }

  #push(piece: Uint8Array, flags: number): void {
    this.#pieces.push(piece);
    this.#flags.push(flags);
    this.size += piece.length;
    if (flags !== OF_MESSAGE || piece.length > SMALL_MAX_BYTES) this.#smallCount = 0;
    else if (++this.#smallCount === JOINED_COUNT) this.#joinSmall();
  }

  /** Makes one piece of the small ones at the end. */
  #joinSmall(): void {
    const from = this.#pieces.length - JOINED_COUNT;
    const joined = join(this.#pieces, from, this.#pieces.length);
    this.#pieces.length = this.#flags.length = from;
    this.#pieces.push(joined);
    this.#flags.push(OF_MESSAGE);
    this.#smallCount = 0;
  }

  /** Sees to it that nothing that comes is joined with what is there. */
  seal(): void {
    this.#smallCount = 0;
  }

  /**
   * Takes out what is to be written next: a part of a long piece, or several short ones. The bytes must not be changed.
   *
   * @param maxBytes at most so many
   * @returns `undefined` when there is nothing
   */
  take(maxBytes: number): Uint8Array | undefined {
    const piece = this.#pieces[this.#first];
    if (piece === undefined) return undefined;
    const left = piece.length - this.#offset;
    const isAlone = this.#first + 1 === this.#pieces.length;
    if (isAlone || this.#offset > 0 || left > TOGETHER_MAX_BYTES || left >= maxBytes) return this.#takePart(maxBytes);
    return this.#takeSeveral(Math.min(maxBytes, WRITTEN_TOGETHER_BYTES));
  }

  #takePart(maxBytes: number): Uint8Array {
    const piece = this.#pieces[this.#first]!;
    const flags = this.#flags[this.#first]!;
    const offset = this.#offset;
    const size = Math.min(maxBytes, piece.length - offset);
    this.#count(size, flags);
    const isWhole = offset + size === piece.length;
    this.#isWithin = !isWhole || (flags & GOES_ON) !== 0;
    this.#offset = offset + size;
    if (isWhole) this.#drop(1);
    return size === piece.length ? piece : piece.subarray(offset, offset + size);
  }

  #takeSeveral(maxBytes: number): Uint8Array {
    const pieces = this.#pieces;
    let end = this.#first;
    for (let size = 0; end < pieces.length; end++) {
      size += pieces[end]!.length;
      if (size > maxBytes || pieces[end]!.length > TOGETHER_MAX_BYTES) break;
      this.#count(pieces[end]!.length, this.#flags[end]!);
    }
    this.#isWithin = (this.#flags[end - 1]! & GOES_ON) !== 0;
    const joined = end === this.#first + 1 ? pieces[this.#first]! : join(pieces, this.#first, end);
    this.#drop(end - this.#first);
    return joined;
  }

  #count(size: number, flags: number): void {
    this.size -= size;
    if ((flags & OF_MESSAGE) === 0) return;
    this.messagesSize -= size;
    // What came first is taken first.
    this.#freshSize = Math.min(this.#freshSize, this.messagesSize);
  }

  #drop(count: number): void {
    // Small pieces that are left can only be joined with each other.
    this.#smallCount = Math.min(this.#smallCount, this.#pieces.length - this.#first - count);
    for (let i = 0; i < count; i++) this.#pieces[this.#first++] = EMPTY;
    this.#offset = 0;
    if (this.#first === this.#pieces.length) {
      this.#pieces.length = this.#flags.length = this.#first = 0;
    } else if (this.#first >= TAKEN_MAX_COUNT && this.#first > this.#pieces.length / 2) {
      this.#pieces.splice(0, this.#first);
      this.#flags.splice(0, this.#first);
      this.#first = 0;
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#pieces = [];
    this.#flags = [];
    this.size =
      this.messagesSize =
      this.#freshSize =
      this.#first =
      this.#offset =
      this.#smallCount =
        0;
    this.#isWithin = false;
  }
}

const EMPTY = new Uint8Array(0);

function join(pieces: readonly Uint8Array[], from: number, to: number): Uint8Array {
  let size = 0;
  for (let i = from; i < to; i++) size += pieces[i]!.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (let i = from; i < to; i++) {
    joined.set(pieces[i]!, at);
    at += pieces[i]!.length;
  }
  return joined;
}
