/**
 * Random commands of several clients, most of them long, that run one step at a time and interleaved at every pause: each, and
 * each transaction, has to be one moment for all the others. Every reply has to be what the model replies when it runs one
 * command after another in an order in which these may have happened: a write between its beginning and its end, in the order
 * in which writes have ended; a read at any moment between its own beginning and end.
 *
 * The same with a log: what it has at any time loads into what the model holds, so that a long command is in it as a whole
 * or not at all.
 *
 * `SEED=n` repeats a run; `FUZZ_OPERATIONS=n` makes it longer.
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertGreater } from "@std/assert";
import { recover } from "../../src/log/recover.ts";
import { COMMANDS } from "../../src/command/specification.ts";
import { Persistence } from "../../src/server/persistence.ts";
import { StoreLoader } from "../../src/server/store_loader.ts";
import { Store } from "../../src/store/store.ts";
import { type Argument, decodeReply, FRAME_PREFIX_BYTES } from "../../src/wire/frame.ts";
import { drain, Interleaving, type Operation } from "../support/interleaving.ts";
import { MemoryClient, readable, START_MS } from "../support/memory_client.ts";
import { ModelStore } from "../support/model_store.ts";
import { pickSeed, Random } from "../support/random.ts";
import { SimulatedFiles } from "../support/simulated_files.ts";
import { differenceOf, stateOf } from "../support/store_history.ts";

const OPERATIONS_COUNT = Number(Deno.env.get("FUZZ_OPERATIONS") ?? 70);
const CLIENTS_COUNT = 6;
const MEMORY_BYTES = 512 * 1024 * 1024;
const MANY_COUNT = 700;
const UNORDERED: ReadonlySet<string> = new Set(["hgetall", "hkeys", "hvals"]);
const WRITES: ReadonlySet<string> = new Set(COMMANDS.filter(({ writes }) => writes).map(({ name }) => name));

/** Makes requests, of which most take several steps. */
class Requests {
  readonly #random: Random;
  readonly #clock: { readonly nowMs: number };
  #number = 0;

  constructor(random: Random, clock: { readonly nowMs: number }) {
    this.#random = random;
    this.#clock = clock;
  }

  #key(kind: string): string {
    return this.#random.chance(0.03) ? `${this.#random.pick(["s", "l", "h"])}0` : `${kind}${this.#random.below(3)}`;
  }

  /** A value that no other request has, of which each part tells whose it is. */
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

  /** Elements of which many are equal. */
  #element(): Argument {
    if (this.#random.chance(0.003)) return this.#value(300_000);
    return this.#random.chance(0.7) ? "x" : `e${this.#random.below(5)}`;
  }

  /** One request. */
  one(): Argument[] {
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
      case 1:
        return this.#onStrings();
      case 2:
        return this.#onLists();
      case 3:
        return this.#onHashes();
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

  #onKeys(): Argument[] {
    const random = this.#random;
    const kind = random.pick(["s", "l", "h"]);
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

  /** One request, or those of a transaction. */
  next(): Argument[][] {
    const random = this.#random;
    if (random.chance(0.85)) return [this.one()];
    return Array.from({ length: 2 + random.below(4) }, () => this.one());
  }
}

/** An operation, and where it may have happened. */
interface Begun {
  readonly operation: Operation;
  /** The index of the state that there was when it began. */
  readonly since: number;
  /** What the clock said then. For a command that takes long, time stands still from some moment on. */
  readonly sinceMs: number;
}

function isRead({ requests }: Operation): boolean {
  return !requests.some(([name]) => WRITES.has(String(name)));
}

/** Whether it reads so many keys that each slice of them may be another moment. */
function isOfManyMoments({ requests: [request, ...others] }: Operation): boolean {
  return others.length === 0 && request!.length > 512 && ["mget", "exists", "touch"].includes(String(request![0]));
}

function describe({ requests }: Operation): string {
  return requests.map((request) => {
    const shown = request.slice(0, 5).map((each) =>
      each instanceof Uint8Array ? `(${each.length} bytes)` : String(each)
    );
    return `${shown.join(" ")} (${request.length} arguments)`;
  }).join(" ; ");
}

/** Runs an operation on a model. Returns the reply, or nothing when it would wait. */
async function runOn(model: ModelStore, { requests }: Operation, nowMs: number): Promise<Uint8Array | undefined> {
  const client = new MemoryClient({ store: model.asStore(), nowMs });
  if (requests.length > 1) {
    client.run(["multi"]);
    for (const request of requests) client.run(request);
  }
  let frame: Uint8Array | undefined;
  client.waitForFrame(requests.length > 1 ? ["exec"] : requests[0]!).then((whole) => frame = whole);
  while (frame === undefined && client.client.waiter === undefined) await undefined;
  for (const bug of client.bugs) throw bug;
  return frame;
}

function isSame(operation: Operation, actual: Uint8Array, expected: Uint8Array): boolean {
  if (Buffer.from(actual.buffer, actual.byteOffset, actual.length).equals(expected)) return true;
  if (!operation.requests.some(([name]) => UNORDERED.has(String(name)))) return false;
  return canonical(operation, actual) === canonical(operation, expected);
}

function canonical({ requests }: Operation, frame: Uint8Array): string {
  const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  if (value instanceof Error) return String(value);
  const items = readable(value);
  const sorted = (item: unknown) => Array.isArray(item) ? item.map((each) => JSON.stringify(each)).sort() : item;
  if (requests.length === 1) return JSON.stringify(sorted(items));
  if (!Array.isArray(items)) return JSON.stringify(items);
  return JSON.stringify(items.map((item, i) => {
    const [kind, content] = item as unknown[];
    return UNORDERED.has(String(requests[i]![0])) && kind === 0 ? sorted(content) : item;
  }));
}

/** What the store holds after each operation, as the model says. */
class History {
  readonly #states: ModelStore[] = [];
  /** The index of the first one that is kept. */
  #first = 0;
  /** Times at which operations may have run. */
  #clocks: number[] = [];

  readonly #isReal: (model: ModelStore) => boolean;

  /** @param isReal whether the real store holds the same, where several orders explain the replies */
  constructor(nowMs: number, isReal: (model: ModelStore) => boolean) {
    this.#isReal = isReal;
    const model = new ModelStore();
    model.nowMs = nowMs;
    this.#states.push(model);
    this.#clocks.push(nowMs);
  }

  /** Takes note of the time. */
  tick(nowMs: number): void {
    if (this.#clocks.at(-1) !== nowMs) this.#clocks.push(nowMs);
  }

  /** Times since an operation began, the present one first. */
  #times(sinceMs: number): number[] {
    return this.#clocks.filter((ms) => ms >= sinceMs).reverse();
  }

  get last(): ModelStore {
    return this.#states.at(-1)!;
  }

  get index(): number {
    return this.#first + this.#states.length - 1;
  }

  forgetBefore(index: number): void {
    const count = Math.min(index - this.#first, this.#states.length - 1);
    if (count > 0) this.#states.splice(0, count);
    this.#first += Math.max(0, count);
  }

  forgetTimesBefore(ms: number): void {
    this.#clocks = this.#clocks.filter((each, i) => each >= ms || i === this.#clocks.length - 1);
  }

  /** Finds an order in which operations that have ended may have happened. @throws when there is none */
  async accept(ended: readonly Begun[]): Promise<void> {
    const left: Begun[] = [];
    const ofManyMoments = ended.filter(({ operation }) => isOfManyMoments(operation));
    for (const each of ended) if (!ofManyMoments.includes(each) && !await this.#isAt(each)) left.push(each);
    const states: ModelStore[] = [];
    if (!await this.#accept(left, states, left.length > 1)) throw unexplained(left);
    this.#states.push(...states);
    for (const each of ofManyMoments) if (!await this.#isOfMoments(each)) throw unexplained([each]);
  }

  async #accept(left: readonly Begun[], states: ModelStore[], isAmbiguous: boolean): Promise<boolean> {
    if (left.length === 0) return !isAmbiguous || states.length === 0 || this.#isReal(states.at(-1)!);
    for (const each of left) {
      const times = this.#times(each.sinceMs);
      for (const nowMs of times) {
        const model = (states.at(-1) ?? this.last).clone();
        if (!await isExplained(model, each.operation, nowMs)) continue;
        states.push(model);
        if (await this.#accept(left.filter((other) => other !== each), states, isAmbiguous || times.length > 1)) {
          return true;
        }
        states.pop();
      }
    }
    return false;
  }

  /** Whether a read is of a moment since it began. */
  async #isAt({ operation, since, sinceMs }: Begun): Promise<boolean> {
    if (!isRead(operation)) return false;
    for (const model of this.#since(since)) {
      for (const nowMs of this.#times(sinceMs)) if (await isExplained(model.clone(), operation, nowMs)) return true;
    }
    return false;
  }

  #since(index: number): ModelStore[] {
    return this.#states.slice(Math.max(0, index - this.#first));
  }

  /** Whether each value of an `mget` was there at some moment. */
  async #isOfMoments({ operation, since, sinceMs }: Begun): Promise<boolean> {
    const actual = decodeReply(operation.frame!, FRAME_PREFIX_BYTES, operation.frame!.length);
    if (!Array.isArray(actual)) return true;
    const expected: string[][] = [];
    for (const model of this.#since(since)) {
      for (const nowMs of this.#times(sinceMs)) {
        const frame = (await runOn(model.clone(), operation, nowMs))!;
        expected.push(readable(decodeReply(frame, FRAME_PREFIX_BYTES, frame.length) as never) as string[]);
      }
    }
    const items = readable(actual) as string[];
    return items.every((item, i) => expected.some((each) => each[i] === item));
  }
}

function unexplained(left: readonly Begun[]): Error {
  const lines = left.map(({ operation, sinceMs }) => {
    const { frame } = operation;
    const reply = decodeReply(frame!, FRAME_PREFIX_BYTES, frame!.length);
    const shown = reply instanceof Error ? String(reply) : JSON.stringify(readable(reply));
    return `${describe(operation)} since ${sinceMs} → ${shown.slice(0, 300)}`;
  });
  return new Error(`no order explains the replies to\n${lines.join("\n")}`);
}

/** Whether the model gives the same reply. */
async function isExplained(model: ModelStore, operation: Operation, nowMs: number): Promise<boolean> {
  const expected = await runOn(model, operation, nowMs);
  return expected !== undefined && isSame(operation, operation.frame!, expected);
}

/** One run. */
class Run {
  readonly #random: Random;
  readonly #store: Store;
  readonly #interleaving: Interleaving;
  readonly #requests: Requests;
  readonly #history: History;
  readonly #begun = new Map<Operation, Begun>();
  /** Operations that paused at all. */
  pausedCount = 0;

  constructor(random: Random, store: Store, persistence?: Persistence) {
    this.#random = random;
    this.#store = store;
    this.#interleaving = new Interleaving(store, persistence?.log);
    this.#requests = new Requests(random, this.#interleaving.clock);
    this.#history = new History(this.#interleaving.clock.nowMs, (model) => this.#isReal(model));
    for (let i = 0; i < CLIENTS_COUNT; i++) this.#interleaving.makeClient(random.below(4));
  }

  get interleaving(): Interleaving {
    return this.#interleaving;
  }

  get model(): ModelStore {
    return this.#history.last;
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
      await this.#look();
      await between();
      if (random.chance(0.1)) this.#advance(random.below(30));
      if (random.chance(0.02)) await this.#rest();
    }
    await this.#rest();
    await between();
  }

  /** Lets all come to their ends, serves those who wait, and moves the clock. */
  async #rest(): Promise<void> {
    const interleaving = this.#interleaving;
    await interleaving.finish(this.#random, () => this.#look());
    const helper = interleaving.clients[0]!;
    for (let i = 0; interleaving.running.size > 0; i++) {
      assert(i < 200, `waits for ever: ${[...interleaving.running].map(describe).join("\n")}`);
      for (const { client } of interleaving.running) {
        assert(client.client.waiter !== undefined, "nobody wakes a command");
      }
      // Whoever waits has its list, of whichever type it has become.
      const pusher = helper.client.waiter === undefined
        ? helper
        : interleaving.clients.find((client) => client.client.waiter === undefined) ?? interleaving.makeClient(5);
      const key = [...interleaving.running][0]!.requests[0]![1]!;
      for (const request of [["remove", key], ["rpush", key, "woken"]]) {
        this.#begin(pusher, [request]);
        await drain();
        await this.#look();
        await interleaving.finish(this.#random, () => this.#look());
      }
    }
    interleaving.assertReleased();
    assertEquals(this.#store.audit(), 0, "bytes leaked");
    this.#advance(this.#random.below(600));
    this.#store.nowMs = this.model.nowMs = interleaving.clock.nowMs;
    this.#store.expireDue(1_000_000);
    while (this.model.expireDue(1_000));
    while (this.#store.expireDue(1_000));
  }

  /** Whether the store holds the same as a model, but for keys that a command has alone just now. */
  #isReal(model: ModelStore): boolean {
    const store = this.#store;
    const { nowMs } = this.#interleaving.clock;
    const isFree = ([key]: [string, unknown]) => {
      const bytes = new TextEncoder().encode(key);
      return this.#interleaving.shared.holds.ofKey(store.keyHash(bytes, 0, bytes.length), false) === undefined;
    };
    const [actual, expected] = [store, model.asStore()].map((each) => new Map([...stateOf(each)].filter(isFree)));
    return differenceOf(actual!, expected!, nowMs) === undefined;
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

  /** Looks at what has ended. */
  async #look(): Promise<void> {
    const ended = this.#interleaving.ended.splice(0).map((operation) => this.#begun.get(operation)!);
    if (ended.length > 0) await this.#history.accept(ended);
    for (const { operation } of ended) this.#begun.delete(operation);
    const first = Math.min(this.#history.index, ...[...this.#begun.values()].map(({ since }) => since));
    this.#history.forgetBefore(first);
    const { nowMs } = this.#interleaving.clock;
    this.#history.forgetTimesBefore(Math.min(nowMs, ...[...this.#begun.values()].map(({ sinceMs }) => sinceMs)));
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

Deno.test("long commands of several clients are one moment each", () =>
  seeded(async (random) => {
    const run = new Run(random, makeStore());
    await run.run(OPERATIONS_COUNT);
    assertGreater(run.pausedCount, OPERATIONS_COUNT / 10);
  }));

/** Loads what the death of the process leaves at this moment, and compares it. */
async function assertLogHolds(files: SimulatedFiles, persistence: Persistence, model: ModelStore): Promise<void> {
  persistence.log!.flush();
  while (persistence.log!.unwrittenBytes > 0) await new Promise((resolve) => setTimeout(resolve, 0));
  const loaded = makeStore();
  await recover({ files: files.kill(), folder: "/data", target: new StoreLoader(loaded) });
  assertEquals(differenceOf(stateOf(loaded), stateOf(model.asStore()), model.nowMs), undefined);
}

Deno.test("long commands are in the log, and in snapshots, as a whole or not at all", () =>
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
      if (random.chance(0.03)) await assertLogHolds(files, persistence, run.model);
      if (random.chance(0.05)) {
        saves++;
        persistence.save().then(() => saved++);
      }
      // A snapshot goes on in turns of the event loop.
      if (persistence.isSaving && random.chance(0.5)) await new Promise((resolve) => setTimeout(resolve, 0));
    });
    while (persistence.isSaving) await new Promise((resolve) => setTimeout(resolve, 0));
    await assertLogHolds(files, persistence, run.model);
    await persistence.close();
    assertGreater(saves, 0);
    assertEquals(saved, saves);
  }));
