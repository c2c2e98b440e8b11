/**
 * One command that several servers carry out: its parts, and the reply made of theirs.
 *
 * The reply is made when the last part is settled, whichever way. If one of them was refused, the whole command is,
 * and the client is never given a part as if it were the whole; where others had carried out their part of a write, the
 * refusal says so.
 *
 * @module
 */

import { ReplyError } from "../../errors.ts";
import type { ConnectionError } from "../../errors.ts";
import { type ClientAccount, Held } from "../../memory/client_memory.ts";
import { freeBuffer } from "../../memory/freed_memory.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { Dialect } from "../backend/dialect.ts";
import { codeOf } from "../backend/errors.ts";
import type { JoinedPart } from "./join.ts";

/** What one server is asked. */
export class Part extends BackendRequest {
  /** Its reply, when it granted the request. */
  reply: Uint8Array<ArrayBuffer> | undefined;
  /** Bytes of a long one, which are charged to the client. */
  chargedBytes = 0;
  /** Why there is none. */
  refusal: ReplyError | undefined;
  readonly #gather: Gather;

  constructor(gather: Gather, repeatable: boolean) {
    super();
    this.#gather = gather;
    this.repeatable = repeatable;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = this.#gather;
    if (dialect.grants(bytes, start)) this.reply = bytes.slice(start, end);
    else this.refusal = dialect.refusal(bytes, start, end);
    this.#gather.settle();
  }

  override succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    const gather = this.#gather;
    const size = end - start;
    if (!gather.dialect.grants(bytes, start)) return this.succeed(bytes, start, end);
    if (gather.account.tryCharge(Held.Reply, size)) {
      this.reply = bytes.subarray(start, end);
      this.chargedBytes = size;
    } else {
      freeBuffer(bytes);
      this.refusal = new ReplyError("ERR", gather.account.refusal(Held.Reply));
    }
    gather.settle();
  }

  /** Lets go of the reply. */
  free(): void {
    this.#gather.account.release(Held.Reply, this.chargedBytes);
    if (this.reply !== undefined) freeBuffer(this.reply);
    this.reply = undefined;
    this.chargedBytes = 0;
  }

  override fail(error: ConnectionError): void {
    this.refusal = new ReplyError(codeOf(error, this.repeatable), error.message);
    this.#gather.settle();
  }
}

/** The parts of one command. */
export class Gather {
  readonly parts: Part[] = [];
  /** What the replies are in. */
  readonly dialect: Dialect;
  /** Of the client: it is charged for long replies until they are joined. */
  readonly account: ClientAccount;
  readonly #writes: boolean;
  readonly #finish: (gather: Gather) => void;
  /** Parts not settled, and one more until all are sent. */
  #open = 1;

  /**
   * @param dialect of the client
   * @param writes whether the command may change data
   * @param account of the client
   * @param finish called once, when all parts are settled and {@linkcode sent} was called
   */
  constructor(dialect: Dialect, writes: boolean, account: ClientAccount, finish: (gather: Gather) => void) {
    this.dialect = dialect;
    this.account = account;
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

  /** Bytes of all replies. */
  get size(): number {
    let size = 0;
    for (const { reply } of this.parts) size += reply?.length ?? 0;
    return size;
  }

  /** Lets go of the replies. */
  free(): void {
    for (const part of this.parts) part.free();
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
  granted(): JoinedPart[] {
    const granted: JoinedPart[] = [];
    let refusal: ReplyError | undefined;
    for (const { reply, refusal: reason } of this.parts) {
      if (reply !== undefined) granted.push({ bytes: reply, reader: this.dialect.values(reply, 0, reply.length) });
      // Of several refusals the one that leaves most in doubt counts.
      else if (refusal === undefined || reason!.code === "UNKNOWN_OUTCOME") refusal = reason!;
    }
    if (refusal === undefined) return granted;
    if (!this.#writes || granted.length === 0) throw refusal;
    const note = `${granted.length} of ${this.parts.length} servers have carried out their part`;
    throw new ReplyError(refusal.code, `${refusal.message}; ${note}`);
  }
}
