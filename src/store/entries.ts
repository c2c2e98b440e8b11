/**
 * Entries: creating, reshaping, renaming and unlinking them, for values of any type.
 *
 * References to an entry are in several places: the table, its neighbours in the recency list and in the wheel, and the
 * blocks of its value. This module keeps all of them up to date. `reform` gives an entry another size or kind (in place
 * if the block's class allows it, otherwise in a new block); `moved` updates the references after compaction.
 * `block.ts` draws the layout.
 *
 * A value that is one byte string, of a string or of a field, is after the key or in a blob: its entry is read and
 * written here as well. The types of value (`value/`) decide which of the two, and share the entries of one store.
 *
 * @module
 */

import { copyBytes, moveBytes } from "../bytes.ts";
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
  flagsOf,
  HEADER_BYTES,
  HEADER_WORDS,
  keyLengthOf,
  type Kind,
  KIND_STRING,
  KIND_STRING_SHORT,
  kindOf,
  shortLengthOf,
  topOf,
  TRAIT_BLOB,
  TRAIT_CHAIN,
  TRAIT_FIELD,
  TRAIT_INLINE,
  TRAIT_KEY,
  TRAIT_PACKED,
  TRAIT_TREE,
  TRAITS,
  traitsOf,
  withShortLength,
} from "./block.ts";
import { Chains } from "./chain.ts";
import { Deadlines } from "./deadlines.ts";
import { KeyHashes } from "./key_hashes.ts";
import { RecencyList } from "./recency.ts";
import { halfSipHash } from "./siphash.ts";
import { SnapshotCursor } from "./snapshot_cursor.ts";
import { Table } from "./table.ts";

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
  readonly chains: Chains;
  readonly hashes: KeyHashes;
  readonly cursor: SnapshotCursor;
  /** The words of the seed of hashes. */
  readonly seed0: number;
  readonly seed1: number;

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
    this.chains = new Chains(arena);
    this.seed0 = seed[0] | 0;
    this.seed1 = seed[1] | 0;
    this.hashes = new KeyHashes(this.seed0, this.seed1);
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
    return halfSipHash(field, start, length, this.seed0 ^ idLow, this.seed1 ^ idHigh);
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

  /**
   * Replaces the value of a string or field and keeps the deadline.
   *
   * @param kind the kind of the entry from now on, of the same type of value
   * @returns the entry's reference from now on
   */
  replaceValue(entry: number, kind: Kind, source: Uint8Array, start: number, length: number): number {
    const meta = this.words[entry * 2 + 3]!;
    this.freeBlob(entry);
    const inlineSize = TRAITS[kind]! & TRAIT_INLINE ? length : 0;
    const reformed = this.reform(entry, topOf(kind, flagsOf(meta)), inlineSize, KEEP_NOTHING);
    this.writeValue(reformed, source, start, length);
    return reformed;
  }

  /** Appends to a value without a change of the entry's kind. Returns the entry's reference from now on. */
  appendValue(entry: number, source: Uint8Array, start: number, length: number): number {
    const word = entry * 2;
    const meta = this.words[word + 3]!;
    const old = this.valueLength(entry);
    if (traitsOf(meta) & TRAIT_BLOB) {
      const pieceWord = word + this.#pieceWord(meta);
      this.words[pieceWord] = this.blobs.append(this.words[pieceWord]!, source, start, length);
      this.words[word + 4] = old + length;
      return entry;
    }
    const reformed = this.reform(entry, meta >>> 24, old + length, old);
    copyBytes(source, start, this.bytes, this.valueStart(reformed) + old, length);
    this.#setLength(reformed, old + length);
    return reformed;
  }

  /** Overwrites bytes `[from, from + length)` of a value, which must exist. */
  overwriteValue(entry: number, from: number, source: Uint8Array, start: number, length: number): void {
    const meta = this.words[entry * 2 + 3]!;
    if (traitsOf(meta) & TRAIT_INLINE) {
      copyBytes(source, start, this.bytes, this.valueStart(entry) + from, length);
    } else {
      this.blobs.overwrite(this.words[entry * 2 + this.#pieceWord(meta)]!, from, source, start, length);
    }
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
    moveBytes(this.bytes, entry * 8 + oldTail, to * 8 + newTail, tailSize);
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
    return to;
  }

  /**
   * Copies an entry with packed elements, and the first word of its kind, to an absent key. Returns the copy.
   *
   * @param deadlineMs when the copy expires; 0: never
   */
  clonePacked(entry: number, key: Uint8Array, start: number, length: number, deadlineMs: number): number {
    const words = this.words;
    const meta = words[entry * 2 + 3]!;
    const size = words[entry * 2 + 4]!;
    const made = this.create(kindOf(meta), key, start, length, deadlineMs, size);
    words[made * 2 + 4] = size;
    words[made * 2 + bodyWord(words[made * 2 + 3]!)] = words[entry * 2 + bodyWord(meta)]!;
    copyBytes(this.bytes, this.valueStart(entry), this.bytes, this.valueStart(made), size);
    return made;
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
      this.chains.partMoved(to);
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
      this.chains.ownerMoved(to);
    } else if (traits & TRAIT_TREE) {
      const root = words[to * 2 + bodyWord(meta)]!;
      // A detached value may already have lost all its parts.
      if (root !== 0) words[root * 2] = to;
    }
  }
}

/**
 * Returns whether a value of `length` bytes is in its entry rather than in a blob. `header` is the number of bytes
 * before the key.
 */
export function isInline(header: number, keyLength: number, length: number): boolean {
  return length === 0 || header + keyLength + length <= BLOCK_SHARED_MAX_BYTES;
}
