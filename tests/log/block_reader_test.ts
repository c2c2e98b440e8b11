import { assert, assertEquals, assertThrows } from "@std/assert";
import { crc32 } from "node:zlib";
import { Random } from "../../bench/support/random.ts";
import { CorruptionError, StartError } from "../../src/errors.ts";
import { LOG_READ_BYTES } from "../../src/limits.ts";
import {
  BLOCK_HEADER_BYTES,
  encodeFileHeader,
  FILE_HEADER_BYTES,
  type FileKind,
  resealBlock,
  sealBlock,
} from "../../src/log/block.ts";
import { BlockReader } from "../../src/log/block_reader.ts";
import type { LogFile } from "../../src/log/files.ts";
import { read32, write32 } from "../../src/bytes.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const NOW_MS = 1_765_432_100_123;
const PATH = "/data/x.inmem";

function join(...parts: Uint8Array[]): Bytes {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

function blockOf(payload: Uint8Array, number: number, seed: number, unknown = 0): Bytes {
  const block = new Uint8Array(BLOCK_HEADER_BYTES + payload.length);
  block.set(payload, BLOCK_HEADER_BYTES);
  sealBlock(block, block.length, number, NOW_MS + number, unknown, seed);
  return block;
}

/** Returns a file of blocks with these payloads, numbered from `first` on. */
function fileOf(payloads: readonly Uint8Array[], first = 1, kind: FileKind = "log"): Bytes {
  const { bytes, seed } = encodeFileHeader(kind, NOW_MS, first, 3);
  return join(bytes, ...payloads.map((payload, index) => blockOf(payload, first + index, seed, index)));
}

/** Returns a reader of a file that returns at most `step` bytes at a time. */
function readerOf(bytes: Uint8Array, kind: FileKind = "log", step = Infinity): BlockReader {
  const files = new SimulatedFiles();
  files.put(PATH, bytes);
  const file = files.openToRead(PATH);
  const stepped: LogFile = Object.assign(Object.create(file), {
    readSync: (target: Uint8Array) => file.readSync(target.subarray(0, Math.min(target.length, step))),
    seekSync: (offset: number, whence: 0) => file.seekSync(offset, whence),
    statSync: () => file.statSync(),
  });
  return new BlockReader(stepped, PATH, kind);
}

function payloadOf(reader: BlockReader): Bytes {
  return reader.bytes.slice(reader.start, reader.end);
}

/** Returns the payloads of all blocks. */
function readAll(bytes: Uint8Array, step?: number): Bytes[] {
  const reader = readerOf(bytes, "log", step);
  reader.readHeader();
  const payloads: Bytes[] = [];
  while (reader.next()) payloads.push(payloadOf(reader));
  assertEquals(reader.offset, bytes.length);
  return payloads;
}

const random = new Random(20261125);
const SMALL = [1, 5, 40].map((length) => random.bytes(length));

Deno.test("encodeFileHeader() and sealBlock() write the bytes that block.ts documents", () => {
  const file = fileOf([Uint8Array.of(0x91, 14)], 7);
  assertEquals(new TextDecoder().decode(file.subarray(0, 8)), "INMEMLOG");
  assertEquals([read32(file, 8), read32(file, 20), read32(file, 28), read32(file, 32)], [3, NOW_MS % 2 ** 32, 7, 3]);
  assertEquals(read32(file, 36), crc32(file.subarray(0, 36)));
  const block = file.subarray(FILE_HEADER_BYTES);
  assertEquals(new TextDecoder().decode(block.subarray(0, 4)), "BLCK");
  assertEquals([read32(block, 4), read32(block, 12), read32(block, 24), block.length], [2, 7, 0, 34]);
  assertEquals(read32(block, 28), crc32(join(block.subarray(0, 28), block.subarray(32)), read32(file, 36)));
  assertEquals(new TextDecoder().decode(fileOf([], 1, "snapshot").subarray(0, 8)), "INMEMSNP");
});

Deno.test("encodeFileHeader() begins no two files with the same bytes", () => {
  const [one, other] = [encodeFileHeader("log", 1, 1, 0), encodeFileHeader("log", 1, 1, 0)];
  assert(one.seed !== other.seed);
});

Deno.test("BlockReader.readHeader() reads the header", () => {
  const reader = readerOf(fileOf(SMALL, 2 ** 40 + 5));
  reader.readHeader();
  const { createdMs, first, unknown } = reader.header;
  assertEquals([createdMs, first, unknown, reader.offset], [NOW_MS, 2 ** 40 + 5, 3, FILE_HEADER_BYTES]);
});

Deno.test("BlockReader.next() reads all blocks from pieces of any size", () => {
  const payloads = [...SMALL, random.bytes(300_000), random.bytes(1), random.bytes(LOG_READ_BYTES), random.bytes(2)];
  const file = fileOf(payloads);
  for (const step of [Infinity, 100_000, 4096]) assertEquals(readAll(file, step), payloads);
  const reader = readerOf(file);
  reader.readHeader();
  let offset = FILE_HEADER_BYTES;
  for (let i = 0; i < payloads.length; i++) {
    assert(reader.next());
    assertEquals([reader.number, reader.writtenMs, reader.unknown], [1 + i, NOW_MS + 1 + i, i]);
    assertEquals(reader.blockOffset, offset);
    offset += BLOCK_HEADER_BYTES + payloads[i]!.length;
    assertEquals(reader.offset, offset);
  }
  assertEquals([reader.next(), reader.next()], [false, false]);
});

Deno.test("BlockReader frees the memory that one long block needed", () => {
  const file = fileOf([random.bytes(5 * LOG_READ_BYTES), ...Array(5).fill(random.bytes(LOG_READ_BYTES / 2))]);
  const reader = readerOf(file);
  reader.readHeader();
  assert(reader.next());
  assert(reader.bytes.length > 5 * LOG_READ_BYTES);
  while (reader.next());
  assert(reader.bytes.length <= 2 * LOG_READ_BYTES);
});

Deno.test("BlockReader notices every flipped bit of a file, and where it is", () => {
  const file = fileOf(SMALL);
  const starts = [FILE_HEADER_BYTES];
  for (const { length } of SMALL) starts.push(starts.at(-1)! + BLOCK_HEADER_BYTES + length);
  for (let at = 0; at < file.length; at++) {
    const start = starts.findLast((start) => start <= at) ?? 0;
    for (let bit = 0; bit < 8; bit++) {
      const flipped = file.slice();
      flipped[at]! ^= 1 << bit;
      const error = assertThrows(() => readAll(flipped), CorruptionError, undefined, `bit ${bit} of byte ${at}`);
      assertEquals([error.path, error.offset], [PATH, start]);
    }
  }
});

Deno.test("BlockReader refuses a file cut at any byte but between blocks", () => {
  const file = fileOf(SMALL);
  const ends = new Set<number>();
  for (let length = 0; length <= file.length; length++) {
    try {
      readAll(file.subarray(0, length));
      ends.add(length);
    } catch (error) {
      assert(error instanceof CorruptionError, `${length} bytes: ${error}`);
    }
  }
  const [a, b, c] = SMALL.map(({ length }) => BLOCK_HEADER_BYTES + length);
  assertEquals(ends, new Set([40, 40 + a!, 40 + a! + b!, 40 + a! + b! + c!]));
});

Deno.test("BlockReader refuses a block of another file", () => {
  const [file, other] = [fileOf(SMALL), fileOf(SMALL)];
  const end = FILE_HEADER_BYTES + BLOCK_HEADER_BYTES + SMALL[0]!.length;
  const mixed = join(file.subarray(0, end), other.subarray(end));
  assertThrows(() => readAll(mixed), CorruptionError, "its checksum is wrong");
});

Deno.test("resealBlock() makes a block valid in another file", () => {
  const [one, other] = [encodeFileHeader("log", 1, 1, 0), encodeFileHeader("log", 1, 1, 0)];
  const block = blockOf(SMALL[2]!, 1, one.seed);
  assertThrows(() => readAll(join(other.bytes, block)), CorruptionError);
  resealBlock(block, other.seed);
  assertEquals(readAll(join(other.bytes, block)), [SMALL[2]!]);
});

/** Returns an intact file of another version. */
function ofVersion(version: number): Bytes {
  const file = fileOf(SMALL);
  write32(file, 8, version);
  write32(file, 36, crc32(file.subarray(0, 36)));
  return file;
}

Deno.test("BlockReader.readHeader() refuses another version by its number", () => {
  for (const version of [0, 1, 4, 2 ** 31]) {
    assertThrows(
      () => readerOf(ofVersion(version)).readHeader(),
      StartError,
      `Cannot read "${PATH}", a log of version ${version}: this inmem reads versions 2 to 3; start the inmem that wrote it, ${
        version > 3 ? "or a newer one" : "and copy the data from there"
      }`,
    );
  }
  // The header of the first version was 32 bytes, and had its checksum elsewhere.
  const first = fileOf(SMALL, 1, "snapshot");
  write32(first, 8, 1);
  write32(first, 36, 0);
  assertThrows(() => readerOf(first, "snapshot").readHeader(), StartError, "a snapshot of version 1");
});

Deno.test("BlockReader.readHeader() refuses a file of another kind, and what is too short", () => {
  assertThrows(() => readerOf(fileOf(SMALL, 1, "snapshot")).readHeader(), CorruptionError, "expected a log of inmem");
  assertThrows(() => readerOf(fileOf(SMALL), "snapshot").readHeader(), CorruptionError, "expected a snapshot of inmem");
  assertThrows(() => readerOf(new Uint8Array(0)).readHeader(), CorruptionError, "too short");
  assertThrows(() => readerOf(new Uint8Array(1000)).readHeader(), CorruptionError, "expected a log of inmem");
});

Deno.test("BlockReader takes no memory for a wrong length", () => {
  const file = join(fileOf(SMALL), new Uint8Array(20 * LOG_READ_BYTES));
  for (const length of [0, 19 * LOG_READ_BYTES, 2 ** 31, 2 ** 32 - 1]) {
    const damaged = file.slice();
    write32(damaged, FILE_HEADER_BYTES + 4, length);
    const reader = readerOf(damaged);
    reader.readHeader();
    const error = assertThrows(() => reader.next(), CorruptionError);
    assertEquals(error.offset, FILE_HEADER_BYTES);
    assert(reader.bytes.length <= LOG_READ_BYTES, `${reader.bytes.length} bytes for a length of ${length}`);
  }
});

Deno.test("BlockReader.skip() finds each block in its order, and the next valid one after a damaged one", () => {
  const payloads = Array.from({ length: 20 }, (_, index) => random.bytes(1 + index * 40_000 % 300_001));
  const file = fileOf(payloads);
  const reader = readerOf(file);
  reader.readHeader();
  const numbers: number[] = [];
  const offsets: number[] = [];
  for (let at = reader.offset; reader.skip(at); at = reader.offset) {
    numbers.push(reader.number);
    offsets.push(reader.blockOffset);
    assertEquals(payloadOf(reader), payloads[reader.number - 1]);
  }
  assertEquals(numbers, payloads.map((_, index) => index + 1));
  const damaged = file.slice();
  damaged[offsets[3]! + 2]! ^= 1;
  damaged[offsets[4]! + BLOCK_HEADER_BYTES]! ^= 1;
  const again = readerOf(damaged);
  again.readHeader();
  for (let i = 0; i < 3; i++) assert(again.next());
  assertThrows(() => again.next(), CorruptionError, "it does not begin as one");
  assertEquals(again.offset, offsets[3]);
  assert(again.skip(again.offset));
  assertEquals([again.number, again.blockOffset], [6, offsets[5]]);
  assert(again.next());
  assertEquals(again.number, 7);
  assert(!again.skip(file.length - 10));
});

Deno.test("BlockReader.skip() is not misled by bytes that look like the beginning of a block", () => {
  const decoy = new Uint8Array(5 * BLOCK_HEADER_BYTES);
  for (let at = 0; at < decoy.length; at += 4) write32(decoy, at, 0x424c434b);
  const file = fileOf([decoy, SMALL[2]!]);
  file[FILE_HEADER_BYTES]! ^= 1;
  const reader = readerOf(file);
  reader.readHeader();
  assert(reader.skip(reader.offset));
  assertEquals([reader.number, payloadOf(reader)], [2, SMALL[2]!]);
  assert(!reader.skip(reader.offset));
});

Deno.test("BlockReader.skip() reads a file of many blocks about once", () => {
  const file = fileOf(Array.from({ length: 20_000 }, () => random.bytes(100)));
  const files = new SimulatedFiles();
  files.put(PATH, file);
  const opened = files.openToRead(PATH);
  let bytes = 0;
  const counting: LogFile = Object.assign(Object.create(opened), {
    readSync(target: Uint8Array) {
      const count = opened.readSync(target);
      bytes += count ?? 0;
      return count;
    },
    seekSync: (offset: number, whence: 0) => opened.seekSync(offset, whence),
    statSync: () => opened.statSync(),
  });
  const reader = new BlockReader(counting, PATH, "log");
  reader.readHeader();
  let count = 0;
  for (let at = reader.offset; reader.skip(at); at = reader.offset) count++;
  assertEquals(count, 20_000);
  assert(bytes < 2 * file.length, `${bytes} bytes of ${file.length}`);
});

Deno.test("BlockReader reads the blocks after a damaged header, so that they count", () => {
  const file = fileOf(SMALL);
  for (const at of [3, 14, 39]) {
    const damaged = file.slice();
    damaged[at]! ^= 4;
    const reader = readerOf(damaged);
    assertThrows(() => reader.readHeader(), CorruptionError);
    assertEquals(reader.offset, 0);
    assert(reader.skip(0));
    assertEquals(reader.number, 1);
  }
});
