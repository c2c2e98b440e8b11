/**
 * Knows whether commands are queued for `exec`, so that the prompt can show it.
 *
 * | after | commands are |
 * |---|---|
 * | `multi`, unless it was refused | queued |
 * | `exec` and `discard`, unless refused for their number of arguments | run |
 * | `reset`, or the loss of the connection | run |
 *
 * @module
 */

import type { Argument, Value } from "../client/client.ts";
import { commandOf } from "../client/reply_delay.ts";
import { ReplyError } from "../errors.ts";

/** The transaction of one connection. */
export class TransactionState {
  #isOpen = false;

  /** Whether commands are queued. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Notes the outcome of a request. */
  note(request: readonly Argument[], outcome: Value): void {
    const command = commandOf(request);
    if (command?.transactionStep === "begin" && outcome === "OK") this.#isOpen = true;
    const isEnd = command?.transactionStep === "run" || command?.transactionStep === "discard";
    // A refused `exec` has ended the transaction, unless it was refused for its arguments.
    const isMalformed = outcome instanceof ReplyError && /^wrong number of arguments\b/.test(outcome.message);
    if ((isEnd && !isMalformed) || (command?.name === "reset" && !(outcome instanceof ReplyError))) {
      this.#isOpen = false;
    }
  }

  /** Notes that the connection is lost. */
  reset(): void {
    this.#isOpen = false;
  }
}
