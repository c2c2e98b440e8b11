/** Reads files written by hand, as FORMAT.md describes them: files of this version and of the one before it. */

import { assert, assertEquals } from "@std/assert";
import { crc32 } from "node:zlib";
import { encodeText, read32 } from "../../src/bytes.ts";
import { BLOCK_HEADER_BYTES, FILE_HEADER_BYTES, FORMAT_VERSION, FORMAT_VERSION_MIN } from "../../src/log/block.ts";
import { CountingTarget } from "../../src/log/counting_target.ts";
import { readSegment } from "../../src/log/recover.ts";
import { segmentPath } from "../../src/log/segment.ts";
import { Persistence } from "../../src/server/persistence.ts";
import { parsePage } from "../support/markdown.ts";
import { readFile } from "../support/project.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { makeStore, stateOf } from "../support/store_history.ts";

const FOLDER = "/data";
const LOG = segmentPath(FOLDER, 1);

/** Returns big-endian bytes of 4 or 8. */
function number(size: 4 | 8, value: number): number[] {
  return Array.from({ length: size }, (_, i) => Math.floor(value / 256 ** (size - 1 - i)) % 256);
}

/** Returns a file of one version with a block for each payload, as FORMAT.md describes it. */
function fileOf(magic: "INMEMLOG" | "INMEMSNP", version: number, payloads: readonly (readonly number[])[]): Uint8Array {
  const header = [...encodeText(magic), ...number(4, version), 1, 2, 3, 4, ...number(8, 0), ...number(8, 1)];
  header.push(...number(4, 0));
  const seed = crc32(Uint8Array.from(header));
  const file = [...header, ...number(4, seed)];
  for (const [i, payload] of payloads.entries()) {
    const block = [...encodeText("BLCK"), ...number(4, payload.length), ...number(8, i + 1), ...number(8, 0)];
    block.push(...number(4, 0));
    file.push(...block, ...number(4, crc32(Uint8Array.from([...block, ...payload]), seed)), ...payload);
  }
  return Uint8Array.from(file);
}

/** Returns a record in MessagePack: an array of small numbers and short byte strings. */
function record(...items: (number | string)[]): number[] {
  const bytes = items.flatMap((item) => typeof item === "number" ? [item] : [0xc4, item.length, ...encodeText(item)]);
  return [0x90 | items.length, ...bytes];
}

/** Opens the folder, closes it again, and returns the keys with their values. */
async function contentsOf(files: SimulatedFiles): Promise<Record<string, string>> {
  const store = makeStore();
  const persistence = await Persistence.open(store, {
    path: FOLDER,
    backup: undefined,
    repair: false,
    fsync: "always",
    growthPercent: 0,
    intervalMs: 0,
    files,
    now: () => 1_765_432_100_000,
  });
  await persistence.close();
  return Object.fromEntries([...stateOf(store)].map(([key, { value }]) => [key, value]).sort());
}

Deno.test("the example in FORMAT.md is a log that can be read", () => {
  const example = parsePage(readFile("src/log/FORMAT.md")).blocks.find(({ lines }) => lines[0]!.includes("INMEMLOG"))!;
  const bytes = example.lines.flatMap((line) => {
    const [, hex] = /^ *\d+ {2}((?:[0-9a-f]{2} {1,2})+)/.exec(`${line} `)!;
    return hex!.trim().split(/ +/).map((byte) => Number.parseInt(byte, 16));
  });
  const files = new SimulatedFiles();
  files.put(LOG, Uint8Array.from(bytes));
  const target = new CountingTarget();
  const { batches, damaged, torn } = readSegment(LOG, { files, target });
  assertEquals([batches, damaged, torn], [1, [], []]);
  assertEquals(target.counts, { "strings set": 1, "keys removed": 1 });
  assertEquals(read32(Uint8Array.from(bytes), 8), FORMAT_VERSION);
});

/** Records of all effects that version 2 has. */
const RECORDS = [
  record(1, 0, "s", "abc"),
  record(2, "s", 3, "de"),
  record(3, "s", 5, 1, "X"),
  record(4, "l", 0, "b", "c", "d"),
  record(5, "l", 3, "a"),
  record(6, "l", 4, 1, 1),
  record(7, "l", 3, 0, "A"),
  record(8, "l", 3, 1, "c"),
  record(9, "l", 4, 1, 1, "c"),
  record(10, "h", 0, "f", "1", "g", "2"),
  record(11, "h", 2, "f"),
  record(1, 0, "gone", "x"),
  record(12, "gone", 1),
  record(1, 0, "removed", "x"),
  record(13, "removed"),
  record(15, "h", "hash"),
  record(16, "s", "copy"),
];

/** What is left after those records. */
const LEFT = { copy: "string aXcde", hash: 'hash [["g","2"]]', l: 'list ["A","c","d"]', s: "string aXcde" };

for (const version of [FORMAT_VERSION_MIN, FORMAT_VERSION]) {
  Deno.test(`a log and a snapshot of version ${version} are read, and version ${FORMAT_VERSION} is written`, async () => {
    const files = new SimulatedFiles();
    files.put(LOG, fileOf("INMEMLOG", version, [[...record(1, 0, "k", "v"), ...record(14)], RECORDS.flat()]));
    assertEquals(await contentsOf(files), LEFT);
    const next = files.list(FOLDER).filter((name) => name.startsWith("log-")).at(-1)!;
    assert(!LOG.endsWith(next), next);
    assertEquals(read32(files.read(`${FOLDER}/${next}`), 8), FORMAT_VERSION);
    assertEquals(await contentsOf(files), LEFT);

    const snapshot = new SimulatedFiles();
    const payloads = [[...record(1, 0, "s", "x"), ...record(4, "l", 0, "a")], record(0, 2, 0, 0)];
    snapshot.put(`${FOLDER}/snapshot-000000000000001.inmem`, fileOf("INMEMSNP", version, payloads));
    assertEquals(await contentsOf(snapshot), { l: 'list ["a"]', s: "string x" });
  });
}

Deno.test("FORMAT.md's header and blocks have the sizes of block.ts", () => {
  const file = fileOf("INMEMLOG", FORMAT_VERSION, [[0x91, 14]]);
  assertEquals(file.length, FILE_HEADER_BYTES + BLOCK_HEADER_BYTES + 2);
});
