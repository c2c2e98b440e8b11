/**
 * Entries: creating, finding, reshaping and removing them, for values of any type.
 *
 * References to an entry are in several places: the table, its neighbours in the recency list and in the wheel, and the
 * blocks of its value. This module keeps all of them up to date. `reform` gives an entry another size or kind (in place
 * if the block's class allows it, otherwise in a new block); `moved` updates the references after compaction.
 * `block.ts` draws the layout.
 *
 * `store.ts` owns the entries, and shares them with `list.ts` and `hash.ts`.
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
  EntryType,
  FLAG_DEADLINE,
  FLAG_DETACHED,
  flagsOf,
  HEADER_BYTES,
  HEADER_WORDS,
  keyLengthOf,
  type Kind,
  KIND_FIELD,
  KIND_FIELD_BLOB,
  KIND_LIST,
  KIND_STRING,
  KIND_STRING_BLOB,
  KIND_STRING_SHORT,
  kindOf,
  metaOf,
  SHORT_MAX_BYTES,
  shortLengthOf,
  topOf,
  TRAIT_BLOB,
  TRAIT_CHAIN,
  TRAIT_FIELD,
  TRAIT_INLINE,
  TRAIT_KEY,
  TRAIT_PACKED,
  TRAITS,
  traitsOf,
  TYPES,
  withShortLength,
} from "./block.ts";
import { Deadlines } from "./deadlines.ts";
import { KeyHashes } from "./key_hashes.ts";
import { RecencyList } from "./recency.ts";
import { halfSipHash } from "./siphash.ts";
import { SnapshotCursor } from "./snapshot_cursor.ts";
import { Table } from "./table.ts";

const SHORT_HEADER_BYTES = HEADER_BYTES[topOf(KIND_STRING_SHORT, 0)]!;
const STRING_HEADER_BYTES = HEADER_BYTES[topOf(KIND_STRING, 0)]!;
const FIELD_HEADER_BYTES = HEADER_BYTES[topOf(KIND_FIELD, 0)]!;

/** The number of zero bytes that are appended at a time when a string is written to far beyond its end. */
const GAP_PIECE_BYTES = 2 ** 20;

/** The argument `keep` of `reform` when the value was freed already, so that only the key is kept. */
export const KEEP_NOTHING = -1;

/** The entries of one arena. */
export class Entries {
  readonly arena: Arena;
  readonly words: Uint32Array;
  readonly bytes: Uint8Array;
  /** The table of keys. */
  readonly keys: Table;
  /** The table of fields of large hashes. */
  readonly fields: Table;
  readonly recency: RecencyList;
  /** The removed entries whose value is too large to be freed in one step. */
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

  /** Forgets all entries. */
  clear(): void {
    this.arena.clear();
    this.keys.clear();
    this.fields.clear();
    this.recency.clear();
    this.garbage.clear();
    this.deadlines.clear();
    this.cursor.endPartial();
    this.keys.allocate();
  }

  /** Returns the hash of a key. */
  hashKey(key: Uint8Array, start: number, length: number): number {
    return this.hashes.of(key, start, length);
  }

  /** Returns the hash of a field of the hash with this id. */
  hashField(field: Uint8Array, start: number, length: number, idLow: number, idHigh: number): number {
    return halfSipHash(field, start, length, this.#seed0 ^ idLow, this.#seed1 ^ idHigh);
  }

  /** Returns where an entry's small value, or its packed elements, begin in `bytes`. */
  valueStart(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    return entry * 8 + HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta);
  }

  /**
   * Creates the entry of an absent key. The caller sets word 4, the words of its kind and its value.
   *
   * @param deadlineMs when it expires; 0: never
   * @param inlineSize the room after the key, in bytes
   */
  create(
    kind: Kind,
    key: Uint8Array,
    start: number,
    length: number,
    deadlineMs: number,
    inlineSize: number,
  ): number {
    const hash = this.hashKey(key, start, length);
    const top = topOf(kind, ((deadlineMs === 0 ? 0 : FLAG_DEADLINE) | this.cursor.epoch) >>> 24);
    const entry = this.#allocate(top, hash, key, start, length, inlineSize);
    this.keys.insert(hash, entry);
    this.recency.add(entry);
    if (deadlineMs !== 0) this.deadlines.add(entry, deadlineMs);
    return entry;
  }

  /**
   * Creates an entry for an absent field of a large hash. The caller sets its links, value and word 4.
   *
   * @param epoch the FLAG_EPOCH of its hash
   */
  createField(
    kind: Kind,
    epoch: number,
    hash: number,
    idLow: number,
    idHigh: number,
    field: Uint8Array,
    start: number,
    length: number,
    inlineSize: number,
  ): number {
    const entry = this.#allocate(topOf(kind, epoch >>> 24), hash, field, start, length, inlineSize);
    this.words[entry * 2 + ENTRY_WORDS] = idLow;
    this.words[entry * 2 + ENTRY_WORDS + 1] = idHigh;
    this.fields.insert(hash, entry);
    return entry;
  }

  /**
   * Allocates an entry and writes its hash, meta word and key.
   *
   * @param top kind and flags, as in the top byte of word 3
   */
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

  /** Returns the kind of a string whose value has `length` bytes. */
  stringKind(hasDeadline: boolean, keyLength: number, length: number): Kind {
    if (!hasDeadline && length <= SHORT_MAX_BYTES && isInline(SHORT_HEADER_BYTES, keyLength, length)) {
      return KIND_STRING_SHORT;
    }
    const header = STRING_HEADER_BYTES + (hasDeadline ? DEADLINE_WORDS * 4 : 0);
    return isInline(header, keyLength, length) ? KIND_STRING : KIND_STRING_BLOB;
  }

  /** Returns the kind of a field of a large hash whose value has `length` bytes. */
  fieldKind(fieldLength: number, length: number): Kind {
    return isInline(FIELD_HEADER_BYTES, fieldLength, length) ? KIND_FIELD : KIND_FIELD_BLOB;
  }

  /** Writes the value of an entry that already has the kind and the room for it. */
  writeValue(entry: number, source: Uint8Array, start: number, length: number): void {
    const meta = this.words[entry * 2 + 3]!;
    this.#setLength(entry, length);
    if (traitsOf(meta) & TRAIT_INLINE) {
      copyBytes(source, start, this.bytes, this.valueStart(entry), length);
    } else {
      this.words[entry * 2 + this.#pieceWord(meta)] = this.blobs.create(entry, source, start, length);
    }
  }

  /** Returns the length of the value of a string or field. */
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
    if (traitsOf(meta) & TRAIT_INLINE) {
      copyBytes(this.bytes, entry * 8 + HEADER_BYTES[meta >>> 24]! + keyLengthOf(meta) + from, target, at, length);
    } else {
      this.blobs.copy(this.words[entry * 2 + this.#pieceWord(meta)]!, from, target, at, length);
    }
  }

  /** Replaces the value of a string or field and keeps the deadline. Returns the entry's reference from now on. */
  replaceValue(entry: number, source: Uint8Array, start: number, length: number): number {
    const meta = this.words[entry * 2 + 3]!;
    this.freeBlob(entry);
    const kind = traitsOf(meta) & TRAIT_FIELD
      ? this.fieldKind(keyLengthOf(meta), length)
      : this.stringKind((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), length);
    const inlineSize = TRAITS[kind]! & TRAIT_INLINE ? length : 0;
    const reformed = this.reform(entry, topOf(kind, flagsOf(meta)), inlineSize, KEEP_NOTHING);
    this.writeValue(reformed, source, start, length);
    return reformed;
  }

  /** Appends to the value of a string. Returns the entry's reference from now on. */
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
   * Overwrites the value of a string from byte `from` on. Zero bytes fill a gap between its end and `from`. Returns the
   * entry's reference from now on.
   */
  overwriteValue(entry: number, from: number, source: Uint8Array, start: number, length: number): number {
    for (let gap = from - this.valueLength(entry); gap > 0; gap -= GAP_PIECE_BYTES) {
      const size = Math.min(gap, GAP_PIECE_BYTES);
      entry = this.appendValue(entry, new Uint8Array(size), 0, size);
    }
    const meta = this.words[entry * 2 + 3]!;
    const overwritten = Math.min(length, this.valueLength(entry) - from);
    if (traitsOf(meta) & TRAIT_INLINE) {
      copyBytes(source, start, this.bytes, this.valueStart(entry) + from, overwritten);
    } else {
      this.blobs.overwrite(this.words[entry * 2 + this.#pieceWord(meta)]!, from, source, start, overwritten);
    }
    if (overwritten === length) return entry;
    return this.appendValue(entry, source, start + overwritten, length - overwritten);
  }

  /** Copies the value of a string or field to an entry that already has the kind and the room for it. */
  cloneValue(from: number, to: number): void {
    const fromMeta = this.words[from * 2 + 3]!;
    const toMeta = this.words[to * 2 + 3]!;
    const length = this.valueLength(from);
    if (traitsOf(fromMeta) & TRAIT_INLINE) {
      this.writeValue(to, this.bytes, this.valueStart(from), length);
      return;
    }
    this.#setLength(to, length);
    const piece = this.words[from * 2 + this.#pieceWord(fromMeta)]!;
    if (traitsOf(toMeta) & TRAIT_INLINE) this.blobs.copy(piece, 0, this.bytes, this.valueStart(to), length);
    else this.words[to * 2 + this.#pieceWord(toMeta)] = this.blobs.clone(piece, to);
  }

  /** Frees the blob of an entry if it has one. Returns the number of pieces it had. */
  freeBlob(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if ((traitsOf(meta) & TRAIT_BLOB) === 0) return 0;
    return this.blobs.free(this.words[entry * 2 + this.#pieceWord(meta)]!);
  }

  /** Returns the first piece of the blob of an entry; 0 when it has none. */
  firstPiece(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if ((traitsOf(meta) & TRAIT_BLOB) === 0) return 0;
    return this.words[entry * 2 + this.#pieceWord(meta)]!;
  }

  /** Returns the index of the entry's word that names its first piece. */
  #pieceWord(meta: number): number {
    return HEADER_WORDS[meta >>> 24]! - 1;
  }

  /** Sets, changes or (with 0) removes a deadline. Returns the entry's reference from now on. */
  setDeadline(entry: number, deadlineMs: number): number {
    const meta = this.words[entry * 2 + 3]!;
    const had = (meta & FLAG_DEADLINE) !== 0;
    if (had) this.deadlines.remove(entry);
    if (had !== (deadlineMs !== 0)) {
      // A short string turns into an ordinary one. It stays one when its deadline is removed, as there may be no room.
      const isShort = kindOf(meta) === KIND_STRING_SHORT;
      const top = topOf(isShort ? KIND_STRING : kindOf(meta), flagsOf(meta ^ FLAG_DEADLINE));
      const inlineSize = this.inlineSize(entry);
      entry = this.reform(entry, top, inlineSize, inlineSize);
      if (isShort) this.words[entry * 2 + 4] = inlineSize;
    }
    if (deadlineMs !== 0) this.deadlines.add(entry, deadlineMs);
    return entry;
  }

  /** Returns the number of bytes after an entry's key: a small value or packed elements. */
  inlineSize(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if (kindOf(meta) === KIND_STRING_SHORT) return shortLengthOf(meta);
    return traitsOf(meta) & (TRAIT_INLINE | TRAIT_PACKED) ? this.words[entry * 2 + 4]! : 0;
  }

  /**
   * Gives an entry another kind, flags or inline size, in place if its block allows it.
   *
   * - When the kind stays, the words of the kind are kept, and the blocks that they name are updated when the entry
   *   moves.
   * - When the kind changes, or with `KEEP_NOTHING`, these words are undefined, and the caller sets them.
   * - A change of FLAG_DEADLINE only opens or closes the gap for the deadline: the entry must not be in the wheel.
   *   Removing a deadline leaves the entry in its block, since the caller may have no room.
   *
   * @param top kind and flags, as in the top byte of word 3
   * @param inlineSize the number of bytes after the key from now on
   * @param keep the number of those bytes that exist already and are kept
   * @returns the entry's reference from now on
   */
  reform(entry: number, top: number, inlineSize: number, keep: number): number {
    const words = this.words;
    const meta = words[entry * 2 + 3]!;
    const oldTop = meta >>> 24;
    const topMeta = (top << 24) >>> 0;
    const keyLength = keyLengthOf(meta);
    const newHeader = HEADER_BYTES[top]!;
    const sameKind = keep !== KEEP_NOTHING && kindOf(topMeta) === kindOf(meta);
    // The tail is what is kept after the words that all entries have. If the kind stays, it includes the words of the
    // kind.
    const oldTail = sameKind ? bodyWord(meta) * 4 : HEADER_BYTES[oldTop]!;
    const newTail = sameKind ? bodyWord(topMeta) * 4 : newHeader;
    const tailSize = newHeader - newTail + keyLength + Math.max(0, keep);
    const newMeta = (topMeta | (sameKind ? meta & 0x00ff0000 : 0) | keyLength) >>> 0;
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
    } else if (traitsOf(topMeta) & TRAIT_FIELD) {
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
   * Renames an entry to a key that is absent. Its value and its places in the recency list and in the wheel stay.
   * Returns the entry's reference from now on.
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

  /**
   * Moves the value of a string into or out of its entry if a string of its length with such a key has it there.
   * Returns the entry.
   */
  #fitValue(entry: number): number {
    const meta = this.words[entry * 2 + 3]!;
    if (TYPES[kindOf(meta)] !== EntryType.String) return entry;
    const length = this.valueLength(entry);
    const kind = this.stringKind((meta & FLAG_DEADLINE) !== 0, keyLengthOf(meta), length);
    if ((TRAITS[kind]! & TRAIT_INLINE) === (traitsOf(meta) & TRAIT_INLINE)) return entry;
    const value = new Uint8Array(length);
    this.copyValue(entry, 0, value, 0, length);
    return this.replaceValue(entry, value, 0, length);
  }

  /** Removes an entry of a key from the table and all lists. Its block and its value remain. */
  unlink(entry: number): void {
    const meta = this.words[entry * 2 + 3]!;
    this.keys.remove(this.words[entry * 2 + 2]! | 0, entry);
    this.recency.remove(entry);
    if (meta & FLAG_DEADLINE) this.deadlines.remove(entry);
  }

  /** Updates all references to an entry that compaction has moved from `from` to `to`. */
  moved(from: number, to: number): void {
    const meta = this.words[to * 2 + 3]!;
    if (meta & FLAG_DETACHED) this.garbage.moved(from, to);
    else this.#relink(from, to, (meta & FLAG_DEADLINE) !== 0);
    this.#relinkValue(to);
  }

  /** Updates an entry after compaction has moved the first piece of its blob to `piece`. */
  pieceMoved(entry: number, piece: number): void {
    this.words[entry * 2 + this.#pieceWord(this.words[entry * 2 + 3]!)] = piece;
  }

  /** Replaces each reference to the entry at `from` with `to`. */
  #relink(from: number, to: number, inWheel: boolean): void {
    const words = this.words;
    const hash = words[to * 2 + 2]! | 0;
    if (traitsOf(words[to * 2 + 3]!) & TRAIT_KEY) {
      this.keys.replace(hash, from, to);
      this.recency.moved(from, to);
      this.cursor.moved(from, to);
      if (inWheel) this.deadlines.moved(from, to);
    } else {
      this.fields.replace(hash, from, to);
      this.cursor.fieldMoved(from, to);
      this.#relinkChain(to);
    }
  }

  /** Makes the blocks of a value name `to` as their entry. */
  #relinkValue(to: number): void {
    const words = this.words;
    const meta = words[to * 2 + 3]!;
    const traits = traitsOf(meta);
    if (traits & TRAIT_BLOB) {
      this.blobs.ownerMoved(words[to * 2 + this.#pieceWord(meta)]!, to);
    } else if (traits & TRAIT_CHAIN) {
      const body = to * 2 + bodyWord(meta);
      // A detached value may already have lost all its parts.
      if (words[body] !== 0) {
        words[words[body]! * 2 + 1] = to;
        words[words[body + 1]! * 2] = to;
      }
    }
  }

  /**
   * Updates the neighbours of a part of a chain (a field, or a directory of a list) that has moved to `to`. Chains
   * begin and end at the entry that owns them, whose words of the kind name the first and the last part.
   */
  #relinkChain(to: number): void {
    const words = this.words;
    const next = words[to * 2]!;
    const previous = words[to * 2 + 1]!;
    const nextMeta = words[next * 2 + 3]!;
    const previousMeta = words[previous * 2 + 3]!;
    if (traitsOf(nextMeta) & TRAIT_CHAIN) words[next * 2 + bodyWord(nextMeta) + 1] = to;
    else words[next * 2 + 1] = to;
    if (traitsOf(previousMeta) & TRAIT_CHAIN) words[previous * 2 + bodyWord(previousMeta)] = to;
    else words[previous * 2] = to;
  }

  /** Updates the neighbours of a directory of a list that has moved to `to`. */
  directoryMoved(to: number): void {
    this.#relinkChain(to);
  }

  /** Adds a part (a field, or a directory) at the front or the back of the chain of `owner`. */
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

  /** Adds a part to the chain of `owner`, after one of its parts. */
  linkPartAfter(owner: number, part: number, previous: number): void {
    const words = this.words;
    const next = words[previous * 2]!;
    if (next === owner) return this.linkPart(owner, part, false);
    words[part * 2] = next;
    words[part * 2 + 1] = previous;
    words[next * 2 + 1] = part;
    words[previous * 2] = part;
  }

  /**
   * Removes the parts from `first` to `last`, which are not all, from the chain of `owner`, a large list. They become
   * the value of a new detached entry, and are freed later, in steps. Takes a block of 32 bytes.
   *
   * @param count the number of elements of these parts
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
    const detached = this.arena.allocate(HEADER_BYTES[topOf(KIND_LIST, 0)]!);
    words[detached * 2 + 2] = 0;
    words[detached * 2 + 3] = metaOf(KIND_LIST) | FLAG_DETACHED;
    words[detached * 2 + 4] = count;
    words[detached * 2 + ENTRY_WORDS] = first;
    words[detached * 2 + ENTRY_WORDS + 1] = last;
    words[first * 2 + 1] = words[last * 2] = detached;
    this.garbage.add(detached);
  }

  /** Removes a part from the chain of `owner`. */
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

/**
 * Returns whether a value of `length` bytes is in its entry rather than in a blob. `header` is the number of bytes
 * before the key.
 */
function isInline(header: number, keyLength: number, length: number): boolean {
  return length === 0 || header + keyLength + length <= BLOCK_SHARED_MAX_BYTES;
}
