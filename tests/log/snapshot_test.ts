import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { decode } from "@std/msgpack";
import { crc32 } from "node:zlib";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { CorruptionError, StartError } from "../../src/errors.ts";
import { FIELD_SIZE_MAX_BYTES, SNAPSHOT_BLOCK_BYTES } from "../../src/limits.ts";
import type { RecordTarget } from "../../src/log/record.ts";
import {
  BLOCK_HEADER_BYTES,
  SNAPSHOT_HEADER_BYTES,
  type SnapshotSummary,
  SnapshotWriter,
} from "../../src/log/snapshot.ts";
import { readSnapshot } from "../../src/log/snapshot_reader.ts";
import { read32, write32 } from "../../src/wire/message_pack.ts";

type Bytes = Uint8Array<ArrayBuffer>;
type Value = Bytes | Bytes[] | [field: Bytes, value: Bytes][];
interface Entry {
  key: Bytes;
  deadlineMs: number;
  type: "string" | "list" | "hash";
  value: Value;
}

/** Collects what is written, and gives it back in pieces of at most `step` bytes. */
class MemoryFile {
  readonly chunks: Bytes[] = [];
  #bytes: Bytes | undefined;
  #at = 0;
  constructor(bytes?: Bytes, readonly step = 1 << 30) {
    this.#bytes = bytes;
  }
  writeSync(bytes: Uint8Array): number {
    const part = bytes.slice(0, this.step);
    this.chunks.push(part);
    return part.length;
  }
  readSync(target: Uint8Array): number | null {
    const bytes = this.#bytes!;
    if (this.#at === bytes.length) return null;
    const part = bytes.subarray(this.#at, this.#at + Math.min(target.length, this.step));
    target.set(part);
    this.#at += part.length;
    return part.length;
  }
  all(): Bytes {
    const whole = new Uint8Array(this.chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}

class Collector implements RecordTarget {
  readonly entries: Entry[] = [];
  #open: Entry | undefined;
  string(bytes: Bytes, keyStart: number, keyLength: number, deadlineMs: number, start: number, length: number): void {
    const key = bytes.slice(keyStart, keyStart + keyLength);
    this.entries.push({ key, deadlineMs, type: "string", value: bytes.slice(start, start + length) });
  }
  beginList(bytes: Bytes, keyStart: number, keyLength: number, deadlineMs: number): void {
    this.#open = { key: bytes.slice(keyStart, keyStart + keyLength), deadlineMs, type: "list", value: [] };
  }
  beginHash(bytes: Bytes, keyStart: number, keyLength: number, deadlineMs: number): void {
    this.#open = { key: bytes.slice(keyStart, keyStart + keyLength), deadlineMs, type: "hash", value: [] };
  }
  element(bytes: Bytes, start: number, length: number): void {
    (this.#open!.value as Bytes[]).push(bytes.slice(start, start + length));
  }
  field(bytes: Bytes, fieldStart: number, fieldLength: number, start: number, length: number): void {
    const field = bytes.slice(fieldStart, fieldStart + fieldLength);
    (this.#open!.value as [Bytes, Bytes][]).push([field, bytes.slice(start, start + length)]);
  }
  endAggregate(): void {
    this.entries.push(this.#open!);
    this.#open = undefined;
  }
}

const NOW = 1_765_432_100_123;

function snapshotOf(entries: Entry[], step?: number): { bytes: Bytes; summary: SnapshotSummary } {
  const file = new MemoryFile(undefined, step);
  const writer = new SnapshotWriter(file, NOW);
  for (const { key, deadlineMs, type, value } of entries) {
    if (type === "string") {
      const bytes = value as Bytes;
      writer.string(deadlineMs, key.length, bytes.length);
      writer.buffer.set(key, writer.keyAt);
      writer.buffer.set(bytes, writer.valueAt);
    } else if (type === "list") {
      writer.beginList(deadlineMs, key.length, value.length);
      writer.buffer.set(key, writer.keyAt);
      for (const element of value as Bytes[]) {
        writer.element(element.length);
        writer.buffer.set(element, writer.valueAt);
      }
    } else {
      writer.beginHash(deadlineMs, key.length, value.length);
      writer.buffer.set(key, writer.keyAt);
      for (const [field, bytes] of value as [Bytes, Bytes][]) {
        writer.field(field.length, bytes.length);
        writer.buffer.set(field, writer.keyAt);
        writer.buffer.set(bytes, writer.valueAt);
      }
    }
  }
  return { summary: writer.finish(), bytes: file.all() };
}

function read(bytes: Bytes, step?: number): { entries: Entry[]; summary: SnapshotSummary } {
  const collector = new Collector();
  const summary = readSnapshot(new MemoryFile(bytes, step), bytes.length, "x.inmem", collector);
  return { entries: collector.entries, summary };
}

const text = encodeText;
const string = (key: string, value: string, deadlineMs = 0): Entry => ({
  key: text(key),
  deadlineMs,
  type: "string",
  value: text(value),
});

const SMALL: Entry[] = [
  string("a", "1"),
  string("", ""),
  string("a key with spaces", "Grüße 🦕", NOW + 60_000),
  { key: new Uint8Array([0, 255, 10]), deadlineMs: 0, type: "string", value: new Uint8Array([0, 0, 13, 10, 0]) },
  { key: text("list"), deadlineMs: 2 ** 48 - 1, type: "list", value: [text("x"), text(""), text("z")] },
  { key: text("hash"), deadlineMs: 1, type: "hash", value: [[text("f"), text("")], [text(""), text("v")]] },
];

/** Bytes that a seed gives, the same on every run. */
function noise(length: number, seed: number): Bytes {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    bytes[i] = seed >>> 24;
  }
  return bytes;
}

Deno.test("readSnapshot() gives back all types, deadlines, binary keys and empty values in order", () => {
  const { bytes, summary } = snapshotOf(SMALL);
  const result = read(bytes);
  assertEquals(result.entries, SMALL);
  assertEquals(result.summary, { keys: 6, createdMs: NOW, sizeBytes: bytes.length });
  assertEquals(summary, result.summary);
});

Deno.test("readSnapshot() reads an empty snapshot", () => {
  assertEquals(read(snapshotOf([]).bytes).summary.keys, 0);
});

Deno.test("SnapshotWriter and readSnapshot() go on after short writes and reads", () => {
  const { bytes } = snapshotOf(SMALL, 7);
  assertEquals(bytes, snapshotOf(SMALL).bytes);
  assertEquals(read(bytes, 3).entries, SMALL);
});

Deno.test("SnapshotWriter spreads large lists, hashes and values over blocks of bounded size", () => {
  const entries: Entry[] = [
    { key: text("long"), deadlineMs: 0, type: "list", value: Array.from({ length: 200_000 }, (_, i) => text(`e${i}`)) },
    string("between", "x"),
    { key: text("big"), deadlineMs: 5, type: "string", value: noise(5_000_000, 1) },
    {
      key: text("wide"),
      deadlineMs: 0,
      type: "hash",
      value: Array.from({ length: 60_000 }, (_, i): [Bytes, Bytes] => [text(`field ${i}`), noise(i % 50, i)]),
    },
    { key: text("big elements"), deadlineMs: 0, type: "list", value: [1, 2, 3].map((i) => noise(i * 1_000_000, i)) },
    {
      key: text("big field"),
      deadlineMs: 0,
      type: "hash",
      value: [[noise(FIELD_SIZE_MAX_BYTES, 8), noise(1_600_000, 9)]],
    },
    string("last", "y"),
  ];
  const { bytes } = snapshotOf(entries);
  assertEquals(read(bytes).entries, entries);
  let largest = 0;
  for (let at = SNAPSHOT_HEADER_BYTES; at < bytes.length; at += BLOCK_HEADER_BYTES + read32(bytes, at)) {
    const size = read32(bytes, at);
    if (size < 1_600_000) largest = Math.max(largest, size);
  }
  assert(largest <= SNAPSHOT_BLOCK_BYTES, "only single large records may exceed a block");
});

Deno.test("SnapshotWriter writes MessagePack that another codec reads", () => {
  const { bytes } = snapshotOf([string("key", "value", 4_000_000_000_000)]);
  const payload = bytes.subarray(
    SNAPSHOT_HEADER_BYTES + BLOCK_HEADER_BYTES,
    SNAPSHOT_HEADER_BYTES + BLOCK_HEADER_BYTES + read32(bytes, SNAPSHOT_HEADER_BYTES),
  );
  const [type, deadlineMs, key, value] = decode(payload) as [number, number | bigint, Bytes, Bytes];
  assertEquals([type, Number(deadlineMs), decodeText(key), decodeText(value)], [1, 4_000_000_000_000, "key", "value"]);
});

Deno.test("readSnapshot() notices every single flipped bit", () => {
  const { bytes } = snapshotOf(SMALL);
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    const error = assertThrows(() => read(flipped), CorruptionError, "x.inmem");
    assert(error.offset <= bit >> 3, `offset ${error.offset} lies behind bit ${bit}`);
  }
});

Deno.test("readSnapshot() notices a cut at every byte, and what was appended", () => {
  const { bytes } = snapshotOf(SMALL);
  for (let length = 0; length < bytes.length; length++) {
    assertThrows(() => read(bytes.slice(0, length)), CorruptionError);
  }
  const longer = new Uint8Array(bytes.length + 1);
  longer.set(bytes);
  assertThrows(() => read(longer), CorruptionError, "behind the closing block");
});

Deno.test("readSnapshot() notices flips and cuts in a snapshot of many blocks", () => {
  const entries = Array.from({ length: 40 }, (_, i): Entry => ({
    key: text(`key ${i}`),
    deadlineMs: 0,
    type: "string",
    value: noise(100_000, i),
  }));
  const { bytes } = snapshotOf(entries);
  const places = noise(4000, 42);
  for (let i = 0; i < 1000; i++) {
    const place = read32(places, i * 4) % bytes.length;
    bytes[place]! ^= 1 << (i & 7);
    assertThrows(() => read(bytes), CorruptionError);
    bytes[place]! ^= 1 << (i & 7);
    if (i % 10 === 0) assertThrows(() => read(bytes.subarray(0, place)), CorruptionError);
  }
  assertEquals(read(bytes).entries.length, 40);
});

/** The blocks of a snapshot, each with its header. */
function blocksOf(bytes: Bytes): Bytes[] {
  const blocks: Bytes[] = [];
  for (let at = SNAPSHOT_HEADER_BYTES; at < bytes.length;) {
    const end = at + BLOCK_HEADER_BYTES + read32(bytes, at);
    blocks.push(bytes.slice(at, end));
    at = end;
  }
  return blocks;
}

function join(parts: Bytes[]): Bytes {
  const file = new MemoryFile();
  for (const part of parts) file.writeSync(part);
  return file.all();
}

Deno.test("readSnapshot() notices blocks that are missing, doubled, swapped or from another snapshot", () => {
  const entries = [1, 2, 3].map((i): Entry => ({
    key: text(`k${i}`),
    deadlineMs: 0,
    type: "string",
    value: noise(1_100_000, i),
  }));
  const { bytes } = snapshotOf(entries);
  const header = bytes.slice(0, SNAPSHOT_HEADER_BYTES);
  const [a, b, c, end] = blocksOf(bytes) as [Bytes, Bytes, Bytes, Bytes];
  for (const blocks of [[a, c, end], [a, b, b, c, end], [b, a, c, end], [end], [a, b, c, end, end]]) {
    assertThrows(() => read(join([header, ...blocks])), CorruptionError);
  }
  const other = new SnapshotWriter(new MemoryFile(), NOW);
  other.finish();
  const file = new MemoryFile();
  new SnapshotWriter(file, NOW + 1);
  assertThrows(() => read(join([file.all(), a, b, c, end])), CorruptionError, "checksum");
});

/** A snapshot whose only block holds `payload`, with right checksums. */
function crafted(payload: Bytes): Bytes {
  const file = new MemoryFile();
  new SnapshotWriter(file, NOW);
  const header = file.all();
  const block = new Uint8Array(BLOCK_HEADER_BYTES + payload.length);
  write32(block, 0, payload.length);
  block.set(payload, BLOCK_HEADER_BYTES);
  write32(block, 8, crc32(payload, crc32(block.subarray(0, 8), read32(header, 28))));
  return join([header, block]);
}

Deno.test("readSnapshot() refuses records that are not possible, whatever their checksum says", () => {
  const end = [0x93, 0, 0, 32];
  assertEquals(read(crafted(new Uint8Array(end))).entries, []);
  const refused: [string, number[]][] = [
    ["wrong number of keys", [0x93, 0, 1, 32]],
    ["wrong offset", [0x93, 0, 0, 33]],
    ["a record behind the closing one", [...end, ...end]],
    ["no array", [0xc0]],
    ["unknown type", [0x91, 9, ...end]],
    ["string without a value", [0x93, 1, 0, 0xc4, 1, 65, ...end]],
    ["key beyond the block", [0x94, 1, 0, 0xc4, 200, 65]],
    ["list without elements", [0x94, 2, 0, 0xc4, 1, 65, 0, ...end]],
    ["list that lacks an element", [0x95, 2, 0, 0xc4, 1, 65, 2, 0xc4, 0, 0x93, 0, 1, 32]],
    ["list with too many elements", [0x96, 2, 0, 0xc4, 1, 65, 1, 0xc4, 0, 0xc4, 0, 0x93, 0, 1, 32]],
    ["list that says it has 4 G elements in this record", [0xdd, 255, 255, 255, 255, 2, 0, 0xc4, 0, 1, 0xc4, 0]],
    ["hash with half a field", [0x95, 3, 0, 0xc4, 1, 65, 1, 0xc4, 0, 0x93, 0, 1, 32]],
    ["hash with a field longer than any", [
      ...[0x96, 3, 0, 0xc4, 1, 65, 1],
      ...[0xc6, 0, 0, 0x80, 1, ...new Uint8Array(FIELD_SIZE_MAX_BYTES + 1)],
      ...[0xc4, 0, 0x93, 0, 1, 32],
    ]],
    ["more of nothing", [0x92, 4, 0xc4, 0, ...end]],
    ["text as a key", [0x94, 1, 0, 0xa1, 65, 0xc4, 0, 0x93, 0, 1, 32]],
    ["negative deadline", [0x94, 1, 0xff, 0xc4, 0, 0xc4, 0, 0x93, 0, 1, 32]],
    ["deadline beyond the last", [0x94, 1, 0xcf, 0, 1, 0, 0, 0, 0, 0, 0, 0xc4, 0, 0xc4, 0, 0x93, 0, 1, 32]],
  ];
  for (const [name, payload] of refused) {
    assertThrows(() => read(crafted(new Uint8Array(payload))), CorruptionError, "offset 32", name);
  }
});

Deno.test("readSnapshot() refuses a newer version by its name, and other files", () => {
  const { bytes } = snapshotOf(SMALL);
  const newer = bytes.slice();
  write32(newer, 8, 2);
  write32(newer, 28, crc32(newer.subarray(0, 28)));
  assertThrows(() => read(newer), StartError, "a snapshot of version 2: this inmem reads version 1");
  const error = assertThrows(() => read(text("REDIS0011 and so on, long enough for a header")), CorruptionError);
  assertInstanceOf(error, CorruptionError);
  assertEquals(error.offset, 0);
});

Deno.test("SnapshotWriter writes what FORMAT.md shows, byte for byte", async () => {
  const page = await Deno.readTextFile(new URL("../../src/log/FORMAT.md", import.meta.url));
  const example = /### Example[\s\S]*?```text\n([\s\S]*?)```/.exec(page)![1]!;
  // Each line: the offset, then bytes, then what they mean, two spaces or more apart from them.
  const shown = example.trim().split("\n").flatMap((line) => {
    const [, bytes] = /^ *[0-9]+ {2}((?:[0-9a-f]{2} {1,2})+)/.exec(line)!;
    return bytes!.trim().split(/ +/).map((byte) => parseInt(byte, 16));
  });
  const file = new MemoryFile();
  const writer = new SnapshotWriter(file, 0);
  writer.string(0, 1, 1);
  writer.buffer[writer.keyAt] = 0x61;
  writer.buffer[writer.valueAt] = 0x31;
  writer.finish();
  assertEquals([...file.all()], shown);
});
