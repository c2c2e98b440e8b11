/**
 * Replies of the proxy's own, each in the dialect of the client that gets it.
 *
 * @module
 */

import { finishInSlices } from "../command/in_slices.ts";
import { DelayedReplyError, ProtocolError, ReplyError } from "../errors.ts";
import type { ReplyCode } from "../errors.ts";
import type { ClientAccount } from "../wire/client_memory.ts";
import { REPLY_CHUNK_BYTES } from "../limits.ts";
import { NativeReply } from "../wire/reply.ts";
import type { Reply } from "../wire/reply.ts";
import { RespReply } from "../wire/resp_reply.ts";
import type { JoinSteps } from "./join.ts";
import type { Slot } from "./slot.ts";

/** Makes them. One for all clients: nothing in it outlives a call. */
export class Answers {
  readonly #reportBug: (error: unknown) => void;

  /** @param reportBug takes note of an exception that nothing should throw */
  constructor(reportBug: (error: unknown) => void) {
    this.#reportBug = reportBug;
  }

  /** Answers what `write` says, or the error that it throws. */
  answer(slot: Slot, write: (reply: Reply) => void): void {
    const { reply } = slot.client.dialect;
    reply.begin();
    try {
      write(reply);
    } catch (error) {
      if (error instanceof DelayedReplyError && error.delayMs > 0) {
        reply.retract();
        return slot.client.holdUntil(this.#refuseLater(slot, error));
      }
      this.#writeRefusal(reply, error);
    }
    reply.end();
    hand(slot, reply);
  }

  /** Answers a refusal once it may be told. Never rejects. */
  async #refuseLater(slot: Slot, error: DelayedReplyError): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, error.delayMs));
    this.refuseWith(slot, error);
    if (slot.client.state.closing) slot.client.leave();
  }

  /**
   * Answers what `write` says when it is done, which may be later, or the error that it throws. It has a reply of its own,
   * since others are answered in between.
   *
   * @returns a promise when it is done later
   */
  answerWhenDone(slot: Slot, write: (reply: Reply) => void | Promise<void>): void | Promise<void> {
    const { version } = slot.client.dialect;
    const reply = version === 0 ? new NativeReply() : new RespReply();
    if (reply instanceof RespReply && version === 3) reply.version = 3;
    reply.begin();
    let writing: void | Promise<void> = undefined;
    try {
      writing = write(reply);
    } catch (error) {
      this.#writeRefusal(reply, error);
    }
    const end = () => {
      reply.end();
      // A long one is in pieces, which are not copied.
      if (reply.size > REPLY_CHUNK_BYTES) slot.succeedInPieces(reply.takePieces());
      else hand(slot, reply);
    };
    if (writing === undefined) return end();
    return writing.catch((error) => this.#writeRefusal(reply, error)).then(end);
  }

  /**
   * Answers what `steps` say, in slices between which other clients' requests are routed. It is told in pieces, so that none
   * of it is copied again.
   *
   * @param account is charged for it while it grows
   */
  async answerInSteps(slot: Slot, account: ClientAccount, steps: (reply: Reply) => JoinSteps): Promise<void> {
    const { context, dialect: { version } } = slot.client;
    const reply = version === 0
      ? new NativeReply(undefined, undefined, account)
      : new RespReply(undefined, undefined, account);
    if (reply instanceof RespReply && version === 3) reply.version = 3;
    reply.begin();
    try {
      const each = steps(reply);
      await finishInSlices(context, () => each.next().done === true);
    } catch (error) {
      this.#writeRefusal(reply, error);
    }
    reply.end();
    slot.succeedInPieces(reply.takePieces());
  }

  /** Answers `OK`. */
  ok(slot: Slot): void {
    this.answer(slot, (reply) => reply.ok());
  }

  /** Answers an error. */
  refuse(slot: Slot, code: ReplyCode, message: string): void {
    this.answer(slot, (reply) => reply.error(code, message));
  }

  /** Answers an error that was thrown. */
  refuseWith(slot: Slot, error: ReplyError): void {
    this.refuse(slot, error.code as ReplyCode, error.message);
  }

  #writeRefusal(reply: Reply, error: unknown): void {
    if (error instanceof ReplyError) {
      reply.error(error.code as ReplyCode, error.message);
    } else if (error instanceof ProtocolError) {
      reply.error("ERR", `a server's reply is not as expected: ${error.message}`);
    } else {
      this.#reportBug(error);
      reply.error("ERR", "internal error");
    }
  }
}

/** Hands the reply over. The client may refuse to take it, which begins another one: so this one is cleared before. */
function hand(slot: Slot, reply: Reply): void {
  const contents = reply.takeContents();
  slot.succeed(contents, 0, contents.length);
}
