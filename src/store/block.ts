/**
 * The contents of a block: the kinds, and the header that entries share.
 *
 * An *entry* is a key with its value (kinds 1 to 7) or a field of a large hash with its value (kinds 8 and 9):
 *
 * ```text
 * word 0   newer entry in the recency list    · next field of the hash
 * word 1   older entry in the recency list    · previous field of the hash, or the hash itself
 * word 2   hash of the key                    · of the field
 * word 3   kind:4 · flags:4 · length of a short string:8 · length of the key or field:16
 * word 4   length of the value in bytes, or count of elements (LIST, HASH); STRING_SHORT has no such word
 * words    with flag DEADLINE: deadline low, high · next, previous entry in the wheel's slot
 * words    by kind:
 *            STRING_SHORT  –                                  value follows the key; never a deadline
 *            STRING        –                                  value follows the key
 *            STRING_BLOB   first piece
 *            LIST_PACKED   count of elements                  packed elements follow the key
 *            LIST          first directory, last directory
 *            HASH_PACKED   count of fields                    packed fields and values follow the key
 *            HASH          first field, last field, id low, id high
 *            FIELD         id of its hash: low, high          value follows the field
 *            FIELD_BLOB    id of its hash: low, high, first piece
 * bytes    key or field, then what follows it
 * ```
 *
 * Links, hash, key and a small value are next to each other. So a `get` of a small value that is not in the processor's
 * cache waits for memory twice: for the table's bucket and for this block. Most keys are short strings without a
 * deadline. Their header has 16 bytes for links, hash and lengths, so more of them begin and end at the bounds of a
 * cache line.
 *
 * The other kinds are PIECE (blob.ts), LEAF and DIRECTORY (list_parts.ts). Kind 0 is a free slot (arena.ts).
 *
 * @module
 */

export const KIND_STRING_SHORT = 1;
export const KIND_STRING = 2;
export const KIND_STRING_BLOB = 3;
export const KIND_LIST_PACKED = 4;
export const KIND_LIST = 5;
export const KIND_HASH_PACKED = 6;
export const KIND_HASH = 7;
export const KIND_FIELD = 8;
export const KIND_FIELD_BLOB = 9;
export const KIND_PIECE = 10;
export const KIND_LEAF = 11;
export const KIND_DIRECTORY = 12;

/** The longest value of a STRING_SHORT, in bytes: its length has eight bits. */
export const SHORT_MAX_BYTES = 255;

/** The flag in word 3 of an entry that has a deadline. */
export const FLAG_DEADLINE = 0x01000000;
/** The flag in word 3 of an entry that was removed from the table and waits to be freed (store.ts). */
export const FLAG_DETACHED = 0x02000000;
/**
 * The epoch bit in word 3 of an entry or a field: the epoch of the last snapshot that captured it (snapshot_cursor.ts).
 */
export const FLAG_EPOCH = 0x04000000;

/** The number of words that every entry begins with, except STRING_SHORT, which has one less. */
export const ENTRY_WORDS = 5;
/** The number of words that a deadline takes. */
export const DEADLINE_WORDS = 4;

/** The number of words of each kind beyond those that every entry begins with. */
const WORDS_BY_KIND = [0, -1, 0, 1, 1, 2, 1, 4, 2, 3];

/** The number of words of an entry before its key, by the top byte of word 3 (kind and flags). */
export const HEADER_WORDS: Uint8Array = new Uint8Array(256);
/** The number of bytes of an entry before its key, by the top byte of word 3 (kind and flags). */
export const HEADER_BYTES: Uint8Array = new Uint8Array(256);
WORDS_BY_KIND.forEach((words, kind) => {
  for (let flags = 0; flags < 16; flags++) {
    const all = ENTRY_WORDS + (flags & 1 ? DEADLINE_WORDS : 0) + words;
    HEADER_WORDS[(kind << 4) | flags] = all;
    HEADER_BYTES[(kind << 4) | flags] = all * 4;
  }
});

/** Returns the kind in a word 3. */
export function kindOf(meta: number): number {
  return meta >>> 28;
}

/** Returns the length of the value in a word 3 of a STRING_SHORT. */
export function shortLengthOf(meta: number): number {
  return (meta >>> 16) & 0xff;
}

/** Returns a word 3 of a STRING_SHORT with another length of the value. */
export function withShortLength(meta: number, length: number): number {
  return (meta & 0xff00ffff) | (length << 16);
}

/** Returns the length of the key in a word 3. */
export function keyLengthOf(meta: number): number {
  return meta & 0xffff;
}

/** Returns the index of an entry's first word that depends on its kind. */
export function bodyWord(meta: number): number {
  return ENTRY_WORDS + (meta & FLAG_DEADLINE ? DEADLINE_WORDS : 0);
}
