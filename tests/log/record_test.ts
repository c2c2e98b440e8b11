import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode } from "@std/msgpack";
import { decodeText, encodeText } from "../../src/bytes.ts";
import {
  Effect,
  EFFECT_BY_NUMBER,
  type EffectItem,
  type EffectRow,
  EFFECTS,
  recordForm,
  Slot,
} from "../../src/effects.ts";
import { ProtocolError } from "../../src/errors.ts";
import {
  DEADLINE_MAX_MS,
  ELEMENTS_MAX_COUNT,
  FIELD_SIZE_MAX_BYTES,
  KEY_SIZE_MAX_BYTES,
  LOG_BUFFER_KEEP_MAX_BYTES,
} from "../../src/limits.ts";
import { BLOCK_HEADER_BYTES } from "../../src/log/block.ts";
import { CountingTarget } from "../../src/log/counting_target.ts";
import { RecordDecoder, type RecordTarget } from "../../src/log/record.ts";
import { RecordWriter } from "../../src/log/record_writer.ts";

/** All rows of the table of effects. */
const ROWS = Object.values(EFFECTS);

type Item = number | string;

/** Returns what an effect has in a slot. Bytes become a text of the same length. */
function itemOf(effect: Effect, slot: Slot): Item {
  const text = (bytes: Uint8Array, start: number, length: number) => {
    assert(start + length <= bytes.length);
    return new TextDecoder("latin1").decode(bytes.subarray(start, start + length));
  };
  const items: Record<Slot, () => Item> = {
    [Slot.DEADLINE]: () => effect.deadlineMs,
    [Slot.KEY]: () => text(effect.key, effect.keyStart, effect.keyLength),
    [Slot.NEW_DEADLINE]: () => effect.deadlineMs,
    [Slot.BEFORE]: () => effect.before,
    [Slot.TAIL]: () => effect.tail,
    [Slot.INDEX]: () => effect.index,
    [Slot.COUNT]: () => effect.count,
    [Slot.FIELD]: () => text(effect.field, effect.fieldStart, effect.fieldLength),
    [Slot.VALUE]: () => text(effect.value, effect.valueStart, effect.valueLength),
  };
  return items[slot]();
}

/** A target that notes the records, in the form of their arrays. */
class Notes implements RecordTarget {
  readonly records: Item[][] = [];

  apply(effect: Effect): void {
    const { number, items, repeated } = effect.row;
    if (effect.part === 0) this.records.push([number, ...items.map(({ slot }) => itemOf(effect, slot))]);
    this.records.at(-1)!.push(...repeated.map(({ slot }) => itemOf(effect, slot)));
  }
  gap(): void {}
  end(keys: number) {
    this.records.push([0, keys]);
  }
}

/** Returns a source with the text in its middle, as in a buffer of requests. */
function within(text: string): [bytes: Uint8Array, start: number, length: number] {
  const bytes = encodeText(`..${text}.`);
  return [bytes, 2, bytes.length - 3];
}

/** Fills the room that a writer has made, in its current buffer. */
function put(writer: RecordWriter, at: number, text: string): void {
  writer.buffer.set(encodeText(text), at);
}

/** Makes an effect one of `row`, with these items. */
function fill(effect: Effect, row: EffectRow, all: readonly Item[]): Effect {
  effect.begin(row);
  for (const [i, { slot }] of [...row.items, ...row.repeated].entries()) {
    const [text, number] = [within(String(all[i])), Number(all[i])];
    const fillers: Record<Slot, () => void> = {
      [Slot.DEADLINE]: () => effect.deadlineMs = number,
      [Slot.KEY]: () => effect.setKey(...text, new DataView(text[0].buffer)),
      [Slot.NEW_DEADLINE]: () => effect.deadlineMs = number,
      [Slot.BEFORE]: () => effect.before = number,
      [Slot.TAIL]: () => effect.tail = number,
      [Slot.INDEX]: () => effect.index = number,
      [Slot.COUNT]: () => effect.count = number,
      [Slot.FIELD]: () => effect.setField(...text),
      [Slot.VALUE]: () => effect.setValue(...text),
    };
    fillers[slot]();
  }
  return effect;
}

/** Returns an item of its greatest size, or of these ones if they are less. */
function sampleOf({ slot, max }: EffectItem, text: string, number: number): Item {
  const isText = slot === Slot.KEY || slot === Slot.FIELD || slot === Slot.VALUE;
  return isText ? text.slice(0, max) : Math.min(number, max);
}

function removeKey(writer: RecordWriter, key: string): void {
  writer.write(fill(new Effect(), EFFECTS.remove, [key]));
}

/** Writes a record of each row in each form, and returns the expected items. */
function writeAll(writer: RecordWriter, text: string, number: number): Item[][] {
  const expected: Item[][] = [];
  const effect = new Effect();
  for (const row of ROWS) {
    const all = [...row.items, ...row.repeated].map((item) => sampleOf(item, text, number));
    writer.write(fill(effect, row, all));
    expected.push([row.number, ...all]);
    if (row.repeated.length > 0) {
      const other = row.repeated.map((_, i) => `other ${i}`);
      const items = [...all.slice(row.items.length), ...other] as string[];
      writer.beginParts(fill(effect, row, all));
      for (const item of items) put(writer, writer.room(item.length), item);
      writer.finish();
      expected.push([row.number, ...all, ...other]);
    } else if (row.items.at(-1)?.slot === Slot.VALUE) {
      put(writer, writer.writeRoom(fill(effect, row, all)), String(all.at(-1)));
      expected.push([row.number, ...all]);
    }
  }
  const [k, f, v] = [within(text.slice(0, 1000)), within("field"), within(text)];
  for (const view of [undefined, new DataView(v[0].buffer)]) {
    writer.setString(...k, number, ...v, view);
    for (const head of [false, true]) writer.listPush(...k, number, head, ...v, view);
    writer.hashSet(...k, number, ...f, ...v, view);
    const key = text.slice(0, 1000);
    expected.push([1, number, key, text], [4, key, number, text], [5, key, number, text]);
    expected.push([10, key, number, "field", text]);
  }
  return expected;
}

/** Returns a writer's records as @std/msgpack decodes them. */
function oracle(writer: RecordWriter): Item[][] {
  // An array32 around them all makes them one value.
  const payload = writer.buffer.subarray(BLOCK_HEADER_BYTES, writer.length);
  const found: Item[][] = [];
  for (let count = 0;; count++) {
    const wrapped = new Uint8Array(5 + payload.length);
    wrapped.set([0xdd, count >>> 24, count >>> 16, count >>> 8, count]);
    wrapped.set(payload, 5);
    let all: unknown;
    try {
      all = decode(wrapped);
    } catch {
      continue;
    }
    for (const record of all as (number | bigint | Uint8Array)[][]) {
      found.push(record.map((item) => item instanceof Uint8Array ? decodeText(item) : Number(item)));
    }
    return found;
  }
}

function decodeAll(writer: RecordWriter): Item[][] {
  const notes = new Notes();
  const decoder = new RecordDecoder(notes);
  decoder.decode(writer.buffer, BLOCK_HEADER_BYTES, writer.length);
  assertEquals(decoder.count, notes.records.length);
  return notes.records;
}

for (const number of [0, 1, 127, 128, 255, 256, 65_535, 65_536, ELEMENTS_MAX_COUNT]) {
  for (const length of [0, 1, 31, 255, 256, 65_536]) {
    Deno.test(`RecordWriter writes every effect with ${number} and ${length} bytes, as MessagePack specifies`, () => {
      const writer = new RecordWriter();
      assert(writer.isEmpty);
      const expected = writeAll(writer, "v".repeat(length), number);
      assert(!writer.isEmpty);
      assertEquals(oracle(writer), expected);
      assertEquals(decodeAll(writer), expected);
    });
  }
}

Deno.test("RecordWriter writes the longest key and field, the latest deadline, and an empty key", () => {
  const writer = new RecordWriter();
  const [key, field] = ["k".repeat(KEY_SIZE_MAX_BYTES), "f".repeat(FIELD_SIZE_MAX_BYTES)];
  writer.setString(...within(key), DEADLINE_MAX_MS, ...within(""), undefined);
  writer.hashSet(...within(key), 0, ...within(field), ...within("x"), undefined);
  removeKey(writer, "");
  const expected = [[1, DEADLINE_MAX_MS, key, ""], [10, key, 0, field, "x"], [13, ""]];
  assertEquals(oracle(writer), expected);
  assertEquals(decodeAll(writer), expected);
});

Deno.test("RecordWriter.end() closes a snapshot, and RecordDecoder returns its facts", () => {
  const writer = new RecordWriter();
  writer.end(7, 2 ** 40, Number.MAX_SAFE_INTEGER);
  assertEquals(oracle(writer), [[0, 7, 2 ** 40, Number.MAX_SAFE_INTEGER]]);
  const decoder = new RecordDecoder(new CountingTarget());
  assertEquals(decoder.ended, undefined);
  decoder.decode(writer.buffer, BLOCK_HEADER_BYTES, writer.length);
  assertEquals(decoder.ended, { keys: 7, batch: 2 ** 40, takenMs: Number.MAX_SAFE_INTEGER });
});

Deno.test("RecordWriter.take() hands its records over, and continues with others", () => {
  const writer = new RecordWriter();
  removeKey(writer, "a");
  const taken = writer.take();
  assert(writer.isEmpty);
  removeKey(writer, "b");
  const notes = new Notes();
  const decoder = new RecordDecoder(notes);
  decoder.decode(taken, BLOCK_HEADER_BYTES, taken.length);
  decoder.decode(writer.buffer, BLOCK_HEADER_BYTES, writer.length);
  assertEquals(notes.records, [[13, "a"], [13, "b"]]);
});

Deno.test("RecordWriter.reset() frees the memory that one large value needed", () => {
  const writer = new RecordWriter();
  writer.setString(...within("a"), 0, ...within("x".repeat(2 * LOG_BUFFER_KEEP_MAX_BYTES)), undefined);
  writer.reset();
  assert(writer.isEmpty && writer.buffer.length <= LOG_BUFFER_KEEP_MAX_BYTES);
  removeKey(writer, "a");
  assertEquals(decodeAll(writer), [[13, "a"]]);
});

/** Decodes the given bytes. */
function decodeBytes(...bytes: number[]): void {
  new RecordDecoder(new CountingTarget()).decode(Uint8Array.from(bytes), 0, bytes.length);
}

function refuse(message: string, ...bytes: number[]): void {
  assertThrows(() => decodeBytes(...bytes), ProtocolError, message);
}

const KEY = [0xc4, 1, 0x61];

Deno.test("RecordDecoder refuses a record of each effect with an item too few or too many", () => {
  refuse("of type 0 with 3 items", 0x93, 0, 0, 0);
  refuse("of type 0 with 5 items", 0x95, 0, 0, 0, 0, 0);
  for (const row of ROWS) {
    const { number, itemsCount, repeated } = row;
    for (const wrong of [itemsCount - 1, itemsCount + 1]) {
      const isPart = (wrong - itemsCount) % repeated.length === 0;
      if (wrong === 0 || (wrong > itemsCount && isPart)) continue;
      const message = `of type ${number} with ${wrong} items: expected ${recordForm(row)}`;
      refuse(message, 0x90 | wrong, number, ...KEY, 0, 0, 0, 0, 0);
    }
  }
});

Deno.test("RecordDecoder refuses a hash whose last field has no value", () => {
  const message = "of type 10 with 6 items: expected [10, key, before, field, value, …]";
  refuse(message, 0x96, 10, ...KEY, 0, ...KEY, ...KEY, ...KEY);
});

Deno.test("RecordDecoder refuses an item beyond its maximum in each effect", () => {
  const [text, number] = ["v", 1];
  for (const row of ROWS) {
    const items = [...row.items, ...row.repeated];
    for (const [i, item] of items.entries()) {
      if (typeof sampleOf(item, text, number) === "string") continue;
      const writer = new RecordWriter();
      // The bound of a deadline is not exact: numbers above 2^53 are rounded.
      const all = items.map((each) => each === item ? each.max + (each.max > 2 ** 53 ? 2 ** 11 : 1) : "v");
      writer.write(fill(new Effect(), row, all));
      const bytes = writer.buffer.subarray(BLOCK_HEADER_BYTES, writer.length);
      const before = items.slice(0, i).every((each) => typeof sampleOf(each, text, number) === "string");
      if (before) refuse(`expected at most ${item.max}`, ...bytes);
    }
  }
});

Deno.test("RecordDecoder refuses bytes that are not a record", () => {
  refuse("begins with 195: expected an array", 0xc3);
  refuse("begins with 220: expected an array", 0xdc, 0, 1, 14);
  refuse("it goes beyond its block", 0x90);
  refuse("of type 19: expected 0 to 18", 0x91, 19);
  refuse("of type 200: expected 0 to 18", 0x91, 0xcc, 200);
  refuse("begins with 160: expected an unsigned integer", 0x91, 0xa0);
  refuse("begins with 255: expected an unsigned integer", 0x91, 0xff);
});

Deno.test("RecordDecoder refuses items of a wrong type", () => {
  refuse("begins with 161: expected bin", 0x92, 13, 0xa1, 0x61);
  refuse("begins with 5: expected bin", 0x92, 13, 5, 0);
  refuse("begins with 196: expected an unsigned integer", 0x93, 12, ...KEY, ...KEY);
  refuse("begins with 208: expected an unsigned integer", 0x93, 12, ...KEY, 0xd0, 1);
});

Deno.test("RecordDecoder refuses sizes and numbers beyond the limits", () => {
  const key = new Uint8Array(KEY_SIZE_MAX_BYTES + 1 + 5);
  key.set([0x92, 13, 0xc5, (KEY_SIZE_MAX_BYTES + 1) >>> 8, (KEY_SIZE_MAX_BYTES + 1) & 0xff]);
  assertThrows(() => decodeBytes(...key), ProtocolError, `expected at most ${KEY_SIZE_MAX_BYTES}`);
  refuse("it goes beyond its block", 0x92, 13, 0xc6, 0xff, 0xff, 0xff, 0xff);
  refuse("it goes beyond its block", 0xdd, 0xff, 0xff, 0xff, 0xff, 4);
  refuse(`expected at most ${DEADLINE_MAX_MS}`, 0x93, 12, ...KEY, 0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0);
  refuse(`expected at most ${ELEMENTS_MAX_COUNT}`, 0x94, 11, ...KEY, 0xcf, 0, 0, 0, 1, 0, 0, 0, 0, ...KEY);
  refuse("expected at most 1", 0x96, 9, ...KEY, 1, 2, 1, ...KEY);
  refuse("expected at most", 0x94, 0, 0xcf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0);
});

Deno.test("RecordDecoder refuses a record after the closing one", () => {
  refuse("after the closing one", 0x94, 0, 0, 0, 0, 0x91, 14);
  const decoder = new RecordDecoder(new CountingTarget());
  decoder.decode(Uint8Array.of(0x94, 0, 0, 0, 0), 0, 5);
  assertThrows(() => decoder.decode(Uint8Array.of(0x91, 14), 0, 2), ProtocolError, "after the closing one");
});

Deno.test("RecordDecoder refuses records cut at any byte, and accepts those before", () => {
  const writer = new RecordWriter();
  const expected = writeAll(writer, "value", 300);
  writer.end(1, 2, 3);
  expected.push([0, 1]);
  const ends = new Set<number>();
  const bytes = writer.buffer.subarray(BLOCK_HEADER_BYTES, writer.length);
  for (let length = 0; length <= bytes.length; length++) {
    const notes = new Notes();
    const decoder = new RecordDecoder(notes);
    try {
      // The bytes after the cut do not matter.
      decoder.decode(bytes, 0, length);
      ends.add(length);
      assertEquals(notes.records, expected.slice(0, decoder.count));
    } catch (error) {
      assert(error instanceof ProtocolError, `${length} bytes: ${error}`);
    }
  }
  assertEquals(ends.size, expected.length + 1);
});

Deno.test("CountingTarget counts records by their effect, and parts", () => {
  for (const row of ROWS) {
    const writer = new RecordWriter();
    const all = [...row.items, ...row.repeated].map((item) => sampleOf(item, "v", 1));
    writer.write(fill(new Effect(), row, all));
    const expected: Record<string, number> = { [row.label]: 1 };
    if (row.partLabel !== undefined) {
      expected[row.partLabel] = 3;
      writer.beginParts(fill(new Effect(), row, all));
      for (let i = 0; i < 2 * row.repeated.length; i++) put(writer, writer.room(1), "x");
      writer.finish();
      expected[row.label] = 2;
    }
    const target = new CountingTarget();
    new RecordDecoder(target).decode(writer.buffer, BLOCK_HEADER_BYTES, writer.length);
    assertEquals(target.counts, expected);
  }
});

Deno.test("effects are numbered from 1 on, and those with parts have a word for them", () => {
  assertEquals(ROWS.map(({ number }) => number), ROWS.map((_, i) => i + 1));
  assertEquals(EFFECT_BY_NUMBER, [undefined, ...ROWS]);
  for (const { repeated, partLabel } of ROWS) assertEquals(repeated.length > 0, partLabel !== undefined);
});

Deno.test("the numbers and forms of records are those that files on disk have", () => {
  // A row that changes makes files unreadable, so this list is written by hand.
  assertEquals(ROWS.map(recordForm), [
    "[1, deadline, key, value]",
    "[2, key, before, bytes]",
    "[3, key, before, from, bytes]",
    "[4, key, before, element, …]",
    "[5, key, before, element, …]",
    "[6, key, before, index, count]",
    "[7, key, before, index, element]",
    "[8, key, before, index, element]",
    "[9, key, before, tail, count, element]",
    "[10, key, before, field, value, …]",
    "[11, key, before, field]",
    "[12, key, deadline]",
    "[13, key]",
    "[14]",
    "[15, key, new key]",
    "[16, key, new key]",
    "[17, key, before, member, …]",
    "[18, key, before, member, …]",
  ]);
});
