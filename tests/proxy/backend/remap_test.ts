/**
 * Tests `--on-down remap` in one process: real servers that are lost and return with their data, and fake ones that
 * refuse. tests/system/proxy_fire_test.ts tests what clients under load notice.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { decodeText, encodeText } from "../../../src/bytes.ts";
import { slotOf } from "../../../src/key_slot.ts";
import { ownersOf, standInsFor } from "../../../src/route/slots.ts";
import type { Server } from "../../../src/server/main.ts";
import type { FakePeer } from "../../support/fake_server.ts";
import { pause } from "../../support/pause.ts";
import { infoOf, type Rig, serverFact, withFakes, withProxy, withServers, writeList } from "../../support/proxy_rig.ts";
import { RawClient } from "../../support/raw_client.ts";
import { Relay } from "../../support/relay.ts";
import { until } from "../../support/until.ts";

const KEYS_COUNT = 200;

/** A proxy before three real servers, of which the first can be cut off. */
interface RemapRig extends Rig {
  readonly servers: readonly Server[];
  readonly relay: Relay;
  readonly client: RawClient;
  /** Keys of the first server that are lent to the second. */
  readonly lentKeys: readonly string[];
  cutOff(): Promise<void>;
  letBack(): Promise<void>;
}

function withRemap(run: (rig: RemapRig) => Promise<void>): Promise<void> {
  return withServers(3, async (servers, real) => {
    using relay = new Relay(real[0]!);
    const addresses = [relay.address, ...real.slice(1)];
    await withProxy(addresses, async (rig) => {
      using client = await rig.connect();
      await run({
        ...rig,
        servers,
        relay,
        client,
        lentKeys: keysLentTo(addresses, 1),
        async cutOff() {
          relay.target = undefined;
          relay.cut();
          // The proxy notices this without a request.
          await until(() => serverFact(rig.proxy, 0, "slots") === "0", "slots are lent");
        },
        async letBack() {
          relay.target = real[0];
          await until(() => infoOf(rig.proxy, "cluster_slots_lent") === "0", "slots are at home again");
        },
      });
    }, { onDown: "remap" });
  });
}

/** Returns keys of the first server that are lent to the one at `position`. */
function keysLentTo(addresses: readonly string[], position: number): string[] {
  const members = addresses.map((address) => ({ address, weight: 1 }));
  const home = ownersOf(members);
  const standIns = standInsFor(members, home, [false, true, true]);
  const keys: string[] = [];
  for (let i = 0; keys.length < KEYS_COUNT; i++) {
    const bytes = encodeText(`key:${i}`);
    const slot = slotOf(bytes, 0, bytes.length);
    if (home[slot] === 0 && standIns[slot] === position) keys.push(`key:${i}`);
  }
  return keys;
}

/** Returns one key for each slot. */
function distinctSlots(keys: readonly string[]): string[] {
  const bySlot = new Map<number, string>();
  for (const key of keys) bySlot.set(slotOf(encodeText(key), 0, key.length), key);
  return [...bySlot.values()];
}

async function assertUnavailable(reply: Promise<unknown>): Promise<void> {
  assertStringIncludes(String(await reply), "UNAVAILABLE");
}

/** Returns the keys in a server's store. */
function keysIn({ store }: Server): string[] {
  const keys: string[] = [];
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    const key = new Uint8Array(store.keyLength(entry));
    store.copyKey(entry, key, 0);
    keys.push(decodeText(key));
  }
  return keys.sort();
}

Deno.test("Remap lends slots to servers that are flushed of them, and flushes the server that returns", () =>
  withRemap(async ({ servers, addresses, client, key, lentKeys, cutOff, letBack, log }) => {
    const [lent, other] = [lentKeys[0]!, key(1)];
    await client.call("set", lent, "before");
    await client.call("set", other, "kept");
    // The stand-in has these keys from an earlier time.
    using direct = await RawClient.connect(servers[1]!.address);
    for (const each of lentKeys) await direct.call("set", each, "stale");
    await cutOff();
    assertEquals(await client.call("mget", lent, other), [null, "kept"]);
    assertEquals(keysIn(servers[1]!), [other]);
    await client.call("set", lent, "meanwhile");
    assertEquals(await client.call("get", lent), "meanwhile");
    assertEquals(keysIn(servers[1]!), [lent, other].sort());
    assertEquals(keysIn(servers[0]!), [lent]);

    await letBack();
    assertEquals(await client.call("get", lent), null);
    assertEquals(await client.call("get", other), "kept");
    await client.call("set", lent, "after");
    await until(() => keysIn(servers[1]!).join() === other, "the stand-in is flushed");
    assertEquals(keysIn(servers[0]!), [lent]);
    assertEquals(await client.call("size"), 2);
    // Two servers were stand-ins. The first server got the unwritten slots back immediately, and the rest when it was
    // flushed of them.
    const lines = log.lines.filter((line) => line.includes("more slots"));
    assertEquals(lines.length, 4);
    for (const address of addresses) assert(lines.some((line) => line.includes(`"${address}"`)), address);
  }));

/** Sends reads of every kind: of one key, of several, of all servers, and in transactions. */
async function readEverything(client: RawClient, keys: readonly string[]): Promise<void> {
  const key = keys[0]!;
  const requests = [
    ["get", key],
    ["mget", ...keys],
    ["exists", ...keys],
    ["touch", ...keys],
    ["ttl", key],
    ["pttl", key],
    ["getex", key],
    ["type", key],
    ["strlen", key],
    ["object", "encoding", key],
    ["memory", "usage", key],
    ["lrange", key, "0", "-1"],
    ["hgetall", key],
    ["hrandfield", key, "-1000"],
    ["keys", "*"],
    ["scan", "0"],
    ["size"],
    ["randomkey"],
    ["publish", key, "x"],
    ["watch", key],
    ["multi"],
    ["get", key],
    ["exec"],
    ["multi"],
    ["ttl", key],
    ["exec"],
  ];
  for (const words of requests) await client.call(...words);
}

Deno.test("Remap returns lent slots with their data when they were only read meanwhile", () =>
  withRemap(async ({ servers, client, lentKeys, key, cutOff, letBack }) => {
    const keys = Array.from({ length: KEYS_COUNT }, (_, i) => key(0, i));
    for (const each of [...keys, ...lentKeys]) await client.call("set", each, `of ${each}`);
    const before = keysIn(servers[0]!);
    for (let round = 0; round < 2; round++) {
      await cutOff();
      await readEverything(client, keys);
      assertEquals(await client.call("get", keys[0]!), null);
      await letBack();
      assertEquals(keysIn(servers[0]!), before);
      assertEquals(await client.call("mget", ...keys), keys.map((each) => `of ${each}`));
      assertEquals(await client.call("size"), before.length);
    }
  }));

Deno.test("Remap flushes a returning server only of the slots that were written meanwhile", () =>
  withRemap(async ({ servers, client, connect, lentKeys, cutOff, letBack }) => {
    /** Each request or transaction writes the given keys. The last ones only read them. */
    const writes: ((...keys: string[]) => string[][])[] = [
      (a) => [["set", a, "x"]],
      (a) => [["append", a, "x"]],
      (a) => [["expire", a, "100"]],
      (a) => [["ttl", a, "100"]],
      (a) => [["getex", a, "PERSIST"]],
      (a) => [["getdel", a]],
      (a, b) => [["mset", a, "x", b!, "x"]],
      (a, b) => [["del", a, b!]],
      (a) => [["unlink", a]],
      (a) => [["rename", `{${a}}none`, a]],
      (a) => [["msetnx", a, "x", `{${a}}other`, "x"]],
      (a) => [["multi"], ["get", a], ["set", `{${a}}other`, "x"], ["exec"]],
      (a) => [["watch", a], ["multi"], ["set", a, "x"], ["exec"]],
      (a) => [["blpop", `{${a}}none`, "0.01"]],
      (a) => [["rpush", `{${a}}list`, "x"], ["blpop", `{${a}}list`, "0"]],
    ];
    const keys = distinctSlots(lentKeys);
    // The neighbour of a key is in the same slot.
    const neighbour = (key: string) => `{${key}}neighbour`;
    for (const key of keys) await client.call("mset", key, `of ${key}`, neighbour(key), "kept");
    await cutOff();
    using writer = await connect();
    const written: string[] = [];
    for (const write of writes) {
      const own = keys.slice(written.length, written.length + write.length);
      written.push(...own);
      for (const words of write(...own)) await writer.call(...words);
    }
    assert(keys.length > 2 * written.length, "too few keys are left to be only read");
    assertEquals(new Set(await client.call("mget", ...keys.slice(written.length)) as unknown[]), new Set([null]));
    await letBack();
    const expected = keys.slice(written.length).flatMap((key) => [key, neighbour(key)]);
    assertEquals(keysIn(servers[0]!), expected.sort());
    assertEquals(new Set(await client.call("mget", ...written) as unknown[]), new Set([null]));
  }));

Deno.test("Remap flushes a returning server of all lent slots when everything was flushed meanwhile", () =>
  withRemap(async ({ servers, client, lentKeys, cutOff, letBack }) => {
    for (const each of lentKeys) await client.call("set", each, "before");
    await cutOff();
    assertEquals(await client.call("flushall"), "OK");
    await letBack();
    assertEquals(keysIn(servers[0]!), []);
    assertEquals(await client.call("get", lentKeys[0]!), null);
  }));

Deno.test("Remap keeps track of writes while the list assigns the lent slots to the stand-in", () =>
  withRemap(async ({ servers, client, proxy, path, addresses, lentKeys, cutOff, relay }) => {
    const keys = distinctSlots(lentKeys);
    for (const each of keys) await client.call("set", each, "before");
    const real = relay.target;
    await cutOff();
    const follow = async (weights: readonly number[]) => {
      const changes = Number(infoOf(proxy, "cluster_changes"));
      const list = addresses.map((addr, i) => ({ addr, weight: weights[i]! }));
      await Deno.writeTextFile(path, JSON.stringify(list));
      await until(() => Number(infoOf(proxy, "cluster_changes")) > changes, "the list is followed");
    };
    // Nearly all slots now belong to the stand-in, so they are not lent any more.
    await follow([1, 1_000_000, 1]);
    const [written, ...others] = keys as [string, ...string[]];
    assertEquals(await client.call("set", written, "meanwhile"), "OK");
    await follow([1, 1, 1]);
    relay.target = real;
    await until(() => infoOf(proxy, "cluster_slots_lent") === "0", "slots are at home again");
    assertEquals(await client.call("get", written), null);
    assertEquals(keysIn(servers[0]!), others.sort());
  }));

Deno.test("Remap lends no slots of a server that is silent for some seconds, and flushes nothing of it", () =>
  withRemap(async ({ servers, client, connect, proxy, relay, key, log }) => {
    const keys = Array.from({ length: KEYS_COUNT }, (_, i) => key(0, i));
    for (const each of keys) await client.call("set", each, "kept");
    using waiting = await connect();
    relay.hold();
    const heldMs = performance.now();
    await assertUnavailable(waiting.call("get", keys[0]!));
    assertEquals(serverFact(proxy, 0, "state"), "down");
    assert(performance.now() - heldMs < 2_000, "requests wait too long for a server that is silent");
    // A lost server would lose its slots in less time, while requests for them arrive.
    await pause(2_000);
    await assertUnavailable(client.call("get", keys[0]!));
    assertEquals(infoOf(proxy, "cluster_slots_lent"), "0");
    relay.release();
    await until(() => serverFact(proxy, 0, "state") === "up", "the server is up again");
    assertEquals(new Set(await client.call("mget", ...keys) as unknown[]), new Set(["kept"]));
    assertEquals(keysIn(servers[0]!), keys.sort());
    assertEquals(log.lines.filter((line) => line.includes("more slots")), []);
  }));

Deno.test("Remap keeps the slots and data of a server that is down for a moment", () =>
  withRemap(async ({ client, proxy, relay, lentKeys }) => {
    await client.call("set", lentKeys[0]!, "kept");
    const { target } = relay;
    relay.target = undefined;
    relay.cut();
    await until(() => serverFact(proxy, 0, "state") === "down", "the server is down");
    relay.target = target;
    await until(() => serverFact(proxy, 0, "state") === "up", "the server is up");
    assertEquals(infoOf(proxy, "cluster_slots_lent"), "0");
    assertEquals(await client.call("get", lentKeys[0]!), "kept");
  }));

Deno.test("Remap keeps whole-cluster commands correct: a server without slots gets no request", () =>
  withRemap(async ({ client, proxy, lentKeys, key, cutOff, letBack }) => {
    for (let i = 0; i < KEYS_COUNT; i++) await client.call("set", lentKeys[i]!, "x");
    for (let i = 0; i < KEYS_COUNT; i++) await client.call("set", key(2, i), "x");
    // This scan is in the middle of the server that is then cut off.
    let [cursor, found] = await client.call("scan", "0") as [string, string[]];
    await cutOff();
    assertEquals(await client.call("size"), KEYS_COUNT);
    assertEquals((await client.call("keys", "*") as string[]).length, KEYS_COUNT);
    assertEquals(await client.call("exists", ...lentKeys), 0);
    assert((await client.call("randomkey") as string).startsWith("key:"));
    assertEquals(serverFact(proxy, 0, "slots"), "0");
    const seen = new Set(found);
    while (cursor !== "0") {
      [cursor, found] = await client.call("scan", cursor) as [string, string[]];
      for (const each of found) seen.add(each);
    }
    for (let i = 0; i < KEYS_COUNT; i++) assert(seen.has(key(2, i)), `the scan has missed ${key(2, i)}`);
    assertEquals(await client.call("flush"), "OK");
    await letBack();
    assertEquals(await client.call("size"), 0);
  }));

Deno.test("Remap moves clients that wait or listen to the stand-in and back", () =>
  withRemap(async ({ client, connect, lentKeys, cutOff, letBack }) => {
    const key = lentKeys[0]!;
    await cutOff();
    using waiter = await connect();
    const popped = waiter.call("blpop", key, "0");
    await until(async () => /blocked_clients:1\r/.test(String(await client.call("info", "clients"))), "it waits");
    await letBack();
    await until(async () => await client.call("rpush", key, "x") !== undefined, "an element is pushed");
    assertEquals(await popped, [key, "x"]);
  }));

Deno.test("Remap keeps what was written to a stand-in when the server that is down leaves the list", () =>
  withRemap(async ({ client, proxy, path, addresses, lentKeys, cutOff }) => {
    const key = lentKeys[0]!;
    await cutOff();
    await client.call("set", key, "meanwhile");
    await writeList(path, addresses.slice(1));
    await until(() => infoOf(proxy, "cluster_servers") === "2", "the list is followed");
    assertEquals(infoOf(proxy, "cluster_slots_lent"), "0");
    assertEquals(await client.call("get", key), "meanwhile");
  }));

Deno.test("Remap flushes a server that returns to the list of the slots written meanwhile, and those that had its slots", () =>
  withRemap(async ({ servers, client, proxy, path, addresses, lentKeys, key }) => {
    const [moved, other] = [lentKeys[0]!, key(1)];
    const follow = async (list: readonly string[]) => {
      const changes = Number(infoOf(proxy, "cluster_changes"));
      await writeList(path, list);
      await until(
        () => Number(infoOf(proxy, "cluster_changes")) > changes && infoOf(proxy, "cluster_slots_lent") === "0",
        "the list is followed",
      );
    };
    await client.call("mset", moved, "before", other, "kept");
    await follow(addresses.slice(1));
    assertEquals(await client.call("mget", moved, other), [null, "kept"]);
    await client.call("set", moved, "meanwhile");
    assertEquals(await client.call("size"), 2);
    await follow(addresses);
    assertEquals(await client.call("mget", moved, other), [null, "kept"]);
    await until(() => keysIn(servers[1]!).join() === other, "the server that had the slot is flushed");
    assertEquals(keysIn(servers[0]!), []);
    assertEquals(infoOf(proxy, "cluster_servers_draining"), "0");
  }));

Deno.test("Remap lends nothing to a server that cannot be flushed, logs it once, and tries again", async () => {
  let refuses = true;
  let flushes = 0;
  const replying = (name: string) => (request: string[], peer: FakePeer) => {
    if (request[0] !== "flushslots") return peer.reply(encodeText(name));
    flushes++;
    if (refuses) peer.refuse("ERR", "not now");
    else peer.reply([encodeText("0"), 0]);
  };
  await withFakes([replying("home"), replying("stand-in")], async (rig, servers) => {
    using client = await rig.connect();
    assertEquals(await client.call("get", rig.key(0)), "home");
    await servers[0]![Symbol.asyncDispose]();
    await until(async () => {
      assertStringIncludes(String(await client.call("get", rig.key(0))), "UNAVAILABLE");
      return flushes >= 2;
    }, "it is tried again");
    assertEquals(rig.log.lines.filter((line) => line.includes("cannot be flushed of slots")).length, 1);
    refuses = false;
    await until(async () => await client.call("get", rig.key(0)) === "stand-in", "the slot is lent");
  }, { onDown: "remap" });
});

Deno.test("standInsFor() moves only the slots of servers that cannot serve", () => {
  const members = ["a:1", "b:1", "c:1", "d:1"].map((address, i) => ({ address, weight: 1 + i }));
  const home = ownersOf(members);
  assertEquals(standInsFor(members, home, [true, true, true, true]), home);
  assertEquals(standInsFor(members, home, [false, false, false, false]), home);
  const owners = standInsFor(members, home, [true, false, true, false]);
  for (let slot = 0; slot < home.length; slot++) {
    const isServing = home[slot] === 0 || home[slot] === 2;
    if (isServing) assertEquals(owners[slot], home[slot]);
    else assert(owners[slot] === 0 || owners[slot] === 2);
  }
  const only = standInsFor(members, home, [false, false, true, false]);
  assert(only.every((position) => position === 2));
});
