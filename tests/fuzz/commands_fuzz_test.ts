/**
 * Runs random commands of all types through the command layer, on the real store and on the model: every reply must be
 * equal byte by byte, and so must the keys in the order of their use. The clock advances, and keys expire both when
 * they are read and actively. Replies without a defined order (`keys`, the fields of a hash, the members of a set) are
 * compared sorted.
 *
 * The commands run once with sufficient memory, and once with so little that keys are evicted all the time and blocks
 * move. The real store decides how many keys it evicts, but not *which*: the model evicts the same number, the least
 * recently used first, and must agree from then on. The same holds for refusals when memory is full.
 *
 * `SEED=n` repeats a run; `FUZZ_OPERATIONS=n` makes it longer.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { decodeText } from "../../src/bytes.ts";
import { MEMORY_LIMIT_MIN_BYTES } from "../../src/limits.ts";
import { Store } from "../../src/store/store.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { amountOf, isLong } from "../support/amount.ts";
import { toHex } from "../support/hex.ts";
import { MemoryClient, readable } from "../support/memory_client.ts";
import { ModelStore } from "../support/model_store.ts";
import { PHASES, RequestGenerator, shuffledPhases } from "../support/request_generator.ts";

const OPERATIONS_COUNT = amountOf("FUZZ_OPERATIONS", 5_000, 50_000);
/**
 * The number of operations of one phase, after which everything is compared. Each phase also runs in the short form.
 */
const PHASE_OPERATIONS = isLong ? 3_000 : 1_000;

/** The commands whose reply has no defined order. */
const UNORDERED: ReadonlySet<string> = new Set([
  "keys",
  "hgetall",
  "hkeys",
  "hvals",
  "hrandfield",
  "smembers",
  "srandmember",
  "spop",
  "sinter",
  "sunion",
  "sdiff",
]);

/** Returns a reply in the form in which two stores must agree. */
function canonical(name: string, frame: Uint8Array): string {
  if (!UNORDERED.has(name)) return toHex(frame);
  const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  if (value instanceof Error) return `${value}`;
  const items = readable(value);
  return Array.isArray(items) ? items.map((item) => JSON.stringify(item)).sort().join("\n") : String(items);
}

function equalFrames(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i]) return false;
  }
  return true;
}

/** Returns the keys in the order of their use, with their types and deadlines. */
function listByUse(store: Store): string[] {
  const lines: string[] = [];
  for (let entry = store.oldest(); entry !== 0; entry = store.newer(entry)) {
    const key = new Uint8Array(store.keyLength(entry));
    store.copyKey(entry, key, 0);
    lines.push(`${toHex(key)} ${store.type(entry)} ${store.deadline(entry)}`);
  }
  return lines;
}

/** Returns all keys, sorted. */
function scanAll(client: MemoryClient): string[] {
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, keys] = client.text("scan", cursor, "COUNT", "100") as [string, string[]];
    found.push(...keys);
    cursor = next;
  } while (cursor !== "0");
  assertEquals(new Set(found).size, found.length, "a scan of a store at rest returns a key twice");
  return found.sort();
}

/** Removes everything that has expired: first as the server does periodically, then the rest by reading it. */
function expireAll({ store }: MemoryClient): void {
  for (let i = 0; store.expireDue(100) || store.freeRemoved(100); i++) assert(i < 1_000_000, "expiry does not end");
  const keys: Uint8Array[] = [];
  let cursor = 0;
  do {
    cursor = store.scan(cursor, (entry) => {
      const key = new Uint8Array(store.keyLength(entry));
      store.copyKey(entry, key, 0);
      keys.push(key);
    });
  } while (cursor !== 0);
  for (const key of keys) store.peek(key, 0, key.length);
}

/** Returns all fields of a hash with their values, sorted. */
function scanHash(client: MemoryClient, key: string): string[] {
  const found = new Map<string, string>();
  let cursor = "0";
  do {
    const [next, flat] = client.text("hscan", key, cursor, "COUNT", "50") as [string, string[]];
    for (let i = 0; i < flat.length; i += 2) found.set(flat[i]!, flat[i + 1]!);
    cursor = next;
  } while (cursor !== "0");
  return [...found].map((pair) => JSON.stringify(pair)).sort();
}

/** Returns all members of a set, sorted. */
function scanSet(client: MemoryClient, key: string): string[] {
  const found: string[] = [];
  let cursor = "0";
  do {
    const [next, members] = client.call("sscan", key, cursor, "COUNT", "50") as [Uint8Array, Uint8Array[]];
    found.push(...members.map(toHex));
    cursor = decodeText(next);
  } while (cursor !== "0");
  assertEquals(new Set(found).size, found.length, "a scan of a set at rest returns a member twice");
  return found.sort();
}

/** The requests that return a whole value, without their keys, by the value's type. */
const READS: Readonly<Record<string, readonly [name: string, ...rest: Argument[]]>> = {
  string: ["get"],
  list: ["lrange", 0, -1],
  hash: ["hgetall"],
  set: ["smembers"],
};

/** The cost of making room. */
interface Room {
  readonly evicted: number;
  readonly isFull: boolean;
  /** The return value of a part of it. */
  readonly result: unknown;
}

/** The real store and the model, which receive the same requests. */
class Pair {
  readonly #real: MemoryClient;
  readonly #model: MemoryClient;
  /** How the real store has made room for the request. The model repeats it. */
  readonly #rooms: Room[] = [];
  /** The number of requests that were refused because memory was full. */
  refusedCount = 0;

  constructor(store: Store) {
    const modelStore = new ModelStore();
    this.#watch(store);
    this.#follow(modelStore);
    this.#real = new MemoryClient({ store });
    this.#model = new MemoryClient({ store: modelStore.asStore() });
  }

  /** Records how the real store makes room. */
  #watch(store: Store): void {
    const noting = <Result>(make: () => Result): Result => {
      const before = store.statistics.evictedKeys;
      let isFull = true;
      let result: Result | undefined;
      try {
        result = make();
        isFull = false;
        return result;
      } finally {
        this.#rooms.push({ evicted: store.statistics.evictedKeys - before, isFull, result });
        if (isFull) this.refusedCount++;
      }
    };
    const { room } = store;
    const make = room.make.bind(room);
    const makeForCopy = room.makeForCopy.bind(room);
    const makePart = room.makePart.bind(room);
    const makeBeside = room.makeBeside.bind(room);
    room.make = (bytes, count) => noting(() => make(bytes, count));
    room.makePart = (bytes, count, beside) => noting(() => makePart(bytes, count, beside));
    room.makeBeside = (bytes, count, beside) => noting(() => makeBeside(bytes, count, beside));
    room.makeForCopy = (entry) => noting(() => makeForCopy(entry));
  }

  /** Makes the model repeat it. */
  #follow(modelStore: ModelStore): void {
    const { make } = modelStore.room;
    const follow = (bytes: number, count?: number): unknown => {
      const room = this.#rooms.shift();
      assert(room !== undefined, "the model makes room more often");
      modelStore.evict(room.evicted);
      modelStore.full = room.isFull;
      make(bytes, count);
      return room.result;
    };
    modelStore.room.make = follow;
    modelStore.room.makePart = (bytes, count, beside = 0) => {
      if (beside !== 0) modelStore.touch(beside);
      return follow(bytes, count) === true;
    };
    modelStore.room.makeBeside = (bytes, count, beside) => {
      modelStore.touch(beside);
      follow(bytes, count);
    };
  }

  advance(stepMs: number): void {
    this.#real.nowMs += stepMs;
    this.#model.nowMs += stepMs;
  }

  /** Runs one request on both, and compares the replies. */
  run(request: readonly Argument[]): void {
    const actual = this.#real.run(request);
    const expected = this.#model.run(request);
    assertEquals(this.#rooms, [], "the model makes room less often");
    for (const bug of [...this.#real.bugs, ...this.#model.bugs]) throw bug;
    // The frames are nearly always equal as they are, and finding the difference is slow.
    if (equalFrames(actual, expected)) return;
    const name = String(request[0]);
    assertEquals(canonical(name, actual), canonical(name, expected));
  }

  /** Compares all data of both. */
  compare(): void {
    expireAll(this.#real);
    expireAll(this.#model);
    assertEquals(listByUse(this.#real.store), listByUse(this.#model.store));
    const keys = scanAll(this.#real);
    assertEquals(keys, scanAll(this.#model));
    assertEquals(this.#real.store.size, keys.length);
    assertEquals(this.#real.store.audit(), 0, "bytes leaked");
    for (const key of keys) {
      const type = this.#real.text("type", key) as string;
      const [name, ...rest] = READS[type]!;
      this.run([name, key, ...rest]);
      if (type === "hash") assertEquals(scanHash(this.#real, key), scanHash(this.#model, key));
      if (type === "set") assertEquals(scanSet(this.#real, key), scanSet(this.#model, key));
    }
  }
}

/** Runs random requests, and returns how many of them were refused because memory was full. */
function fuzz(store: Store, random: Random, operationsCount: number): number {
  const pair = new Pair(store);
  const phases = shuffledPhases(random);
  let generator = new RequestGenerator(random, PHASES[0]!);
  let request: readonly Argument[] = [];
  for (let operation = 0; operation < operationsCount; operation++) {
    try {
      if (operation % PHASE_OPERATIONS === 0) {
        pair.compare();
        generator = new RequestGenerator(random, phases.next().value);
        if (random.chance(0.3)) pair.run(["flush"]);
      }
      if (random.chance(0.05)) pair.advance(random.chance(0.01) ? random.below(100_000) : random.below(50));
      request = generator.request();
      pair.run(request);
    } catch (error) {
      const where = `operation ${operation}, ${describe(request)}`;
      throw new Error(`Failed at ${where}: repeat with SEED=${random.seed}`, { cause: error });
    }
  }
  pair.compare();
  pair.run(["flush"]);
  pair.compare();
  return pair.refusedCount;
}

function describe(request: readonly Argument[]): string {
  const shown = request.slice(0, 8).map((argument) => {
    return argument instanceof Uint8Array && argument.length > 16 ? `(${argument.length} bytes)` : String(argument);
  });
  return `"${shown.join(" ")}" (${request.length} arguments)`;
}

function makeRandom(): Random {
  const seed = pickSeed();
  console.log(`seed ${seed}`);
  return new Random(seed);
}

Deno.test("random commands get the same replies from the real store and from the model", () => {
  const random = makeRandom();
  const store = new Store({ memoryLimitBytes: 2 ** 30, evicts: false, seed: [random.below(2 ** 32), random.seed] });
  assertEquals(fuzz(store, random, OPERATIONS_COUNT), 0);
});

Deno.test("random commands get the same replies while keys are evicted", () => {
  const random = makeRandom();
  const seed = [random.below(2 ** 32), random.seed] as const;
  const store = new Store({ memoryLimitBytes: MEMORY_LIMIT_MIN_BYTES, evicts: true, seed });
  fuzz(store, random, OPERATIONS_COUNT);
  assertGreater(store.statistics.evictedKeys, OPERATIONS_COUNT / 1000);
});

Deno.test("random commands get the same replies while the store is full", () => {
  const random = makeRandom();
  const seed = [random.below(2 ** 32), random.seed] as const;
  const store = new Store({ memoryLimitBytes: MEMORY_LIMIT_MIN_BYTES, evicts: false, seed });
  const refusedCount = fuzz(store, random, OPERATIONS_COUNT);
  assertGreater(refusedCount, OPERATIONS_COUNT / 1000);
  assertEquals(store.statistics.evictedKeys, 0);
});
