/**
 * A proxy in front of a server that is held up, and not gone: stopped for some seconds, or busy with a value that arrives
 * slowly. It keeps all its keys, and with `--on-down remap` loses those only that others were given in its place.
 */

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { slotOf } from "../../src/key_slot.ts";
import { BACKEND_PROBE_TIMEOUT_MS, BACKEND_SUSPECT_MS, REMAP_SILENT_MS } from "../../src/limits.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { Relay } from "../support/relay.ts";
import { until } from "../support/until.ts";

const KEYS_COUNT = 10_000;
/** How long a server is held that must not lose its slots. */
const HELD_MS = 4_000;
/** After this nobody waits for one that is held. */
const REFUSED_LIMIT_MS = 2_000;
/** All is well again so soon after it goes on. */
const RECOVERY_LIMIT_MS = 5_000;
/** How many keys are written in its place: each of another slot, as far as that goes. */
const WRITTEN_COUNT = 50;
const LARGE_BYTES = 24 * 1024 * 1024;
const SLOW_BYTES_PER_SECOND = 10 * 1024 * 1024;

/** Two servers full of keys, and a proxy that gives slots away. */
interface Rig {
  readonly servers: readonly Role[];
  readonly proxy: Role;
  readonly client: Client;
  /** Keys of the first server. */
  readonly keys: readonly string[];
  /** What the proxy has said of slots that changed hands. */
  handovers(): string[];
}

function slotOfKey(key: string): number {
  const bytes = encodeText(key);
  return slotOf(bytes, 0, bytes.length);
}

/** What a key holds from the beginning. */
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

/** The values of keys, as far as they are not refused. */
async function read(client: Client, keys: readonly string[]): Promise<(string | null)[]> {
  return await Promise.all(keys.map((key) => client.getText(key)));
}

/** The code of the refusal of a request, and how long it took; `undefined` when it was answered. */
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
  "with --on-down remap a server that is held for some seconds lends nothing, and keeps all keys",
  async (launcher) => {
    const { servers, proxy, client, keys, handovers } = await start(launcher);
    // Requests of all kinds are on their way when it is stopped.
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
  "with --on-down remap a server that was stopped for long loses the keys written in its place, and no others",
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
    // What was written last, or nothing, and never what was there before.
    assert([...seen].every((value) => value === null || value === "meanwhile"), [...seen].join());
    assertEquals(await read(client, kept), kept.map(valueOf));
    assertEquals(new Set(await read(client, lost)), new Set([null]));
    const removed = handovers().map((line) => Number(/removed_keys=([0-9]+)/.exec(line)![1]));
    assertEquals(removed.reduce((sum, count) => sum + count, 0), lost.length);
    assertGreater(kept.length, KEYS_COUNT / 4);
    await until(async () => await client.size() === KEYS_COUNT - lost.length, "the stand-in is flushed");
  },
);

systemTest("a large value that arrives slowly makes nobody take its server for silent", async (launcher) => {
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
    // The server has no time for anybody else, whatever connection they take, and whether they only ask if it is there.
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
