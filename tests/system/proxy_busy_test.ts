/**
 * Tests a proxy in front of a server that is delayed but not lost: stopped for some seconds, or busy with a value that
 * arrives slowly. The proxy keeps all keys of this server. With `--on-down remap` it loses only keys that were written
 * to other servers meanwhile.
 */

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { slotOf } from "../../src/key_slot.ts";
import { BACKEND_PROBE_TIMEOUT_MS, BACKEND_SUSPECT_MS, REMAP_SILENT_MS } from "../../src/limits.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { longOnly } from "../support/amount.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { Relay } from "../support/relay.ts";
import { until } from "../support/until.ts";

const KEYS_COUNT = 10_000;
/** How long a server is stopped without losing its slots, in ms. */
const HELD_MS = 4_000;
/** The longest time that a client waits for a stopped server, in ms. */
const REFUSED_LIMIT_MS = 2_000;
/** The longest time from the server's return to full service, in ms. */
const RECOVERY_LIMIT_MS = 5_000;
/** The number of keys that are written to another server meanwhile, as far as possible each in another slot. */
const WRITTEN_COUNT = 50;
const LARGE_BYTES = 24 * 1024 * 1024;
const SLOW_BYTES_PER_SECOND = 10 * 1024 * 1024;

/** Two servers full of keys, and a proxy that reassigns slots. */
interface Rig {
  readonly servers: readonly Role[];
  readonly proxy: Role;
  readonly client: Client;
  /** The keys of the first server. */
  readonly keys: readonly string[];
  /** Returns the lines in which the proxy logs slots that change their server. */
  handovers(): string[];
}

function slotOfKey(key: string): number {
  const bytes = encodeText(key);
  return slotOf(bytes, 0, bytes.length);
}

/** Returns the initial value of a key. */
function valueOf(key: string): string {
  return `of ${key}`;
}

async function start(launcher: Launcher): Promise<Rig> {
  const servers = [await launcher.server(), await launcher.server()];
  const addresses = servers.map(({ address }) => address);
  const proxy = await launcher.proxy(await launcher.serversFile(addresses), ["--on-down", "remap"]);
  const client = await launcher.connect(proxy);
  const all = Array.from({ length: KEYS_COUNT }, (_, i) => `key:${i}`);
  await Promise.all(all.map((key) => client.set(key, valueOf(key))));
  const owners = ownersOf(addresses.map((address) => ({ address, weight: 1 })));
  const keys = all.filter((key) => owners[slotOfKey(key)] === 0);
  const handovers = () => proxy.process.lines.filter((line) => line.includes("more slots"));
  return { servers, proxy, client, keys, handovers };
}

/** Returns the values of keys. It throws if a read is refused. */
async function read(client: Client, keys: readonly string[]): Promise<(string | null)[]> {
  return await Promise.all(keys.map((key) => client.getText(key)));
}

/** Returns the code of the refusal of a request, or `undefined` when the request succeeded. */
async function refusalOf(request: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await request();
    return undefined;
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    return error.code;
  }
}

systemTest(
  "with --on-down remap a server that is stopped for some seconds keeps all slots and keys",
  longOnly,
  async (launcher) => {
    const { servers, proxy, client, keys, handovers } = await start(launcher);
    // Requests of all kinds are in flight when the server is stopped.
    const hash = keys[0]!;
    const [before] = await Promise.all([
      client.getText(hash),
      client.remove(hash),
      client.hset(hash, { field: "value" }),
    ]);
    assertEquals(before, valueOf(hash));
    const reader = await launcher.connect(proxy);
    const long = refusalOf(() => reader.hrandfield(hash, -1_000_000));
    servers[0]!.process.signal("SIGSTOP");
    const heldMs = performance.now();
    const code = await refusalOf(async () => await client.getText(keys[1]!));
    assertEquals(code, "UNAVAILABLE");
    assertLess(performance.now() - heldMs, REFUSED_LIMIT_MS);
    while (performance.now() - heldMs < HELD_MS) {
      const askedMs = performance.now();
      assertEquals(await refusalOf(() => client.getText(keys[2]!)), "UNAVAILABLE");
      assertLess(performance.now() - askedMs, REFUSED_LIMIT_MS / 4);
      await pause(50);
    }
    servers[0]!.process.signal("SIGCONT");
    await until(
      async () => await refusalOf(() => client.getText(keys[1]!)) === undefined,
      "it is served again",
      RECOVERY_LIMIT_MS,
    );
    await long;
    const others = keys.slice(1);
    assertEquals(await read(client, others), others.map(valueOf));
    assertEquals(await client.hget(hash, "field"), encodeText("value"));
    assertEquals(await client.size(), KEYS_COUNT);
    assertEquals(handovers(), []);
  },
);

systemTest(
  "with --on-down remap a server that was stopped for long loses only the keys written elsewhere",
  longOnly,
  async (launcher) => {
    const { servers, client, keys, handovers } = await start(launcher);
    const written = keys.slice(0, WRITTEN_COUNT);
    const writtenSlots = new Set(written.map(slotOfKey));
    const lost = keys.filter((key) => writtenSlots.has(slotOfKey(key)));
    const kept = keys.filter((key) => !writtenSlots.has(slotOfKey(key)));
    servers[0]!.process.signal("SIGSTOP");
    const heldMs = performance.now();
    assertEquals(await refusalOf(() => client.getText(keys[0]!)), "UNAVAILABLE");
    assertLess(performance.now() - heldMs, REFUSED_LIMIT_MS);
    await until(
      async () => await refusalOf(() => client.getText(keys[0]!)) === undefined,
      "its slots are lent",
      2 * REMAP_SILENT_MS,
    );
    assertGreaterOrEqual(performance.now() - heldMs, REMAP_SILENT_MS);
    assertEquals(new Set(await read(client, keys)), new Set([null]));
    await Promise.all(written.map((key) => client.set(key, "meanwhile")));

    let isOver = false;
    const seen = new Set<string | null>();
    const watching = (async () => {
      while (!isOver) for (const value of await read(client, written)) seen.add(value);
    })();
    servers[0]!.process.signal("SIGCONT");
    await until(() => handovers().at(-1)!.includes("lent_slots=0"), "its slots are at home again", RECOVERY_LIMIT_MS);
    isOver = true;
    await watching;
    // A read returns the last written value or nothing, and never the older value.
    assert([...seen].every((value) => value === null || value === "meanwhile"), [...seen].join());
    assertEquals(await read(client, kept), kept.map(valueOf));
    assertEquals(new Set(await read(client, lost)), new Set([null]));
    const removed = handovers().map((line) => Number(/removed_keys=([0-9]+)/.exec(line)![1]));
    assertEquals(removed.reduce((sum, count) => sum + count, 0), lost.length);
    assertGreater(kept.length, KEYS_COUNT / 4);
    await until(async () => await client.size() === KEYS_COUNT - lost.length, "the other server is flushed");
  },
);

systemTest("a large value that arrives slowly does not make its server appear silent", longOnly, async (launcher) => {
  const servers = [await launcher.server(), await launcher.server()];
  using relay = new Relay(servers[0]!.address);
  const file = await launcher.serversFile([relay.address, servers[1]!.address]);
  const proxy = await launcher.proxy(file, ["--on-down", "remap"]);
  const owners = ownersOf([relay.address, servers[1]!.address].map((address) => ({ address, weight: 1 })));
  const keys = Array.from({ length: 100 }, (_, i) => `key:${i}`).filter((key) => owners[slotOfKey(key)] === 0);
  const writer = await launcher.connect(proxy);
  const reader = await launcher.connect(proxy);
  await writer.set(keys[1]!, "small");
  const large = new Uint8Array(LARGE_BYTES).fill(0x78);
  relay.bytesPerSecond = SLOW_BYTES_PER_SECOND;
  const requests = [[["set", keys[0]!, large]], [["multi"], ["set", keys[0]!, large], ["exec"]]];
  const expected = [["OK"], ["OK", "QUEUED", ["OK"]]];
  for (const [i, words] of requests.entries()) {
    relay.passedMaxBytes = 0;
    const replies = Promise.all(words.map((each) => writer.send(each)));
    await until(() => relay.passedMaxBytes > LARGE_BYTES / 10, "a part of the value has arrived");
    // The server serves no other connection, not even a probe.
    relay.hold(LARGE_BYTES / 20);
    const heldMs = performance.now();
    const small = reader.getText(keys[1]!);
    assertEquals(await replies, expected[i]);
    assertGreater(performance.now() - heldMs, BACKEND_SUSPECT_MS + BACKEND_PROBE_TIMEOUT_MS);
    relay.release();
    assertEquals(await small, "small");
  }
  assertEquals(proxy.process.lines.filter((line) => line.includes("is down") || line.includes("more slots")), []);
  assertEquals(await writer.send(["strlen", keys[0]!]), LARGE_BYTES);
});
