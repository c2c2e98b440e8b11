/**
 * The contents of a block: the kinds, and the header that entries share.
 *
 * An *entry* is a key with its value, or a field of a large hash with its value:
 *
 * ```text
 * word 0   newer entry in the recency list    · next field of the hash
 * word 1   older entry in the recency list    · previous field of the hash, or the hash itself
 * word 2   hash of the key                    · of the field
 * word 3   kind:5 · flags:3 · length of a short string:8 · length of the key or field:16
 * word 4   length of the value in bytes, or count of elements (LIST, HASH, SET); STRING_SHORT has no such word
 * words    with flag DEADLINE: deadline low, high · next, previous entry in the wheel's slot
 * words    by kind:
 *            STRING_SHORT  –                                  value follows the key; never a deadline
 *            STRING        –                                  value follows the key
 *            STRING_BLOB   first piece
 *            LIST_PACKED   start of the run:16 · count:16     packed elements follow the key (list_packed.ts)
 *            LIST          first directory, last directory
 *            HASH_PACKED   count of fields                    packed fields and values follow the key
 *            HASH          first field, last field, id low, id high
 *            SET_PACKED    count of members                   packed members follow the key
 *            SET           root node, buckets, size of the members
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
 * The other kinds are PIECE (blob.ts), LEAF and DIRECTORY (list_parts.ts), SET_LEAF and SET_NODE (set_leaves.ts). Kind
 * 0 is a free slot (arena.ts).
 *
 * `KINDS` has a row for each kind, with everything that code needs to know of a kind that it does not name. The numbers
 * of the kinds are names: their order has no meaning.
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
export const KIND_SET_PACKED = 13;
export const KIND_SET = 14;
export const KIND_SET_LEAF = 15;
export const KIND_SET_NODE = 16;

/** The type of value that a key has. */
export const EntryType = { None: 0, String: 1, List: 2, Hash: 3, Set: 4 } as const;
/** One of the numbers of {@linkcode EntryType}. */
export type EntryType = (typeof EntryType)[keyof typeof EntryType];
/** The type of value that a key has which exists. */
export type ValueTypeNumber = Exclude<EntryType, typeof EntryType.None>;

/** The trait of the entries of keys. They are in the table of keys and in the recency list. */
export const TRAIT_KEY = 0x01;
/** The trait of the parts of large values that are found by a hash: words 5 and 6 are the id of their value. */
export const TRAIT_FIELD = 0x02;
/** The trait of entries whose value is one byte string after the key. */
export const TRAIT_INLINE = 0x04;
/** The trait of entries whose value is in a blob. The last word before the key names its first piece. */
export const TRAIT_BLOB = 0x08;
/** The trait of blocks with packed elements after the key. Word 4 is their size in bytes. */
export const TRAIT_PACKED = 0x10;
/** The trait of entries of large values. The first two words of their kind name the first and the last part. */
export const TRAIT_CHAIN = 0x20;
/** The trait of entries of large values whose first word names the root of a tree. Word 0 of the root is the entry. */
export const TRAIT_TREE = 0x40;

/** The properties of all blocks of a kind. */
export interface KindRow {
  /** The type of value that blocks of the kind belong to; None when they belong to values of several types. */
  readonly type: EntryType;
  /** The sum of the kind's traits. */
  readonly traits: number;
  /** The number of words beyond those that every entry begins with; undefined for blocks without a key. */
  readonly words: number | undefined;
}

const { None, String, List, Hash, Set } = EntryType;

/** The rows of all kinds. */
export const KINDS = {
  [KIND_STRING_SHORT]: { type: String, traits: TRAIT_KEY | TRAIT_INLINE, words: -1 },
  [KIND_STRING]: { type: String, traits: TRAIT_KEY | TRAIT_INLINE, words: 0 },
  [KIND_STRING_BLOB]: { type: String, traits: TRAIT_KEY | TRAIT_BLOB, words: 1 },
  [KIND_LIST_PACKED]: { type: List, traits: TRAIT_KEY | TRAIT_PACKED, words: 1 },
  [KIND_LIST]: { type: List, traits: TRAIT_KEY | TRAIT_CHAIN, words: 2 },
  [KIND_HASH_PACKED]: { type: Hash, traits: TRAIT_KEY | TRAIT_PACKED, words: 1 },
  [KIND_HASH]: { type: Hash, traits: TRAIT_KEY | TRAIT_CHAIN, words: 4 },
  [KIND_FIELD]: { type: Hash, traits: TRAIT_FIELD | TRAIT_INLINE, words: 2 },
  [KIND_FIELD_BLOB]: { type: Hash, traits: TRAIT_FIELD | TRAIT_BLOB, words: 3 },
  [KIND_PIECE]: { type: None, traits: 0, words: undefined },
  [KIND_LEAF]: { type: List, traits: 0, words: undefined },
  [KIND_DIRECTORY]: { type: List, traits: 0, words: undefined },
  [KIND_SET_PACKED]: { type: Set, traits: TRAIT_KEY | TRAIT_PACKED, words: 1 },
  [KIND_SET]: { type: Set, traits: TRAIT_KEY | TRAIT_TREE, words: 3 },
  [KIND_SET_LEAF]: { type: Set, traits: 0, words: undefined },
  [KIND_SET_NODE]: { type: Set, traits: 0, words: undefined },
} satisfies Record<number, KindRow>;

/** The number of a kind. */
export type Kind = keyof typeof KINDS;

/** The longest value of a STRING_SHORT, in bytes: its length has eight bits. */
export const SHORT_MAX_BYTES = 255;

/** The flag in word 3 of an entry that has a deadline. */
export const FLAG_DEADLINE = 0x01000000;
/** The flag in word 3 of an entry that was removed from the table and waits to be freed (keyspace.ts). */
export const FLAG_DETACHED = 0x02000000;
/**
 * The epoch bit in word 3 of an entry or a field: the epoch of the last snapshot that captured it (snapshot_cursor.ts).
 */
export const FLAG_EPOCH = 0x04000000;

/** The number of words that every entry begins with, except STRING_SHORT, which has one less. */
export const ENTRY_WORDS = 5;
/** The number of words that a deadline takes. */
export const DEADLINE_WORDS = 4;

/** The number of kinds and of combinations of flags that word 3 has room for. */
const KINDS_MAX_COUNT = 32;
const FLAGS_COUNT = 8;

/** The traits of a block, by its kind. */
export const TRAITS: Uint8Array = new Uint8Array(KINDS_MAX_COUNT);
/** The type of value that a block belongs to, by its kind. */
export const TYPES: Uint8Array & Record<number, EntryType> = new Uint8Array(KINDS_MAX_COUNT) as
  & Uint8Array
  & Record<number, EntryType>;
/** The number of words of an entry before its key, by the top byte of word 3 (kind and flags). */
export const HEADER_WORDS: Uint8Array = new Uint8Array(KINDS_MAX_COUNT * FLAGS_COUNT);
/** The number of bytes of an entry before its key, by the top byte of word 3 (kind and flags). */
export const HEADER_BYTES: Uint8Array = new Uint8Array(KINDS_MAX_COUNT * FLAGS_COUNT);
for (const [name, { type, traits, words }] of Object.entries(KINDS)) {
  const kind = Number(name) as Kind;
  TRAITS[kind] = traits;
  TYPES[kind] = type;
  if (words === undefined) continue;
  for (let flags = 0; flags < FLAGS_COUNT; flags++) {
    const top = topOf(kind, flags);
    HEADER_WORDS[top] = ENTRY_WORDS + (flags & (FLAG_DEADLINE >>> 24) ? DEADLINE_WORDS : 0) + words;
    HEADER_BYTES[top] = HEADER_WORDS[top]! * 4;
  }
}

/** Returns the top byte of a word 3: a kind and the flags of `flagsOf`. */
export function topOf(kind: Kind, flags: number): number {
  return (kind << 3) | flags;
}

/** Returns the kind in a word 3. The hottest functions write `meta >>> 27` instead, which saves a nanosecond. */
export function kindOf(meta: number): Kind {
  return (meta >>> 27) as Kind;
}

/** Returns the flags in a word 3, as they are in its top byte. */
export function flagsOf(meta: number): number {
  return (meta >>> 24) & 0x07;
}

/** Returns the traits of the kind in a word 3. */
export function traitsOf(meta: number): number {
  return TRAITS[meta >>> 27]!;
}

/** Returns the word 3 of a block that has a kind, but no flags and no key. */
export function metaOf(kind: Kind): number {
  return (kind << 27) >>> 0;
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
