/**
 * A lane: the requests and replies of one connection of the benchmark, without the connection.
 *
 * ```text
 * prepare()   chooses keys, writes their digits into the encoded pipeline      ──► outgoing   is written
 * commit(n)   finds the replies in what was read, and checks each of them      ◄── incoming   was read
 * ```
 *
 * A driver moves the bytes (`socket_driver.ts`, `descriptor_driver.ts`). When all replies to a pipeline have come, it
 * prepares the next one, as redis-benchmark does.
 *
 * A request costs no allocation and no look at the clock. One look for each read measures the latencies.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import { BENCH_READ_BYTES } from "../../limits.ts";
import { type BulkReply, NativeBulkReply, RespBulkReply } from "../bulk_reply.ts";
import type { BulkProtocol } from "../bulk_stream.ts";
import type { KeyStates } from "./key_states.ts";
import { fillingOf, isValue, type RequestTemplate, requestTemplate, writeDigits } from "./request_template.ts";
import type { Run } from "./run.ts";
import { type Expected, FIELDS_COUNT, RANGE_COUNT, type Workload } from "./workloads.ts";
import { WrongReply } from "./wrong_reply.ts";

/** The requests of one connection. */
export class Lane {
  /** The encoded requests that have to be written. */
  outgoing: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  /** The number of replies that are missing. */
  waitingCount = 0;
  readonly #index: number;
  readonly #step: number;
  readonly #protocol: BulkProtocol;
  readonly #reply: BulkReply;
  readonly #states: KeyStates;
  readonly #filling: Uint8Array;
  #incoming: Uint8Array<ArrayBuffer> = new Uint8Array(BENCH_READ_BYTES);
  #start = 0;
  #end = 0;
  #run: Run | undefined;
  #workload: Workload | undefined;
  #expected: Expected = "ok";
  #counts = new Int32Array(0);
  #template: RequestTemplate | undefined;
  #requests = new Uint8Array(0);
  /** The key of each request in flight, and the number that its reply depends on. */
  #keys = new Int32Array(0);
  #numbers = new Int32Array(0);
  /** The number of requests of the present pipeline. */
  #sentCount = 0;
  #sentMs = 0;
  /** How many keys belong to this lane, and the next one if they are taken in order. */
  #ownCount = 0;
  #next = 0;
  #random: number;

  /**
   * @param index the number of the connection
   * @param step the number of all connections; the keys of a lane are `index`, `index + step` and so on
   */
  constructor(protocol: BulkProtocol, states: KeyStates, index: number, step: number, valueSize: number) {
    this.#protocol = protocol;
    this.#reply = protocol === "native" ? new NativeBulkReply() : new RespBulkReply();
    this.#states = states;
    this.#index = index;
    this.#step = step;
    this.#filling = fillingOf(valueSize);
    this.#random = (index + 1) * 0x9e3779b1 | 0;
  }

  /** Begins a run. All replies to the run before have come. */
  begin(run: Run): void {
    const { workload, pipeline } = run;
    this.#run = run;
    this.#workload = workload;
    this.#expected = workload.expected;
    this.#counts = this.#states.counts(workload.family);
    this.#template = requestTemplate(workload, this.#protocol, this.#filling.length);
    const { bytes } = this.#template;
    this.#requests = new Uint8Array(bytes.length * pipeline);
    for (let i = 0; i < pipeline; i++) this.#requests.set(bytes, i * bytes.length);
    this.outgoing = this.#requests;
    this.#keys = new Int32Array(pipeline);
    this.#numbers = new Int32Array(pipeline);
    this.#ownCount = Math.ceil((this.#states.keysCount - this.#index) / this.#step);
    this.#next = 0;
  }

  /**
   * Prepares the next pipeline.
   *
   * @param nowMs the time, by `performance.now()`
   * @returns whether there is one; `false` when the run is over
   */
  prepare(nowMs: number): boolean {
    const run = this.#run!;
    const wanted = run.inOrder ? Math.min(run.pipeline, this.#ownCount - this.#next) : run.pipeline;
    const count = wanted === 0 ? 0 : run.take(wanted, nowMs);
    if (count === 0) return false;
    const { bytes, keyPlaces, shortPlaces, memberPlaces } = this.#template!;
    const size = bytes.length;
    const requests = this.#requests;
    for (let i = 0; i < count; i++) {
      const key = this.#nextKey(run.inOrder);
      const number = this.#note(i, key);
      const at = i * size;
      for (let place = 0; place < keyPlaces.length; place++) writeDigits(key, requests, at + keyPlaces[place]!);
      for (let place = 0; place < memberPlaces.length; place++) {
        writeDigits(number, requests, at + memberPlaces[place]!);
      }
      if (shortPlaces.length > 0) this.#writeShort(key, at, shortPlaces);
    }
    if (this.outgoing.length !== count * size) this.outgoing = requests.subarray(0, count * size);
    this.#sentCount = this.waitingCount = count;
    this.#sentMs = nowMs;
    return true;
  }

  #writeShort(key: number, at: number, places: Int32Array): void {
    for (const place of places) writeDigits(key, this.#requests, at + place, this.#filling.length);
  }

  #nextKey(inOrder: boolean): number {
    let place: number;
    if (inOrder) place = this.#next++;
    else {
      // Xorshift: 32 bits that look random, in a few instructions.
      let random = this.#random;
      random ^= random << 13;
      random ^= random >>> 17;
      random ^= random << 5;
      this.#random = random;
      place = (random >>> 1) % this.#ownCount;
    }
    return this.#index + place * this.#step;
  }

  /** Notes request `i` of the pipeline. Returns the number that it contains, if its workload has one. */
  #note(i: number, key: number): number {
    this.#keys[i] = key;
    const counts = this.#counts;
    let number = 0;
    switch (this.#expected) {
      case "count":
        number = counts[key] = counts[key]! + this.#run!.weight;
        break;
      case "new":
        number = counts[key]!++;
        break;
      case "field": {
        const count = counts[key]!++;
        number = count % FIELDS_COUNT;
        this.#numbers[i] = count < FIELDS_COUNT ? 1 : 0;
        return number;
      }
      case "popped":
        number = counts[key]!;
        if (number > 0) counts[key] = number - 1;
        break;
    }
    this.#numbers[i] = number;
    return number;
  }

  /** The buffer that the next read writes to. */
  get incoming(): Uint8Array<ArrayBuffer> {
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === 0) return this.#incoming;
    if (this.#end === this.#incoming.length) this.#makeRoom();
    return this.#incoming.subarray(this.#end);
  }

  #makeRoom(): void {
    const unread = this.#incoming.subarray(this.#start, this.#end);
    // Moving is enough when it frees half of the buffer.
    if (unread.length <= this.#incoming.length / 2) this.#incoming.copyWithin(0, this.#start, this.#end);
    else {
      const larger = new Uint8Array(Math.max(this.#incoming.length * 2, this.#reply.needed));
      larger.set(unread);
      this.#incoming = larger;
    }
    this.#end = unread.length;
    this.#start = 0;
  }

  /**
   * Takes the replies that the `count` bytes just read have completed.
   *
   * @returns the time after reading, by `performance.now()`
   * @throws {WrongReply} when a reply is not the expected one
   * @throws {ProtocolError} when those bytes are not replies
   */
  commit(count: number): number {
    this.#end += count;
    const reply = this.#reply;
    const nowMs = performance.now();
    const bytes = this.#incoming;
    const end = this.#end;
    let at = this.#start;
    let place = this.#sentCount - this.waitingCount;
    const first = place;
    while (at < end && reply.find(bytes, at, end)) {
      if (place === this.#sentCount) throw new ProtocolError("Cannot place a reply: all requests have one");
      if (!this.#isRight(reply, place)) throw this.#wrong(reply, place);
      place++;
      at = reply.end;
    }
    this.#start = at;
    this.waitingCount = this.#sentCount - place;
    if (place > first) this.#run!.replied(place - first, nowMs - this.#sentMs);
    return nowMs;
  }

  #isRight(reply: BulkReply, place: number): boolean {
    switch (this.#expected) {
      case "ok":
        return reply.isOk;
      case "value":
        return this.#isValueOf(reply, this.#keys[place]!);
      case "count":
      case "field":
        return reply.integer() === this.#numbers[place];
      case "new":
        return reply.integer() === 1;
      case "popped":
        return this.#numbers[place] === 0 ? reply.isNil : this.#isValueOf(reply, this.#keys[place]!);
      case "pong":
        return reply.hasContent(PONG);
      case "range":
        return this.#isRange(reply, this.#keys[place]!);
    }
  }

  #isValueOf(reply: BulkReply, key: number): boolean {
    const length = reply.content();
    return length >= 0 && isValue(reply.bytes, reply.contentStart, length, key, this.#filling);
  }

  #isRange(reply: BulkReply, key: number): boolean {
    if (reply.itemCount() !== RANGE_COUNT) return false;
    const items = reply.value();
    return Array.isArray(items) && items.every((item) => {
      return item instanceof Uint8Array && isValue(item, 0, item.length, key, this.#filling);
    });
  }

  #wrong(reply: BulkReply, place: number): WrongReply {
    const value = reply.isRefusal ? reply.refusal() : reply.value();
    return new WrongReply(this.#workload!, this.#keys[place]!, this.#numbers[place]!, value);
  }
}

const PONG = new TextEncoder().encode("PONG");

/** Returns by how much a request of a workload changes the count of its key. */
export function weightOf({ words, expected }: Workload): number {
  if (expected !== "count") return 1;
  // A push of several values adds all of them.
  return words[0] === "incr" ? 1 : words.filter((word) => word === "VALUE").length;
}
