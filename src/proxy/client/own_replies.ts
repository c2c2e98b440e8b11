/**
 * The proxy's own replies, each in the dialect of the client that gets it.
 *
 * @module
 */

import { finishInSlices } from "../../connection/in_slices.ts";
import { DelayedReplyError, ProtocolError, ReplyError } from "../../errors.ts";
import type { ReplyCode } from "../../errors.ts";
import { REPLY_CHUNK_BYTES } from "../../limits.ts";
import type { ClientAccount } from "../../memory/client_memory.ts";
import { NativeReply } from "../../wire/native/reply_writer.ts";
import type { Reply } from "../../wire/reply.ts";
import { RespReply } from "../../wire/resp/reply_writer.ts";
import type { PendingReply } from "./client_link.ts";

/** The steps of writing a long reply. Each takes about a tenth of a millisecond. */
export type ReplySteps = Generator<void, void, void>;

/** Writes replies of the proxy. All clients share one object: nothing in it outlives a call. */
export class OwnReplies {
  readonly #reportBug: (error: unknown) => void;

  /** @param reportBug logs an exception that nothing should throw */
  constructor(reportBug: (error: unknown) => void) {
    this.#reportBug = reportBug;
  }

  /** Makes what `write` writes the reply, or the error that it throws. */
  reply(pending: PendingReply, write: (reply: Reply) => void): void {
    const { reply } = pending.link.dialect;
    reply.begin();
    try {
      write(reply);
    } catch (error) {
      if (error instanceof DelayedReplyError && error.delayMs > 0) {
        reply.rollback();
        return pending.link.backpressure.hold(this.#refuseLater(pending, error));
      }
      this.#writeRefusal(reply, error);
    }
    reply.end();
    hand(pending, reply);
  }

  /** Makes an error the reply after its delay. Never rejects. */
  async #refuseLater(pending: PendingReply, error: DelayedReplyError): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, error.delayMs));
    this.refuseWith(pending, error);
    if (pending.link.client.closing) pending.link.leave();
  }

  /**
   * Makes what `write` writes the reply when it is done, which may be later, or the error that it throws. This reply
   * has a separate buffer, since other replies are written in between.
   *
   * @returns a promise when it is done later
   */
  replyWhenDone(pending: PendingReply, write: (reply: Reply) => void | Promise<void>): void | Promise<void> {
    const { version } = pending.link.dialect;
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
      // A long reply is in pieces, which are not copied.
      if (reply.size > REPLY_CHUNK_BYTES) pending.succeedInPieces(reply.takePieces());
      else hand(pending, reply);
    };
    if (writing === undefined) return end();
    return writing.catch((error) => this.#writeRefusal(reply, error)).then(end);
  }

  /**
   * Makes what `steps` write the reply. They run in slices, between which other clients' requests are routed. The reply
   * is handed over in pieces, so that none of it is copied again.
   *
   * @param account is charged for the reply while it grows
   */
  async replyInSteps(
    pending: PendingReply,
    account: ClientAccount,
    steps: (reply: Reply) => ReplySteps,
  ): Promise<void> {
    const { link } = pending;
    const { version } = link.dialect;
    const reply = version === 0
      ? new NativeReply(undefined, undefined, account)
      : new RespReply(undefined, undefined, account);
    if (reply instanceof RespReply && version === 3) reply.version = 3;
    reply.begin();
    try {
      const each = steps(reply);
      await finishInSlices(link, () => each.next().done === true);
    } catch (error) {
      this.#writeRefusal(reply, error);
    }
    reply.end();
    pending.succeedInPieces(reply.takePieces());
  }

  /** Makes `OK` the reply. */
  ok(pending: PendingReply): void {
    this.reply(pending, (reply) => reply.ok());
  }

  /** Makes an error the reply. */
  refuse(pending: PendingReply, code: ReplyCode, message: string): void {
    this.reply(pending, (reply) => reply.error(code, message));
  }

  /** Makes an error that was thrown the reply. */
  refuseWith(pending: PendingReply, error: ReplyError): void {
    this.refuse(pending, error.code as ReplyCode, error.message);
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

/** Hands the reply over. Clears it first, since the link may replace it by an error, which begins another reply. */
function hand(pending: PendingReply, reply: Reply): void {
  const contents = reply.takeContents();
  pending.succeed(contents, 0, contents.length);
}
