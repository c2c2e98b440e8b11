/**
 * One command that several servers execute: its parts, and the reply that is joined from theirs.
 *
 * The reply is joined when the last part is settled, successfully or not. If a server refuses its part, the whole
 * command is refused, and the client never gets a part as if it were the whole. If other servers have executed their
 * part of a write, the error says so.
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

/** The request to one server. */
export class Part extends BackendRequest {
  /** The reply, if the server has granted the request. */
  reply: Uint8Array<ArrayBuffer> | undefined;
  /** The size of a long reply, which is charged to the client, in bytes. */
  chargedBytes = 0;
  /** The reason why there is no reply. */
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

  /** Releases the reply. */
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
  /** The dialect of the replies. */
  readonly dialect: Dialect;
  /** The client's account, which is charged for long replies until they are joined. */
  readonly account: ClientAccount;
  readonly #writes: boolean;
  readonly #finish: (gather: Gather) => void;
  /** The number of unsettled parts, plus one until all are sent. */
  #open = 1;

  /**
   * Creates a command without parts.
   *
   * @param dialect the dialect of the client
   * @param writes whether the command may change data
   * @param account the account of the client
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

  /** Records that all parts are sent. */
  sent(): void {
    this.settle();
  }

  /** The size of all replies, in bytes. */
  get size(): number {
    let size = 0;
    for (const { reply } of this.parts) size += reply?.length ?? 0;
    return size;
  }

  /** Releases the replies. */
  free(): void {
    for (const part of this.parts) part.free();
  }

  /** Records that one part is settled. */
  settle(): void {
    if (--this.#open === 0) this.#finish(this);
  }

  /**
   * Returns the replies in the order of the parts.
   *
   * @throws {ReplyError} when a part was refused
   */
  granted(): JoinedPart[] {
    const granted: JoinedPart[] = [];
    let refusal: ReplyError | undefined;
    for (const { reply, refusal: reason } of this.parts) {
      if (reply !== undefined) granted.push({ bytes: reply, reader: this.dialect.values(reply, 0, reply.length) });
      // Of several refusals, an unknown outcome has precedence.
      else if (refusal === undefined || reason!.code === "UNKNOWN_OUTCOME") refusal = reason!;
    }
    if (refusal === undefined) return granted;
    if (!this.#writes || granted.length === 0) throw refusal;
    const note = `${granted.length} of ${this.parts.length} servers have carried out their part`;
    throw new ReplyError(refusal.code, `${refusal.message}; ${note}`);
  }
}
