/**
 * The queue of a transaction: the commands that a client has sent between `multi` and `exec`.
 *
 * ```text
 * record of the queue   command:varint · arguments:varint · length of each:varint · bytes of each
 * a queued `ping`       01             · 01               · 04                    · p i n g          8 bytes with its size
 * ```
 *
 * The command is an index into the list of the transaction's different commands. Requests are copied, because their
 * read buffer is used again. `load` decodes one of them into a request object that is reused for all.
 *
 * @module
 */

import { copyBytes } from "../bytes.ts";
import { type CommandSpecification, keysEnd } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import { TRANSACTION_MAX_BYTES } from "../limits.ts";
import { type ClientAccount, UNLIMITED_ACCOUNT } from "../memory/client_memory.ts";
import { PackedQueue, varintSize, writeVarint } from "../memory/packed_queue.ts";
import type { Request } from "../wire/request.ts";

/** The properties of a command that the queue uses. */
export interface QueuedCommand {
  readonly writes: boolean;
  readonly specification: CommandSpecification;
}

/** The queue of one transaction. The code that ends the transaction must call {@linkcode RequestQueue.free}. */
export class RequestQueue<C extends QueuedCommand> {
  /** Whether a request could not be queued. */
  isSpoilt = false;
  /** Whether one of the commands writes. */
  writes = false;
  readonly #queue: PackedQueue;
  /** The different commands of the queue. */
  readonly #commands: C[] = [];
  /** The index of each command in `#commands`. */
  readonly #places = new Map<C, number>();

  /** @param account the account that is charged for queued requests */
  constructor(account: ClientAccount = UNLIMITED_ACCOUNT) {
    this.#queue = new PackedQueue(account);
  }

  /** An upper bound of the number of keys in all requests. */
  keyCount = 0;

  /** The number of queued requests. */
  get count(): number {
    return this.#queue.count;
  }

  /** The memory that the queue uses, in bytes. */
  get size(): number {
    return this.#queue.size;
  }

  /**
   * Queues a copy of a request.
   *
   * @throws {ReplyError} when the transaction gets too large; nothing is queued then
   */
  add(command: C, request: Request): void {
    // None of the requests will run.
    if (this.isSpoilt) return this.free();
    const { bytes, starts, lengths, count } = request;
    const place = this.#places.get(command) ?? this.#commands.length;
    let size = varintSize(place) + varintSize(count) + request.size;
    for (let i = 0; i < count; i++) size += varintSize(lengths[i]!);
    if (this.#queue.size + this.#queue.growthFor(size) > TRANSACTION_MAX_BYTES) {
      throw new ReplyError("ERR", `transaction exceeds ${TRANSACTION_MAX_BYTES} bytes`);
    }
    let at = this.#queue.reserve(size);
    const target = this.#queue.bytes;
    at = writeVarint(target, at, place);
    at = writeVarint(target, at, count);
    for (let i = 0; i < count; i++) at = writeVarint(target, at, lengths[i]!);
    for (let i = 0; i < count; i++) {
      copyBytes(bytes, starts[i]!, target, at, lengths[i]!);
      at += lengths[i]!;
    }
    if (place === this.#commands.length) {
      this.#commands.push(command);
      this.#places.set(command, place);
    }
    if (command.writes) this.writes = true;
    this.keyCount += keysEnd(command.specification, request);
  }

  /**
   * Loads queued request `index` into `request`, which borrows the queue's bytes until {@linkcode free}. Loading in
   * order is fastest.
   *
   * @returns its command
   */
  load(index: number, request: Request): C {
    const queue = this.#queue;
    queue.seek(index);
    const { bytes } = queue;
    at = queue.start;
    const command = this.#commands[readVarint(bytes)]!;
    const count = readVarint(bytes);
    request.reset(bytes, count);
    for (let i = 0; i < count; i++) request.lengths[i] = readVarint(bytes);
    request.size = queue.end - at;
    for (let i = 0; i < count; i++) {
      request.starts[i] = at;
      at += request.lengths[i]!;
    }
    return command;
  }

  /** Releases the memory of the queue, which invalidates loaded requests. Safe to call twice. */
  free(): void {
    this.#queue.free();
  }
}

/** The position at which {@linkcode readVarint} reads next. Reading runs to completion, so one variable is enough. */
let at = 0;

function readVarint(bytes: Uint8Array): number {
  let value = 0;
  for (let shift = 0;; shift += 7) {
    const byte = bytes[at++]!;
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
}
