/**
 * Blobs: values too large for their entry, as a chain of pieces.
 *
 * ```text
 * piece    word 0   next piece, or 0
 *          word 1   previous piece, or what owns the blob: an entry or a leaf
 *          word 2   bytes in this piece
 *          word 3   kind
 *          bytes
 * ```
 *
 * All pieces but the last ones fill a page each, so even the largest value needs no neighbouring pages, and nothing is
 * lost to fragmentation. The remaining bytes are in blocks whose rounding wastes less than an eighth.
 *
 * @module
 */

import { copyBytes, equalBytes } from "../bytes.ts";
import { BLOCK_SHARED_MAX_BYTES } from "../limits.ts";
import { type Arena, PAGE_BYTES } from "./arena.ts";
import { KIND_PIECE, kindOf, metaOf } from "./block.ts";

const HEADER_BYTES = 16;
const WORD_NEXT = 0;
const WORD_PREVIOUS = 1;
const WORD_SIZE = 2;
const WORD_KIND = 3;
/** The number of pieces after which an estimate takes the others for similar. */
const ESTIMATED_PIECES_COUNT = 8;
const PIECE_META = metaOf(KIND_PIECE);

/** Returns the size of the next piece, header included, for a value of which `rest` bytes are left. */
function pieceSize(arena: Arena, rest: number): number {
  const wanted = rest + HEADER_BYTES;
  if (wanted >= PAGE_BYTES) return PAGE_BYTES;
  if (wanted <= BLOCK_SHARED_MAX_BYTES || arena.roundedSize(wanted) - wanted <= wanted / 8) return wanted;
  return arena.sizeBelow(wanted);
}

/** The blobs of one arena. */
export class Blobs {
  readonly #arena: Arena;
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;

  constructor(arena: Arena) {
    this.#arena = arena;
    this.#words = arena.words;
    this.#bytes = arena.bytes;
  }

  /**
   * Copies `length` bytes (at least 1) into a new blob, and returns its first piece.
   *
   * @param owner the entry or leaf that will name the first piece
   */
  create(owner: number, source: Uint8Array, start: number, length: number): number {
    return this.#chain(owner, source, start, length);
  }

  #chain(previous: number, source: Uint8Array, start: number, length: number): number {
    const words = this.#words;
    let first = 0;
    while (length > 0) {
      const size = pieceSize(this.#arena, length);
      const piece = this.#arena.allocate(size);
      const count = Math.min(length, size - HEADER_BYTES);
      const word = piece * 2;
      words[word + WORD_NEXT] = 0;
      words[word + WORD_PREVIOUS] = previous;
      words[word + WORD_SIZE] = count;
      words[word + WORD_KIND] = PIECE_META;
      copyBytes(source, start, this.#bytes, piece * 8 + HEADER_BYTES, count);
      if (first === 0) first = piece;
      else words[previous * 2 + WORD_NEXT] = piece;
      previous = piece;
      start += count;
      length -= count;
    }
    return first;
  }

  /** Copies bytes `[from, from + length)` of a blob to `target` at `at`. */
  copy(first: number, from: number, target: Uint8Array, at: number, length: number): void {
    this.#eachRun(first, from, length, (run, count, passed) => copyBytes(this.#bytes, run, target, at + passed, count));
  }

  /**
   * Visits bytes `[from, from + length)` of a blob, which must exist, as contiguous runs of the arena.
   *
   * @param visit a function of where a run begins, its length, and the number of requested bytes before it
   */
  #eachRun(
    first: number,
    from: number,
    length: number,
    visit: (run: number, count: number, passed: number) => void,
  ): void {
    const words = this.#words;
    let passed = 0;
    for (let piece = first; passed < length; piece = words[piece * 2 + WORD_NEXT]!) {
      const size = words[piece * 2 + WORD_SIZE]!;
      if (from >= size) {
        from -= size;
        continue;
      }
      const count = Math.min(size - from, length - passed);
      visit(piece * 8 + HEADER_BYTES + from, count, passed);
      passed += count;
      from = 0;
    }
  }

  /** Returns whether a blob of `length` bytes equals these bytes. */
  equals(first: number, other: Uint8Array, start: number, length: number): boolean {
    const words = this.#words;
    const end = start + length;
    for (let piece = first; start < end; piece = words[piece * 2 + WORD_NEXT]!) {
      const size = words[piece * 2 + WORD_SIZE]!;
      if (!equalBytes(this.#bytes, piece * 8 + HEADER_BYTES, other, start, size)) return false;
      start += size;
    }
    return true;
  }

  /** Overwrites bytes `[from, from + length)` of a blob, which must exist. */
  overwrite(first: number, from: number, source: Uint8Array, start: number, length: number): void {
    this.#eachRun(first, from, length, (run, count, passed) => {
      copyBytes(source, start + passed, this.#bytes, run, count);
    });
  }

  /** Copies a blob, piece by piece, and returns the first piece of the copy. */
  clone(first: number, owner: number): number {
    const words = this.#words;
    let made = 0;
    let previous = owner;
    for (let from = first; from !== 0; from = words[from * 2 + WORD_NEXT]!) {
      const size = words[from * 2 + WORD_SIZE]!;
      const piece = this.#arena.allocate(HEADER_BYTES + size);
      words[piece * 2 + WORD_NEXT] = 0;
      words[piece * 2 + WORD_PREVIOUS] = previous;
      words[piece * 2 + WORD_SIZE] = size;
      words[piece * 2 + WORD_KIND] = PIECE_META;
      copyBytes(this.#bytes, from * 8 + HEADER_BYTES, this.#bytes, piece * 8 + HEADER_BYTES, size);
      if (made === 0) made = piece;
      else words[previous * 2 + WORD_NEXT] = piece;
      previous = piece;
    }
    return made;
  }

  /** Appends to a blob. Only its last piece is copied. Returns the first piece, which may be a new one. */
  append(first: number, source: Uint8Array, start: number, length: number): number {
    if (length === 0) return first;
    const words = this.#words;
    let last = first;
    while (words[last * 2 + WORD_NEXT] !== 0) last = words[last * 2 + WORD_NEXT]!;
    const size = words[last * 2 + WORD_SIZE]!;
    const room = Math.min(length, this.#arena.sizeAt(last) - HEADER_BYTES - size);
    copyBytes(source, start, this.#bytes, last * 8 + HEADER_BYTES + size, room);
    words[last * 2 + WORD_SIZE] = size + room;
    if (room === length) return first;
    if (size + room + HEADER_BYTES === PAGE_BYTES) {
      words[last * 2 + WORD_NEXT] = this.#chain(last, source, start + room, length - room);
      return first;
    }
    // The last piece is full and smaller than a page: new pieces replace it and hold the appended bytes as well.
    const previous = words[last * 2 + WORD_PREVIOUS]!;
    const joined = new Uint8Array(size + length);
    joined.set(this.#bytes.subarray(last * 8 + HEADER_BYTES, last * 8 + HEADER_BYTES + size));
    joined.set(source.subarray(start, start + length), size);
    const rest = this.#chain(previous, joined, 0, joined.length);
    this.#arena.free(last);
    if (last === first) return rest;
    words[previous * 2 + WORD_NEXT] = rest;
    return first;
  }

  /** Frees all pieces: a thousand for the largest value. Returns how many there were. */
  free(first: number): number {
    let count = 0;
    for (let piece = first; piece !== 0; count++) {
      const next = this.#words[piece * 2 + WORD_NEXT]!;
      this.#arena.free(piece);
      piece = next;
    }
    return count;
  }

  /** Updates the blob at `first` after its owner has moved to `owner`. */
  ownerMoved(first: number, owner: number): void {
    this.#words[first * 2 + WORD_PREVIOUS] = owner;
  }

  /**
   * Updates the neighbours of a piece that has moved to `to`.
   *
   * @returns the owner, which must name `to` as its first piece; 0 when another piece names it
   */
  moved(to: number): number {
    const words = this.#words;
    const next = words[to * 2 + WORD_NEXT]!;
    if (next !== 0) words[next * 2 + WORD_PREVIOUS] = to;
    const previous = words[to * 2 + WORD_PREVIOUS]!;
    if (kindOf(words[previous * 2 + WORD_KIND]!) !== KIND_PIECE) return previous;
    words[previous * 2 + WORD_NEXT] = to;
    return 0;
  }

  /** Visits the sizes of the blocks that a clone would take. */
  eachSize(first: number, visit: (size: number) => void): void {
    for (let piece = first; piece !== 0; piece = this.#words[piece * 2 + WORD_NEXT]!) {
      visit(HEADER_BYTES + this.#words[piece * 2 + WORD_SIZE]!);
    }
  }

  /** Returns the bytes that the blob's pieces take in the arena. */
  bytes(first: number): number {
    let bytes = 0;
    for (let piece = first; piece !== 0; piece = this.#words[piece * 2 + WORD_NEXT]!) {
      bytes += this.#arena.sizeAt(piece);
    }
    return bytes;
  }

  /** Estimates the bytes that the pieces of a blob of `length` bytes take, without visiting all of a large one. */
  estimateBytes(first: number, length: number): number {
    let bytes = 0;
    let content = 0;
    let piece = first;
    for (let pieces = 0; piece !== 0 && pieces < ESTIMATED_PIECES_COUNT; pieces++) {
      bytes += this.#arena.sizeAt(piece);
      content += this.#words[piece * 2 + WORD_SIZE]!;
      piece = this.#words[piece * 2 + WORD_NEXT]!;
    }
    return piece === 0 ? bytes : Math.round(bytes / content * length);
  }
}
