/**
 * Writers that track what a server has acknowledged, so that a test can verify after the server's end that nothing is
 * lost.
 *
 * ```text
 * writer     its own keys · their values by all acknowledged operations · operations in flight, in order
 *
 * after a restart, its keys hold exactly one of
 *            acknowledged · acknowledged + first in flight · … · acknowledged + all in flight
 * ```
 *
 * The operations in flight are sent on one connection, so they take effect in order, or not at all. A transaction is
 * one operation. After a restart, the found state is the acknowledged one.
 *
 * @module
 */

import type { Random } from "../../bench/support/random.ts";
import { type Argument, type Client, ConnectionError, ReplyError, type Value } from "../../src/mod.ts";
import { pause } from "./pause.ts";

/** The value and the deadline of a key. */
interface Held {
  value: string | string[] | Map<string, string>;
  /** The deadline in ms since 1970, far from now; 0 for none. */
  deadlineMs: number;
}

/** The content of a writer's keys. */
type State = Map<string, Held>;

/** One operation of a writer. */
interface Operation {
  /** The requests, which are sent in one piece. The reply to the last one reports what was done. */
  readonly requests: readonly (readonly Argument[])[];
  /**
   * Does the same to a state. Returns whether a server executes it; otherwise the server refuses it and changes
   * nothing.
   */
  readonly apply: (state: State) => boolean;
}

/** The most operations that a writer has in flight. */
const IN_FLIGHT_MAX_COUNT = 4;
/** One of this many writers has large values, of which a snapshot takes a part at a time. */
const LARGE_EVERY_COUNT = 8;
const LARGE_STRING_MAX_LENGTH = 300_000;
const LARGE_ITEMS_MAX_COUNT = 3_000;
/** The pause of a writer after a refusal, in ms. */
const REFUSED_DELAY_MS = 10;
/** The distance of deadlines from now, in ms, so that none passes during a test. */
const FAR_MS = 86_400_000;

/** Writers, each with its own keys. */
export class AcknowledgedLoad {
  /** The number of acknowledged operations. */
  acknowledged = 0;
  /** The number of refused operations by the code of the error, without those that must be refused. */
  readonly refused: Map<string, number> = new Map();
  /** The text of the last refusal. */
  lastRefusal = "";
  readonly #writers: Writer[];

  /**
   * Creates the writers.
   *
   * @param prefix the beginning of all keys' names
   */
  constructor(random: Random, writers = 32, prefix = "writer") {
    this.#writers = Array.from({ length: writers }, (_, index) => {
      return new Writer(this, random, `${prefix}${index}`, index % LARGE_EVERY_COUNT === 0);
    });
  }

  /**
   * Writes from all writers, each on a separate connection, until the connections are lost or the signal is aborted. In
   * the latter case it waits for the operations in flight.
   */
  async run(connect: () => Promise<Client>, signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.run(connect, signal)));
  }

  /** Compares a server's data with the acknowledged operations. Returns the differences as sentences. */
  async verify(client: Client): Promise<string[]> {
    const problems = (await Promise.all(this.#writers.map((writer) => writer.verify(client)))).flat();
    const expected = this.#writers.reduce((sum, { size }) => sum + size, 0);
    const size = await client.size();
    if (problems.length === 0 && size !== expected) problems.push(`There are ${size} keys, expected ${expected}`);
    return problems;
  }

  /** Records a refusal. */
  refuse({ code, message }: ReplyError): void {
    this.lastRefusal = `${code} ${message}`;
    this.refused.set(code, (this.refused.get(code) ?? 0) + 1);
  }
}

class Writer {
  readonly #load: AcknowledgedLoad;
  readonly #random: Random;
  readonly #name: string;
  readonly #isLarge: boolean;
  #state: State = new Map();
  /** The operations that are in flight, or of unknown outcome after the connection was lost. */
  #inFlight: Operation[] = [];
  /** The replies that contradicted the model while the server ran. */
  readonly #contradictions: string[] = [];
  #count = 0;

  constructor(load: AcknowledgedLoad, random: Random, name: string, isLarge: boolean) {
    this.#load = load;
    this.#random = random;
    this.#name = name;
    this.#isLarge = isLarge;
  }

  /** The number of its keys. */
  get size(): number {
    return this.#state.size;
  }

  async run(connect: () => Promise<Client>, signal?: AbortSignal): Promise<void> {
    let client: Client | undefined;
    try {
      client = await connect();
      while (!signal?.aborted) {
        if (await this.#runSome(client)) continue;
        await pause(REFUSED_DELAY_MS);
      }
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
    } finally {
      await client?.close();
    }
  }

  /** Sends some operations and waits for the replies. Returns whether all were done. */
  async #runSome(client: Client): Promise<boolean> {
    const count = 1 + this.#random.below(IN_FLIGHT_MAX_COUNT);
    this.#inFlight = Array.from({ length: count }, () => this.#operation());
    const replies = this.#inFlight.map(({ requests }) => {
      const all = requests.map((request) => client.send(request));
      // The last reply decides. When the connection is lost, the others fail as well.
      for (const each of all) each.catch(() => {});
      return all.at(-1)!;
    });
    let isDone = true;
    for (const replied of replies) {
      const reply = await replied.catch((error) => {
        if (error instanceof ReplyError) return error;
        throw error;
      });
      isDone = this.#take(this.#inFlight.shift()!, reply) && isDone;
    }
    return isDone;
  }

  /** Records a reply. Returns whether the operation was done, or refused as it must be. */
  #take(operation: Operation, reply: Value | ReplyError): boolean {
    if (!(reply instanceof ReplyError)) {
      this.#load.acknowledged++;
      if (!operation.apply(this.#state)) this.#contradict(operation, "was done, expected a refusal");
      return true;
    }
    if (reply.code === "ERR") {
      if (operation.apply(this.#state)) this.#contradict(operation, `was refused: ${reply.message}`);
      return true;
    }
    this.#load.refuse(reply);
    return false;
  }

  #contradict({ requests }: Operation, what: string): void {
    this.#contradictions.push(`${requests.map((request) => request.join(" ").slice(0, 200)).join("; ")} ${what}`);
  }

  async verify(client: Client): Promise<string[]> {
    const found = await this.#read(client);
    const problems = this.#contradictions.splice(0);
    const first = differences(this.#state, found);
    if (first.length > 0) {
      let isFound = false;
      while (!isFound && this.#inFlight.length > 0) {
        this.#inFlight.shift()!.apply(this.#state);
        isFound = differences(this.#state, found).length === 0;
      }
      if (!isFound) problems.push(...first);
    }
    this.#inFlight = [];
    this.#state = found;
    return problems;
  }

  /** Reads all keys that it may have created from the server. */
  async #read(client: Client): Promise<State> {
    const state: State = new Map();
    const read = async (name: string, value: Promise<Held["value"] | null>) => {
      const [key, deadline] = [this.#key(name), client.pexpiretime(this.#key(name))];
      const [found, deadlineMs] = await Promise.all([value, deadline]);
      if (found === null || deadlineMs === -2) return;
      state.set(key, { value: found, deadlineMs: Math.max(0, deadlineMs) });
    };
    await Promise.all([
      ...STRINGS.map((name) => read(name, client.getText(this.#key(name)))),
      ...LISTS.map((name) => read(name, client.text.lrange(this.#key(name), 0, -1))),
      ...HASHES.map((name) => read(name, client.text.hgetall(this.#key(name)).then((pairs) => new Map(pairs)))),
    ]);
    return state;
  }

  #key(name: string): string {
    return `${this.#name}:${name}`;
  }

  /** Returns a text that no other operation has. */
  #word(): string {
    return `${this.#name}#${this.#count++}`;
  }

  #words(count: number): string[] {
    return Array.from({ length: count }, () => this.#word());
  }

  #operation(): Operation {
    const random = this.#random;
    if (random.chance(0.08)) {
      const parts = Array.from({ length: 2 + random.below(3) }, () => this.#certain());
      return {
        requests: [["multi"], ...parts.flatMap(({ requests }) => requests), ["exec"]],
        apply: (state) => parts.map(({ apply }) => apply(state)).every((isDone) => isDone),
      };
    }
    if (random.chance(0.1)) return random.chance(0.5) ? this.#rename() : this.#listSet();
    return this.#certain();
  }

  /** Returns an operation that no server refuses. */
  #certain(): Operation {
    const random = this.#random;
    if (this.#isLarge && random.chance(0.3)) return this.#large();
    const kind = random.below(10);
    if (kind < 4) return this.#onString(this.#key(random.pick(SMALL_STRINGS)));
    if (kind < 7) return this.#onList(this.#key(random.pick(SMALL_LISTS)));
    if (kind < 9) return this.#onHash(this.#key(random.pick(SMALL_HASHES)));
    return this.#onKey(this.#key(random.pick(NAMES)));
  }

  #onString(key: string): Operation {
    const random = this.#random;
    const word = this.#word();
    switch (random.below(5)) {
      case 0:
        return one(["set", key, word], (state) => put(state, key, word));
      case 1: {
        const deadlineMs = Date.now() + FAR_MS + random.below(FAR_MS);
        return one(["set", key, word, "pxat", deadlineMs], (state) => put(state, key, word, deadlineMs));
      }
      case 2:
        return one(["append", key, word], (state) => change(state, key, text(state, key) + word));
      case 3: {
        const offset = random.below(40);
        return one(
          ["setrange", key, offset, word],
          (state) => change(state, key, over(text(state, key), offset, word)),
        );
      }
      default: {
        const counter = this.#key(COUNTER);
        const by = 1 + random.below(1_000);
        return one(["incrby", counter, by], (state) => {
          change(state, counter, String(Number(text(state, counter)) + by));
        });
      }
    }
  }

  #onList(key: string): Operation {
    const random = this.#random;
    const words = this.#words(1 + random.below(4));
    // This element exists only sometimes.
    const other = `${this.#name}#${random.below(this.#count)}`;
    switch (random.below(8)) {
      case 0:
      case 1:
        return one(["rpush", key, ...words], (state) => change(state, key, [...items(state, key), ...words]));
      case 2:
        return one(
          ["lpush", key, ...words],
          (state) => change(state, key, [...words.toReversed(), ...items(state, key)]),
        );
      case 3:
        return one(["lpop", key, words.length], (state) => change(state, key, items(state, key).slice(words.length)));
      case 4:
        return one(["rpop", key], (state) => change(state, key, items(state, key).slice(0, -1)));
      case 5:
        return one(["linsert", key, "before", other, words[0]!], (state) => {
          const list = items(state, key);
          const at = list.indexOf(other);
          if (at >= 0) change(state, key, list.toSpliced(at, 0, words[0]!));
        });
      case 6:
        return one(["lrem", key, 0, other], (state) => {
          change(state, key, items(state, key).filter((item) => item !== other));
        });
      default:
        return one(["ltrim", key, 1, 20], (state) => change(state, key, items(state, key).slice(1, 21)));
    }
  }

  #onHash(key: string): Operation {
    const random = this.#random;
    const fields = Array.from({ length: 1 + random.below(3) }, () => `field${random.below(30)}`);
    switch (random.below(4)) {
      case 0:
      case 1: {
        const pairs = fields.map((field) => [field, this.#word()] as const);
        return one(
          ["hset", key, ...pairs.flat()],
          (state) => change(state, key, new Map([...hash(state, key), ...pairs])),
        );
      }
      case 2:
        return one(["hdel", key, ...fields], (state) => {
          change(state, key, new Map([...hash(state, key)].filter(([field]) => !fields.includes(field))));
        });
      default:
        return one(["hincrby", key, "count", fields.length], (state) => {
          const count = Number(hash(state, key).get("count") ?? 0) + fields.length;
          change(state, key, new Map([...hash(state, key), ["count", String(count)]]));
        });
    }
  }

  /** Returns an operation on a key of any type. */
  #onKey(key: string): Operation {
    const random = this.#random;
    switch (random.below(5)) {
      case 0:
        return one(["del", key], (state) => void state.delete(key));
      case 1:
        return one(["persist", key], (state) => expire(state, key, 0));
      case 2: {
        const [from, to] = this.#pair();
        return one(["copy", from, to, "replace"], (state) => {
          const held = state.get(from);
          if (held !== undefined) state.set(to, { ...held });
        });
      }
      default: {
        const deadlineMs = Date.now() + FAR_MS + random.below(FAR_MS);
        return one(["pexpireat", key, deadlineMs], (state) => expire(state, key, deadlineMs));
      }
    }
  }

  /** Returns an operation on a value of which a snapshot takes a part at a time. */
  #large(): Operation {
    const random = this.#random;
    const [string, list, hashKey] = [this.#key(LARGE_STRING), this.#key(LARGE_LIST), this.#key(LARGE_HASH)];
    const state = this.#state;
    const block = this.#word().padEnd(4_000, "-");
    switch (random.below(7)) {
      case 0:
        if (text(state, string).length > LARGE_STRING_MAX_LENGTH) {
          return one(["del", string], (state) => void state.delete(string));
        }
        return one(["append", string, block], (state) => change(state, string, text(state, string) + block));
      case 1: {
        const offset = random.below(text(state, string).length + 1_000);
        return one(["setrange", string, offset, block], (state) => {
          change(state, string, over(text(state, string), offset, block));
        });
      }
      case 2: {
        if (items(state, list).length > LARGE_ITEMS_MAX_COUNT) {
          return one(["del", list], (state) => void state.delete(list));
        }
        const words = this.#words(64);
        return one(["rpush", list, ...words], (state) => change(state, list, [...items(state, list), ...words]));
      }
      case 3: {
        const words = this.#words(64);
        return one(
          ["lpush", list, ...words],
          (state) => change(state, list, [...words.toReversed(), ...items(state, list)]),
        );
      }
      case 4: {
        const from = random.below(20);
        return one(["ltrim", list, from, -1 - from], (state) => {
          change(state, list, items(state, list).slice(from, from === 0 ? undefined : -from));
        });
      }
      case 5: {
        const fields = Array.from({ length: 64 }, () => `field${random.below(LARGE_ITEMS_MAX_COUNT)}`);
        const pairs = fields.map((field) => [field, this.#word()] as const);
        return one(["hset", hashKey, ...pairs.flat()], (state) => {
          change(state, hashKey, new Map([...hash(state, hashKey), ...pairs]));
        });
      }
      default: {
        const fields = Array.from({ length: 16 }, () => `field${random.below(LARGE_ITEMS_MAX_COUNT)}`);
        return one(["hdel", hashKey, ...fields], (state) => {
          change(state, hashKey, new Map([...hash(state, hashKey)].filter(([field]) => !fields.includes(field))));
        });
      }
    }
  }

  #rename(): Operation {
    const [from, to] = this.#pair();
    return {
      requests: [["rename", from, to]],
      apply(state) {
        const held = state.get(from);
        if (held === undefined) return false;
        state.delete(from);
        state.set(to, held);
        return true;
      },
    };
  }

  #listSet(): Operation {
    const key = this.#key(this.#random.pick(SMALL_LISTS));
    const [index, word] = [this.#random.below(6), this.#word()];
    return {
      requests: [["lset", key, index, word]],
      apply(state) {
        const list = items(state, key);
        if (index >= list.length) return false;
        change(state, key, list.with(index, word));
        return true;
      },
    };
  }

  /** Returns two keys of one type. */
  #pair(): [string, string] {
    const names = this.#random.pick(PAIRS);
    const isForward = this.#random.chance(0.5);
    return [this.#key(names[isForward ? 0 : 1]), this.#key(names[isForward ? 1 : 0])];
  }
}

const COUNTER = "counter";
const [LARGE_STRING, LARGE_LIST, LARGE_HASH] = ["largestring", "largelist", "largehash"];
const SMALL_STRINGS = ["string0", "string1", "string2"];
const SMALL_LISTS = ["list0", "list1"];
const SMALL_HASHES = ["hash0", "hash1"];
const PAIRS = [["string0", "string1"], ["list0", "list1"], ["hash0", "hash1"]] as const;
/** The names of all keys of a writer, by type. */
const STRINGS = [...SMALL_STRINGS, COUNTER, LARGE_STRING];
const LISTS = [...SMALL_LISTS, LARGE_LIST];
const HASHES = [...SMALL_HASHES, LARGE_HASH];
const NAMES = [...STRINGS, ...LISTS, ...HASHES];

/** Returns an operation of one request that is always done. */
function one(request: readonly Argument[], apply: (state: State) => void): Operation {
  return {
    requests: [request],
    apply(state) {
      apply(state);
      return true;
    },
  };
}

function text(state: State, key: string): string {
  return (state.get(key)?.value ?? "") as string;
}

function items(state: State, key: string): string[] {
  return (state.get(key)?.value ?? []) as string[];
}

function hash(state: State, key: string): Map<string, string> {
  return (state.get(key)?.value ?? new Map()) as Map<string, string>;
}

/** Returns a string that is overwritten from `offset` on, with zeros in the gap if it was shorter. */
function over(before: string, offset: number, part: string): string {
  return before.slice(0, offset).padEnd(offset, "\0") + part + before.slice(offset + part.length);
}

/** Sets a key to a new value and deadline. */
function put(state: State, key: string, value: Held["value"], deadlineMs = 0): void {
  state.set(key, { value, deadlineMs });
}

/** Changes the value of a key, which is removed when it becomes empty. Its deadline stays. */
function change(state: State, key: string, value: Held["value"]): void {
  const isEmpty = typeof value !== "string" && (value instanceof Map ? value.size : value.length) === 0;
  if (isEmpty) state.delete(key);
  else state.set(key, { value, deadlineMs: state.get(key)?.deadlineMs ?? 0 });
}

function expire(state: State, key: string, deadlineMs: number): void {
  const held = state.get(key);
  if (held !== undefined) state.set(key, { ...held, deadlineMs });
}

/** Returns the differences between two states, as sentences. */
function differences(expected: State, found: State): string[] {
  const keys = new Set([...expected.keys(), ...found.keys()]);
  return [...keys].flatMap((key) => {
    const [wanted, is] = [describe(expected.get(key)), describe(found.get(key))];
    if (wanted === is) return [];
    return [`${key} holds ${excerpt(is, wanted)}, expected ${excerpt(wanted, is)}`];
  });
}

function describe(held: Held | undefined): string {
  if (held === undefined) return "nothing";
  const { value, deadlineMs } = held;
  const plain = value instanceof Map ? [...value].sort(([a], [b]) => a < b ? -1 : 1) : value;
  return `${JSON.stringify(plain)} until ${deadlineMs}`;
}

/** Returns the part of a long text around its first difference from another one. */
function excerpt(text: string, other: string): string {
  if (text.length < 300) return text;
  let at = 0;
  while (at < text.length && text[at] === other[at]) at++;
  return `…${text.slice(Math.max(0, at - 60), at + 120)}… (${text.length} characters, at ${at})`;
}
