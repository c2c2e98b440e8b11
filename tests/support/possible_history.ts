/**
 * What a store may have held after each of several operations that overlap, as their replies tell.
 *
 * Where operations end in the same turn, several orders may explain all replies, and what the store holds afterwards may depend on
 * the order. All such states are kept, until a later reply, or the store itself, contradicts them:
 *
 * ```text
 *          ┌ a, b → "ab" ┐
 * "" ──────┤             ├── get → "ba"      contradicts "ab", and there is no order left in which a came first
 *          └ b, a → "ba" ┘
 * ```
 *
 * States that hold the same are one, with all the states that may have been before it, so there are few.
 *
 * @module
 */

import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { decodeReply } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES } from "../../src/wire/native/frame.ts";
import type { Operation } from "./interleaving.ts";
import { MemoryClient, readable, START_MS } from "./memory_client.ts";
import { ModelStore } from "./model_store.ts";

const UNORDERED: ReadonlySet<string> = new Set(["hgetall", "hkeys", "hvals"]);
const WRITES: ReadonlySet<string> = new Set(COMMANDS.filter(({ writes }) => writes).map(({ name }) => name));
/** There are a few dozen at most in tests: more would be a fault of the test. */
const STATES_MAX_COUNT = 1000;

/** An operation, and where it may have happened. */
export interface Begun {
  readonly operation: Operation;
  /** How many writes had ended when it began. */
  readonly since: number;
  /** What the clock said then. For a command that takes long, time stands still from some moment on. */
  readonly sinceMs: number;
}

/** Whether an operation changes nothing. */
export function isRead({ requests }: Operation): boolean {
  return !requests.some(([name]) => WRITES.has(String(name)));
}

/** What an operation is, for a person. */
export function describe({ requests }: Operation): string {
  return requests.map((request) => {
    const shown = request.slice(0, 5).map((each) =>
      each instanceof Uint8Array ? `(${each.length} bytes)` : String(each)
    );
    return `${shown.join(" ")} (${request.length} arguments)`;
  }).join(" ; ");
}

/** What the store may have held after a number of writes. */
interface State {
  readonly model: ModelStore;
  /** How many writes have ended. */
  readonly index: number;
  /** What it may have held one write before, as far as anybody still asks. */
  readonly before: Set<State>;
}

/** All that the store may have held, and may hold now. */
export class PossibleHistory {
  /** What it may hold now. */
  #last: State[];
  /** Times at which operations may have run. */
  #clocks: number[] = [];
  readonly #isReal: (model: ModelStore, keys: readonly string[]) => boolean;

  /** @param isReal whether the real store holds the same under keys, as far as nobody is changing them just now */
  constructor(nowMs: number, isReal: (model: ModelStore, keys: readonly string[]) => boolean) {
    this.#isReal = isReal;
    const model = new ModelStore();
    model.nowMs = nowMs;
    this.#last = [{ model, index: 0, before: new Set() }];
    this.#clocks.push(nowMs);
  }

  /** How many writes have ended. */
  get index(): number {
    return this.#last[0]!.index;
  }

  /** How many different states the store may be in. */
  get possibleCount(): number {
    return this.#last.length;
  }

  /** Takes note of the time. */
  tick(nowMs: number): void {
    if (this.#clocks.at(-1) !== nowMs) this.#clocks.push(nowMs);
  }

  /**
   * Forgets what no operation that is running can have seen.
   *
   * @param index how many writes had ended before the first read that is running
   * @param ms when the first of all began
   */
  forgetBefore(index: number, ms: number): void {
    for (const layer of layers(this.#last)) for (const state of layer) if (state.index <= index) state.before.clear();
    this.#clocks = this.#clocks.filter((each, i) => each >= ms || i === this.#clocks.length - 1);
  }

  /** Drops the states that do not hold what the store is found to hold now. Returns whether any is left; else none is dropped. */
  keep(isPossible: (model: ModelStore) => boolean): boolean {
    const kept = this.#last.filter(({ model }) => isPossible(model));
    if (kept.length > 0) this.#last = kept;
    return kept.length > 0;
  }

  /** Removes keys whose deadlines have passed, while no operation is running and all of the store was compared. */
  expire(nowMs: number): void {
    this.#clocks = [nowMs];
    for (const { model, before } of this.#last) {
      before.clear();
      model.nowMs = nowMs;
      while (model.expireDue(1_000));
    }
    this.#last = this.#merge(this.#last);
    assert(this.possibleCount === 1, `${this.possibleCount} states are possible after all of the store was compared`);
  }

  /** Takes note of operations that have ended in one turn. @throws when no order explains their replies */
  async accept(ended: readonly Begun[]): Promise<void> {
    const before = this.#last;
    const writes = ended.filter(({ operation }) => !isRead(operation));
    if (writes.length > 0) this.#last = await this.#after(writes);
    for (const each of ended) {
      if (isRead(each.operation)) this.#last = await this.#thatExplain(each, this.#last);
    }
    if (this.#last.length > 1) this.#last = this.#merge(this.#thatAreReal(this.#last));
    if (this.#last.length === 0) {
      this.#last = before;
      throw unexplained(ended, before.length);
    }
  }

  /** All states in which writes may have left the store, in whichever order. */
  async #after(writes: readonly Begun[]): Promise<State[]> {
    // By the set of writes that were done, a bit for each.
    let byDone = new Map<number, State[]>([[0, this.#last]]);
    for (let count = 0; count < writes.length; count++) {
      const next = new Map<number, State[]>();
      for (const [done, states] of byDone) {
        for (const [i, write] of writes.entries()) {
          if ((done & (1 << i)) !== 0) continue;
          const more = await this.#afterOne(write, states);
          if (more.length === 0) continue;
          const whole = done | (1 << i);
          next.set(whole, [...next.get(whole) ?? [], ...more]);
        }
      }
      for (const [done, states] of next) next.set(done, this.#merge(states));
      byDone = next;
    }
    return [...byDone.values()].flat();
  }

  /** The states after a write that explains its reply, at whichever time it ran. */
  async #afterOne({ operation, sinceMs }: Begun, states: readonly State[]): Promise<State[]> {
    const after: State[] = [];
    for (const state of states) {
      for (const nowMs of this.#times(state.model, operation, sinceMs)) {
        for (const requests of variantsOf(operation)) {
          const model = state.model.clone();
          if (!await isExplained(model, operation, requests, nowMs)) continue;
          after.push({ model, index: state.index + 1, before: new Set([state]) });
        }
      }
    }
    return after;
  }

  /** Those states before which, since a read began, there was a moment that explains its reply. */
  async #thatExplain(read: Begun, states: readonly State[]): Promise<State[]> {
    const { operation, since, sinceMs } = read;
    const seen = new Map<State, boolean>();
    const explains = async (state: State) => {
      let is = seen.get(state);
      if (is !== undefined) return is;
      is = false;
      for (const nowMs of this.#times(state.model, operation, sinceMs)) {
        is ||= await isExplained(state.model.clone(), operation, operation.requests, nowMs);
      }
      seen.set(state, is);
      return is;
    };
    const left: State[] = [];
    for (const state of states) {
      const isOf = isOfManyMoments(operation)
        ? await this.#isOfMoments(read, state)
        : await some(state, since, explains);
      if (isOf) left.push(state);
    }
    return left;
  }

  /** Whether each item of a reply was there at some moment. */
  async #isOfMoments({ operation, since, sinceMs }: Begun, last: State): Promise<boolean> {
    const actual = itemsOf(operation.frame!);
    if (actual === undefined) return true;
    const isFound = new Array<boolean>(actual.length).fill(false);
    return await some(last, since, async ({ model }) => {
      for (const nowMs of this.#times(model, operation, sinceMs)) {
        const expected = itemsOf((await runOn(model.clone(), operation.requests, nowMs))!)!;
        actual.forEach((item, i) => isFound[i] ||= expected[i] === item);
      }
      return isFound.every((is) => is);
    });
  }

  /**
   * Times since an operation began, the present one first: of those between which it finds the same, one. What is found depends
   * on the deadlines that have passed.
   */
  #times(model: ModelStore, { requests }: Operation, sinceMs: number): number[] {
    const deadlines = model.deadlines();
    for (const request of requests) {
      for (const argument of request) {
        if (typeof argument === "number" && argument >= START_MS) deadlines.push(argument);
      }
    }
    const times: number[] = [];
    let passed = -1;
    for (let i = this.#clocks.length - 1; i >= 0 && (this.#clocks[i]! >= sinceMs || times.length === 0); i--) {
      const nowMs = this.#clocks[i]!;
      const count = deadlines.reduce((sum, deadline) => sum + Number(deadline <= nowMs), 0);
      if (count !== passed) times.push(nowMs);
      passed = count;
    }
    return times;
  }

  /** Makes one of states that hold the same. */
  #merge(states: readonly State[]): State[] {
    const merged: State[] = [];
    for (const state of states) {
      const same = merged.find(({ model }) => model.differentKeys(state.model, this.#clocks[0]!).length === 0);
      if (same === undefined) merged.push(state);
      else for (const before of state.before) same.before.add(before);
    }
    assert(merged.length <= STATES_MAX_COUNT, `${merged.length} states are possible`);
    return merged;
  }

  /** Those states that hold what the store holds, as far as they differ. */
  #thatAreReal(states: readonly State[]): State[] {
    const keys = new Set<string>();
    for (const { model } of states.slice(1)) {
      for (const key of model.differentKeys(states[0]!.model, this.#clocks[0]!)) keys.add(key);
    }
    return keys.size === 0 ? [...states] : states.filter(({ model }) => this.#isReal(model, [...keys]));
  }
}

/** The states themselves, those before them, and so on. */
function* layers(last: Iterable<State>): Generator<Set<State>> {
  for (let layer = new Set(last); layer.size > 0;) {
    yield layer;
    const before = new Set<State>();
    for (const state of layer) for (const each of state.before) before.add(each);
    layer = before;
  }
}

/** Whether something is true of a state, or of one before it since a number of writes had ended. */
async function some(last: State, since: number, isTrue: (state: State) => Promise<boolean>): Promise<boolean> {
  for (const layer of layers([last])) {
    for (const state of layer) {
      if (state.index < since) return false;
      if (await isTrue(state)) return true;
    }
  }
  return false;
}

/** Whether it reads so many keys that each slice of them may be another moment. */
function isOfManyMoments({ requests: [request, ...others] }: Operation): boolean {
  return others.length === 0 && request!.length > 512 && ["mget", "exists", "touch"].includes(String(request![0]));
}

/**
 * What the model may run in an operation's place. A client that has waited for several lists gets an element of the first that was
 * pushed to, which after a transaction need not be the first that it has named.
 */
function variantsOf({ requests, hasWaited }: Operation): (readonly (readonly Argument[])[])[] {
  const [name, ...others] = requests[0]!;
  if (!hasWaited || (name !== "blpop" && name !== "brpop")) return [requests];
  const timeout = others.pop()!;
  return others.map((key) => [[name, key, timeout]]);
}

/** Runs an operation on a model. Returns the reply, or nothing when it would wait. */
async function runOn(
  model: ModelStore,
  requests: readonly (readonly Argument[])[],
  nowMs: number,
): Promise<Uint8Array | undefined> {
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

/** Whether the model gives the same reply to requests that stand for an operation's. */
async function isExplained(
  model: ModelStore,
  operation: Operation,
  requests: readonly (readonly Argument[])[],
  nowMs: number,
): Promise<boolean> {
  const expected = await runOn(model, requests, nowMs);
  return expected !== undefined && isSame(operation, operation.frame!, expected);
}

function isSame(operation: Operation, actual: Uint8Array, expected: Uint8Array): boolean {
  if (actual.length !== expected.length) return false;
  if (Buffer.from(actual.buffer, actual.byteOffset, actual.length).equals(expected)) return true;
  if (!operation.requests.some(([name]) => UNORDERED.has(String(name)))) return false;
  return canonical(operation, actual) === canonical(operation, expected);
}

/** A reply as text, with what comes in no order sorted. */
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

/** The items of a reply, as texts; nothing when it is no array. */
function itemsOf(frame: Uint8Array): string[] | undefined {
  const value = decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  return Array.isArray(value) ? readable(value) as string[] : undefined;
}

function unexplained(ended: readonly Begun[], possibleCount: number): Error {
  const lines = ended.map(({ operation, sinceMs }) => {
    const { frame } = operation;
    const reply = decodeReply(frame!, FRAME_PREFIX_BYTES, frame!.length);
    const shown = reply instanceof Error ? String(reply) : JSON.stringify(readable(reply));
    return `${describe(operation)} since ${sinceMs} → ${shown.slice(0, 300)}`;
  });
  return new Error(
    `no order explains what the store holds and, from ${possibleCount} states, the replies to\n${lines.join("\n")}`,
  );
}
