/**
 * Transactions in which the proxy executes some commands itself, such as `client getname`, `auth` or `hello`.
 *
 * ```text
 * client   multi   set k 1   client getname   get k   exec     ─► [OK, nil, 1]
 * server   multi   set k 1                    get k   exec     ─► [OK, 1]
 * ```
 *
 * The server executes its commands without interruption. The proxy executes its own ones afterwards, and none of them
 * if `exec` is refused or its reply is nil because a watched key has changed. They concern the connection and not the
 * data, so a client cannot tell that they ran later.
 *
 * `hello` changes the form of the replies after it, including those of the server. So each `hello` is tried first. If
 * it would change the version of a later command for the server, the server gets a `hello` before that command, on a
 * connection dedicated to the client.
 *
 * Messages of channels that arrive meanwhile are held back until the reply to `exec`. A RESP2 client could not
 * distinguish them from that reply, and a client does not know yet which subscriptions and which version it has.
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

/** Executes a request that the proxy executes itself. */
export type CarryOut = (
  pending: PendingReply,
  specification: CommandSpecification,
  request: Request,
  frame: Frame,
) => void;

/** The number of requests between two looks at the clock. */
const OWN_AT_ONCE_COUNT = 32;

/** The effect of a `hello`, and its reply. */
interface Greeting {
  /** The name that it gives the client, if any. */
  readonly name: string | undefined;
  /** The version after it; `undefined` when it is refused. */
  readonly version: ProtocolVersion | undefined;
  /** Whether its password is wrong. */
  readonly isGuess: boolean;
  readonly reply: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** Marks a name that `hello` has not set. No name contains a line end. */
const UNCHANGED = "\n";

/** One such transaction, from `exec` on. */
export class OwnRequests {
  /** The server's part is `frame[0, size)`, after it was {@linkcode composed}. */
  frame: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  size = 0;
  /** The number of requests between `multi` and `exec` in it. */
  serverCount = 0;
  readonly #pending: PendingReply;
  readonly #dialect: Dialect;
  readonly #transaction: QueuedRequests;
  readonly #ownReplies: OwnReplies;
  readonly #carryOut: CarryOut;
  readonly #greetings = new Map<number, Greeting>();
  /** The requests before which the server gets a `hello`. */
  readonly #versionChanges: number[] = [];
  readonly #request = new Request();
  /** The state on which each `hello` is tried, and its reply. */
  readonly #draft: ClientState;
  readonly #draftReply: NativeReply | RespReply;
  /** The replies to the proxy's own requests, in order. */
  readonly #replies: Uint8Array[] = [];
  /** The bytes that the client is charged for greetings, and for replies that are not joined yet. */
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

  /** Whether the server's connection has another version afterwards, or had one in between. */
  get changesVersion(): boolean {
    return this.#versionChanges.length > 0;
  }

  /**
   * Tries each `hello`, in slices.
   *
   * @throws {ReplyError} when there is no memory for the replies
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
   * Tries each `hello`, and composes the server's part, in slices. {@linkcode free} must follow.
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
    // These are the versions of the server's connection and of the client.
    let spoken = this.#dialect.version;
    let wanted = spoken;
    const tell = () => {
      const request = greetingOf(spoken = wanted);
      this.frame.set(request, this.size);
      this.size += request.length;
      this.#versionChanges.push(next);
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

  /** Loads a queued request. Returns its bytes, which are borrowed until the queue is freed. */
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
   * Executes the proxy's own requests after the server's, and replies to the client. A client that has disconnected
   * meanwhile gets no reply.
   *
   * @param reply the server's reply to `exec`, which has run its requests
   */
  async finish(reply: Uint8Array): Promise<void> {
    const { link } = this.#pending;
    const { account } = link.client;
    // Items are executed one after another within one task of the event loop. Slices would count this time for other
    // clients.
    let endMs = performance.now() + SLICE_MS;
    link.holdMessages();
    link.client.executedCount = this.#transaction.count;
    try {
      for (const { index, specification } of this.#transaction.own) {
        const greeting = this.#greetings.get(index);
        const item = greeting === undefined ? await this.#run(index, specification) : await this.#greet(greeting);
        this.#replies.push(item);
        // The server has run its requests, so the reply cannot be refused. If there is no memory for it, the client is
        // disconnected.
        account.force(Held.Reply, OWN_REPLY_BYTES + item.length);
        this.#repliesBytes += OWN_REPLY_BYTES + item.length;
        if (link.isGone) return;
        if (performance.now() < endMs) continue;
        await link.pause();
        endMs = performance.now() + SLICE_MS;
      }
      await this.#ownReplies.replyInSteps(this.#pending, account, (joined) => {
        joined.array(this.#transaction.count);
        return this.#join(reply, joined);
      });
    } finally {
      link.client.executedCount = -1;
      link.releaseMessages();
    }
  }

  /** Releases the memory that is charged to the client. */
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

  /** Executes one request. Returns its reply, as an item of the reply to `exec`. */
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
  *#join(reply: Uint8Array, joined: Reply): ReplySteps {
    const { own, count } = this.#transaction;
    const reader = this.#dialect.values(reply, 0, reply.length);
    if (reply.length > 0) reader.array();
    let index = 0;
    let nextChange = 0;
    for (let i = 0; i <= own.length; i++) {
      const stop = own[i]?.index ?? count;
      if (index < stop && index === this.#versionChanges[nextChange]) {
        // The client gets the reply to its own `hello` instead.
        reader.skipNested();
        nextChange++;
      }
      const from = reader.at;
      for (; index < stop; index++) {
        reader.skipNested();
        if (index % STEP_ITEMS_COUNT === 0) yield;
      }
      yield* copyRaw(reply, from, reader.at, joined);
      if (i === own.length) break;
      const item = this.#replies[i]!;
      yield* copyRaw(item, 0, item.length, joined);
      this.#pending.link.client.account.release(Held.Reply, OWN_REPLY_BYTES + item.length);
      this.#repliesBytes -= OWN_REPLY_BYTES + item.length;
      this.#replies[i] = NO_BYTES;
      if (i % STEP_ITEMS_COUNT === 0) yield;
      index++;
    }
  }
}

/** Receives the reply to one request, for an item of the reply to `exec`. */
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

/** Returns a context in which `hello` is tried: it changes `draft` and `reply`, and nothing of the client. */
function draftContext(link: ClientLink, draft: ClientState, reply: Reply): ConnectionContext {
  const { role } = link;
  return {
    client: draft,
    shared: link.shared,
    role: {
      passwordRequired: role.passwordRequired,
      authenticate: (client, user, password) => role.authenticate(client, user, password),
      failedLogin: (client) => {
        // The role counts and delays it when the request is executed.
        client.failedLogins++;
        return 0;
      },
      noteAdmin: () => {},
      info: (sections) => role.info(sections),
      problems: () => role.problems(),
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
