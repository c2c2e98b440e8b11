import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode } from "@std/msgpack";
import { decodeText, encodeText } from "../../src/bytes.ts";
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
import { RecordDecoder, type RecordTarget, RecordType } from "../../src/log/record.ts";
import { RecordWriter } from "../../src/log/record_writer.ts";

type Item = number | string;

/** A target that notes the records, in the form of their arrays. Bytes are noted as texts of the same length. */
class Notes implements RecordTarget {
  readonly records: Item[][] = [];
  readonly #decoder = new TextDecoder("latin1");

  #text(bytes: Uint8Array, start: number, length: number): string {
    assert(start + length <= bytes.length);
    return this.#decoder.decode(bytes.subarray(start, start + length));
  }

  setString(bytes: Uint8Array, key: number, keyLength: number, deadlineMs: number, value: number, length: number) {
    this.records.push([1, deadlineMs, this.#text(bytes, key, keyLength), this.#text(bytes, value, length)]);
  }
  append(bytes: Uint8Array, key: number, keyLength: number, before: number, value: number, length: number) {
    this.records.push([2, this.#text(bytes, key, keyLength), before, this.#text(bytes, value, length)]);
  }
  overwrite(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    from: number,
    value: number,
    length: number,
  ) {
    this.records.push([3, this.#text(bytes, key, keyLength), before, from, this.#text(bytes, value, length)]);
  }
  beginPush(bytes: Uint8Array, key: number, keyLength: number, before: number, head: boolean) {
    this.records.push([head ? 5 : 4, this.#text(bytes, key, keyLength), before]);
  }
  push(bytes: Uint8Array, element: number, length: number) {
    this.records.at(-1)!.push(this.#text(bytes, element, length));
  }
  listRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, index: number, count: number) {
    this.records.push([6, this.#text(bytes, key, keyLength), before, index, count]);
  }
  listSet(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    index: number,
    element: number,
    length: number,
  ) {
    this.records.push([7, this.#text(bytes, key, keyLength), before, index, this.#text(bytes, element, length)]);
  }
  listInsert(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    index: number,
    element: number,
    length: number,
  ) {
    this.records.push([8, this.#text(bytes, key, keyLength), before, index, this.#text(bytes, element, length)]);
  }
  listRemoveEqual(
    bytes: Uint8Array,
    key: number,
    keyLength: number,
    before: number,
    fromTail: boolean,
    most: number,
    element: number,
    length: number,
  ) {
    const tail = fromTail ? 1 : 0;
    this.records.push([9, this.#text(bytes, key, keyLength), before, tail, most, this.#text(bytes, element, length)]);
  }
  beginFields(bytes: Uint8Array, key: number, keyLength: number, before: number) {
    this.records.push([10, this.#text(bytes, key, keyLength), before]);
  }
  setField(bytes: Uint8Array, field: number, fieldLength: number, value: number, valueLength: number) {
    this.records.at(-1)!.push(this.#text(bytes, field, fieldLength), this.#text(bytes, value, valueLength));
  }
  hashRemove(bytes: Uint8Array, key: number, keyLength: number, before: number, field: number, length: number) {
    this.records.push([11, this.#text(bytes, key, keyLength), before, this.#text(bytes, field, length)]);
  }
  setDeadline(bytes: Uint8Array, key: number, keyLength: number, deadlineMs: number) {
    this.records.push([12, this.#text(bytes, key, keyLength), deadlineMs]);
  }
  remove(bytes: Uint8Array, key: number, keyLength: number) {
    this.records.push([13, this.#text(bytes, key, keyLength)]);
  }
  clear() {
    this.records.push([14]);
  }
  rename(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number) {
    this.records.push([15, this.#text(bytes, key, keyLength), this.#text(bytes, newKey, newLength)]);
  }
  copy(bytes: Uint8Array, key: number, keyLength: number, newKey: number, newLength: number) {
    this.records.push([16, this.#text(bytes, key, keyLength), this.#text(bytes, newKey, newLength)]);
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

/** Writes one record of each type, and returns the expected items. */
function writeAll(writer: RecordWriter, key: string, value: string, number: number): Item[][] {
  const [k, v] = [within(key), within(value)];
  writer.setString(...k, number, ...v, undefined);
  writer.setString(...k, number, ...v, new DataView(v[0].buffer));
  put(writer, writer.setStringRoom(...k, number, v[2]), value);
  writer.append(...k, number, ...v);
  put(writer, writer.appendRoom(...k, number, v[2]), value);
  writer.overwrite(...k, number, 7, ...v);
  writer.push(...k, number, false, ...v, undefined);
  writer.push(...k, number, true, ...v, undefined);
  writer.listRemove(...k, number, 1, number);
  writer.listSet(...k, number, 300, ...v);
  writer.listInsert(...k, number, 70_000, ...v);
  writer.listRemoveEqual(...k, number, true, 2, ...v);
  writer.listRemoveEqual(...k, number, false, number, ...v);
  writer.hashSet(...k, number, ...within("field"), ...v, undefined);
  writer.hashRemove(...k, number, ...within("field"));
  writer.setDeadline(...k, number);
  writer.remove(...k);
  writer.clear();
  writer.rename(...k, ...within("other"));
  writer.copyKey(...k, ...within("other"));
  const many = ["1", value, "", "4"];
  for (const type of [RecordType.PushTail, RecordType.HashSet] as const) {
    writer.begin(type, ...k, number);
    for (const item of many) put(writer, writer.room(item.length), item);
    writer.finish();
  }
  return [
    [1, number, key, value],
    [1, number, key, value],
    [1, number, key, value],
    [2, key, number, value],
    [2, key, number, value],
    [3, key, number, 7, value],
    [4, key, number, value],
    [5, key, number, value],
    [6, key, number, 1, number],
    [7, key, number, 300, value],
    [8, key, number, 70_000, value],
    [9, key, number, 1, 2, value],
    [9, key, number, 0, number, value],
    [10, key, number, "field", value],
    [11, key, number, "field"],
    [12, key, number],
    [13, key],
    [14],
    [15, key, "other"],
    [16, key, "other"],
    [4, key, number, ...many],
    [10, key, number, ...many],
  ];
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
    Deno.test(`RecordWriter writes every type with ${number} and ${length} bytes, as MessagePack specifies`, () => {
      const writer = new RecordWriter();
      assert(writer.isEmpty);
      const value = "v".repeat(length);
      const expected = writeAll(writer, "key", value, number);
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
  writer.remove(...within(""));
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
  writer.remove(...within("a"));
  const taken = writer.take();
  assert(writer.isEmpty);
  writer.remove(...within("b"));
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
  writer.remove(...within("a"));
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

Deno.test("RecordDecoder refuses a record of each type with an item too few or too many", () => {
  const writer = new RecordWriter();
  writeAll(writer, "k", "v", 5);
  writer.end(1, 2, 3);
  const bytes = writer.buffer.slice(BLOCK_HEADER_BYTES, writer.length);
  const decoder = new RecordDecoder(new CountingTarget());
  decoder.decode(bytes, 0, bytes.length);
  // The header of a short array is its first byte; another test has longer ones.
  for (let type = 0; type <= 16; type++) {
    const single = new RecordWriter();
    const all = writeAll(single, "k", "v", 5);
    const items = type === 0 ? 4 : all.find((record) => record[0] === type)!.length;
    for (const wrong of [items - 1, items + 1]) {
      if (wrong === 0) continue;
      const isOpen = type === 4 || type === 5 || type === 10;
      if (isOpen && wrong > items) continue;
      refuse(`of type ${type} with ${wrong} items`, 0x90 | wrong, type, ...KEY, 0, 0, 0, 0, 0);
    }
  }
});

Deno.test("RecordDecoder refuses a hash whose last field has no value", () => {
  refuse("the last one has no value", 0x96, 10, ...KEY, 0, ...KEY, ...KEY, ...KEY);
});

Deno.test("RecordDecoder refuses bytes that are not a record", () => {
  refuse("begins with 195: expected an array", 0xc3);
  refuse("begins with 220: expected an array", 0xdc, 0, 1, 14);
  refuse("it goes beyond its block", 0x90);
  refuse("of type 17: expected 0 to 16", 0x91, 17);
  refuse("of type 200: expected 0 to 16", 0x91, 0xcc, 200);
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
  const expected = writeAll(writer, "key", "value", 300);
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

Deno.test("CountingTarget counts records by their effect, and items", () => {
  const writer = new RecordWriter();
  writeAll(writer, "k", "v", 1);
  const target = new CountingTarget();
  new RecordDecoder(target).decode(writer.buffer, BLOCK_HEADER_BYTES, writer.length);
  assertEquals(target.counts["strings set"], 3);
  assertEquals([target.counts["pushes"], target.counts["elements pushed"]], [3, 6]);
  assertEquals([target.counts["hashes set"], target.counts["fields set"]], [2, 3]);
  assertEquals(target.counts["flushes"], 1);
});
