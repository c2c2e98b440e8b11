/**
 * What a client has queued between `multi` and `exec`.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { TRANSACTION_MAX_BYTES } from "../limits.ts";
import type { Request } from "../wire/request.ts";
import { keysEnd } from "./holds.ts";
import type { Command } from "./run.ts";

/** Bytes that a queued request counts beside its arguments. */
const QUEUED_OVERHEAD_BYTES = 128;

/** The queue. Its requests are copies, since the read buffer that a request came in is used again. */
export class Transaction {
  readonly commands: Command[] = [];
  readonly requests: Request[] = [];
  /** Whether a request could not be queued. */
  isSpoilt = false;
  #size = 0;

  /** Keys of all requests together, at most. */
  keyCount = 0;

  /** How many requests are queued. */
  get count(): number {
    return this.requests.length;
  }

  /** Bytes of all arguments. */
  get size(): number {
    return this.#size;
  }

  /** The command of request `index`. */
  command(index: number): Command {
    return this.commands[index]!;
  }

  /** Request `index`, borrowed until the next call. */
  request(index: number): Request {
    return this.requests[index]!;
  }

  /**
   * Queues a copy of a request.
   *
   * @throws {ReplyError} when the transaction gets too large
   */
  add(command: Command, request: Request): void {
    this.#size += request.size + QUEUED_OVERHEAD_BYTES;
    if (this.#size > TRANSACTION_MAX_BYTES) {
      throw new ReplyError("ERR", `transaction exceeds ${TRANSACTION_MAX_BYTES} bytes`);
    }
    this.keyCount += keysEnd(command.specification, request);
    this.commands.push(command);
    this.requests.push(request.copy());
  }
}
