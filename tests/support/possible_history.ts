/**
 * The possible contents of a store after each of several overlapping operations, according to their replies.
 *
 * If operations end in the same task, several orders may explain all replies, and the content of the store may depend
 * on the order. All such states are kept, until a later reply, or the store itself, contradicts them:
 *
 * ```text
 *          ┌ a, b → "ab" ┐
 * "" ──────┤             ├── get → "ba"      contradicts "ab", and no order is left in which a came first
 *          └ b, a → "ba" ┘
 * ```
 *
 * States with the same content are merged, with all the states that may have been before them, so there are few.
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

const UNORDERED: ReadonlySet<string> = new Set([
  "hgetall",
  "hkeys",
  "hvals",
  "smembers",
  "spop",
  "srandmember",
  "sinter",
  "sunion",
  "sdiff",
]);
const WRITES: ReadonlySet<string> = new Set(COMMANDS.filter(({ writes }) => writes).map(({ name }) => name));
/** The largest number of states. Tests have a few dozen, so more would be an error of the test. */
const STATES_MAX_COUNT = 1000;

/** An operation, and the time at which it may have happened. */
export interface Begun {
  readonly operation: Operation;
  /** The number of writes that had ended when it began. */
  readonly since: number;
  /** The time when it began. For a long command, time stops at some moment. */
  readonly sinceMs: number;
}

/** Returns whether an operation changes nothing. */
export function isRead({ requests }: Operation): boolean {
  return !requests.some(([name]) => WRITES.has(String(name)));
}

/** Describes an operation for people. */
export function describe({ requests }: Operation): string {
  return requests.map((request) => {
    const shown = request.slice(0, 5).map((each) =>
      each instanceof Uint8Array ? `(${each.length} bytes)` : String(each)
    );
    return `${shown.join(" ")} (${request.length} arguments)`;
  }).join(" ; ");
}

/** A possible content of the store after a number of writes. */
interface State {
  readonly model: ModelStore;
  /** The number of writes that have ended. */
  readonly index: number;
  /** The possible contents one write before, as far as they are still needed. */
  readonly before: Set<State>;
}

/** All possible contents of the store, now and before. */
export class PossibleHistory {
  /** The possible contents now. */
  #last: State[];
  /** The times at which operations may have run. */
  #clocks: number[] = [];
  readonly #isReal: (model: ModelStore, keys: readonly string[]) => boolean;

  /**
   * Creates a history.
   *
   * @param isReal returns whether the real store has the same content under keys, as far as no operation is changing
   * them
   */
  constructor(nowMs: number, isReal: (model: ModelStore, keys: readonly string[]) => boolean) {
    this.#isReal = isReal;
    const model = new ModelStore();
    model.nowMs = nowMs;
    this.#last = [{ model, index: 0, before: new Set() }];
    this.#clocks.push(nowMs);
  }

  /** The number of writes that have ended. */
  get index(): number {
    return this.#last[0]!.index;
  }

  /** The number of different states in which the store may be. */
  get possibleCount(): number {
    return this.#last.length;
  }

  /** Records the time. */
  tick(nowMs: number): void {
    if (this.#clocks.at(-1) !== nowMs) this.#clocks.push(nowMs);
  }

  /**
   * Forgets the states that no running operation can have seen.
   *
   * @param index the number of writes that had ended before the first running read
   * @param ms the beginning of the first running operation
   */
  forgetBefore(index: number, ms: number): void {
    for (const layer of layers(this.#last)) for (const state of layer) if (state.index <= index) state.before.clear();
    this.#clocks = this.#clocks.filter((each, i) => each >= ms || i === this.#clocks.length - 1);
  }

  /**
   * Drops the states that differ from the store's present content. Returns whether any is left; otherwise none is
   * dropped.
   */
  keep(isPossible: (model: ModelStore) => boolean): boolean {
    const kept = this.#last.filter(({ model }) => isPossible(model));
    if (kept.length > 0) this.#last = kept;
    return kept.length > 0;
  }

  /** Removes expired keys, while no operation is running and the whole store was compared. */
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

  /**
   * Adds operations that have ended in one task.
   *
   * @throws when no order explains their replies
   */
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

  /** Returns all states in which writes in any order may have left the store. */
  async #after(writes: readonly Begun[]): Promise<State[]> {
    // The states are grouped by the set of completed writes, with one bit for each.
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

  /** Returns the states after a write that explain its reply, at any time that it may have run. */
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

  /** Returns the states before which, since a read began, a moment explains its reply. */
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

  /** Returns whether each item of a reply existed at some moment. */
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
   * Returns times since an operation began, the present one first. Of times with the same result it returns one. The
   * result depends on which deadlines have passed.
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

  /** Merges states with the same content. */
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

  /** Returns the states whose differences agree with the store. */
  #thatAreReal(states: readonly State[]): State[] {
    const keys = new Set<string>();
    for (const { model } of states.slice(1)) {
      for (const key of model.differentKeys(states[0]!.model, this.#clocks[0]!)) keys.add(key);
    }
    return keys.size === 0 ? [...states] : states.filter(({ model }) => this.#isReal(model, [...keys]));
  }
}

/** Yields the states themselves, those before them, and so on. */
function* layers(last: Iterable<State>): Generator<Set<State>> {
  for (let layer = new Set(last); layer.size > 0;) {
    yield layer;
    const before = new Set<State>();
    for (const state of layer) for (const each of state.before) before.add(each);
    layer = before;
  }
}

/** Returns whether a condition is true of a state, or of one before it since a number of writes had ended. */
async function some(last: State, since: number, isTrue: (state: State) => Promise<boolean>): Promise<boolean> {
  for (const layer of layers([last])) {
    for (const state of layer) {
      if (state.index < since) return false;
      if (await isTrue(state)) return true;
    }
  }
  return false;
}

/** Returns whether an operation reads so many keys that each slice of them may see another moment. */
function isOfManyMoments({ requests: [request, ...others] }: Operation): boolean {
  return others.length === 0 && request!.length > 512 && ["mget", "exists", "touch"].includes(String(request![0]));
}

/**
 * Returns the requests that the model may run instead of an operation. A client that has waited for several lists gets
 * an element of the first list to which was pushed. After a transaction this need not be the first list that it has
 * named.
 */
function variantsOf({ requests, hasWaited }: Operation): (readonly (readonly Argument[])[])[] {
  const [name, ...others] = requests[0]!;
  if (!hasWaited || (name !== "blpop" && name !== "brpop")) return [requests];
  const timeout = others.pop()!;
  return others.map((key) => [[name, key, timeout]]);
}

/** Runs an operation on a model. Returns the reply, or `undefined` when it would wait. */
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

/** Returns whether the model gives the same reply to requests that replace an operation's. */
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

/** Returns a reply as text, with items of undefined order sorted. */
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

/** Returns the items of a reply, as texts, or `undefined` when it is not an array. */
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
