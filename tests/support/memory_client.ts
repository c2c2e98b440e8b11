/**
 * A client without a network. It encodes a request in the native protocol, runs it through the command layer in this
 * process, and decodes the reply. It is its own command context, with a clock that the test moves.
 *
 * @module
 */

import { assert, assertEquals, fail } from "@std/assert";
import { PlainContext } from "../../bench/support/plain_context.ts";
import type { GoesOn } from "../../src/command/context.ts";
import { execute } from "../../src/command/dispatch.ts";
import type { EffectLog } from "../../src/command/effect_log.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import type { ChannelMessage } from "../../src/connection/channel_message.ts";
import { ClientState } from "../../src/connection/client_state.ts";
import { ReplyError } from "../../src/errors.ts";
import { Store } from "../../src/store/store.ts";
import { decodeReply, type Value } from "../../src/wire/native/reply_reader.ts";
import { decodeRequest } from "../../src/wire/native/request_decoder.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import { Request } from "../../src/wire/request.ts";

/** The options of a {@linkcode MemoryClient}, all with defaults. */
export interface MemoryClientOptions {
  store?: Store;
  /** The memory limit of the store that is created when none is given. */
  memoryLimitBytes?: number;
  nowMs?: number;
  defaultTtlMs?: number;
  password?: string;
  /** The state that it shares with other clients of the same store. */
  shared?: SharedState;
  /** The buffer of its replies. */
  reply?: NativeReply;
  /** The clock, for several clients of one store; by default the store's own. */
  clock?: { readonly nowMs: number };
  /** The log that receives the effects. */
  log?: EffectLog;
}

const decoder = new TextDecoder();

/** The time at which tests begin, unless they specify another. */
export const START_MS = 1_700_000_000_000;

/** Returns a store that evicts, with a fixed seed. */
export function makeStore(memoryLimitBytes = 64 * 1024 * 1024): Store {
  return new Store({ memoryLimitBytes, evicts: true, seed: [1, 2] });
}

/** One connection to a store in this process. */
export class MemoryClient extends PlainContext {
  override readonly passwordRequired: boolean;
  override readonly defaultTtlMs: number;
  override readonly log: EffectLog | undefined;
  /** The exceptions that were reported as bugs. */
  readonly bugs: unknown[] = [];
  /** The sections of the last `info`. */
  infoSections: readonly string[] | undefined;
  /** Implements `save`. */
  saving: () => Promise<void> = () => Promise.resolve();
  /** The number of steps that a command takes before it pauses, if it can. */
  stepsASlice = Infinity;
  /** The number of its commands that have waited for an element. */
  waitsCount = 0;
  /** Whether it has sent bytes that were not read. */
  unread = false;
  /** Called when it pauses. */
  pausing: () => void | Promise<void> = () => {};
  /** Whether its connection has ended. */
  hasLeft = false;
  /** Whether reading a key counts as a use of it. */
  touches = true;
  /** The messages of channels: pattern (if one matched), channel and message. */
  readonly messages: Uint8Array[][] = [];
  /** Whether another client has killed this one. */
  isKilled = false;
  /** The number of times that statistics were reset. */
  resets = 0;
  readonly reply: NativeReply;
  readonly #request = new Request();
  readonly #writer = new NativeRequestWriter();
  readonly #password: string | undefined;
  readonly #clock: { readonly nowMs: number } | undefined;

  constructor(options: MemoryClientOptions = {}) {
    const { store, memoryLimitBytes, nowMs = START_MS, defaultTtlMs = 0, password, reply, shared, clock, log } =
      options;
    const owned = store ?? makeStore(memoryLimitBytes);
    owned.nowMs = clock?.nowMs ?? nowMs;
    const among = shared ?? new SharedState(owned);
    const id = among.nextId();
    const peer = {
      kill: () => this.isKilled = true,
      deliver: ({ pattern, publication: { channel, payload } }: ChannelMessage) => {
        this.messages.push(
          [pattern, channel, payload].filter((part) => part !== undefined).map((part) => part.slice()),
        );
      },
    };
    super(
      owned,
      among,
      new ClientState(id, `127.0.0.1:${50_000 + id}`, "127.0.0.1:9443", peer, password === undefined),
    );
    this.#clock = clock;
    this.log = log;
    this.defaultTtlMs = defaultTtlMs;
    this.#password = password;
    this.reply = reply ?? new NativeReply();
    this.passwordRequired = password !== undefined;
    among.clients.set(id, this.client);
  }

  /** The store's clock, which the test moves. */
  get nowMs(): number {
    return this.store.nowMs;
  }

  set nowMs(nowMs: number) {
    this.store.nowMs = nowMs;
  }

  override authenticate(_client: unknown, user: string, password: string): boolean {
    return user === "default" && password === this.#password;
  }

  override info(sections: readonly string[]): string {
    this.infoSections = sections;
    return "# Server\r\nname:inmem\r\n";
  }

  override save(): Promise<void> {
    return this.saving();
  }

  override slice(step: () => boolean): boolean {
    for (let i = 0; i < this.stepsASlice; i++) if (step()) return true;
    return false;
  }

  override async pause(goesOn: GoesOn = "no"): Promise<void> {
    await this.pausing();
    this.resume();
    if (this.hasLeft && goesOn !== "always") throw new ReplyError("ERR", "the connection was ended meanwhile");
  }

  override resume(): void {
    if (this.#clock !== undefined) this.store.nowMs = this.#clock.nowMs;
    this.store.touches = this.touches;
  }

  override async block(begin: () => Promise<void> | undefined): Promise<void> {
    this.reply.rollback();
    this.reply.begin();
    const waited = begin();
    if (waited === undefined) return;
    this.waitsCount++;
    await waited;
  }

  override hasInput(): boolean {
    return this.unread;
  }

  override resetStatistics(): void {
    this.resets++;
  }

  override reportBug(error: unknown): void {
    this.bugs.push(error);
  }

  /** Runs one request and returns its whole reply frame, borrowed until the next call. */
  run(request: readonly Argument[]): Uint8Array {
    const pending = this.#start(request);
    assert(pending === undefined, `expected "${request[0]}" not to wait`);
    return this.#frame();
  }

  /** Runs one request that must be accepted, and returns the value of its reply. */
  call(...request: readonly Argument[]): Value {
    return accepted(this.#decode(this.run(request)));
  }

  /** Runs one request that may wait. */
  async wait(...request: readonly Argument[]): Promise<Value | ReplyError> {
    await this.#start(request);
    return this.#decode(this.#frame());
  }

  /** Runs one request that must be refused without changing anything, and returns `CODE message`. */
  refusal(...request: readonly Argument[]): string {
    const { changes, size } = this.store;
    const value = this.#decode(this.run(request));
    if (!(value instanceof ReplyError)) fail(`expected a refusal of "${request.map(shown).join(" ")}"`);
    assertEquals(this.store.changes, changes, "a refused command changed something");
    assertEquals(this.store.size, size, "a refused command changed the number of keys");
    return `${value.code} ${value.message}`;
  }

  /** Runs one request that may wait, and returns a copy of its whole reply frame. */
  async waitForFrame(request: readonly Argument[]): Promise<Uint8Array> {
    await this.#start(request);
    return this.#frame().slice();
  }

  /**
   * Does what {@linkcode call} does, with all bytes in the reply read as UTF-8 and maps turned into arrays of pairs.
   */
  text(...request: readonly Argument[]): Readable {
    return readable(this.call(...request));
  }

  #start(request: readonly Argument[]): void | Promise<void> {
    this.#writer.add(request);
    const frame = this.#writer.take();
    decodeRequest(frame, FRAME_PREFIX_BYTES, frame.length, this.#request);
    this.reply.clear();
    if (this.#clock !== undefined) this.resume();
    return execute(this, this.#request, this.reply);
  }

  #frame(): Uint8Array {
    const frame = this.reply.contents();
    assertEquals(frameLength(frame, 0), frame.length - FRAME_PREFIX_BYTES, "a reply is one frame");
    return frame;
  }

  #decode(frame: Uint8Array): Value | ReplyError {
    return decodeReply(frame, FRAME_PREFIX_BYTES, frame.length);
  }
}

function shown(argument: Argument): string {
  return argument instanceof Uint8Array ? `(${argument.length} bytes)` : String(argument);
}

function accepted(value: Value | ReplyError): Value {
  if (value instanceof ReplyError) throw value;
  return value;
}

/** A reply in a form that is easy to compare with an expected one. */
export type Readable = null | boolean | number | bigint | string | readonly Readable[];

/** Reads bytes as UTF-8 and maps as arrays of pairs, at all levels. */
export function readable(value: Value): Readable {
  if (value instanceof Uint8Array) return decoder.decode(value);
  if (Array.isArray(value)) return value.map(readable);
  if (value instanceof Map) return [...value].map(([key, item]) => [readable(key), readable(item)]);
  if (value instanceof ReplyError) return `${value.code} ${value.message}`;
  return value;
}
