/** Importing into real servers, directly and through a proxy, and exporting again: every byte, and exact reports. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { type Client, connect, connectionSettings } from "../../src/client/client.ts";
import { ConnectionError } from "../../src/errors.ts";
import { helpText } from "../../src/role/options.ts";
import { importOptions } from "../../src/role/transfer_options.ts";
import { ByteSource } from "../../src/transfer/byte_source.ts";
import { CsvWriter } from "../../src/transfer/csv_writer.ts";
import { type EntryReader, InputError } from "../../src/transfer/entry_reader.ts";
import { type ExportCounts, exportKeys, type ExportOptions } from "../../src/transfer/exporter.ts";
import { importEntries, type ImportOptions, InterruptedError, KeyRefusedError } from "../../src/transfer/importer.ts";
import { ImportReport } from "../../src/transfer/import_report.ts";
import { JsonLinesReader } from "../../src/transfer/json_lines_reader.ts";
import { JsonLinesWriter } from "../../src/transfer/json_lines_writer.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { FakeServer } from "../support/fake_server.ts";
import { withProxy, withServers } from "../support/proxy_rig.ts";
import { rdbReader, textReader } from "../support/rdb_entries.ts";
import { length, rdbFile, string } from "../support/rdb_writer.ts";
import { RespClient } from "../support/resp_client.ts";

const redis = { ignore: await redisVersion() === undefined };

const DEADLINE_MS = 4_102_444_800_123;

/** Runs a test against one server, and against a proxy before three. */
function everywhere(name: string, run: (addr: string, client: Client) => Promise<void>, options = {}): void {
  const connected = async (addr: string) => {
    const client = await connect({ addr, plaintext: true });
    try {
      await run(addr, client);
    } finally {
      await client.close();
    }
  };
  Deno.test(`${name} (server)`, options, () => withServers(1, (_, [addr]) => connected(addr!)));
  Deno.test(`${name} (proxy)`, options, () => {
    return withServers(3, (_, addresses) => {
      return withProxy(addresses, ({ proxy }) => connected(`127.0.0.1:${proxy.address.port}`));
    });
  });
}

const DEFAULTS: ImportOptions = { existing: "fail", database: undefined, skipsUnsupported: false };

/** Imports, and returns the report with the error that ended it. */
async function importFrom(
  reader: EntryReader,
  addr: string,
  options: Partial<ImportOptions> = {},
  timeoutMs = 10_000,
): Promise<{ report: ImportReport; error?: Error }> {
  const report = new ImportReport();
  const settings = await connectionSettings({ addr, plaintext: true, timeoutMs });
  try {
    await importEntries(reader, settings, { ...DEFAULTS, ...options }, report, () => {});
    return { report };
  } catch (error) {
    return { report, error: error as Error };
  }
}

/** Sends a command; the bytes in its reply become text. */
async function textOf(client: Client, request: readonly (string | number | Uint8Array)[]): Promise<unknown> {
  const value = await client.send(request);
  const text = (item: unknown) => item instanceof Uint8Array ? decodeText(item) : item;
  return Array.isArray(value) ? value.map(text) : text(value);
}

function lines(...entries: readonly unknown[]): EntryReader {
  return textReader("jsonl", encodeText(entries.map((entry) => JSON.stringify(entry) + "\n").join("")), 100);
}

async function exported(
  client: Client,
  format: "jsonl" | "csv",
  options: Partial<ExportOptions> = {},
): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const counts: ExportCounts = { exported: 0, vanished: 0 };
  const writer = format === "csv" ? new CsvWriter() : new JsonLinesWriter();
  const write = (bytes: Uint8Array) => {
    chunks.push(bytes.slice() as Uint8Array<ArrayBuffer>);
    return Promise.resolve();
  };
  await exportKeys(client, writer, { match: undefined, type: undefined, ...options }, write, counts);
  return new Uint8Array(
    await new Blob([encodeText(writer.header), ...chunks.slice(writer.header === "" ? 0 : 1)]).arrayBuffer(),
  );
}

/** Returns all keys with their values, in an order that does not depend on the server. */
async function contents(client: Client): Promise<Map<string, unknown>> {
  const found: [string, unknown][] = [];
  for await (const key of client.scan()) {
    const type = await textOf(client, ["type", key]);
    const latin = (value: unknown): unknown => value instanceof Uint8Array ? value.toHex() : value;
    const texts = (values: unknown) => (values as unknown[]).map(latin);
    const read = async () => {
      if (type === "string") return latin(await client.send(["get", key]));
      if (type === "list") return texts(await client.send(["lrange", key, 0, -1]));
      if (type === "set") return texts(await client.send(["smembers", key])).toSorted();
      const map = await client.send(["hgetall", key]);
      return [...map as Map<unknown, unknown>].map(([field, value]) => `${latin(field)}=${latin(value)}`).toSorted();
    };
    found.push([key.toHex(), [type, await read(), await client.send(["pexpiretime", key])]]);
  }
  return new Map(found.toSorted(([a], [b]) => a < b ? -1 : 1));
}

/** Values with odd bytes, small and large ones of each type. */
async function fill(client: Client): Promise<void> {
  const odd = [
    new Uint8Array(0),
    Uint8Array.of(0, 255, 10),
    encodeText('a,"b"\r\n'),
    encodeText("\u202eä\ufeff"),
    encodeText("12"),
  ];
  for (const [i, bytes] of odd.entries()) {
    await client.send(["set", bytes, odd[(i + 1) % odd.length]!, "pxat", DEADLINE_MS + i]);
    await client.send(["set", `string ${i}`, bytes]);
  }
  await client.send(["rpush", "list", ...odd, ...odd]);
  await client.send(["sadd", "set", ...odd]);
  await client.send(["hset", "hash", ...odd.flatMap((bytes, i) => [bytes, odd[(i + 3) % odd.length]!])]);
  await client.send(["pexpireat", "hash", DEADLINE_MS]);
  const many = Array.from({ length: 4_000 }, (_, i) => `element ${i} ${"x".repeat(i % 50)}`);
  await client.send(["rpush", "large list", ...many]);
  await client.send(["sadd", "large set", ...many]);
  await client.send([
    "hset",
    "large hash",
    ...many.slice(0, 2_500).flatMap((text, i) => [text, i % 7 === 0 ? odd[1]! : text]),
  ]);
  await client.send(["pexpireat", "large list", DEADLINE_MS]);
  await client.send(["set", "large string", "ä".repeat(400_001), "pxat", DEADLINE_MS]);
  await client.send(["rpush", "few large", "a".repeat(300_000), "b".repeat(200_000)]);
}

const ROUND_TRIPS = [["jsonl", "fail"], ["csv", "replace"], ["jsonl", "skip"]] as const;

for (const [format, existing] of ROUND_TRIPS) {
  everywhere(`an export is imported exactly: ${format}, ${existing}`, async (addr, client) => {
    await fill(client);
    const before = await contents(client);
    const file = await exported(client, format);
    await client.flush();
    const { report, error } = await importFrom(textReader(format, file, 10_000), addr, { existing });
    assertEquals([error, report.imported], [undefined, before.size]);
    assertEquals(await contents(client), before);
    // A second import changes nothing.
    const again = await importFrom(textReader(format, file), addr, { existing });
    assertEquals(await contents(client), before);
    if (existing === "fail") assert(again.error instanceof KeyRefusedError && again.report.imported === 0);
    if (existing === "skip") assertEquals([again.report.existing, again.report.imported], [before.size, 0]);
    if (existing === "replace") assertEquals([again.report.existing, again.report.imported], [0, before.size]);
  });
}

everywhere("an export has only the chosen keys", async (_, client) => {
  await client.send(["mset", "a:1", "x", "a:2", "y", "b:1", "z"]);
  await client.send(["rpush", "a:3", "l"]);
  const linesOf = async (options: Partial<ExportOptions>) => {
    return decodeText(await exported(client, "jsonl", options)).split("\n").filter((line) => line !== "").toSorted();
  };
  assertEquals(await linesOf({ match: "a:*", type: "string" }), [
    '{"key":"a:1","type":"string","value":"x"}',
    '{"key":"a:2","type":"string","value":"y"}',
  ]);
  assertEquals(await linesOf({ type: "list" }), ['{"key":"a:3","type":"list","value":["l"]}']);
  assertEquals(await linesOf({ match: "none" }), []);
  assertEquals(decodeText(await exported(client, "csv", { match: "none" })), "key,type,expires_at,field,value\n");
});

everywhere("a file of redis-server is imported exactly", async (addr, client) => {
  await using server = await RedisServer.start("--hash-max-listpack-entries", "20");
  using source = await RespClient.connect(server.port);
  const many = Array.from({ length: 1_500 }, (_, i) => `${i}`.repeat(1 + i % 40));
  await source.call("RPUSH", "list", ...many);
  await source.call("SADD", "set", ...many);
  await source.call("HSET", "hash", ...many.flatMap((text) => [text, `${text}!`]));
  await source.call("SET", "string", "\x00\xff", "PXAT", String(DEADLINE_MS));
  await source.call("SADD", "ints", "1", "-5", "70000");
  const pairs = Array.from({ length: 2_000 }, (_, i) => [`key:${i}`, `value:${i}`]);
  await source.call("MSET", ...pairs.flat());
  const { report, error } = await importFrom(rdbReader(await server.save(), { partBytes: 5_000 }), addr);
  assertEquals([error, report.imported], [undefined, 2_005]);
  assertEquals(decodeText(await client.send(["get", "key:1999"]) as Uint8Array), "value:1999");
  assertEquals(await client.send(["get", "string"]), Uint8Array.of(0, 255));
  assertEquals(await client.send(["pexpiretime", "string"]), DEADLINE_MS);
  assertEquals(await textOf(client, ["lrange", "list", 0, -1]), many);
  assertEquals((await textOf(client, ["smembers", "set"]) as string[]).toSorted(), many.toSorted());
  assertEquals(await textOf(client, ["hget", "hash", many[77]!]), `${many[77]}!`);
  assertEquals(await client.send(["hlen", "hash"]), 1_500);
  assertEquals((await textOf(client, ["smembers", "ints"]) as string[]).toSorted(), ["-5", "1", "70000"]);
}, redis);

everywhere("keys that exist end an import, are skipped, or replaced", async (addr, client) => {
  const reset = async () => {
    await client.flush();
    await client.send(["set", "b", "old"]);
    await client.send(["rpush", "d", "old"]);
  };
  const file = () =>
    lines(
      { key: "a", type: "list", value: ["1"] },
      { key: "b", type: "hash", value: { f: "v" } },
      { key: "c", value: "3" },
      { key: "d", value: "4" },
      { key: "c", type: "set", value: ["again"] },
    );
  await reset();
  const failed = await importFrom(file(), addr);
  assertMatch(failed.error!.message, /^Key "b" exists: --replace .* \(test, line 2\)$/);
  assertEquals(decodeText(failed.report.lastKey!), "a");
  assertEquals(failed.report.partText(), '1 key imported. The last imported key is "a".');
  assertEquals(await client.send(["exists", "a", "c"]), 1);

  await reset();
  const skipped = await importFrom(file(), addr, { existing: "skip" });
  assertEquals(skipped.report.text(), "2 keys imported; left out: 3 that exist");
  assertEquals(await textOf(client, ["get", "b"]), "old");
  assertEquals(await textOf(client, ["get", "c"]), "3");
  assertEquals(await textOf(client, ["lrange", "d", 0, -1]), ["old"]);

  await reset();
  const replaced = await importFrom(file(), addr, { existing: "replace" });
  assertEquals(replaced.report.text(), "5 keys imported");
  assertEquals(await textOf(client, ["hget", "b", "f"]), "v");
  assertEquals(await textOf(client, ["get", "d"]), "4");
  assertEquals(await textOf(client, ["smembers", "c"]), ["again"]);
});

everywhere("a large value of a key that exists is skipped whole", async (addr, client) => {
  await client.send(["set", "big", "old"]);
  const parts = Array.from({ length: 40 }, () => Array.from({ length: 400 }, (_, i) => `${i}`.repeat(20)));
  const big = (key: string) => parts.map((value, i) => ({ key, type: "list", value, more: i < 39, continued: i > 0 }));
  const file = lines({ key: "first", type: "set", value: ["m"] }, ...big("big"), ...big("new"), {
    key: "last",
    value: "v",
  });
  const { report, error } = await importFrom(file, addr, { existing: "skip" });
  assertEquals([error, report.text()], [undefined, "3 keys imported; left out: 1 that exist"]);
  assertEquals(await textOf(client, ["get", "big"]), "old");
  assertEquals(await textOf(client, ["lrange", "new", 0, -1]), parts.flat());
  assertEquals(await textOf(client, ["get", "last"]), "v");
});

everywhere("expired and empty keys, other databases and unsupported values are counted", async (addr, client) => {
  const file = () =>
    rdbReader(rdbFile(
      "REDIS0011",
      [254, 0, 0, ...string("a"), ...string("1"), 253, 1, 0, 0, 0, 0, ...string("old"), ...string("2")],
      [1, ...string("empty"), ...length(0), 5, ...string("z"), ...length(1), ...string("m"), ...new Uint8Array(8)],
      [254, 3, 0, ...string("b"), ...string("3"), 5, ...string("z"), ...length(0)],
    ));
  const refused = await importFrom(file(), addr);
  assertMatch(refused.error!.message, /^Cannot import a sorted set \(key "z"\): --skip-unsupported .*offset \d+\)$/);
  assertEquals(refused.report.text(), "1 key imported; left out: 1 expired, 1 without elements");
  await client.flush();
  const chosen = await importFrom(file(), addr, { database: 0, skipsUnsupported: true });
  assertEquals(
    [chosen.error, chosen.report.text()],
    [undefined, "1 key imported; left out: 1 expired, 1 without elements, 1 of other databases, a sorted set"],
  );
  assertEquals(await client.size(), 1);
  await client.flush();
  const all = await importFrom(file(), addr, { skipsUnsupported: true });
  assertEquals(all.report.text(), "2 keys imported; left out: 1 expired, 1 without elements, a sorted set (2 times)");
});

everywhere("a damaged input reports exactly what was imported", async (addr, client) => {
  const keys = Array.from({ length: 500 }, (_, i) => ({ key: `key:${i}`, value: "v".repeat(i) }));
  const text = keys.map((key) => JSON.stringify(key) + "\n").join("") +
    '{"key":"part","type":"list","value":["a"],"more":true}\n{"key":"part","type":"list","value":["b"],"continued":true';
  const { report, error } = await importFrom(textReader("jsonl", encodeText(text), 1000), addr);
  assert(error instanceof InputError);
  assertMatch(error.message, /not JSON.*line 502\)$/);
  assertEquals(await client.size(), report.imported);
  assertEquals(report.partText(), '500 keys imported. The last imported key is "key:499".');
});

everywhere(
  "rows of a key that are apart replace each other, as --help says, or end the import",
  async (addr, client) => {
    const csv = encodeText("key,type,field,value\nh,hash,a,1\nh,hash,b,2\ns,,,x\nh,hash,c,3\n");
    const { error } = await importFrom(textReader("csv", csv), addr);
    assert(error instanceof KeyRefusedError);
    assertMatch(error.message, /Key "h" exists.*line 5/);
    assertEquals(
      await importFrom(textReader("csv", csv), addr, { existing: "replace" }).then((each) => each.error),
      undefined,
    );
    assertEquals(await textOf(client, ["hkeys", "h"]), ["c"]);
    assertMatch(
      helpText(importOptions).replace(/\s+/g, " "),
      /--replace .*the rows of a key in CSV must follow each other/,
    );
  },
);

Deno.test("a key that was sent in part is named when the input ends", async () => {
  await withServers(1, async (_, [addr]) => {
    const value = Array.from({ length: 2_000 }, (_, i) => `element ${i}`);
    const file = lines({ key: "a", value: "1" }, { key: "b", type: "list", value, more: true }, {
      key: "x",
      value: "v",
    });
    const { report, error } = await importFrom(file, addr!, { existing: "replace" });
    assertMatch(error!.message, /does not continue key "b" \(test, line 3\)$/);
    assertEquals(report.partText(), '1 key imported. The last imported key is "a". Key "b" is imported in part.');
  });
});

Deno.test("the first refusal ends an import, and the replies after it are counted", async () => {
  let requests = 0;
  await using server = new FakeServer(([name, key], peer) => {
    assertEquals(name, "set");
    requests++;
    const number = Number(key!.slice(4));
    if (number === 700 || number >= 710) peer.refuse("ERR", "no room");
    else peer.reply("OK");
  });
  const text = Array.from({ length: 100_000 }, (_, i) => `{"key":"key:${i}","value":"v"}\n`).join("");
  const file = textReader("jsonl", encodeText(text));
  const { report, error } = await importFrom(file, `127.0.0.1:${server.port}`, { existing: "replace" });
  assert(error instanceof KeyRefusedError);
  assertMatch(error.message, /^The server refused key "key:700": ERR no room \(test, line 701\)$/);
  assert(requests < 50_000, `${requests} keys were sent`);
  assertEquals([report.imported, decodeText(report.lastKey!)], [709, "key:709"]);
});

Deno.test("a connection that ends reports what is confirmed and what is in doubt", async () => {
  let count = 0;
  await using server = new FakeServer((request, peer) => {
    if (++count <= 1_000) peer.reply(request[0] === "rpush" ? 1 : "OK");
    else if (count === 1_001) peer.close();
  });
  const file = lines(
    ...Array.from({ length: 1_000 }, (_, i) => ({ key: `key:${i}`, value: "v" })),
    { key: "in doubt", value: "v" },
    ...Array.from({ length: 50_000 }, (_, i) => ({ key: `later:${i}`, value: "v" })),
  );
  const { report, error } = await importFrom(file, `127.0.0.1:${server.port}`, { existing: "replace" });
  assert(error instanceof ConnectionError);
  assertEquals([report.imported, decodeText(report.lastKey!)], [1_000, "key:999"]);
  assertEquals(decodeText(report.unconfirmedKey!), "in doubt");
  assert(report.unconfirmed >= 1 && report.unconfirmed < 50_001, `${report.unconfirmed}`);
  assertMatch(
    report.partText(),
    /Whether the next [0-9,]+ keys are imported, from "in doubt" on, is not known\.$|Whether/,
  );
});

Deno.test("a server that is silent, or is not there, ends an import", async () => {
  await using server = new FakeServer(() => {});
  const silent = await importFrom(lines({ key: "k", value: "v" }), `127.0.0.1:${server.port}`, {}, 200);
  assertMatch(silent.error!.message, /No answer from .* in time/);
  assertEquals([silent.report.imported, silent.report.unconfirmed], [0, 1]);
});

Deno.test("a server that is not there ends an import before it begins", async () => {
  const { port } = await (async () => {
    await using server = new FakeServer(() => {});
    return { port: server.port };
  })();
  const { report, error } = await importFrom(lines({ key: "k", value: "v" }), `127.0.0.1:${port}`);
  assert(error instanceof ConnectionError);
  assertEquals(report.partText(), "0 keys imported.");
});

Deno.test("an import that is interrupted reports what was imported", async () => {
  await withServers(1, async (_, [addr]) => {
    const interruption = new AbortController();
    const bytes = encodeText('{"key":"a","value":"1"}\n{"key":"b","type":"set","value":["m"]}\n{"key":');
    let isRead = false;
    const silent = {
      read: (target: Uint8Array) => {
        if (isRead) {
          interruption.abort();
          return new Promise<number>(() => {});
        }
        isRead = true;
        target.set(bytes);
        return Promise.resolve(bytes.length);
      },
    };
    const reader = new JsonLinesReader(new ByteSource("test", silent));
    const { report, error } = await importFrom(reader, addr!, { signal: interruption.signal });
    assert(error instanceof InterruptedError);
    assertEquals(report.partText(), '1 key imported. The last imported key is "a".');
  });
});
