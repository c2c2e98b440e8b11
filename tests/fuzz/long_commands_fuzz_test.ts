/**
 * Runs random commands of several clients, most of them long, one step at a time and interleaved at every pause. Each
 * command and each transaction must be atomic for all others. Every reply must equal the model's when the model runs
 * one command after another in a possible order:
 *
 * - A write happens between its beginning and its end, in the order in which writes have ended.
 * - A read happens at any moment between its beginning and its end.
 *
 * If several orders explain the replies, each resulting state stays possible until a reply contradicts it
 * (possible_history.ts). Whenever nothing is running, the whole store is compared.
 *
 * The same runs with a log: at any time it must load into what the model holds, so a long command is in the log
 * completely or not at all.
 *
 * `SEED=n` repeats a run; `FUZZ_OPERATIONS=n` makes it longer.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { recover } from "../../src/log/recover.ts";
import { Persistence } from "../../src/server/persistence.ts";
import { Replayer } from "../../src/server/replayer.ts";
import { Store } from "../../src/store/store.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { amountOf } from "../support/amount.ts";
import { drain, Interleaving, type Operation } from "../support/interleaving.ts";
import { type MemoryClient, START_MS } from "../support/memory_client.ts";
import type { ModelStore } from "../support/model_store.ts";
import { pause } from "../support/pause.ts";
import { type Begun, describe, isRead, PossibleHistory } from "../support/possible_history.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, heldUnder, stateOf } from "../support/store_history.ts";
import { until } from "../support/until.ts";

const OPERATIONS_COUNT = amountOf("FUZZ_OPERATIONS", 50, 120);
const CLIENTS_COUNT = 6;
const MEMORY_BYTES = 512 * 1024 * 1024;
const MANY_COUNT = 700;

/** Creates requests, most of which take several steps. */
class Requests {
  readonly #random: Random;
  readonly #clock: { readonly nowMs: number };
  #number = 0;

  constructor(random: Random, clock: { readonly nowMs: number }) {
    this.#random = random;
    this.#clock = clock;
  }

  #key(kind: string): string {
    return this.#random.chance(0.03)
      ? `${this.#random.pick(["s", "l", "h", "a"])}0`
      : `${kind}${this.#random.below(3)}`;
  }

  /** Returns a value that no other request has. Each part of it identifies the value. */
  #value(length: number): Uint8Array {
    const mark = new TextEncoder().encode(`<${++this.#number}>`);
    const value = new Uint8Array(length);
    for (let i = 0; i < length; i += 65_521) value.set(mark.subarray(0, Math.min(mark.length, length - i)), i);
    return value;
  }

  #long(): Uint8Array {
    return this.#value(this.#random.pick([1_048_577, 1_100_000, 1_600_000]));
  }

  #many<Item>(most: number, make: (index: number) => Item): Item[] {
    const count = this.#random.chance(0.6) ? most : 1 + this.#random.below(4);
    const first = this.#random.below(MANY_COUNT);
    return Array.from({ length: count }, (_, i) => make((first + i) % MANY_COUNT));
  }

  /** Returns an element. Many elements are equal. */
  #element(): Argument {
    if (this.#random.chance(0.003)) return this.#value(300_000);
    return this.#random.chance(0.7) ? "x" : `e${this.#random.below(5)}`;
  }

  /** Returns one request. */
  one(): Argument[] {
    const random = this.#random;
    switch (random.below(7)) {
      case 0:
      case 1:
        return this.#onStrings();
      case 2:
        return this.#onLists();
      case 3:
        return this.#onHashes();
      case 4:
      case 5:
        return this.#onSets();
      default:
        return this.#onKeys();
    }
  }

  #onStrings(): Argument[] {
    const random = this.#random;
    const key = this.#key("s");
    switch (random.below(15)) {
      case 0:
      case 1:
        return ["set", key, this.#long()];
      case 2:
        return ["set", key, random.chance(0.5) ? this.#long() : this.#value(10), "GET"];
      case 3:
        return ["append", key, random.chance(0.5) ? this.#long() : "!"];
      case 4:
        return ["setrange", key, random.below(3_000_000), random.chance(0.3) ? this.#long() : "?"];
      case 5:
        return ["getset", key, this.#long()];
      case 6:
        return ["getdel", key];
      case 7:
        return ["getrange", key, random.below(1000), -1];
      case 8:
        return ["mget", ...["s0", "s1", "s2"].slice(random.below(3)), ...this.#many(60, (i) => `m${i}`)];
      case 9:
        return ["mset", ...this.#many(18, (i) => [`m${i}`, this.#value(70_000)]).flat()];
      case 10:
        return ["mset", ...this.#many(400, (i) => [`m${i}`, this.#value(10)]).flat(), key, "short"];
      case 11:
        return ["msetnx", ...this.#many(400, (i) => [`m${i}`, this.#value(10)]).flat()];
      case 12:
        return ["strlen", key];
      case 13:
        return ["setnx", key, this.#long()];
      default:
        return ["get", key];
    }
  }

  #onLists(): Argument[] {
    const random = this.#random;
    const key = this.#key("l");
    switch (random.below(15)) {
      case 0:
      case 1:
        return ["rpush", key, ...this.#many(700, () => this.#element())];
      case 2:
        return ["lpush", key, ...this.#many(700, () => this.#element())];
      case 3:
        return [random.pick(["lpop", "rpop"]), key, random.pick([1, 600, 900])];
      case 4:
        return ["lrem", key, random.pick([0, 0, 500, -500, -1]), random.pick(["x", "e1", "absent"])];
      case 5:
        return ["linsert", key, "BEFORE", random.pick(["e4", "absent"]), this.#element()];
      case 6:
        return ["lpos", key, "e2", "COUNT", 0];
      case 7:
        return ["ltrim", key, random.below(50), -1 - random.below(50)];
      case 8:
        return ["llen", key];
      case 9:
        return [random.pick(["blpop", "brpop"]), key, this.#key("l"), 0];
      case 10:
        return ["blmove", key, this.#key("l"), "LEFT", "RIGHT", 0];
      case 11:
        return ["lpop", key];
      case 12:
        return ["rpoplpush", key, this.#key("l")];
      default:
        return ["lrange", key, random.below(3), -1];
    }
  }

  #onHashes(): Argument[] {
    const random = this.#random;
    const key = this.#key("h");
    switch (random.below(10)) {
      case 0:
      case 1:
      case 2:
        return [
          "hset",
          key,
          ...this.#many(500, (i) => [`f${i}`, this.#value(random.chance(0.002) ? 300_000 : 8)]).flat(),
        ];
      case 3:
        return ["hdel", key, ...this.#many(600, (i) => `f${i}`)];
      case 4:
        return ["hmget", key, ...this.#many(600, (i) => `f${i}`)];
      case 5:
        return ["hget", key, `f${random.below(MANY_COUNT)}`];
      case 6:
        return ["hlen", key];
      default:
        return [random.pick(["hgetall", "hkeys", "hvals"]), key];
    }
  }

  #onSets(): Argument[] {
    const random = this.#random;
    const key = this.#key("a");
    const member = (i: number) => i % 2 === 0 ? `member ${i}` : i;
    const keys = Array.from({ length: 1 + random.below(3) }, () => this.#key("a"));
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return ["sadd", key, ...this.#many(600, member)];
      case 4:
        return ["srem", key, ...this.#many(600, member)];
      case 5:
        return ["smismember", key, ...this.#many(600, member)];
      case 6:
        return ["smove", key, this.#key("a"), member(random.below(MANY_COUNT))];
      case 7:
        return [random.pick(["spop", "srandmember"]), key, 100_000];
      case 8:
        return random.chance(0.5) ? ["sintercard", keys.length, ...keys] : ["scard", key];
      case 9:
      case 10:
        return [random.pick(["sinterstore", "sunionstore", "sdiffstore"]), key, ...keys];
      default:
        return random.chance(0.3) ? ["smembers", key] : [random.pick(["sinter", "sunion", "sdiff"]), ...keys];
    }
  }

  #onKeys(): Argument[] {
    const random = this.#random;
    const kind = random.pick(["s", "l", "h", "a"]);
    switch (random.below(12)) {
      case 0:
      case 1:
      case 2:
        return ["copy", this.#key(kind), this.#key(kind), ...(random.chance(0.7) ? ["REPLACE"] : [])];
      case 3:
        return ["rename", this.#key(kind), this.#key(kind)];
      case 4:
        return ["remove", this.#key(kind)];
      case 5:
        return ["remove", ...this.#many(600, (i) => `m${i}`)];
      case 6:
        return ["exists", ...this.#many(400, (i) => `m${i}`)];
      case 7:
        return ["type", this.#key(kind)];
      case 8:
        return ["mget", ...this.#many(600, (i) => `m${i}`)];
      case 9:
        return random.chance(0.15) ? ["flush"] : ["persist", this.#key(kind)];
      default:
        return ["pexpireat", this.#key(kind), this.#clock.nowMs + random.below(300)];
    }
  }

  /** Returns one request, or those of a transaction. */
  next(): Argument[][] {
    const random = this.#random;
    if (random.chance(0.85)) return [this.one()];
    return Array.from({ length: 2 + random.below(4) }, () => this.one());
  }
}

/** One run of interleaved commands. */
class Run {
  readonly #random: Random;
  readonly #store: Store;
  readonly #interleaving: Interleaving;
  readonly #requests: Requests;
  readonly #history: PossibleHistory;
  readonly #begun = new Map<Operation, Begun>();
  /** The number of operations that paused. */
  pausedCount = 0;

  constructor(random: Random, store: Store, persistence?: Persistence) {
    this.#random = random;
    this.#store = store;
    this.#interleaving = new Interleaving(store, persistence?.log);
    this.#requests = new Requests(random, this.#interleaving.clock);
    this.#history = new PossibleHistory(
      this.#interleaving.clock.nowMs,
      (model, keys) => this.#isReal(model, keys),
    );
    for (let i = 0; i < CLIENTS_COUNT; i++) this.#interleaving.makeClient(random.below(4));
  }

  get interleaving(): Interleaving {
    return this.#interleaving;
  }

  /**
   * Drops the states that differ from a copy of the store.
   *
   * @throws when none is left
   */
  keep(copy: Store, what: string): void {
    const actual = stateOf(copy);
    let difference: string | undefined;
    const isLeft = this.#history.keep((model) => {
      const { nowMs } = this.#interleaving.clock;
      return (difference = differenceOf(actual, stateOf(model.asStore()), nowMs)) === undefined;
    });
    assert(isLeft, `${what}: ${difference}`);
  }

  async run(operationsCount: number, between: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    const random = this.#random;
    const interleaving = this.#interleaving;
    for (let begun = 0; begun < operationsCount;) {
      const client = interleaving.idle(random);
      if (client !== undefined && random.chance(0.4)) {
        client.stepsASlice = random.pick([0, 1, 1, 2, 5]);
        const operation = this.#begin(client, this.#requests.next());
        begun++;
        await drain();
        if (interleaving.running.has(operation)) this.pausedCount++;
      } else if (interleaving.pausedCount > 0) {
        interleaving.step(random);
        await drain();
      }
      await this.look();
      await between();
      if (random.chance(0.1)) this.#advance(random.below(30));
      if (random.chance(0.02)) await this.#rest();
    }
    await this.#rest();
    await between();
  }

  /** Completes all commands, serves clients that wait, and advances the clock. */
  async #rest(): Promise<void> {
    const interleaving = this.#interleaving;
    await interleaving.finish(this.#random, () => this.look());
    const helper = interleaving.clients[0]!;
    for (let i = 0; interleaving.running.size > 0; i++) {
      assert(i < 200, `waits for ever: ${[...interleaving.running].map(describe).join("\n")}`);
      for (const { client } of interleaving.running) {
        assert(client.client.waiter !== undefined, "no command wakes a client");
      }
      // The key gets a list of the waiting client, regardless of its present type.
      const pusher = helper.client.waiter === undefined
        ? helper
        : interleaving.clients.find((client) => client.client.waiter === undefined) ?? interleaving.makeClient(5);
      const key = [...interleaving.running][0]!.requests[0]![1]!;
      for (const request of [["remove", key], ["rpush", key, "woken"]]) {
        this.#begin(pusher, [request]);
        await drain();
        await this.look();
        await interleaving.finish(this.#random, () => this.look());
      }
    }
    interleaving.assertReleased();
    assertEquals(this.#store.audit(), 0, "bytes leaked");
    this.keep(this.#store, "the store at rest");
    this.#advance(this.#random.below(600));
    this.#store.nowMs = interleaving.clock.nowMs;
    while (this.#store.expireDue(1_000));
    this.#history.expire(interleaving.clock.nowMs);
  }

  /**
   * Returns whether the store and a model hold the same under the keys, except those that a command holds exclusively
   * now.
   */
  #isReal(model: ModelStore, keys: readonly string[]): boolean {
    const store = this.#store;
    const { holds } = this.#interleaving.shared;
    return keys.every((key) => {
      const bytes = new TextEncoder().encode(key);
      if (holds.ofKey(store.keyHash(bytes, 0, bytes.length), false) !== undefined) return true;
      const [actual, expected] = [store, model.asStore()].map((each) => {
        const held = heldUnder(each, key);
        return new Map(held === undefined ? [] : [[key, held]]);
      });
      return differenceOf(actual!, expected!, this.#interleaving.clock.nowMs) === undefined;
    });
  }

  #advance(ms: number): void {
    this.#interleaving.clock.nowMs += ms;
    this.#history.tick(this.#interleaving.clock.nowMs);
  }

  #begin(client: MemoryClient, requests: readonly (readonly Argument[])[]): Operation {
    const { nowMs } = this.#interleaving.clock;
    const operation = this.#interleaving.begin(client, requests);
    this.#begun.set(operation, { operation, since: this.#history.index, sinceMs: nowMs });
    return operation;
  }

  /** Checks the operations that have ended. Returns their number. */
  async look(): Promise<number> {
    const ended = this.#interleaving.ended.splice(0).map((operation) => this.#begun.get(operation)!);
    if (ended.length > 0) await this.#history.accept(ended);
    for (const { operation } of ended) this.#begun.delete(operation);
    const running = [...this.#begun.values()];
    const reads = running.filter(({ operation }) => isRead(operation));
    this.#history.forgetBefore(
      Math.min(this.#history.index, ...reads.map(({ since }) => since)),
      Math.min(this.#interleaving.clock.nowMs, ...running.map(({ sinceMs }) => sinceMs)),
    );
    return ended.length;
  }
}

function makeStore(memoryLimitBytes = MEMORY_BYTES, evicts = false): Store {
  return new Store({ memoryLimitBytes, evicts, seed: [1, 2] });
}

async function seeded(run: (random: Random) => Promise<void>): Promise<void> {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  try {
    await run(new Random(seed));
  } catch (error) {
    throw new Error(`Failed: repeat with SEED=${seed}`, { cause: error });
  }
}

Deno.test("long commands of several clients are atomic", () =>
  seeded(async (random) => {
    const run = new Run(random, makeStore());
    await run.run(OPERATIONS_COUNT);
    assertGreater(run.pausedCount, OPERATIONS_COUNT / 10);
  }));

/** Loads what the process would leave if it died now, and compares it. */
async function assertLogHolds(files: SimulatedFiles, persistence: Persistence, run: Run): Promise<void> {
  // Other tasks run meanwhile: a snapshot may let commands continue that waited for it.
  do {
    persistence.log!.flush();
    await until(() => persistence.log!.unwrittenBytes === 0, "the log is written");
    await drain();
  } while (await run.look() > 0);
  const loaded = makeStore();
  await recover({ files: files.kill(), folder: "/data", target: new Replayer(loaded) });
  run.keep(loaded, "what the log has");
}

Deno.test("long commands are in the log and in snapshots completely or not at all", () =>
  seeded(async (random) => {
    const files = new SimulatedFiles();
    const store = makeStore();
    let nowMs = START_MS;
    const persistence = await Persistence.open(store, {
      path: "/data",
      backup: undefined,
      repair: false,
      fsync: random.pick(["always", "everysec", "never"]),
      growthPercent: 0,
      intervalMs: 0,
      files,
      now: () => nowMs,
    });
    const run = new Run(random, store, persistence);
    let saves = 0;
    let saved = 0;
    await run.run(Math.ceil(OPERATIONS_COUNT / 2), async () => {
      nowMs = run.interleaving.clock.nowMs;
      if (random.chance(0.03)) await assertLogHolds(files, persistence, run);
      if (random.chance(0.05)) {
        saves++;
        persistence.save().then(() => saved++);
      }
      // A snapshot continues in tasks of the event loop.
      if (persistence.isSaving && random.chance(0.5)) await pause(0);
    });
    await until(() => !persistence.isSaving, "the snapshot is done");
    await assertLogHolds(files, persistence, run);
    await persistence.close();
    assertGreater(saves, 0);
    assertEquals(saved, saves);
  }));
