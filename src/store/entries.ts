/**
 * Entries: making, finding, reshaping and removing them, whatever their value is.
 *
 * An entry is named by its reference in several places at once: the table, its neighbours in the recency list and in the
 * wheel, and what its value consists of. This module keeps those in step. `reform` gives an entry another size or kind
 * (in place if the block's class allows, else in a new block); `moved` mends the names after compaction. `block.ts`
 * draws the layout.
 *
 * Owned by `store.ts`, and shared with `list.ts` and `hash.ts`.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { assert } from "../errors.ts";
import { BLOCK_SHARED_MAX_BYTES, KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { Arena } from "./arena.ts";
import { Blobs } from "./blob.ts";
import {
  bodyWord,
  DEADLINE_WORDS,
  ENTRY_WORDS,
  FLAG_DEADLINE,
  FLAG_DETACHED,
  HEADER_BYTES,
  keyLengthOf,
  KIND_FIELD,
  KIND_FIELD_BLOB,
  KIND_HASH,
  KIND_LIST,
  KIND_STRING,
  KIND_STRING_BLOB,
  KIND_STRING_SHORT,
  kindOf,
  SHORT_MAX_BYTES,
  shortLengthOf,
  withShortLength,
} from "./block.ts";
import { Deadlines } from "./deadlines.ts";
import { KeyHashes } from "./key_hashes.ts";
import { RecencyList } from "./recency.ts";
import { halfSipHash } from "./siphash.ts";
import { SnapshotCursor } from "./snapshot_cursor.ts";
import { Table } from "./table.ts";

const SHORT_HEADER_BYTES = HEADER_BYTES[KIND_STRING_SHORT << 4]!;
const STRING_HEADER_BYTES = HEADER_BYTES[KIND_STRING << 4]!;
const FIELD_HEADER_BYTES = HEADER_BYTES[KIND_FIELD << 4]!;

/** Zero bytes that are appended at a time where a string is written to far beyond its end. */
const GAP_PIECE_BYTES = 2 ** 20;

/** For `reform`: the value is gone already, and only the key is kept. */
export const KEEP_NOTHING = -1;

/** All entries of one arena. */
export class Entries {
  readonly arena: Arena;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** Keys. */
  readonly keys: Table;
  /** Fields of large hashes. */
  readonly fields: Table;
  readonly recency: RecencyList;
  /** Removed entries whose value is too large to be freed at once. */
  readonly garbage: RecencyList;
  readonly deadlines: Deadlines;
  readonly blobs: Blobs;
  readonly hashes: KeyHashes;
  readonly cursor: SnapshotCursor;
  readonly #seed0: number;
  readonly #seed1: number;

  constructor(arena: Arena, seed: readonly [number, number]) {
    this.arena = arena;
    this.words = arena.words;
    this.bytes = arena.bytes;
    this.keys = new Table(arena, false);
    this.fields = new Table(arena, true);
    this.recency = new RecencyList(arena);
    this.garbage = new RecencyList(arena);
    this.cursor = new SnapshotCursor(arena, this.recency);
    this.deadlines = new Deadlines(arena);
    this.blobs = new Blobs(arena);
    this.#seed0 = seed[0] | 0;
    this.#seed1 = seed[1] | 0;
    this.hashes = new KeyHashes(this.#seed0, this.#seed1);
    this.keys.allocate();
  }

  /** Forgets everything. */
  clear(): void {
    this.arena.clear();
    this.keys.clear();
    this.fields.clear();
    this.recency.clear();
    this.garbage.clear();
    this.deadlines.clear();
    this.cursor.close();
    this.keys.allocate();
  }

  /** The hash of a key. */
  hashKey(key: Uint8Array, start: number, length: number): number {
    return this.hashes.of(key, start, length);
  }

  /** The hash of a field of the hash with that id. */
  hashField(field: Uint8Array, start: number, length: number, idLow: number, idHigh: number): number {
    return halfSipHash(field, start, length, this.#seed0 ^ idLow, this.#seed1 ^ idHigh);
  }

  /** Where an entry's small value, or its packed elements, begin in `bytes`. */
  valueStart(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    return entry * 8 + HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta);
  }

  /**
   * Makes the entry of an absent key. Word 4, the words of its kind and its value are the caller's.
   *
   * @param deadlineMs when it expires; 0: never
   * @param inlineSize room behind the key, in bytes
   */
  create(
    kind: number,
    key: Uint8Array,
    start: number,
    length: number,
    deadlineMs: number,
    inlineSize: number,
  ): number {
    const hash = this.hashKey(key, start, length);
    const top = (kind << 4) | ((deadlineMs === 0 ? 0 : FLAG_DEADLINE) | this.cursor.epoch) >>> 24;
    const entry = this.#allocate(top, hash, key, start, length, inlineSize);
    this.keys.insert(hash, entry);
    this.recency.add(entry);
    if (deadlineMs !== 0) this.deadlines.add(entry, deadlineMs);
    return entry;
  }

  /**
   * Makes an entry for an absent field of a large hash. Links, value and word 4 are the caller's.
   *
   * @param parity FLAG_PARITY as its hash has it
   */
  createField(
    kind: number,
    parity: number,
    hash: number,
    idLow: number,
    idHigh: number,
    field: Uint8Array,
    start: number,
    length: number,
    inlineSize: number,
  ): number {
    const entry = this.#allocate((kind << 4) | (parity >>> 24), hash, field, start, length, inlineSize);
    this.words[entry * 2 + ENTRY_WORDS] = idLow;
    this.words[entry * 2 + ENTRY_WORDS + 1] = idHigh;
    this.fields.insert(hash, entry);
    return entry;
  }

  /** @param top kind and flags, as in the top byte of word 3 */
  #allocate(
    top: number,
    hash: number,
    key: Uint8Array,
    start: number,
    length: number,
    inlineSize: number,
  ): number {
    assert(length <= KEY_SIZE_MAX_BYTES, "a key or field exceeds its limit");
    const header = HEADER_BYTES[top]!;
    const entry = this.arena.allocate(header + length + inlineSize);
    const word = entry * 2;
    this.words[word + 2] = hash;
    this.words[word + 3] = (top << 24) | length;
    copyBytes(key, start, this.bytes, entry * 8 + header, length);
    return entry;
  }

  /** The kind of a string whose value has `length` bytes. */
  stringKind(hasDeadline: boolean, keyLength: number, length: number): number {
    if (!hasDeadline && length <= SHORT_MAX_BYTES && isInline(SHORT_HEADER_BYTES, keyLength, length)) {
      return KIND_STRING_SHORT;
    }
    const header = STRING_HEADER_BYTES + (hasDeadline ? DEADLINE_WORDS * 4 : 0);
    return isInline(header, keyLength, length) ? KIND_STRING : KIND_STRING_BLOB;
  }

  /** The kind of a field of a large hash whose value has `length` bytes. */
  fieldKind(fieldLength: number, length: number): number {
    return isInline(FIELD_HEADER_BYTES, fieldLength, length) ? KIND_FIELD : KIND_FIELD_BLOB;
  }

  /** Writes the value of an entry that has been given the kind and the room for it. */
  writeValue(entry: number, source: Uint8Array, start: number, length: number): void {
    const meta = this.words[entry * 2 + 3]!;
    this.#setLength(entry, length);
    if (isInlineKind(kindOf(meta))) {
      copyBytes(source, start, this.bytes, this.valueStart(entry), length);
    } else {
      this.words[entry * 2 + this.#pieceWord(meta)] = this.blobs.create(entry, source, start, length);
    }
  }

  /** The length of the value of a string or field. */
  valueLength(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    return kindOf(meta) === KIND_STRING_SHORT ? shortLengthOf(meta) : this.words[entry * 2 + 4]!;
  }

  #setLength(entry: number, length: number): void {
    const meta = this.words[entry * 2 + 3]!;
    if (kindOf(meta) === KIND_STRING_SHORT) this.words[entry * 2 + 3] = withShortLength(meta, length);
    else this.words[entry * 2 + 4] = length;
  }

  /** Copies bytes `[from, from + length)` of the value of a string or field. */
  copyValue(entry: number, from: number, target: Uint8Array, at: number, length: number): void {
    const meta = this.words[entry * 2 + 3]!;
    if (isInlineKind(kindOf(meta))) {
      copyBytes(this.bytes, entry * 8 + HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta) + from, target, at, length);
    } else {
      this.blobs.copy(this.words[entry * 2 + this.#pieceWord(meta)]!, from, target, at, length);
    }
  }

  /** Replaces the value of a string or field, whose deadline stays. Answers the entry's reference from now on. */
  replaceValue(entry: number, source: Uint8Array, start: number, length: number): number {
    const meta = this.words[entry * 2 + 3]!;
    const isField = kindOf(meta) === KIND_FIELD || kindOf(meta) === KIND_FIELD_BLOB;
    this.freeBlob(entry);
    const flags = (meta >>> 24) & 0x0f;
    const kind = isField
      ? this.fieldKind(keyLengthOf(meta), length)
      : this.stringKind((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), length);
    const inline = isInlineKind(kind);
    const reformed = this.reform(entry, (kind << 4) | flags, inline ? length : 0, KEEP_NOTHING);
    this.writeValue(reformed, source, start, length);
    return reformed;
  }

  /** Appends to the value of a string. Answers the entry's reference from now on. */
  appendValue(entry: number, source: Uint8Array, start: number, length: number): number {
    const word = entry * 2;
    const meta = this.words[word + 3]!;
    const old = this.valueLength(entry);
    if (kindOf(meta) === KIND_STRING_BLOB) {
      const pieceWord = word + this.#pieceWord(meta);
      this.words[pieceWord] = this.blobs.append(this.words[pieceWord]!, source, start, length);
      this.words[word + 4] = old + length;
      return entry;
    }
    const hasDeadline = (meta & FLAG_DEADLINE) !== 0;
    if (this.stringKind(hasDeadline, keyLengthOf(meta), old + length) === kindOf(meta)) {
      const reformed = this.reform(entry, meta >>> 24, old + length, old);
      copyBytes(source, start, this.bytes, this.valueStart(reformed) + old, length);
      this.#setLength(reformed, old + length);
      return reformed;
    }
    const joined = new Uint8Array(old + length);
    this.copyValue(entry, 0, joined, 0, old);
    joined.set(source.subarray(start, start + length), old);
    return this.replaceValue(entry, joined, 0, joined.length);
  }

  /**
   * Writes into the value of a string from byte `from` on; what is missing before it becomes zero bytes. Answers the
   * entry's reference from now on.
   */
  overwriteValue(entry: number, from: number, source: Uint8Array, start: number, length: number): number {
    for (let gap = from - this.valueLength(entry); gap > 0; gap -= GAP_PIECE_BYTES) {
      const size = Math.min(gap, GAP_PIECE_BYTES);
      entry = this.appendValue(entry, new Uint8Array(size), 0, size);
    }
    const meta = this.words[entry * 2 + 3]!;
    const overwritten = Math.min(length, this.valueLength(entry) - from);
    if (isInlineKind(kindOf(meta))) {
      copyBytes(source, start, this.bytes, this.valueStart(entry) + from, overwritten);
    } else {
      this.blobs.overwrite(this.words[entry * 2 + this.#pieceWord(meta)]!, from, source, start, overwritten);
    }
    if (overwritten === length) return entry;
    return this.appendValue(entry, source, start + overwritten, length - overwritten);
  }

  /** Writes the value of another string or field to an entry that has been given the kind and the room for it. */
  cloneValue(from: number, to: number): void {
    const fromMeta = this.words[from * 2 + 3]!;
    const toMeta = this.words[to * 2 + 3]!;
    const length = this.valueLength(from);
    if (isInlineKind(kindOf(fromMeta))) {
      this.writeValue(to, this.bytes, this.valueStart(from), length);
      return;
    }
    this.#setLength(to, length);
    const piece = this.words[from * 2 + this.#pieceWord(fromMeta)]!;
    if (isInlineKind(kindOf(toMeta))) this.blobs.copy(piece, 0, this.bytes, this.valueStart(to), length);
    else this.words[to * 2 + this.#pieceWord(toMeta)] = this.blobs.clone(piece, to);
  }

  /** Frees the blob of an entry that has one. Answers how many pieces it had. */
  freeBlob(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if (kindOf(meta) !== KIND_STRING_BLOB && kindOf(meta) !== KIND_FIELD_BLOB) return 0;
    return this.blobs.free(this.words[entry * 2 + this.#pieceWord(meta)]!);
  }

  /** The first piece of the blob of an entry; 0 when it has none. */
  firstPiece(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if (kindOf(meta) !== KIND_STRING_BLOB && kindOf(meta) !== KIND_FIELD_BLOB) return 0;
    return this.words[entry * 2 + this.#pieceWord(meta)]!;
  }

  /** Position among an entry's words of the one that names its first piece. */
  #pieceWord(meta: number): number {
    return kindOf(meta) === KIND_FIELD_BLOB ? ENTRY_WORDS + 2 : bodyWord(meta);
  }

  /** Sets, changes or (with 0) takes away a deadline. Answers the entry's reference from now on. */
  setDeadline(entry: number, deadlineMs: number): number {
    const meta = this.words[entry * 2 + 3]!;
    const had = (meta & FLAG_DEADLINE) !== 0;
    if (had) this.deadlines.remove(entry);
    if (had !== (deadlineMs !== 0)) {
      // A short string turns into an ordinary one, and stays that when its deadline is taken away, as there may be no room.
      const isShort = kindOf(meta) === KIND_STRING_SHORT;
      const kindChange = isShort ? (KIND_STRING_SHORT ^ KIND_STRING) << 4 : 0;
      const top = ((meta ^ FLAG_DEADLINE) >>> 24) ^ kindChange;
      const inlineSize = this.inlineSize(entry);
      entry = this.reform(entry, top, inlineSize, inlineSize);
      if (isShort) this.words[entry * 2 + 4] = inlineSize;
    }
    if (deadlineMs !== 0) this.deadlines.add(entry, deadlineMs);
    return entry;
  }

  /** Bytes behind an entry's key: a small value or packed elements. */
  inlineSize(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    switch (kindOf(meta)) {
      case KIND_STRING_SHORT:
        return shortLengthOf(meta);
      case KIND_STRING_BLOB:
      case KIND_FIELD_BLOB:
      case KIND_LIST:
      case KIND_HASH:
        return 0;
      default:
        return this.words[entry * 2 + 4]!;
    }
  }

  /**
   * Gives an entry another kind, flags or inline size, in place if its block allows.
   *
   * When the kind stays, the words of the kind are kept, and what they name is told of a new place; when it changes, or
   * with `KEEP_NOTHING`, they are undefined and the caller's. A change of FLAG_DEADLINE only makes or closes the gap for
   * it: the entry must not be in the wheel. One taken away leaves the entry where it is, since the caller may have no room.
   *
   * @param top kind and flags, as in the top byte of word 3
   * @param inlineSize bytes behind the key from now on
   * @param keep how many of them are there already and stay
   * @returns the entry's reference from now on
   */
  reform(entry: number, top: number, inlineSize: number, keep: number): number {
    const words = this.words;
    const meta = words[entry * 2 + 3]!;
    const oldTop = meta >>> 24;
    const keyLength = keyLengthOf(meta);
    const newHeader = HEADER_BYTES[top]!;
    const sameKind = keep !== KEEP_NOTHING && top >>> 4 === oldTop >>> 4;
    // Tail: what stays behind the words that all entries have. With the same kind, that includes the words of the kind.
    const oldTail = sameKind ? bodyWord(meta) * 4 : HEADER_BYTES[oldTop]!;
    const newTail = sameKind ? bodyWord((top << 24) >>> 0) * 4 : newHeader;
    const tailSize = newHeader - newTail + keyLength + Math.max(0, keep);
    const newMeta = ((top << 24) | (sameKind ? meta & 0x00ff0000 : 0) | keyLength) >>> 0;
    const losesDeadline = oldTop - top === FLAG_DEADLINE >>> 24;
    if (losesDeadline || this.arena.fits(entry, newHeader + keyLength + inlineSize)) {
      if (oldTail !== newTail) {
        this.bytes.copyWithin(entry * 8 + newTail, entry * 8 + oldTail, entry * 8 + oldTail + tailSize);
      }
      words[entry * 2 + 3] = newMeta;
      return entry;
    }
    const to = this.arena.allocate(newHeader + keyLength + inlineSize);
    for (let word = 0; word < ENTRY_WORDS; word++) words[to * 2 + word] = words[entry * 2 + word]!;
    words[to * 2 + 3] = newMeta;
    const keepsDeadline = (meta & newMeta & FLAG_DEADLINE) !== 0;
    if (keepsDeadline) {
      for (let word = ENTRY_WORDS; word < ENTRY_WORDS + DEADLINE_WORDS; word++) {
        words[to * 2 + word] = words[entry * 2 + word]!;
      }
    } else if (top >>> 4 === KIND_FIELD || top >>> 4 === KIND_FIELD_BLOB) {
      words[to * 2 + ENTRY_WORDS] = words[entry * 2 + ENTRY_WORDS]!;
      words[to * 2 + ENTRY_WORDS + 1] = words[entry * 2 + ENTRY_WORDS + 1]!;
    }
    copyBytes(this.bytes, entry * 8 + oldTail, this.bytes, to * 8 + newTail, tailSize);
    this.#relink(entry, to, keepsDeadline);
    if (sameKind) this.#relinkValue(to);
    this.arena.free(entry);
    return to;
  }

  /**
   * Gives an entry of a key another one, which is absent. Its places in the recency list and in the wheel stay, and so does
   * its value. Answers the entry's reference from now on.
   */
  rename(entry: number, key: Uint8Array, start: number, length: number): number {
    assert(length <= KEY_SIZE_MAX_BYTES, "a key exceeds its limit");
    const words = this.words;
    const meta = words[entry * 2 + 3]!;
    const header = HEADER_BYTES[meta >>> 24]!;
    const oldTail = header + keyLengthOf(meta);
    const inlineSize = this.inlineSize(entry);
    this.keys.remove(words[entry * 2 + 2]! | 0, entry);
    let to = entry;
    if (this.arena.fits(entry, header + length + inlineSize)) {
      this.bytes.copyWithin(entry * 8 + header + length, entry * 8 + oldTail, entry * 8 + oldTail + inlineSize);
    } else {
      to = this.arena.allocate(header + length + inlineSize);
      for (let word = 0; word < header / 4; word++) words[to * 2 + word] = words[entry * 2 + word]!;
      copyBytes(this.bytes, entry * 8 + oldTail, this.bytes, to * 8 + header + length, inlineSize);
      this.recency.moved(entry, to);
      this.cursor.moved(entry, to);
      if (meta & FLAG_DEADLINE) this.deadlines.moved(entry, to);
      this.#relinkValue(to);
      this.arena.free(entry);
    }
    const hash = this.hashKey(key, start, length);
    words[to * 2 + 2] = hash;
    words[to * 2 + 3] = ((meta & 0xffff0000) | length) >>> 0;
    copyBytes(key, start, this.bytes, to * 8 + header, length);
    this.keys.insert(hash, to);
    return this.#fitValue(to);
  }

  /** Lets the value of a string lie where one of its length lies beside a key like this. Answers the entry. */
  #fitValue(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if (kindOf(meta) > KIND_STRING_BLOB) return entry;
    const length = this.valueLength(entry);
    const kind = this.stringKind((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), length);
    if (isInlineKind(kind) === isInlineKind(kindOf(meta))) return entry;
    const value = new Uint8Array(length);
    this.copyValue(entry, 0, value, 0, length);
    return this.replaceValue(entry, value, 0, length);
  }

  /** Takes an entry of a key out of all lists. Its block and its value remain. */
  unlink(entry: number): void {
    const meta = this.words[entry * 2 + 3]!;
    this.keys.remove(this.words[entry * 2 + 2]! | 0, entry);
    this.recency.remove(entry);
    if (meta & FLAG_DEADLINE) this.deadlines.remove(entry);
  }

  /** After compaction: the entry at `from` now stands at `to`, its bytes copied. */
  moved(from: number, to: number): void {
    const meta = this.words[to * 2 + 3]!;
    if (meta & FLAG_DETACHED) this.garbage.moved(from, to);
    else this.#relink(from, to, (meta & FLAG_DEADLINE) !== 0);
    this.#relinkValue(to);
  }

  /** After compaction: the first piece of an entry's blob now stands at `piece`. */
  pieceMoved(entry: number, piece: number): void {
    this.words[entry * 2 + this.#pieceWord(this.words[entry * 2 + 3]!)] = piece;
  }

  /** Lets everything that names the entry at `from` name it at `to`. */
  #relink(from: number, to: number, inWheel: boolean): void {
    const words = this.words;
    const hash = words[to * 2 + 2]! | 0;
    if (kindOf(words[to * 2 + 3]!) < KIND_FIELD) {
      this.keys.replace(hash, from, to);
      this.recency.moved(from, to);
      this.cursor.moved(from, to);
      if (inWheel) this.deadlines.moved(from, to);
    } else {
      this.fields.replace(hash, from, to);
      this.cursor.fieldMoved(from, to);
      this.#relinkChain(to, KIND_HASH);
    }
  }

  /** Lets what a value consists of name its entry at `to`. */
  #relinkValue(to: number): void {
    const words = this.words;
    const meta = words[to * 2 + 3]!;
    const kind = kindOf(meta);
    if (kind === KIND_STRING_BLOB || kind === KIND_FIELD_BLOB) {
      this.blobs.ownerMoved(words[to * 2 + this.#pieceWord(meta)]!, to);
    } else if (kind === KIND_LIST || kind === KIND_HASH) {
      const body = to * 2 + bodyWord(meta);
      // A detached value may have lost all its parts already.
      if (words[body] !== 0) {
        words[words[body]! * 2 + 1] = to;
        words[words[body + 1]! * 2] = to;
      }
    }
  }

  /**
   * A part of a chain (a field, or a directory of a list) now stands at `to`: mends its neighbours. Chains begin and end
   * at the entry that owns them, whose words of the kind name the first and the last part.
   *
   * @param ownerKind the kind of that entry
   */
  #relinkChain(to: number, ownerKind: number): void {
    const words = this.words;
    const next = words[to * 2]!;
    const previous = words[to * 2 + 1]!;
    const nextMeta = words[next * 2 + 3]!;
    const previousMeta = words[previous * 2 + 3]!;
    if (kindOf(nextMeta) === ownerKind) words[next * 2 + bodyWord(nextMeta) + 1] = to;
    else words[next * 2 + 1] = to;
    if (kindOf(previousMeta) === ownerKind) words[previous * 2 + bodyWord(previousMeta)] = to;
    else words[previous * 2] = to;
  }

  /** A directory of a list now stands at `to`: mends its neighbours. */
  directoryMoved(to: number): void {
    this.#relinkChain(to, KIND_LIST);
  }

  /** Puts a part (a field, or a directory) at the front or the back of the chain of `owner`. */
  linkPart(owner: number, part: number, front: boolean): void {
    const words = this.words;
    const body = owner * 2 + bodyWord(words[owner * 2 + 3]!);
    const first = words[body]!;
    if (first === 0) {
      words[body] = words[body + 1] = part;
      words[part * 2] = words[part * 2 + 1] = owner;
    } else if (front) {
      words[part * 2] = first;
      words[part * 2 + 1] = owner;
      words[first * 2 + 1] = part;
      words[body] = part;
    } else {
      const last = words[body + 1]!;
      words[part * 2] = owner;
      words[part * 2 + 1] = last;
      words[last * 2] = part;
      words[body + 1] = part;
    }
  }

  /** Puts a part into the chain of `owner`, behind one of its parts. */
  linkPartBehind(owner: number, part: number, previous: number): void {
    const words = this.words;
    const next = words[previous * 2]!;
    if (next === owner) return this.linkPart(owner, part, false);
    words[part * 2] = next;
    words[part * 2 + 1] = previous;
    words[next * 2 + 1] = part;
    words[previous * 2] = part;
  }

  /**
   * Takes the parts from `first` to `last`, which are not all, out of the chain of `owner`, a large list, and lets them
   * be freed later, in steps, as the value of an entry that is detached from the beginning. Takes a block of 32 bytes.
   *
   * @param count elements of these parts
   */
  detachParts(owner: number, first: number, last: number, count: number): void {
    const words = this.words;
    const body = owner * 2 + bodyWord(words[owner * 2 + 3]!);
    const previous = words[first * 2 + 1]!;
    const next = words[last * 2]!;
    if (previous === owner) words[body] = next;
    else words[previous * 2] = next;
    if (next === owner) words[body + 1] = previous;
    else words[next * 2 + 1] = previous;
    const detached = this.arena.allocate(HEADER_BYTES[KIND_LIST << 4]!);
    words[detached * 2 + 2] = 0;
    words[detached * 2 + 3] = ((KIND_LIST << 28) | FLAG_DETACHED) >>> 0;
    words[detached * 2 + 4] = count;
    words[detached * 2 + ENTRY_WORDS] = first;
    words[detached * 2 + ENTRY_WORDS + 1] = last;
    words[first * 2 + 1] = words[last * 2] = detached;
    this.garbage.add(detached);
  }

  /** Takes a part out of the chain of `owner`. */
  unlinkPart(owner: number, part: number): void {
    const words = this.words;
    const body = owner * 2 + bodyWord(words[owner * 2 + 3]!);
    const next = words[part * 2]!;
    const previous = words[part * 2 + 1]!;
    if (next === owner && previous === owner) {
      words[body] = words[body + 1] = 0;
    } else if (next === owner) {
      words[body + 1] = previous;
      words[previous * 2] = owner;
    } else if (previous === owner) {
      words[body] = next;
      words[next * 2 + 1] = owner;
    } else {
      words[previous * 2] = next;
      words[next * 2 + 1] = previous;
    }
  }
}

/** Whether a value of `length` bytes lies in its entry rather than in a blob. `header`: bytes before the key. */
function isInline(header: number, keyLength: number, length: number): boolean {
  return length === 0 || header + keyLength + length <= BLOCK_SHARED_MAX_BYTES;
}

/** Whether the value of a string or field of that kind follows its key. */
function isInlineKind(kind: number): boolean {
  return kind <= KIND_STRING || kind === KIND_FIELD;
}
