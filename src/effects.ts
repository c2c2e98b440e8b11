/**
 * Effects: every kind of change that the data can undergo, as one table with a row for each.
 *
 * An effect is what a command changed, not the command: "these elements are added to that list". Applied to the same
 * data, it always has the same result, regardless of time, memory and chance. The log and snapshots consist of effects,
 * and each of them is a MessagePack array there: the number of its row, then the row's items.
 *
 * ```text
 * row     listSet  7 · list · key, before, index, element          the table says this once
 *
 * record  95 07 c4 01 6b 03 01 c4 01 78                            [7, "k", 3, 1, "x"]
 *         │  │  │        │  │  └ element ─▶ effect.value           slots of an Effect, which
 *         │  │  └ key    │  └ index ──────▶ effect.index           writer, decoder and store share
 *         │  └ number    └ before ────────▶ effect.before
 *         └ an array of 5 items
 * ```
 *
 * | what follows from a row              | where                                    |
 * |--------------------------------------|------------------------------------------|
 * | writing a record                     | log/record_writer.ts                     |
 * | decoding and checking a record       | log/record.ts                            |
 * | the counts of `inmem check`          | log/counting_target.ts                   |
 * | loading: what is checked and made    | server/replayer.ts                       |
 * | the table of records                 | log/FORMAT.md, by `deno task pages`      |
 *
 * A new effect is a row with the next number, and what it does: the switch over the effects of its type of value does
 * not compile without it. A row must not change once a release has written it. A new row needs a new version of the
 * format (log/block.ts), so that an older program refuses the file by its version.
 *
 * @module
 */

import { assert } from "./errors.ts";
import { DEADLINE_MAX_MS, ELEMENTS_MAX_COUNT, FIELD_SIZE_MAX_BYTES } from "./limits.ts";
import { KEY_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "./limits.ts";

/**
 * The places of items in an {@linkcode Effect}, as bits. Each record has its items in this order, so that a row's items
 * are one set of bits, and one pass over the slots reads or writes the records of all rows. Three slots have bytes, the
 * others unsigned integers.
 */
export const Slot = {
  /** The deadline of a new value, which precedes the key. */
  DEADLINE: 1,
  KEY: 2,
  NEW_DEADLINE: 4,
  BEFORE: 8,
  TAIL: 16,
  INDEX: 32,
  COUNT: 64,
  FIELD: 128,
  VALUE: 256,
} as const;
export type Slot = (typeof Slot)[keyof typeof Slot];

/** An item of a record. */
export interface EffectItem {
  /** The name in FORMAT.md. */
  readonly name: string;
  readonly slot: Slot;
  /** The greatest number, or the greatest length in bytes. */
  readonly max: number;
}

/** The type of the values that an effect changes. An effect on keys of any type is one on the keyspace. */
export type EffectSubject = "string" | "list" | "hash" | "set" | "keyspace";

/** A row of the table, as it is written there. */
interface EffectDefinition {
  /** The first item of its record. */
  readonly number: number;
  readonly subject: EffectSubject;
  /** The items after the number. */
  readonly items: readonly EffectItem[];
  /** The items that follow those at least once, and may be repeated: a record can have several parts. */
  readonly repeated?: readonly EffectItem[];
  /** Whether the key is created if it is absent. Then `before` is 0. */
  readonly creates?: boolean;
  /** Returns the bytes by which the effect, or one part of it, can make its value larger; without it, by none. */
  readonly growth?: (effect: Effect) => number;
  /** The words after a count of records, and after a count of parts, in the output of `inmem check`. */
  readonly label: string;
  readonly partLabel?: string;
  /** The sentence in FORMAT.md, without a full stop. */
  readonly summary: string;
}

const key = item("key", Slot.KEY, KEY_SIZE_MAX_BYTES);
const newKey = item("new key", Slot.VALUE, KEY_SIZE_MAX_BYTES);
const deadline = item("deadline", Slot.DEADLINE, DEADLINE_MAX_MS);
const newDeadline = item("deadline", Slot.NEW_DEADLINE, DEADLINE_MAX_MS);
/** The length of the value before the effect. It is redundant, so that a missing record shows in the next one. */
const before = item("before", Slot.BEFORE, ELEMENTS_MAX_COUNT);
const value = item("value", Slot.VALUE, VALUE_SIZE_MAX_BYTES);
const bytes = item("bytes", Slot.VALUE, VALUE_SIZE_MAX_BYTES);
const from = item("from", Slot.INDEX, VALUE_SIZE_MAX_BYTES);
const element = item("element", Slot.VALUE, VALUE_SIZE_MAX_BYTES);
const index = item("index", Slot.INDEX, ELEMENTS_MAX_COUNT);
const count = item("count", Slot.COUNT, ELEMENTS_MAX_COUNT);
const tail = item("tail", Slot.TAIL, 1);
const field = item("field", Slot.FIELD, FIELD_SIZE_MAX_BYTES);
const member = item("member", Slot.VALUE, FIELD_SIZE_MAX_BYTES);

const DEFINITIONS = {
  setString: {
    number: 1,
    subject: "string",
    items: [deadline, key, value],
    creates: true,
    growth: valueGrowth,
    label: "strings set",
    summary: "the key becomes a string, regardless of its type before",
  },
  appendString: {
    number: 2,
    subject: "string",
    items: [key, before, bytes],
    creates: true,
    growth: valueGrowth,
    label: "appends",
    summary: "bytes are appended to a string",
  },
  overwriteString: {
    number: 3,
    subject: "string",
    items: [key, before, from, bytes],
    growth: ({ index, before, valueLength }) => Math.max(0, index + valueLength - before),
    label: "ranges set",
    summary: "bytes of a string are overwritten; zero bytes fill a gap before them",
  },
  listPushTail: {
    number: 4,
    subject: "list",
    items: [key, before],
    repeated: [element],
    creates: true,
    growth: valueGrowth,
    label: "pushes",
    partLabel: "elements pushed",
    summary: "elements are added to a list's tail, one after another",
  },
  listPushHead: {
    number: 5,
    subject: "list",
    items: [key, before],
    repeated: [element],
    creates: true,
    growth: valueGrowth,
    label: "pushes",
    partLabel: "elements pushed",
    summary: "elements are added to a list's head, one after another",
  },
  listRemove: {
    number: 6,
    subject: "list",
    items: [key, before, index, count],
    label: "elements removed",
    summary: "elements `index` to `index + count - 1` of a list are removed",
  },
  listSet: {
    number: 7,
    subject: "list",
    items: [key, before, index, element],
    growth: valueGrowth,
    label: "elements set",
    summary: "an element of a list is replaced",
  },
  listInsert: {
    number: 8,
    subject: "list",
    items: [key, before, index, element],
    growth: valueGrowth,
    label: "elements inserted",
    summary: "an element is inserted into a list, before the one at `index`",
  },
  listRemoveEqual: {
    number: 9,
    subject: "list",
    items: [key, before, tail, count, element],
    label: "equal elements removed",
    summary: "`count` elements equal to this one are removed, the first ones (`tail` 0) or last (1)",
  },
  hashSet: {
    number: 10,
    subject: "hash",
    items: [key, before],
    repeated: [field, value],
    creates: true,
    growth: ({ fieldLength, valueLength }) => fieldLength + valueLength,
    label: "hashes set",
    partLabel: "fields set",
    summary: "fields of a hash are set",
  },
  hashRemove: {
    number: 11,
    subject: "hash",
    items: [key, before, field],
    label: "fields removed",
    summary: "a field of a hash is removed",
  },
  setDeadline: {
    number: 12,
    subject: "keyspace",
    items: [key, newDeadline],
    growth: () => 0,
    label: "deadlines set",
    summary: "the key's deadline is changed",
  },
  remove: {
    number: 13,
    subject: "keyspace",
    items: [key],
    label: "keys removed",
    summary: "the key is removed: by a command, by eviction, or because its deadline has passed",
  },
  clear: {
    number: 14,
    subject: "keyspace",
    items: [],
    label: "flushes",
    summary: "all keys are removed",
  },
  rename: {
    number: 15,
    subject: "keyspace",
    items: [key, newKey],
    growth: valueGrowth,
    label: "renames",
    summary: "the key is renamed to the new key, which is absent",
  },
  copy: {
    number: 16,
    subject: "keyspace",
    items: [key, newKey],
    label: "copies",
    summary: "the key is copied to the new key, which is absent",
  },
  setAdd: {
    number: 17,
    subject: "set",
    items: [key, before],
    repeated: [member],
    creates: true,
    growth: valueGrowth,
    label: "sets added to",
    partLabel: "members added",
    summary: "members are added to a set that has none of them",
  },
  setRemove: {
    number: 18,
    subject: "set",
    items: [key, before],
    repeated: [member],
    label: "sets removed from",
    partLabel: "members removed",
    summary: "members of a set are removed",
  },
} as const satisfies Record<string, EffectDefinition>;

/** The name of an effect. */
export type EffectName = keyof typeof DEFINITIONS;

/** The names of the effects on values of one type, or on the keyspace. */
export type EffectNameOf<Subject extends EffectSubject> = {
  [Name in EffectName]: (typeof DEFINITIONS)[Name]["subject"] extends Subject ? Name : never;
}[EffectName];

/** A row of the table, with what writer and decoder need of it. */
export interface EffectRow extends EffectDefinition {
  readonly name: EffectName;
  readonly repeated: readonly EffectItem[];
  readonly creates: boolean;
  /** The number of items of a record with one part, the number of the row included. */
  readonly itemsCount: number;
  /** The slots of all items, and those of the repeated ones. */
  readonly slots: number;
  readonly partSlots: number;
  /** The number of items in a part, 0 when there can be only one. */
  readonly partItems: number;
  /** The greatest number or length in the slots in which rows have different items. */
  readonly indexMax: number;
  readonly valueMax: number;
}

/** The table of effects, by name. */
export const EFFECTS: Readonly<Record<EffectName, EffectRow>> = compile(DEFINITIONS);

/** The rows of the table, by number. There is none with number 0. */
export const EFFECT_BY_NUMBER: readonly (EffectRow | undefined)[] = byNumber(Object.values(EFFECTS));

const NO_BYTES = new Uint8Array(0);

/**
 * One effect. It is reused: {@linkcode begin} makes it an effect of another row, whose slots the caller then fills.
 * Slots that the row does not have are stale.
 *
 * All bytes are borrowed: a receiver uses them before it returns.
 */
export class Effect {
  row: EffectRow = EFFECTS.clear;
  /** The number of the part that the slots have, in an effect with several. */
  part = 0;
  /** The key's entry in the store that reports the effect; 0 for an absent key. It is in no record. */
  entry = 0;
  /** Whether a command asked for the effect. Otherwise a key is evicted or has expired. It is in no record. */
  isAsked = true;
  key: Uint8Array = NO_BYTES;
  keyStart = 0;
  keyLength = 0;
  keyView: DataView | undefined;
  field: Uint8Array = NO_BYTES;
  fieldStart = 0;
  fieldLength = 0;
  value: Uint8Array = NO_BYTES;
  valueStart = 0;
  valueLength = 0;
  valueView: DataView | undefined;
  deadlineMs = 0;
  before = 0;
  index = 0;
  count = 0;
  /** 1 when elements are removed from the tail on, 0 from the head. */
  tail = 0;

  /** Makes this an effect of another row, on the key of `entry`. */
  begin(row: EffectRow, entry = 0): void {
    this.row = row;
    this.part = 0;
    this.entry = entry;
    this.isAsked = true;
  }

  /** Becomes equal to another effect. */
  copyFrom(other: Effect): void {
    Object.assign(this, other);
  }

  /** Drops the bytes that a caller has lent. */
  release(): void {
    this.field = this.value = NO_BYTES;
    this.valueView = undefined;
  }

  setKey(bytes: Uint8Array, start: number, length: number, view?: DataView): void {
    this.key = bytes;
    this.keyStart = start;
    this.keyLength = length;
    this.keyView = view;
  }

  setField(bytes: Uint8Array, start: number, length: number): void {
    this.field = bytes;
    this.fieldStart = start;
    this.fieldLength = length;
  }

  setValue(bytes: Uint8Array, start: number, length: number, view?: DataView): void {
    this.value = bytes;
    this.valueStart = start;
    this.valueLength = length;
    this.valueView = view;
  }
}

/**
 * A writer of records, as types of value use it to capture a value (log/record_writer.ts). It writes a whole record, or
 * all of it but the value, or part after part. The caller copies bytes to `buffer`, at the positions that the methods
 * return. It may be another buffer after each call.
 */
export interface EffectWriter {
  readonly buffer: Uint8Array;
  /** Writes an effect with one part. */
  write(effect: Effect): void;
  /** Writes an effect without the `valueLength` bytes of its value, and returns where the caller copies them to. */
  writeRoom(effect: Effect): number;
  /** Begins an effect with several parts: writes the items before them. */
  beginParts(effect: Effect): void;
  /** Writes an item of a part without its bytes, and returns where the caller copies them to. */
  room(length: number): number;
  /** Ends an effect with several parts. */
  finish(): void;
}

/** Reports a bug: a type of value got an effect of another type. The compiler lets no call pass that can happen. */
export function assertNoEffect(name: never): never {
  assert(false, `the effect ${name} belongs to another type of value`);
}

function item(name: string, slot: Slot, max: number): EffectItem {
  return { name, slot, max };
}

function valueGrowth({ valueLength }: Effect): number {
  return valueLength;
}

function compile(definitions: Readonly<Record<EffectName, EffectDefinition>>): Record<EffectName, EffectRow> {
  const rows = Object.entries(definitions).map(([name, definition]) => {
    const { items, repeated = [], creates = false } = definition;
    const all = [...items, ...repeated];
    assert(all.every(({ slot }, i) => i === 0 || slot > all[i - 1]!.slot), `the items of ${name} are out of order`);
    const maxOf = (slot: Slot) => all.find((item) => item.slot === slot)?.max ?? 0;
    const { number, subject, growth, label, partLabel, summary } = definition;
    // All rows have the same properties in the same order: reading one takes a few times longer otherwise.
    return [name, {
      name,
      number,
      subject,
      items,
      repeated,
      creates,
      growth,
      itemsCount: 1 + all.length,
      slots: slotsOf(all),
      partSlots: slotsOf(repeated),
      partItems: repeated.length,
      indexMax: maxOf(Slot.INDEX),
      valueMax: maxOf(Slot.VALUE),
      label,
      partLabel,
      summary,
    }];
  });
  return Object.fromEntries(rows);
}

function slotsOf(items: readonly EffectItem[]): number {
  return items.reduce((slots, { slot }) => slots | slot, 0);
}

function byNumber(rows: readonly EffectRow[]): readonly (EffectRow | undefined)[] {
  const found: (EffectRow | undefined)[] = [undefined];
  for (const row of rows) found[row.number] = row;
  return found;
}

/** Returns a row's record as FORMAT.md shows it: `[10, key, before, field, value, …]`. */
export function recordForm({ number, items, repeated }: EffectRow): string {
  const names = [...items, ...repeated].map(({ name }) => name);
  return `[${[number, ...names, ...repeated.length > 0 ? ["…"] : []].join(", ")}]`;
}
