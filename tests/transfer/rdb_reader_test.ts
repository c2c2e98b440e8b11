/** Reading RDB files: those of the real redis-server, older and newer encodings, and damaged ones. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { InputError } from "../../src/transfer/entry_reader.ts";
import { Crc64 } from "../../src/transfer/rdb/crc64.ts";
import { decompressLzf } from "../../src/transfer/rdb/lzf.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { amountOf } from "../support/amount.ts";
import { type Entry, rdbReader, readEntries, type ReadingOptions } from "../support/rdb_entries.ts";
import { bytesOf, crc64, length, listpack, little, rdbFile, string, ziplist, zipmap } from "../support/rdb_writer.ts";
import { RespClient } from "../support/resp_client.ts";

const redis = { ignore: await redisVersion() === undefined };

async function read(bytes: Uint8Array, options?: ReadingOptions): Promise<(Entry | string)[]> {
  return await readEntries(rdbReader(bytes, options));
}

/** Sorts what has no order: keys, members and fields. */
function sorted(entries: readonly (Entry | string)[]): unknown[] {
  const named = entries.map((entry): [string, unknown] => {
    if (typeof entry === "string") return [entry, entry];
    const isSet = entry.type === "set" && Array.isArray(entry.value);
    const value = isSet ? (entry.value as string[]).toSorted() : entry.value;
    return [`${entry.database ?? 0} ${entry.key}`, { ...entry, value }];
  });
  return named.sort(([a], [b]) => a < b ? -1 : a > b ? 1 : 0).map(([, entry]) => entry);
}

/** Integers at the ends of each encoding, and their neighbours. */
const INTEGERS = [0, 6, 12, 7, 8, 12, 15, 16, 23, 31, 32, 53].flatMap((bits) =>
  [-1, 0, 1].flatMap((step) => {
    return [2 ** bits + step, -(2 ** bits) + step].map(String);
  })
).concat(["9223372036854775807", "-9223372036854775808", "9007199254740993", "-9007199254740993"]);

/** Strings at the ends of each encoding, with every byte. */
const STRINGS = [0, 1, 5, 62, 63, 64, 65, 253, 254, 255, 4095, 4096, 16_383, 16_384, 20_000].map((size) => {
  return Array.from({ length: size }, (_, i) => String.fromCharCode((i * 7 + size) & 0xff)).join("");
}).concat(["ab".repeat(3000), "x".repeat(300), "0123456789abcdef", "01", "-0", "1e3", " 1"]);

const DEADLINE_MS = 4_102_444_800_123;

/** Fills a redis-server, and returns what its file should contain. */
async function fill(client: RespClient): Promise<(Entry | string)[]> {
  const entries: (Entry | string)[] = [];
  for (const [i, value] of [...STRINGS, ...INTEGERS].entries()) {
    await client.call("SET", `string ${i}`, value);
    entries.push({ key: `string ${i}`, type: "string", value });
  }
  await client.call("SET", STRINGS[10]!, "long key");
  entries.push({ key: STRINGS[10]!, type: "string", value: "long key" });
  await client.call("SET", "", "", "PXAT", String(DEADLINE_MS));
  entries.push({ key: "", type: "string", value: "", deadlineMs: DEADLINE_MS });
  for (const [name, elements] of Object.entries({ all: [...STRINGS, ...INTEGERS], few: ["a", "1"], ints: INTEGERS })) {
    await client.call("RPUSH", `list ${name}`, ...elements);
    entries.push({ key: `list ${name}`, type: "list", value: elements });
    await client.call("SADD", `set ${name}`, ...elements);
    entries.push({ key: `set ${name}`, type: "set", value: [...new Set(elements)] });
    const pairs = elements.map((element, i): [string, string] => [element, elements[(i * 5) % elements.length]!]);
    await client.call("HSET", `hash ${name}`, ...pairs.flat());
    await client.call("PEXPIREAT", `hash ${name}`, String(DEADLINE_MS));
    entries.push({ key: `hash ${name}`, type: "hash", value: Object.fromEntries(pairs), deadlineMs: DEADLINE_MS });
    await client.call("ZADD", `zset ${name}`, ...elements.flatMap((element, i) => [String(i / 3), element]));
    entries.push(`a sorted set: zset ${name}`);
  }
  await client.call("XADD", "stream", "1-1", "a", "b");
  await client.call("XGROUP", "CREATE", "stream", "group", "0");
  await client.call("XREADGROUP", "GROUP", "group", "consumer", "STREAMS", "stream", ">");
  entries.push("a stream: stream");
  await client.call("FUNCTION", "LOAD", "#!lua name=lib\nredis.register_function('f', function() return 1 end)");
  entries.push("a library of functions: ");
  await client.call("SELECT", "7");
  await client.call("SET", "other", "7");
  entries.push({ key: "other", type: "string", value: "7", database: 7 });
  return entries;
}

const CONFIGS: readonly (readonly string[])[] = [
  [],
  ["--rdbcompression", "no"],
  ["--rdbchecksum", "no"],
  ["--list-max-listpack-size", "2", "--hash-max-listpack-entries", "0", "--set-max-intset-entries", "0"],
  ["--list-max-listpack-size", "-5", "--hash-max-listpack-entries", "9999", "--hash-max-listpack-value", "99999"],
  ["--list-compress-depth", "1", "--zset-max-listpack-entries", "0", "--maxmemory-policy", "allkeys-lfu"],
  ["--maxmemory-policy", "allkeys-lru", "--maxmemory", "1gb"],
];

for (const words of CONFIGS) {
  Deno.test(`an RDB file of redis-server is read exactly (${words.join(" ") || "default"})`, redis, async () => {
    await using server = await RedisServer.start(...words);
    using client = await RespClient.connect(server.port);
    const entries = await fill(client);
    const bytes = await server.save();
    assertEquals(sorted(await read(bytes)), sorted(entries));
    for (const partBytes of [1, 7, 4096]) assertEquals(sorted(await read(bytes, { partBytes })), sorted(entries));
  });
}

Deno.test("older and newer encodings are read", async () => {
  const long = "v".repeat(300);
  const file = rdbFile(
    "REDIS0012",
    [250, ...string("redis-ver"), ...string("8.0.0"), 254, 0, 251, ...length(9), ...length(1)],
    [9, ...string("zipmap"), ...string(zipmap(["a", "1"], ["", long], ["c", ""]))],
    [
      10,
      ...string("ziplist"),
      ...string(ziplist("a", long, 0, 12, 13, -1, 300, -40_000, 9_000_000, 2 ** 40, "x".repeat(17_000))),
    ],
    [13, ...string("zip hash"), ...string(ziplist("f", 1, "g", long))],
    [14, ...string("quicklist"), ...length(2), ...string(ziplist("a", 5)), ...string(ziplist("b"))],
    [
      11,
      ...string("intset"),
      ...string(Uint8Array.from([...little(8, 4), ...little(2, 4), ...little(-1, 8), ...little(2n ** 62n, 8)])),
    ],
    [1, ...string("list"), ...length(2, 32), ...string("a"), 0xc1, ...little(-2, 2)],
    [253, ...little(2_000_000_000, 4), 2, ...string("set"), ...length(1, 64), ...string("m")],
    [4, ...string("hash"), ...length(1, 14), ...string("f"), ...string("v")],
    [20, ...string("set of strings"), ...string(listpack("a", "b".repeat(200)))],
    [18, ...string("plain node"), ...length(2), 1, ...string("whole"), 2, ...string(listpack("in"))],
    [244, ...length(1), ...length(2), ...length(3), 248, ...length(5), 249, 7, 0, ...string("end"), 0xc0, 0xff],
  );
  const expected: Entry[] = [
    { key: "zipmap", type: "hash", value: { a: "1", "": long, c: "" } },
    {
      key: "ziplist",
      type: "list",
      value: ["a", long, "0", "12", "13", "-1", "300", "-40000", "9000000", String(2 ** 40), "x".repeat(17_000)],
    },
    { key: "zip hash", type: "hash", value: { f: "1", g: long } },
    { key: "quicklist", type: "list", value: ["a", "5", "b"] },
    { key: "intset", type: "set", value: ["-1", String(2n ** 62n)] },
    { key: "list", type: "list", value: ["a", "-2"] },
    { key: "set", type: "set", value: ["m"], deadlineMs: 2_000_000_000_000 },
    { key: "hash", type: "hash", value: { f: "v" } },
    { key: "set of strings", type: "set", value: ["a", "b".repeat(200)] },
    { key: "plain node", type: "list", value: ["whole", "in"] },
    { key: "end", type: "string", value: "-1" },
  ];
  for (const partBytes of [1, 13, Infinity]) assertEquals(await read(file, { partBytes }), expected);
});

Deno.test("files of each version are read, and no others", async () => {
  for (let version = 1; version <= 12; version++) {
    const file = rdbFile(`REDIS${String(version).padStart(4, "0")}`, [0, ...string("k"), ...string("v")]);
    assertEquals(await read(file), [{ key: "k", type: "string", value: "v" }]);
  }
  assertEquals(await read(rdbFile("VALKEY080")), []);
  for (const version of ["REDIS0000", "REDIS0013", "REDIS0080", "VALKEY011", "VALKEY081"]) {
    const error = await assertRejects(() => read(rdbFile(version)), InputError);
    assertEquals(
      /Cannot read version [0-9]+ of RDB: expected 1 to 12 .*offset 0/.test(error.message),
      true,
      error.message,
    );
  }
  for (const other of ["", "REDIS", "REDIS00x1", "key,value\n1,2\n", "{}"]) {
    await assertRejects(() => read(bytesOf(other)), InputError, "This is not an RDB file");
  }
});

/** A hash whose fields have deadlines, in each encoding. The field `old` has expired. */
const EXPIRING: readonly (readonly [version: string, ...value: number[]])[] = [
  [
    "REDIS0012",
    22,
    ...string("h"),
    ...length(3),
    ...length(0),
    ...string("f"),
    ...string("1"),
    ...length(5),
    ...string("old"),
    ...string("2"),
    ...length(DEADLINE_MS),
    ...string("g"),
    ...string("3"),
  ],
  [
    "REDIS0012",
    24,
    ...string("h"),
    ...little(5, 8),
    ...length(3),
    0,
    ...string("f"),
    ...string("1"),
    1,
    ...string("old"),
    ...string("2"),
    ...length(DEADLINE_MS),
    ...string("g"),
    ...string("3"),
  ],
  ["REDIS0012", 23, ...string("h"), ...string(listpack("f", "1", "0", "old", "2", "5", "g", "3", String(DEADLINE_MS)))],
  [
    "REDIS0012",
    25,
    ...string("h"),
    ...little(5, 8),
    ...string(listpack("f", "1", "0", "old", "2", "5", "g", "3", String(DEADLINE_MS))),
  ],
  [
    "VALKEY080",
    22,
    ...string("h"),
    ...length(3),
    ...string("f"),
    ...string("1"),
    ...little(-1, 8),
    ...string("old"),
    ...string("2"),
    ...little(5, 8),
    ...string("g"),
    ...string("3"),
    ...little(DEADLINE_MS, 8),
  ],
];

for (const [version, type, ...value] of EXPIRING) {
  Deno.test(`hashes whose fields have deadlines are left out, or lose these deadlines (${version} ${type})`, async () => {
    const file = rdbFile(version, [type!, ...value, 0, ...string("k"), ...string("v")]);
    const last = { key: "k", type: "string", value: "v" };
    for (const partBytes of [1, Infinity]) {
      assertEquals(await read(file, { partBytes }), ["a hash whose fields have deadlines: h", last]);
      const hash = { key: "h", type: "hash", value: { f: "1", g: "3" } };
      assertEquals(await read(file, { partBytes, dropFieldDeadlines: true }), [hash, last]);
    }
  });
}

Deno.test("a hash in the encoding for deadlines of fields is a hash if no field has one", async () => {
  const none = little(2n ** 48n - 1n, 8);
  const file = rdbFile("REDIS0012", [25, ...string("h"), ...none, ...string(listpack("f", "1", "0"))]);
  assertEquals(await read(file), [{ key: "h", type: "hash", value: { f: "1" } }]);
});

Deno.test("values that inmem does not have are skipped in every encoding", async () => {
  const streamEnd = (version: number) => [
    ...length(1),
    ...string("group"),
    ...length(1),
    ...length(1),
    ...(version > 1 ? length(1) : []),
    ...length(1),
    ...new Uint8Array(16),
    ...new Uint8Array(8),
    ...length(3),
    ...length(1),
    ...string("consumer"),
    ...new Uint8Array(version > 2 ? 16 : 8),
    ...length(1),
    ...new Uint8Array(16),
  ];
  const stream = (type: number, version: number) => [
    type,
    ...string("stream"),
    ...length(1),
    ...string("id"),
    ...string("entries"),
    ...Array.from({ length: version > 1 ? 8 : 3 }, () => length(300)).flat(),
    ...streamEnd(version),
  ];
  const file = rdbFile(
    "REDIS0011",
    [
      3,
      ...string("z1"),
      ...length(4),
      ...string("a"),
      3,
      ...bytesOf("1.5"),
      ...string("b"),
      253,
      ...string("c"),
      254,
      ...string("d"),
      255,
    ],
    [5, ...string("z2"), ...length(1), ...string("a"), ...new Uint8Array(8)],
    [12, ...string("z3"), ...string("blob")],
    [17, ...string("z4"), ...string("blob")],
    [
      7,
      ...string("module"),
      ...length(2 ** 60, 64),
      1,
      ...length(5),
      2,
      ...length(500),
      3,
      0,
      0,
      0,
      0,
      4,
      ...new Uint8Array(8),
      5,
      ...string("x"),
      0,
    ],
    stream(15, 1),
    stream(19, 2),
    stream(21, 3),
    [247, ...length(2 ** 60, 64), 2, ...length(1), 0],
    [245, ...string("#!lua name=x")],
    [246, ...string("name"), ...string("LUA"), 1, ...string("about"), ...string("code")],
    [243, ...string("job"), ...length(1), ...length(0), ...length(16_383)],
    [0, ...string("k".repeat(32 * 1024 + 1)), ...string("v")],
    [1, ...string("l".repeat(40_000)), ...length(1), ...string("v")],
    [0, ...string("k"), ...string("v")],
  );
  const expected = [
    "a sorted set: z1",
    "a sorted set: z2",
    "a sorted set: z3",
    "a sorted set: z4",
    "a value of a module: module",
    "a stream: stream",
    "a stream: stream",
    "a stream: stream",
    "data of a module: ",
    "a library of functions: ",
    "a library of functions: ",
    "an unfinished import of slots: ",
    "a key above 32 KiB: ",
    "a key above 32 KiB: ",
    { key: "k", type: "string", value: "v" },
  ];
  for (const partBytes of [1, Infinity]) assertEquals(await read(file, { partBytes }), expected);
});

/** A file with every encoding, for damage. */
const SAMPLE = rdbFile(
  "REDIS0011",
  [250, ...string("a"), ...string("b"), 254, 0, 251, 8, 1, 252, ...little(DEADLINE_MS, 8)],
  [0, ...string("s"), 0xc3, 5, 12, 0, 0x61, 0xe0, 2, 0],
  [0, ...string("i"), 0xc2, ...little(-7, 4)],
  [1, ...string("l"), 2, ...string("a"), ...string("bc")],
  [9, ...string("zm"), ...string(zipmap(["a", "1"], ["b", "22"]))],
  [14, ...string("q"), 1, ...string(ziplist("a", 5, 70_000))],
  [11, ...string("is"), ...string(Uint8Array.from([...little(2, 4), ...little(2, 4), 1, 0, 2, 0]))],
  [16, ...string("h"), ...string(listpack("f", "v"))],
  [18, ...string("q2"), 2, 1, ...string("x"), 2, ...string(listpack("y"))],
  [5, ...string("z"), 1, ...string("a"), ...new Uint8Array(8)],
  [7, ...string("m"), 5, 2, 1, 5, ...string("x"), 0],
);

Deno.test("every prefix of a file is refused with its position", async () => {
  assertEquals((await read(SAMPLE)).length, 10);
  for (let size = 0; size < SAMPLE.length; size++) {
    for (const partBytes of [1, Infinity]) {
      const error = await assertRejects(() => read(SAMPLE.subarray(0, size), { partBytes }), InputError);
      assert(/\(test, offset \d+\)$/.test(error.message), error.message);
    }
  }
});

Deno.test("each changed byte of a file is noticed", async () => {
  const intact = rdbFile("REDIS0011", [
    0,
    ...string("key"),
    ...string("value"),
    16,
    ...string("h"),
    ...string(listpack("f", "v")),
  ]);
  assertEquals((await read(intact)).length, 2);
  for (let at = 0; at < intact.length; at++) {
    for (const mask of [0x01, 0x80, 0xff, 0x40]) {
      const damaged = intact.slice();
      damaged[at]! ^= mask;
      await assertRejects(() => read(damaged), InputError, undefined, `byte ${at} ^ ${mask}`);
    }
  }
});

Deno.test("without a checksum each changed byte is an error or other data, but never a failure", async () => {
  // This one ends before its checksum, which is replaced by zero.
  const sample = SAMPLE.slice();
  sample.fill(0, sample.length - 8);
  const rounds = amountOf("RDB_DAMAGE_COUNT", 4_000, 200_000);
  let seed = 1;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  let refused = 0;
  for (let round = 0; round < rounds; round++) {
    const damaged = sample.slice();
    const count = 1 + random(3);
    for (let i = 0; i < count; i++) damaged[random(damaged.length)] = round % 2 === 0 ? random(256) : 255 - random(14);
    const partBytes = [1, 64, Infinity][round % 3]!;
    const result = await read(damaged, { partBytes, dropFieldDeadlines: round % 5 === 0 }).catch((error) => error);
    if (Array.isArray(result)) continue;
    assert(result instanceof InputError, `round ${round}: ${result}`);
    refused++;
  }
  assert(refused > rounds / 4 && refused < rounds, `${refused} of ${rounds}`);
});

Deno.test("a wrong checksum, and what follows the file, are refused", async () => {
  const file = rdbFile("REDIS0011", [0, ...string("k"), ...string("v")]);
  const wrong = file.slice();
  wrong[file.length - 1]! ^= 1;
  await assertRejects(() => read(wrong), InputError, "its checksum is");
  const more = Uint8Array.from([...file, ...bytesOf("*1\r\n")]);
  await assertRejects(() => read(more, { partBytes: 1 }), InputError, "goes on after the end");
  const none = file.slice();
  none.fill(0, file.length - 8);
  assertEquals(await read(none), [{ key: "k", type: "string", value: "v" }]);
});

Deno.test("lengths beyond the file take neither memory nor time", async () => {
  for (
    const value of [[0x80, 0xff, 0xff, 0xff, 0xff], [0x81, ...new Uint8Array(8).fill(255)], length(60 * 1024 * 1024)]
  ) {
    await assertRejects(() => read(rdbFile("REDIS0011", [0, ...string("k"), ...value])), InputError);
    await assertRejects(() => read(rdbFile("REDIS0011", [1, ...string("k"), ...value])), InputError);
    await assertRejects(() => read(rdbFile("REDIS0011", [16, ...string("k"), ...value])), InputError);
    await assertRejects(() => read(rdbFile("REDIS0011", [0, ...string("k"), 0xc3, 3, ...value, 0, 0x61])), InputError);
  }
});

Deno.test("Crc64 is that of Redis, in parts of any size", () => {
  const text = bytesOf("123456789");
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => (i * 31) & 0xff);
  for (const data of [text, bytes]) {
    for (const size of [1, 3, 8, 13, 1000]) {
      const checksum = new Crc64();
      for (let at = 0; at < data.length; at += size) checksum.add(data, at, Math.min(data.length, at + size));
      assertEquals(checksum.value, crc64(data));
    }
  }
  assertEquals(crc64(text), 0xe9c6d914c4b8d9can);
});

Deno.test("decompressLzf() repeats bytes, and refuses what leads out of the data", () => {
  const target = new Uint8Array(300);
  const decompress = (data: number[], size: number) =>
    decompressLzf(Uint8Array.from(data), 0, data.length, target, size);
  assertEquals(decompress([0, 0x61, 0xe0, 255, 0], 265), true);
  assertEquals(target.subarray(0, 265).every((byte) => byte === 0x61), true);
  for (
    const [data, size] of [[[5, 1, 2], 6], [[0x20, 0], 3], [[0, 1, 0x20, 1], 4], [[0, 1, 0xe0], 9], [[0, 1, 0x20], 4], [
      [1, 1, 2],
      1,
    ], [[0, 1], 2]] as const
  ) {
    assertEquals(decompress([...data], size), false, `${data}`);
  }
});
