/** Tests composing requests for several servers, in every dialect. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { COMMANDS } from "../../../src/catalog/specification.ts";
import { ReplyError } from "../../../src/errors.ts";
import { slotOf } from "../../../src/key_slot.ts";
import { STEP_BYTES } from "../../../src/limits.ts";
import { Cluster } from "../../../src/proxy/backend/cluster.ts";
import type { Dialect } from "../../../src/proxy/backend/dialect.ts";
import { hasManyKeys, KeySlots } from "../../../src/proxy/routing/key_slots.ts";
import { composeScan } from "../../../src/proxy/routing/scan.ts";
import { sharedSlot } from "../../../src/proxy/routing/shared_slot.ts";
import { Split } from "../../../src/proxy/routing/split.ts";
import { FlushQueue } from "../../../src/route/flush_queue.ts";
import { Request } from "../../../src/wire/request.ts";
import { REQUEST_LIMITS } from "../../../src/wire/request_limits.ts";
import { dialects } from "../../support/dialects.ts";

/** Creates a cluster of three servers to which nothing connects. */
function makeCluster(): Cluster {
  const cluster = new Cluster({
    connectionsMaxCount: 1,
    timeoutMs: 1000,
    flushQueue: new FlushQueue(),
    clock: { nowMs: 0 },
    report: () => {},
  });
  cluster.apply(["a:1", "b:1", "c:1"].map((address) => ({ address, weight: 1 })));
  return cluster;
}

function decode(dialect: Dialect, bytes: Uint8Array): Request {
  const request = new Request();
  assertEquals(dialect.decoder().decode(bytes, 0, bytes.length, request, REQUEST_LIMITS), bytes.length);
  return request;
}

function requestOf(dialect: Dialect, words: readonly (string | Uint8Array)[]): Request {
  return decode(dialect, dialect.request(words));
}

function wordsOf(request: Request): string[] {
  return Array.from({ length: request.count }, (_, i) => request.text(i));
}

function specificationOf(name: string) {
  return COMMANDS.find((each) => each.name === name)!;
}

for (const [name, dialect] of dialects) {
  Deno.test(`Split composes in steps in ${name} the same as in one, long values in pieces`, () => {
    const cluster = makeCluster();
    const long = new Uint8Array(STEP_BYTES * 2 + 7).map((_, i) => i);
    const words = Array.from({ length: 3000 }, (_, i) => [`key:${i}`, i === 1500 ? long : `value ${i}`]).flat();
    for (const [command, keys] of [["mset", words], ["mget", words.filter((_, i) => i % 2 === 0)]] as const) {
      const specification = specificationOf(command);
      const request = requestOf(dialect, [command, ...keys]);
      const slots = new KeySlots(specification, request);
      while (!slots.step());
      const expected = new Split(cluster, specification, request);
      const split = new Split(cluster, specification, request, slots.slots);
      assertEquals(split.assignSome(), false);
      while (!split.assignSome());
      assertEquals([split.count, split.partOf], [expected.count, expected.partOf]);
      for (let part = 0; part < split.count; part++) {
        const writer = dialect.makeWriter();
        const composing = split.composing(part, writer);
        const { buffer } = writer;
        let steps = 1;
        for (let before = 0; !composing(); steps++) {
          // No step copies many bytes.
          assert(writer.length - before < STEP_BYTES * 1.1);
          before = writer.length;
        }
        assert(command === "mget" || steps > 1);
        assert(writer.buffer === buffer, "room is made once");
        expected.compose(part, dialect.writer);
        assertEquals(writer.length, dialect.writer.length);
        assert(writer.buffer.subarray(0, writer.length).every((byte, i) => byte === dialect.writer.buffer[i]));
      }
    }
  });

  Deno.test(`Split gives each owner its keys in ${name}, in the order of the request, and the arguments after them`, () => {
    const cluster = makeCluster();
    const keys = Array.from({ length: 300 }, (_, i) => `key:${i}`);
    const request = requestOf(dialect, ["MSET", ...keys.flatMap((key) => [key, `value\r\n${key}`])]);
    const split = new Split(cluster, specificationOf("mset"), request);
    assertEquals(split.count, 3);
    const parts = Array.from({ length: split.count }, (_, part) => {
      split.compose(part, dialect.writer);
      return wordsOf(decode(dialect, dialect.writer.buffer.slice(0, dialect.writer.length)));
    });
    const expected = Array.from({ length: split.count }, (): string[] => ["MSET"]);
    keys.forEach((key, i) => {
      const part = split.partOf[i]!;
      const bytes = encodeText(key);
      assertEquals(cluster.ownerOf(bytes, 0, bytes.length), split.pool(part));
      expected[part]!.push(key, `value\r\n${key}`);
    });
    assertEquals(parts, expected);
    cluster.close();
  });

  Deno.test(`RequestComposer grows with its input in ${name}, and releases the memory`, () => {
    const long = new Uint8Array(3_000_000).fill(0x61);
    const request = requestOf(dialect, ["get", long, "b"]);
    const { writer: writer } = dialect;
    writer.begin(request, 4);
    writer.copy(request, 1, 2);
    writer.text("Grüße");
    writer.end();
    const words = wordsOf(decode(dialect, writer.buffer.slice(0, writer.length)));
    assertEquals(words.map((word) => word.length), [3, long.length, 1, 5]);
    writer.begin(request, 1);
    writer.end();
    assert(writer.buffer.length < 10_000, `${writer.buffer.length} bytes are kept`);
  });

  Deno.test(`composeScan() replaces the cursor in ${name}`, () => {
    const request = requestOf(dialect, ["Scan", "9007199254740991", "MATCH", "a*", "COUNT", "7"]);
    composeScan(request, 4294967295, dialect.writer);
    const words = wordsOf(decode(dialect, dialect.writer.buffer.slice(0, dialect.writer.length)));
    assertEquals(words, ["Scan", "4294967295", "MATCH", "a*", "COUNT", "7"]);
  });
}

Deno.test("Split reads an inline request, and composes arrays", () => {
  const cluster = makeCluster();
  const [, dialect] = dialects[1]!;
  const request = decode(dialect, encodeText("mget \"a b\" 'c' d e f g\r\n"));
  const split = new Split(cluster, specificationOf("mget"), request);
  const found: string[] = [];
  for (let part = 0; part < split.count; part++) {
    split.compose(part, dialect.writer);
    const [name, ...keys] = wordsOf(decode(dialect, dialect.writer.buffer.slice(0, dialect.writer.length)));
    assertEquals(name, "mget");
    found.push(...keys);
  }
  assertEquals(found.sort(), ["a b", "c", "d", "e", "f", "g"]);
  cluster.close();
});

Deno.test("sharedSlot() returns the slot of all keys, or none", () => {
  const [, dialect] = dialects[1]!;
  const slotOf = (...words: string[]) => sharedSlot(specificationOf(words[0]!), requestOf(dialect, words));
  // CLUSTER KEYSLOT foo of Redis Cluster returns the same slot.
  assertEquals(slotOf("rename", "foo", "{foo}x"), 12182);
  assertEquals(slotOf("blpop", "foo", "0"), 12182);
  assertEquals(slotOf("blpop", "foo", "{foo}", "{foo}y", "0"), 12182);
  // The values between the keys are not keys.
  assertEquals(slotOf("msetnx", "foo", "bar", "{foo}x", "baz"), 12182);
  // Of `sintercard`, the first argument is the number of keys.
  assertEquals(slotOf("sintercard", "2", "foo", "{foo}x", "LIMIT", "1"), 12182);
  assertEquals(slotOf("sintercard", "3", "foo", "bar"), 12182);
  for (const words of [["rename", "foo", "bar"], ["blpop", "foo", "bar", "0"], ["msetnx", "foo", "1", "bar", "2"]]) {
    const error = assertThrows(() => slotOf(...words), ReplyError, "Keys in request don't hash to the same slot");
    assertEquals(error.code, "CROSSSLOT");
  }
});

Deno.test("KeySlots finds the slot of every key, those in use, and the one that all share", () => {
  const [, dialect] = dialects[0]!;
  const find = (name: string, words: string[]) => {
    const request = requestOf(dialect, [name, ...words]);
    assert(hasManyKeys(specificationOf(name), request));
    const keys = new KeySlots(specificationOf(name), request);
    let steps = 1;
    while (!keys.step()) steps++;
    return { keys, steps };
  };
  const names = Array.from({ length: 5000 }, (_, i) => `key:${i}`);
  const { keys, steps } = find("mget", names);
  assert(steps > 1);
  const slots = names.map((name) => slotOf(encodeText(name), 0, name.length));
  assertEquals([...keys.slots], slots);
  assertEquals(
    [...keys.isUsed.keys()].filter((slot) => keys.isUsed[slot] === 1),
    [...new Set(slots)].sort((a, b) => a - b),
  );
  assertThrows(() => keys.shared(), ReplyError, "hash to the same slot");
  const shared = find("msetnx", names.flatMap((name) => [`{t}${name}`, name])).keys;
  assertEquals([shared.slots.length, shared.shared()], [5000, slotOf(encodeText("t"), 0, 1)]);
  // The last argument of these commands is not a key.
  assertEquals(find("blpop", [...names.map(() => "{t}"), "0"]).keys.slots.length, 5000);
  const counted = find("sintercard", ["4999", ...names.slice(1).map((name) => `{t}${name}`), "LIMIT", "1"]).keys;
  assertEquals([counted.slots.length, counted.shared()], [4999, slotOf(encodeText("t"), 0, 1)]);
  assertEquals(find("sintercard", ["x", ...names]).keys.shared(), 0);
  assert(!hasManyKeys(specificationOf("mget"), requestOf(dialect, ["mget", "a"])));
  assert(!hasManyKeys(specificationOf("rpush"), requestOf(dialect, ["rpush", ...names])));
});
