/**
 * One command that several servers carry out: its parts, and the reply made of theirs.
 *
 * The reply is made when the last part is settled, whichever way. If one of them was refused, the whole command is,
 * and the client is never given a part as if it were the whole; where others had carried out their part of a write, the
 * refusal says so.
 *
 * @module
 */

import { ProtocolError, ReplyError } from "../errors.ts";
import type { ConnectionError } from "../errors.ts";
import { Exchange } from "../route/exchange.ts";
import { decodeReply, FRAME_PREFIX_BYTES } from "../wire/frame.ts";
import { grants } from "./join.ts";
import { codeOf } from "./refusal.ts";

/** What one server is asked. */
export class Part extends Exchange {
  /** Its reply frame, when it granted the request. */
  frame: Uint8Array | undefined;
  /** Why there is none. */
  refusal: ReplyError | undefined;
  readonly #gather: Gather;

  constructor(gather: Gather, repeatable: boolean) {
    super();
    this.#gather = gather;
    this.repeatable = repeatable;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    if (grants(bytes, start)) this.frame = bytes.slice(start, end);
    else this.refusal = readRefusal(bytes, start, end);
    this.#gather.settle();
  }

  override fail(error: ConnectionError): void {
    this.refusal = new ReplyError(codeOf(error, this.repeatable), error.message);
    this.#gather.settle();
  }
}

function readRefusal(bytes: Uint8Array, start: number, end: number): ReplyError {
  try {
    const reply = decodeReply(bytes, start + FRAME_PREFIX_BYTES, end);
    if (reply instanceof ReplyError) return reply;
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
  }
  return new ReplyError("ERR", "a server has answered what is no reply");
}

/** The parts of one command. */
export class Gather {
  readonly parts: Part[] = [];
  readonly #writes: boolean;
  readonly #finish: (gather: Gather) => void;
  /** Parts not settled, and one more until all are sent. */
  #open = 1;

  /**
   * @param writes whether the command may change data
   * @param finish called once, when all parts are settled and {@linkcode sent} was called
   */
  constructor(writes: boolean, finish: (gather: Gather) => void) {
    this.#writes = writes;
    this.#finish = finish;
  }

  /** Adds a part, which the caller sends. */
  add(): Part {
    const part = new Part(this, !this.#writes);
    this.parts.push(part);
    this.#open++;
    return part;
  }

  /** Says that all parts are sent. */
  sent(): void {
    this.settle();
  }

  /** Takes note that one part is settled. */
  settle(): void {
    if (--this.#open === 0) this.#finish(this);
  }

  /**
   * The replies in the order of the parts.
   *
   * @throws {ReplyError} when a part was refused
   */
  frames(): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let refusal: ReplyError | undefined;
    for (const part of this.parts) {
      if (part.frame !== undefined) frames.push(part.frame);
      // Of several refusals the one that leaves most in doubt counts.
      else if (refusal === undefined || part.refusal!.code === "UNKNOWN_OUTCOME") refusal = part.refusal!;
    }
    if (refusal === undefined) return frames;
    if (!this.#writes || frames.length === 0) throw refusal;
    const note = `${frames.length} of ${this.parts.length} servers have carried out their part`;
    throw new ReplyError(refusal.code, `${refusal.message}; ${note}`);
  }
}
