/**
 * The command layer with the store under it, and no network: decode a request in place, run it, clear the reply, as
 * the server does for each command of a batch.
 *
 * Two sizes: one key that stays in the processor's cache, and keys at random out of 100,000, which do not. Every iteration
 * runs `BATCH_COUNT` requests, since calling the bench costs about as much as a command; divide its time by that.
 */

import { execute } from "../src/command/table.ts";
import type { CommandContext } from "../src/command/table.ts";
import { Store } from "../src/store/store.ts";
import { decodeRequest, FRAME_PREFIX_BYTES, frameLength, RequestWriter } from "../src/wire/frame.ts";
import type { Argument } from "../src/wire/frame.ts";
import { NativeReply } from "../src/wire/reply.ts";
import { Request } from "../src/wire/request.ts";

const KEYS_COUNT = 100_000;
const BATCH_COUNT = 1_000;
const VALUE = "v".repeat(32);
/** Elements that a pushed list has at most; a list that never ends would measure something else. */
const PUSHES_MAX_COUNT = 1_000_000;

class BenchContext implements CommandContext {
  readonly store = new Store({ memoryLimitBytes: 512 * 1024 * 1024, evicts: true, seed: [1, 2] });
  authenticated = true;
  readonly passwordRequired = false;
  readonly defaultTtlMs = 0;
  authenticate(): boolean {
    return true;
  }
  info(): string {
    return "";
  }
  save(): Promise<void> {
    return Promise.resolve();
  }
  reportBug(error: unknown): void {
    throw error;
  }
}

/** Requests encoded one behind another, run round and round. */
class Requests {
  readonly #frames: Uint8Array;
  readonly #context: CommandContext;
  readonly #request = new Request();
  readonly #reply = new NativeReply();
  #at = 0;

  constructor(context: CommandContext, requests: Iterable<readonly Argument[]>) {
    const writer = new RequestWriter();
    for (const request of requests) writer.add(request);
    this.#frames = writer.take();
    this.#context = context;
  }

  /** Runs the next `count` requests. */
  run(count: number): void {
    for (let i = 0; i < count; i++) this.#next();
  }

  #next(): void {
    const start = this.#at + FRAME_PREFIX_BYTES;
    const end = start + frameLength(this.#frames, this.#at);
    decodeRequest(this.#frames, start, end, this.#request);
    execute(this.#context, this.#request, this.#reply);
    this.#reply.clear();
    this.#at = end === this.#frames.length ? 0 : end;
  }
}

/** The same places for every run: a walk over all keys in an order that no cache foresees. */
function* shuffled(): Generator<number> {
  for (let i = 0; i < KEYS_COUNT; i++) yield (i * 61_803) % KEYS_COUNT;
}

/** The requests of one bench, for the key numbers it is to use. */
type Make = (key: number) => readonly Argument[];

const COMMANDS: readonly [name: string, make: Make][] = [
  ["get", (key) => ["get", `s${key}`]],
  ["set", (key) => ["set", `s${key}`, VALUE]],
  ["lpush", (key) => ["lpush", `l${key}`, "x"]],
  ["lget", (key) => ["lget", `r${key}`, "0"]],
  ["hset", (key) => ["hset", `h${key}`, "field", VALUE]],
  ["hget", (key) => ["hget", `h${key}`, "field"]],
];

/** Makes the bench's function; it fills the store when it runs first, so that loading this module is free. */
function bench(group: string, keys: () => Iterable<number>, fill: (context: BenchContext) => void): void {
  let context: BenchContext | undefined;
  for (const [name, make] of COMMANDS) {
    let requests: Requests | undefined;
    let runs = 0;
    Deno.bench({
      name: `1,000 × ${name}, ${group}`,
      group,
      baseline: name === "get",
      fn() {
        if (context === undefined) {
          context = new BenchContext();
          fill(context);
        }
        requests ??= new Requests(context, Array.from(keys(), make));
        requests.run(BATCH_COUNT);
        runs += BATCH_COUNT;
        if (name === "lpush" && runs % PUSHES_MAX_COUNT === 0) drop(context, keys());
      },
    });
  }
}

/** Removes the lists that were pushed to. */
function drop(context: CommandContext, keys: Iterable<number>): void {
  const all = Array.from(keys, (key) => ["remove", `l${key}`]);
  new Requests(context, all).run(all.length);
}

/** Gives every key its string, list and hash. */
function fillKeys(context: CommandContext, keys: readonly number[]): void {
  const all = keys.flatMap((key) => [
    ["set", `s${key}`, VALUE],
    ["rpush", `r${key}`, VALUE, "x"],
    ["hset", `h${key}`, "field", VALUE, "other", "x"],
  ]);
  new Requests(context, all).run(all.length);
}

bench("one key", () => [1], (context) => fillKeys(context, [1]));
bench("100 k keys at random", shuffled, (context) => fillKeys(context, [...shuffled()]));
