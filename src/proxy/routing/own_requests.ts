/**
 * Transactions in which the proxy answers some requests itself, such as `client getname`, `auth` or `hello`.
 *
 * ```text
 * client   multi   set k 1   client getname   get k   exec     ─► [OK, nil, 1]
 * server   multi   set k 1                    get k   exec     ─► [OK, 1]
 * ```
 *
 * The server runs its requests at once, with nothing in between. The proxy carries out its own ones when the server has
 * run the others: where `exec` is refused, or answers nil since a watched key has changed, none of them has happened. They
 * concern the connection and not the data, so a client cannot tell that they came later.
 *
 * `hello` changes what the replies behind it look like, those of the server among them. So it is tried out beforehand, and
 * where it would change the version of a request for the server, the server is told the same before that one, on a connection
 * of the client's own.
 *
 * Messages of channels that come meanwhile are held back until `exec` is answered: in RESP2 the client could not tell them
 * from that answer, and it does not know yet what it has subscribed to, or which version it speaks.
 *
 * @module
 */

import type { CommandSpecification } from "../../catalog/specification.ts";
import { ClientState } from "../../connection/client_state.ts";
import type { ProtocolVersion } from "../../connection/client_state.ts";
import * as connectionCommands from "../../connection/connection.ts";
import type { ConnectionContext } from "../../connection/context.ts";
import { finishInSlices } from "../../connection/in_slices.ts";
import { ReplyError } from "../../errors.ts";
import type { ReplyCode } from "../../errors.ts";
import { OWN_REPLY_BYTES, SLICE_MS, STEP_BYTES, STEP_ITEMS_COUNT } from "../../limits.ts";
import { Held } from "../../memory/client_memory.ts";
import { NativeReply } from "../../wire/native/reply_writer.ts";
import type { Reply } from "../../wire/reply.ts";
import { Request } from "../../wire/request.ts";
import { REQUEST_LIMITS } from "../../wire/request_limits.ts";
import { RespReply } from "../../wire/resp/reply_writer.ts";
import type { Dialect } from "../backend/dialect.ts";
import { type ClientLink, PendingReply } from "../client/client_link.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import type { ReplySteps } from "../client/own_replies.ts";
import type { Frame, QueuedRequests } from "../client/queued_requests.ts";
import { copyRaw } from "./join.ts";

/** Carries out a request that the proxy answers itself. */
export type CarryOut = (
  pending: PendingReply,
  specification: CommandSpecification,
  request: Request,
  frame: Frame,
) => void;

/** Requests that are looked at between two looks at the clock. */
const OWN_AT_ONCE_COUNT = 32;

/** What a `hello` will do, and its reply. */
interface Greeting {
  /** The name that it gives the client, if it gives one. */
  readonly name: string | undefined;
  /** The version from then on; nothing when it is refused. */
  readonly version: ProtocolVersion | undefined;
  /** Whether it names a wrong password. */
  readonly isGuess: boolean;
  readonly reply: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Stands for a name that `hello` has not set: none has a line's end. */
const UNCHANGED = "\n";

/** One transaction of that kind, from `exec` on. */
export class OwnRequests {
  /** What the server gets is `frame[0, size)`, once it is {@linkcode composed}. */
  frame: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  size = 0;
  /** Requests between `multi` and `exec` in it. */
  serverCount = 0;
  readonly #pending: PendingReply;
  readonly #dialect: Dialect;
  readonly #transaction: QueuedRequests;
  readonly #ownReplies: OwnReplies;
  readonly #carryOut: CarryOut;
  readonly #greetings = new Map<number, Greeting>();
  /** The requests before which the server is told of another version. */
  readonly #told: number[] = [];
  readonly #request = new Request();
  /** What each `hello` is tried out on, and what it replies. */
  readonly #draft: ClientState;
  readonly #draftReply: NativeReply | RespReply;
  /** Replies to the proxy's own requests, in their order. */
  readonly #replies: Uint8Array[] = [];
  /** Bytes that the client is charged for greetings, and for replies that are not joined yet. */
  #greetingsBytes = 0;
  #repliesBytes = 0;

  constructor(pending: PendingReply, transaction: QueuedRequests, ownReplies: OwnReplies, carryOut: CarryOut) {
    this.#pending = pending;
    this.#dialect = pending.link.dialect;
    this.#transaction = transaction;
    this.#ownReplies = ownReplies;
    this.#carryOut = carryOut;
    const { client } = pending.link;
    this.#draft = new ClientState(client.id, client.address, client.localAddress, client.connection, true);
    this.#draft.version = this.#dialect.version;
    this.#draft.failedLogins = client.failedLogins;
    this.#draftReply = this.#dialect.version === 0 ? new NativeReply() : new RespReply();
  }

  /** Whether the server's connection speaks another version afterwards, or has done so in between. */
  get changesVersion(): boolean {
    return this.#told.length > 0;
  }

  /**
   * Tries `hello` out, in slices.
   *
   * @throws {ReplyError} when there is no memory for what they reply
   */
  async #tryGreetings(): Promise<void> {
    const { link } = this.#pending;
    const { account } = link.client;
    const { own } = this.#transaction;
    let next = 0;
    await finishInSlices(link, () => {
      const stop = Math.min(own.length, next + OWN_AT_ONCE_COUNT);
      for (; next < stop; next++) {
        const { index, specification } = own[next]!;
        if (!specification.changesProtocol) continue;
        account.charge(Held.Objects, OWN_REPLY_BYTES);
        this.#greetingsBytes += OWN_REPLY_BYTES;
        this.#greetings.set(index, this.#tryOut(index));
      }
      return next === own.length;
    });
  }

  /**
   * Tries `hello` out, and composes what the server gets, in slices. {@linkcode free} has to follow.
   *
   * @throws {ReplyError} when there is no memory for it
   */
  async compose(): Promise<void> {
    const { link } = this.#pending;
    const { multi, exec } = this.#dialect;
    const transaction = this.#transaction;
    const { own } = transaction;
    await this.#tryGreetings();
    const greetings = new Map<ProtocolVersion, Uint8Array>();
    const greetingOf = (version: ProtocolVersion) => {
      let request = greetings.get(version);
      if (request === undefined) {
        greetings.set(version, request = this.#dialect.request(["hello", String(version)]));
      }
      return request;
    };
    const greetingSize = this.#greetings.size === 0 ? 0 : greetingOf(3).length;
    this.frame = new Uint8Array(
      multi.length + transaction.bytes + this.#greetings.size * greetingSize + exec.length,
    );
    this.frame.set(multi);
    this.size = multi.length;
    let next = 0;
    let nextOwn = 0;
    // What the server speaks, and what the client does.
    let spoken = this.#dialect.version;
    let wanted = spoken;
    const tell = () => {
      const request = greetingOf(spoken = wanted);
      this.frame.set(request, this.size);
      this.size += request.length;
      this.#told.push(next);
      this.serverCount++;
    };
    await finishInSlices(link, () => {
      const stop = Math.min(transaction.count, next + STEP_ITEMS_COUNT);
      for (const full = this.size + STEP_BYTES; next < stop && this.size < full; next++) {
        if (own[nextOwn]?.index === next) {
          nextOwn++;
          wanted = this.#greetings.get(next)?.version ?? wanted;
          continue;
        }
        if (wanted !== spoken) tell();
        this.size += transaction.copyTo(next, this.frame, this.size);
        this.serverCount++;
      }
      return next === transaction.count;
    });
    this.frame.set(exec, this.size);
    this.size += exec.length;
  }

  /** Reads a queued request back. Returns its bytes, which are borrowed until the queue is freed. */
  #load(index: number): Frame {
    const frame = this.#transaction.frameOf(index);
    const decoder = this.#dialect.decoder();
    decoder.decode(frame.bytes, frame.start, frame.start + frame.size, this.#request, REQUEST_LIMITS);
    return frame;
  }

  /** Runs a `hello` on the draft. */
  #tryOut(index: number): Greeting {
    this.#load(index);
    const { link } = this.#pending;
    const draft = this.#draft;
    const reply = this.#draftReply;
    const failedBefore = draft.failedLogins;
    draft.name = UNCHANGED;
    if (reply instanceof RespReply) reply.version = draft.version === 3 ? 3 : 2;
    reply.begin();
    let isGranted = true;
    try {
      connectionCommands.hello(draftContext(link, draft, reply), this.#request, reply);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      isGranted = false;
      reply.error(error.code as ReplyCode, error.message);
    }
    reply.end();
    return {
      name: isGranted && draft.name !== UNCHANGED ? draft.name : undefined,
      version: isGranted ? draft.version : undefined,
      isGuess: draft.failedLogins > failedBefore,
      reply: reply.takeContents().slice(this.#dialect.itemStart),
    };
  }

  /**
   * Takes what the server has answered to `exec`, carries out what is the proxy's own, and answers the client. A client that
   * has gone meanwhile is not answered.
   *
   * @param reply of the server, which has run its requests
   */
  async finish(reply: Uint8Array): Promise<void> {
    const { link } = this.#pending;
    const { account } = link.client;
    // Items are carried out one behind another without a turn of the event loop, which slices would take for time of others.
    let endMs = performance.now() + SLICE_MS;
    link.holdMessages();
    try {
      for (const { index, specification } of this.#transaction.own) {
        const greeting = this.#greetings.get(index);
        const item = greeting === undefined ? await this.#run(index, specification) : await this.#greet(greeting);
        this.#replies.push(item);
        // The server has run its requests, so this is not refused: where there is no room, the client is disconnected.
        account.force(Held.Reply, OWN_REPLY_BYTES + item.length);
        this.#repliesBytes += OWN_REPLY_BYTES + item.length;
        if (link.isGone) return;
        if (performance.now() < endMs) continue;
        await link.pause();
        endMs = performance.now() + SLICE_MS;
      }
      await this.#ownReplies.answerInSteps(this.#pending, account, (answer) => {
        answer.array(this.#transaction.count);
        return this.#join(reply, answer);
      });
    } finally {
      link.releaseMessages();
    }
  }

  /** Lets go of what it is charged for. */
  free(): void {
    const { account } = this.#pending.link.client;
    account.release(Held.Objects, this.#greetingsBytes);
    account.release(Held.Reply, this.#repliesBytes);
    this.#greetingsBytes = this.#repliesBytes = 0;
  }

  async #greet({ version, name, isGuess, reply }: Greeting): Promise<Uint8Array> {
    const { link } = this.#pending;
    const { client, role } = link;
    if (name !== undefined) client.name = name;
    if (version !== undefined) link.speak(version);
    const delayMs = isGuess ? role.failedLogin(client) : 0;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    return reply;
  }

  /** Carries out one request. Returns its reply, as an item of that to `exec`. */
  async #run(index: number, specification: CommandSpecification): Promise<Uint8Array> {
    const item = new PendingItem(this.#pending.link);
    try {
      const frame = this.#load(index);
      this.#carryOut(item, specification, this.#request, frame);
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      this.#ownReplies.refuseWith(item, error);
    }
    const reply = await item.taken;
    return reply.subarray(this.#dialect.itemStart);
  }

  /** Joins the server's items with the proxy's own, in the order of the requests. */
  *#join(reply: Uint8Array, answer: Reply): ReplySteps {
    const { own, count } = this.#transaction;
    const reader = this.#dialect.values(reply, 0, reply.length);
    if (reply.length > 0) reader.array();
    let index = 0;
    let nextTold = 0;
    for (let i = 0; i <= own.length; i++) {
      const stop = own[i]?.index ?? count;
      if (index < stop && index === this.#told[nextTold]) {
        // The client has got the reply to its own `hello`.
        reader.skipNested();
        nextTold++;
      }
      const from = reader.at;
      for (; index < stop; index++) {
        reader.skipNested();
        if (index % STEP_ITEMS_COUNT === 0) yield;
      }
      yield* copyRaw(reply, from, reader.at, answer);
      if (i === own.length) break;
      const item = this.#replies[i]!;
      yield* copyRaw(item, 0, item.length, answer);
      this.#pending.link.client.account.release(Held.Reply, OWN_REPLY_BYTES + item.length);
      this.#repliesBytes -= OWN_REPLY_BYTES + item.length;
      this.#replies[i] = NO_BYTES;
      if (i % STEP_ITEMS_COUNT === 0) yield;
      index++;
    }
  }
}

/** Takes the reply to one request, for an item of the reply to `exec`. */
class PendingItem extends PendingReply {
  readonly #taken = Promise.withResolvers<Uint8Array>();

  get taken(): Promise<Uint8Array> {
    return this.#taken.promise;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#taken.resolve(bytes.slice(start, end));
  }

  override succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.#taken.resolve(bytes.subarray(start, end));
  }

  override succeedInPieces(pieces: readonly Uint8Array<ArrayBuffer>[]): void {
    const whole = new Uint8Array(pieces.reduce((size, piece) => size + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    this.#taken.resolve(whole);
  }
}

/** Returns what `hello` may use while it is tried out: it changes `draft` and `reply`, and nothing of the client. */
function draftContext(link: ClientLink, draft: ClientState, reply: Reply): ConnectionContext {
  const { role } = link;
  return {
    client: draft,
    shared: link.shared,
    role: {
      passwordRequired: role.passwordRequired,
      authenticate: (client, user, password) => role.authenticate(client, user, password),
      failedLogin: (client) => {
        // The role counts and delays it when the request is carried out.
        client.failedLogins++;
        return 0;
      },
      noteAdmin: () => {},
      info: (sections) => role.info(sections),
      resetStatistics: () => {},
    },
    speak: (version) => {
      draft.version = version;
      if (reply instanceof RespReply) reply.version = version === 3 ? 3 : 2;
    },
    slice: (step) => link.slice(step),
    pause: () => link.pause(),
  };
}
