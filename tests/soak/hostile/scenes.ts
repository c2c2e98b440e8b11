/**
 * Attacks in several acts, which verify that other clients lose nothing.
 *
 * @module
 */

import { pickSeed, Random } from "../../../bench/support/random.ts";
import { COMMANDS } from "../../../src/catalog/specification.ts";
import { type Action, type Acts, pause } from "./attack.ts";
import { AttackConnection, encodeRequests, type Request } from "./attack_connection.ts";
import type { AttackRun } from "./attack_run.ts";
import { filled, names, repeat } from "./requests.ts";

/** How long to wait for an event that happens by itself, in ms. */
const SCENE_TIMEOUT_MS = 20_000;

/** Waits for a condition. Returns whether it became true in time. */
async function waits(condition: () => boolean | Promise<boolean>, timeoutMs = SCENE_TIMEOUT_MS): Promise<boolean> {
  const endsMs = performance.now() + timeoutMs;
  while (!await condition()) {
    if (performance.now() > endsMs) return false;
    await pause(5);
  }
  return true;
}

/** Opens a connection of RESP3 that listens to a channel and counts the messages. */
async function listener(run: AttackRun, channel: string): Promise<AttackConnection> {
  const connection = await run.connect();
  await connection.call("hello", "3");
  await connection.write(encodeRequests([["subscribe", channel]]));
  void connection.read(() => false);
  if (!await waits(() => connection.count.messages > 0)) throw new Error("Cannot subscribe");
  return connection;
}

/** Publishes a large message to one channel, then small ones to another one, whose listener must get all of them. */
export function messagesOfOthers(bytes: number, count: number): Action {
  return async (run) => {
    const target = await listener(run, "c");
    const bystander = await listener(run, "d");
    const publisher = await run.connect();
    await publisher.exchange(
      encodeRequests([["publish", "c", filled(bytes)], ...repeat(count, ["publish", "d", "m"])]),
    );
    if (publisher.ended !== undefined) run.fail(`the publisher was disconnected: ${publisher.ended}`);
    // The confirmation also counts as a message.
    if (!await waits(() => bystander.count.messages > count || bystander.ended !== undefined, 10_000)) {
      run.fail(`a bystander got ${bystander.count.messages - 1} of ${count} messages`);
    }
    if (bystander.ended !== undefined) run.fail(`a bystander was disconnected: ${bystander.ended}`);
    // The large message takes longer to arrive than the later ones to another client.
    const isThere = await waits(() => target.count.messages > 1 || target.ended !== undefined);
    if (target.ended !== undefined) run.note("the receiver of the large message was disconnected");
    else if (!isThere) run.fail("the large message was counted as received, and not delivered");
  };
}

/** Publishes a large message to the client itself in a transaction. The reply to `exec` must arrive. */
export function ownMessage(bytes: number): Action {
  return async (run) => {
    const connection = await run.connect();
    await connection.call("hello", "3");
    await connection.exchange(
      encodeRequests([["subscribe", "c"], ["multi"], ["publish", "c", filled(bytes)], ["exec"]]),
    );
    if (connection.ended !== undefined) run.fail(`disconnected without a reply to exec: ${connection.ended}`);
    else if (connection.count.errors > 0) run.note(connection.count.error);
  };
}

/** Opens subscribers that never read, and one that does and must get all messages. */
export function silentSubscriber(count: number, bytes: number, silent: number): Action {
  return async (run) => {
    const lines = run.deployment.lines.length;
    for (const connection of await run.connectAll(silent)) {
      await connection.write(encodeRequests([["subscribe", "c"]]));
    }
    const live = await listener(run, "c");
    const publisher = await run.connect();
    // The messages are sent in portions, as by a publisher that waits for its replies.
    const pieces = encodeRequests(repeat(Math.min(count, 50), ["publish", "c", filled(bytes)]));
    for (let sent = 0; sent < count && publisher.ended === undefined; sent += 50) await publisher.exchange(pieces);
    const expected = Math.ceil(count / 50) * Math.min(count, 50);
    if (!await waits(() => live.count.messages > expected || live.ended !== undefined)) {
      run.fail(`a subscriber that reads got ${live.count.messages - 1} of ${expected} messages`);
    }
    if (live.ended !== undefined) run.fail(`a subscriber that reads was disconnected: ${live.ended}`);
    if (count * bytes > 64e6 && run.deployment.lines.length === lines) {
      run.fail("no log line reports the disconnected clients");
    }
  };
}

/** Lets clients wait for an element and disconnect, then pushes one. None of these clients may get it. */
export function goneWaiters(count: number): Action {
  return async (run) => {
    const own = await run.connect();
    let lost = 0;
    for (let i = 0; i < count; i++) {
      const waiter = await run.connect();
      await waiter.write(encodeRequests([["blpop", "q", "0"]]));
      await pause(50);
      waiter.close();
      await own.call("rpush", "q", "x");
      // An element that was given to a disconnected client must return.
      if (!await waits(async () => await own.call("llen", "q") === ":1", 500)) lost++;
      await own.call("del", "q");
    }
    if (lost > 0) run.fail(`${lost} of ${count} elements were given to disconnected clients`);
  };
}

/** The event that ends the waits of many clients at the same time. */
export type WakeUp = "push" | "unblock" | "timeout";

/** The time for connecting each client, in ms, before the timeouts of all expire. */
const CONNECTING_MS = 5;
/** The number of clients that disconnect together. The time for this is not measured. */
const LEAVING_COUNT = 20;

/** Ends the waits of many clients at the same time. Each client must get one reply, and no element may be lost. */
export function endsWaits(count: number, wakeUp: WakeUp): Acts {
  const crowd: AttackConnection[] = [];
  const ids: string[] = [];
  return {
    prepare: async (run) => {
      const endsMs = Date.now() + 3_000 + count * CONNECTING_MS;
      for (let i = 0; i < count; i++) {
        const each = await run.connect();
        const seconds = wakeUp === "timeout" ? Math.max(1, endsMs - Date.now()) / 1000 : 0;
        await each.write(encodeRequests([["client", "id"], ["blpop", "q", String(seconds)]]));
        await each.read(({ replies }) => replies > 0);
        ids.push(each.count.head.slice(1));
        crowd.push(each);
      }
    },
    action: async (run) => {
      const own = await run.connect();
      const answered = Promise.all(crowd.map((each) => each.read(({ replies }) => replies > 1)));
      if (wakeUp === "push") await own.call("rpush", "q", ...names(count));
      if (wakeUp === "unblock") await own.exchange(encodeRequests(ids.map((id) => ["client", "unblock", id])));
      await answered;
      if (crowd.some((each) => each.count.errors > 0)) run.fail("a client was refused");
      if (crowd.some((each) => each.ended !== undefined)) run.fail("a client was disconnected");
      if (crowd.some((each) => each.count.replies !== 2)) run.fail("a client got two replies");
      const left = await own.call("llen", "q");
      if (left !== ":0") run.fail(`not every element was taken: llen ${left}`);
      while (crowd.length > 0) {
        for (const each of crowd.splice(0, LEAVING_COUNT)) each.close();
        await pause(5);
      }
    },
  };
}

/**
 * Disconnects a client that has sent requests after a blocking one. The server must notice it, and give it no element
 * later.
 */
export function leavesLosing(pings: number): Action {
  return async (run) => {
    const own = await run.connect();
    const waiter = await run.connect();
    const writing = waiter.write(encodeRequests([["blpop", "q", "0"], ...repeat(pings, ["ping"])]));
    await Promise.race([writing, pause(1_000)]);
    await pause(100);
    waiter.close();
    await writing;
    await pause(2_000);
    await own.call("rpush", "q", "x");
    await pause(100);
    const left = await own.call("llen", "q");
    if (left !== ":1") run.fail(`the element was given to a disconnected client: llen ${left}`);
  };
}

/** Sends a request that takes long on one server, through a proxy that remaps. No key of that server may be lost. */
export function remapLoses(count: number, request: Request, textBytes = 0): Action {
  return async (run) => {
    const own = await run.connect();
    await own.call("mset", ...names(count).flatMap((name) => [name, "v"]));
    await own.call("hset", "{hang}h", "", "");
    if (textBytes > 0) await own.call("set", "{hang}text", filled(textBytes));
    const attacker = await run.connect();
    await attacker.exchange(encodeRequests([request]));
    if (attacker.count.errors > 0) run.note(attacker.count.error);
    if (attacker.ended !== undefined) run.note("disconnected");
    // A server that was considered down is flushed after it has returned.
    await pause(4_000);
    const there = await own.call("exists", ...names(count));
    if (there !== `:${count}`) run.fail(`exists ${there} of ${count} keys`);
  };
}

/** The longest time for one batch of random frames, in ms. Some of them wait forever. */
const FUZZ_BATCH_MS = 500;
const FUZZ_CLIENTS_COUNT = 8;
/** The commands that no random frame contains: they end the server's service by design, or write files. */
const NOT_FUZZED: ReadonlySet<string> = new Set(["debug", "save", "bgsave", "bgrewriteaof", "flush", "flushslots"]);
const FUZZ_NAMES = COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]).filter((name) => !NOT_FUZZED.has(name));
const FUZZ_ARGUMENTS = ["", "0", "-1", "1", "a", "b", "c", "*", "k", "-inf", "nan", "1e300", "9223372036854775807"]
  .concat(
    "-9223372036854775808",
    "-2147483648",
    "withvalues",
    "count",
    "match",
    "nx",
    "get",
    "id",
    "0.01",
    "\r\n",
    "{t}a",
  );

/** Sends random frames of all protocols, complete, truncated and wrong, on several connections at the same time. */
export function fuzzes(batches: number, frames: number): Action {
  return async (run) => {
    const seed = pickSeed();
    const random = new Random(seed);
    run.note(`SEED=${seed}`);
    for (let done = 0; done < batches;) {
      const bytes = Array.from({ length: Math.min(FUZZ_CLIENTS_COUNT, batches - done) }, () => fuzzed(random, frames));
      await Promise.all(bytes.map((each) => sendFuzz(run, each)));
      done += bytes.length;
    }
  };
}

async function sendFuzz(run: AttackRun, bytes: Uint8Array): Promise<void> {
  const connection = await run.connect();
  const timer = setTimeout(() => connection.close(), FUZZ_BATCH_MS);
  await connection.exchange([bytes]);
  clearTimeout(timer);
  connection.close();
}

/** Returns the frames of one connection, most of them complete. */
function fuzzed(random: Random, frames: number): Uint8Array {
  const protocol = random.chance(0.4) ? "native" : "resp";
  const requests = Array.from({ length: frames }, (): Request => {
    const name = random.pick(FUZZ_NAMES);
    const count = random.chance(0.02) ? random.below(2_000) : random.below(6);
    return [name, ...Array.from({ length: count }, () => fuzzedArgument(random))];
  });
  const [bytes] = encodeRequests(requests, protocol);
  if (random.chance(0.3)) {
    for (let i = 0; i < 3; i++) bytes![random.below(bytes!.length)] = random.below(256);
  }
  return random.chance(0.2) ? bytes!.subarray(0, random.below(bytes!.length)) : bytes!;
}

function fuzzedArgument(random: Random): string | Uint8Array {
  if (random.chance(0.1)) return random.bytes(random.below(200));
  if (random.chance(0.01)) return filled(random.below(40_000));
  return random.chance(0.3) ? String(random.below(2 ** 32) - 2 ** 31) : random.pick(FUZZ_ARGUMENTS);
}
