import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../../src/errors.ts";
import type { BulkProtocol } from "../../../src/load/bulk_connection.ts";
import { KeyStates } from "../../../src/load/bench/key_states.ts";
import { Lane, weightOf } from "../../../src/load/bench/lane.ts";
import { Run } from "../../../src/load/bench/run.ts";
import { type Workload, WORKLOADS } from "../../../src/load/bench/workloads.ts";
import { WrongReply } from "../../../src/load/bench/wrong_reply.ts";
import { NativeReply } from "../../../src/wire/native/reply_writer.ts";
import type { Reply } from "../../../src/wire/reply.ts";
import { Request } from "../../../src/wire/request.ts";
import { REQUEST_LIMITS } from "../../../src/wire/request_limits.ts";
import { NativeDecoder } from "../../../src/wire/native/request_decoder.ts";
import { RespDecoder } from "../../../src/wire/resp/request_decoder.ts";
import { RespReply } from "../../../src/wire/resp/reply_writer.ts";

const PROTOCOLS: readonly BulkProtocol[] = ["resp", "native"];

/** A small server for what the benchmark sends: lists, hashes, sets, counters and strings, in maps. */
class Model {
  readonly #strings = new Map<string, string>();
  readonly #lists = new Map<string, string[]>();
  readonly #sets = new Map<string, Set<string>>();
  readonly #hashes = new Map<string, Map<string, string>>();

  run([name, key = "", ...rest]: string[], reply: Reply): void {
    switch (name) {
      case "ping":
        return reply.status("PONG");
      case "set":
        this.#strings.set(key, rest[0]!);
        return reply.ok();
      case "mset":
        for (let i = -1; i < rest.length; i += 2) this.#strings.set(i < 0 ? key : rest[i]!, rest[i + 1]!);
        return reply.ok();
      case "get":
        return write(reply, this.#strings.get(key));
      case "incr": {
        const next = Number(this.#strings.get(key) ?? 0) + 1;
        this.#strings.set(key, String(next));
        return reply.integer(next);
      }
      case "lpush":
      case "rpush": {
        const list = this.#lists.get(key) ?? [];
        this.#lists.set(key, name === "lpush" ? [...rest.reverse(), ...list] : [...list, ...rest]);
        return reply.integer(list.length + rest.length);
      }
      case "lpop":
        return write(reply, this.#lists.get(key)?.shift());
      case "rpop":
        return write(reply, this.#lists.get(key)?.pop());
      case "lrange": {
        const list = this.#lists.get(key) ?? [];
        reply.array(list.length);
        for (const item of list) write(reply, item);
        return;
      }
      case "sadd": {
        const set = this.#sets.get(key) ?? new Set();
        this.#sets.set(key, set);
        const before = set.size;
        return reply.integer(set.add(rest[0]!).size - before);
      }
      case "hset": {
        const hash = this.#hashes.get(key) ?? new Map();
        this.#hashes.set(key, hash);
        const before = hash.size;
        return reply.integer(hash.set(rest[0]!, rest[1]!).size - before);
      }
      case "hget":
        return write(reply, this.#hashes.get(key)?.get(rest[0]!));
    }
    throw new Error(`the benchmark sends "${name}"`);
  }
}

function write(reply: Reply, text: string | undefined): void {
  if (text === undefined) return reply.nil();
  const bytes = new TextEncoder().encode(text);
  reply.bytes(bytes, 0, bytes.length);
}

/** Returns the replies of a model to encoded requests, one after another. */
function repliesOf(bytes: Uint8Array, protocol: BulkProtocol, run: (words: string[], reply: Reply) => void) {
  const decoder = protocol === "native" ? new NativeDecoder() : new RespDecoder();
  const request = new Request();
  const replies: Uint8Array[] = [];
  for (let at = 0; at < bytes.length;) {
    const next = decoder.decode(bytes, at, bytes.length, request, REQUEST_LIMITS);
    assert(next > at, "a whole request");
    const reply = protocol === "native" ? new NativeReply() : new RespReply();
    reply.begin();
    run(Array.from({ length: request.count }, (_, i) => request.text(i)), reply);
    reply.end();
    replies.push(reply.contents().slice());
    at = next;
  }
  return replies;
}

/** Gives bytes to a lane, `step` at a time. */
function give(lane: Lane, bytes: Uint8Array, step: number): void {
  for (let at = 0; at < bytes.length;) {
    const { incoming } = lane;
    const part = bytes.subarray(at, at + Math.min(step, incoming.length));
    incoming.set(part);
    lane.commit(part.length);
    at += part.length;
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

interface Rig {
  readonly protocol: BulkProtocol;
  readonly valueSize: number;
  readonly keys: number;
  readonly step: number;
}

/** Runs a workload, and the one before it, on one lane of three against a model. Returns the words of all requests. */
function runOn(workload: Workload, { protocol, valueSize, keys, step }: Rig): { run: Run; requests: string[][] } {
  const states = new KeyStates(keys);
  const lane = new Lane(protocol, states, 1, 3, valueSize);
  const model = new Model();
  const requests: string[][] = [];
  let run: Run | undefined;
  for (const each of [...workload.before === undefined ? [] : [workload.before], workload]) {
    const inOrder = each !== workload;
    run = new Run({
      workload: each,
      pipeline: 5,
      requests: inOrder ? Infinity : 53,
      durationMs: Infinity,
      weight: weightOf(each),
      inOrder,
    });
    lane.begin(run);
    while (lane.prepare(performance.now())) {
      const replies = repliesOf(lane.outgoing, protocol, (words, reply) => {
        requests.push([...words]);
        model.run(words, reply);
      });
      give(lane, joined(replies), step);
      assertEquals(lane.waitingCount, 0);
    }
  }
  return { run: run!, requests };
}

for (const protocol of PROTOCOLS) {
  Deno.test(`a lane accepts the right reply to each workload, wherever replies are cut (${protocol})`, () => {
    for (const workload of WORKLOADS) {
      for (const valueSize of [1, 8, 9, 32]) {
        for (const step of workload.name === "lrange_100" ? [61, 100_000] : [1, 7, 100_000]) {
          const { run, requests } = runOn(workload, { protocol, valueSize, keys: 9, step });
          assertEquals(run.repliedCount, 53, workload.name);
          assertEquals(run.latencies.total, 53);
          // Other lanes have other keys: this one has those that leave the rest 1.
          for (const [, key = "inmem-bench:string:000000001"] of requests) {
            assert(/^inmem-bench:[a-z]+:00000000[147]$/.test(key), key);
          }
        }
      }
    }
  });

  Deno.test(`a lane compares values of any length (${protocol})`, () => {
    const get = WORKLOADS.find(({ name }) => name === "get")!;
    for (const valueSize of [511, 512, 513, 600, 601, 607, 70_001]) {
      const { run } = runOn(get, { protocol, valueSize, keys: 3, step: 3000 });
      assertEquals(run.repliedCount, 53);
    }
  });

  Deno.test(`a lane refuses any other reply to each workload (${protocol})`, () => {
    const wrong: Record<string, (reply: Reply) => void> = {
      ok: (reply) => reply.ok(),
      status: (reply) => reply.status("PONGO"),
      nil: (reply) => reply.nil(),
      large: (reply) => reply.integer(1_000_000),
      negative: (reply) => reply.integer(-1),
      text: (reply) => write(reply, "PONG "),
      long: (reply) => write(reply, "0".repeat(600)),
      array: (reply) => reply.array(0),
      refusal: (reply) => reply.error("OOM", "no memory"),
    };
    for (const workload of WORKLOADS) {
      for (const [name, say] of Object.entries(wrong)) {
        if (name === "ok" && workload.expected === "ok") continue;
        // Without elements a list gives nil.
        if (name === "nil" && workload.expected === "popped") continue;
        const lane = new Lane(protocol, new KeyStates(3), 0, 1, 32);
        lane.begin(new Run({ workload, pipeline: 1, requests: 1, durationMs: Infinity, weight: weightOf(workload) }));
        assert(lane.prepare(0));
        const [reply] = repliesOf(lane.outgoing, protocol, (_words, reply) => say(reply));
        const error = assertThrows(() => give(lane, reply!, 1000), WrongReply, undefined, `${workload.name} ${name}`);
        assert(error.message.includes(`${workload.words[0]} of key "inmem-bench:`), error.message);
        if (name === "refusal") assert(error.message.endsWith(": OOM no memory"), error.message);
      }
    }
  });

  Deno.test(`a lane notices a value with one wrong byte, wherever it is (${protocol})`, () => {
    const get = WORKLOADS.find(({ name }) => name === "get")!;
    for (const valueSize of [1, 32, 600]) {
      for (let place = 0; place < valueSize; place += valueSize > 100 ? 13 : 1) {
        const lane = new Lane(protocol, new KeyStates(1), 0, 1, valueSize);
        lane.begin(new Run({ workload: get, pipeline: 1, requests: 2, durationMs: Infinity, weight: 1 }));
        assert(lane.prepare(0));
        const right = "000000000".slice(0, valueSize).padEnd(valueSize, "x");
        give(lane, repliesOf(lane.outgoing, protocol, (_words, reply) => write(reply, right))[0]!, 1000);
        assert(lane.prepare(0));
        const changed = `${right.slice(0, place)}y${right.slice(place + 1)}`;
        const reply = repliesOf(lane.outgoing, protocol, (_words, reply) => write(reply, changed))[0]!;
        assertThrows(
          () => give(lane, reply, 1000),
          WrongReply,
          "the value of the key",
          `byte ${place} of ${valueSize}`,
        );
      }
    }
  });

  Deno.test(`a lane refuses a reply to nothing (${protocol})`, () => {
    const lane = new Lane(protocol, new KeyStates(1), 0, 1, 1);
    const workload = WORKLOADS.find(({ name }) => name === "ping")!;
    lane.begin(new Run({ workload, pipeline: 1, requests: 1, durationMs: Infinity, weight: 1 }));
    assert(lane.prepare(0));
    const reply = repliesOf(lane.outgoing, protocol, (_words, reply) => reply.status("PONG"))[0]!;
    assertThrows(() => give(lane, joined([reply, reply]), 1000), ProtocolError, "Cannot place a reply");
  });
}

Deno.test("a run ends after its requests, or after its time", () => {
  const [workload] = WORKLOADS;
  const counted = new Run({ workload: workload!, pipeline: 4, requests: 10, durationMs: Infinity, weight: 1 });
  assertEquals([4, 4, 4, 4].map((count) => counted.take(count, 0)), [4, 4, 2, 0]);
  const timed = new Run({ workload: workload!, pipeline: 4, requests: Infinity, durationMs: 100, weight: 1 });
  assertEquals(timed.take(4, timed.begunMs + 99), 4);
  assertEquals(timed.take(4, timed.begunMs + 100), 0);
});
