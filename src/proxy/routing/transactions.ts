/**
 * Transactions through the proxy. All keys of a transaction must share a slot, so that one server executes it as a
 * whole.
 *
 * ```text
 * client    multi → OK    set {a}x 1 → QUEUED    incr {a}y → QUEUED    exec ─────────────────────► [OK, 1]
 * server                                                 multi · set {a}x 1 · incr {a}y · exec → …, [OK, 1]
 * ```
 *
 * The proxy queues the commands. `exec` sends all of them together on one connection, so that no command of another
 * client comes in between, and no connection is reserved for an open transaction. The server's reply to `exec` is the
 * client's reply.
 *
 * `watch` is different, since the server remembers watched keys of a connection. From the first `watch` to the end of
 * the transaction, the client has a dedicated connection, which `exec` uses too. Before and after both commands the
 * client's other requests wait, since they use other connections and could overtake or be overtaken.
 *
 * Commands that the proxy executes itself, such as `client getname`, are also allowed in a transaction: see
 * own_requests.ts.
 *
 * @module
 */

import { checkSizes } from "../../catalog/call.ts";
import { mayWrite } from "../../catalog/specification.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import { checkMulti, checkUnspoilt, checkWatch, transactionFor } from "../../connection/admission.ts";
import { finishInSlices } from "../../connection/in_slices.ts";
import { ConnectionError } from "../../errors.ts";
import { slotOf } from "../../key_slot.ts";
import { LONG_ARGUMENTS_COUNT, LONG_BYTES, STEP_BYTES, STEP_ITEMS_COUNT } from "../../limits.ts";
import { Held } from "../../memory/client_memory.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { DedicatedStream } from "../../route/dedicated.ts";
import type { Pool } from "../../route/pool.ts";
import type { Request } from "../../wire/request.ts";
import type { Cluster } from "../backend/cluster.ts";
import type { Dialect } from "../backend/dialect.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import type { ClientLink, PendingReply, ServerWatch } from "../client/client_link.ts";
import { type Frame, QueuedRequests } from "../client/queued_requests.ts";
import { DiscardReply } from "./discard_reply.ts";
import type { KeySlots } from "./key_slots.ts";
import { checkLocal } from "./local_commands.ts";
import { type CarryOut, OwnRequests } from "./own_requests.ts";
import { cannotBeUsed } from "./refusals.ts";
import { crossSlot, hasWholePairs, sharedSlot } from "./shared_slot.ts";

/** The watched keys of a client. */
export class Watch implements ServerWatch {
  /** The slot of the keys. */
  readonly slot: number;
  /** The server of the watched keys. */
  readonly pool: Pool;
  /** The connection for which the server remembers the keys. */
  readonly stream: DedicatedStream;
  /** The dialect of the connection. */
  #dialect: Dialect;

  constructor(slot: number, pool: Pool, stream: DedicatedStream, dialect: Dialect) {
    this.slot = slot;
    this.pool = pool;
    this.stream = stream;
    this.#dialect = dialect;
  }

  /** Switches the connection to another version of RESP, as its client does. */
  follow(dialect: Dialect): void {
    this.#dialect = dialect;
    const request = dialect.greeting(undefined);
    this.stream.send(new DiscardReply(), request, 0, request.length);
  }

  /**
   * Returns the connection for other clients when the server remembers no keys any more, or closes it if its version
   * has changed.
   */
  end(): void {
    if (this.#dialect === this.stream.framing) this.stream.giveBack();
    else this.stream.drop();
  }
}

const EMPTY = new Uint8Array(0);

const OF_ALL_SERVERS = "a transaction runs on one server, and it concerns all";

/** Runs the commands of the group `transaction`. One object serves all clients. */
export class Transactions {
  readonly #cluster: Cluster;
  readonly #ownReplies: OwnReplies;
  readonly #carryOut: CarryOut;
  /** The buffer in which short transactions are composed. */
  #frame = EMPTY;

  /**
   * Creates the object.
   *
   * @param carryOut executes a request that the proxy executes itself
   */
  constructor(cluster: Cluster, ownReplies: OwnReplies, carryOut: CarryOut) {
    this.#cluster = cluster;
    this.#ownReplies = ownReplies;
    this.#carryOut = carryOut;
  }

  /** Returns whether a command of the group must wait until all earlier requests of its client have replies. */
  needsIdle({ transactionStep }: CommandSpecification, link: ClientLink): boolean {
    const { watch, client: { transaction } } = link;
    if (transactionStep === "watch") return transaction === undefined;
    return transactionStep !== "begin" && watch !== undefined ||
      transactionStep === "run" && (transaction?.own.length ?? 0) > 0;
  }

  /**
   * Runs a command of the group.
   *
   * @throws {ReplyError}
   */
  run(pending: PendingReply, specification: CommandSpecification, request: Request, frame: Frame): void {
    switch (specification.transactionStep) {
      case "begin":
        return this.#multi(pending);
      case "run":
        return this.#exec(pending);
      case "discard":
        return this.#discard(pending);
      case "watch":
        return this.#watch(pending, specification, request, frame);
      case "unwatch":
        this.forget(pending.link);
        return this.#ownReplies.ok(pending);
    }
  }

  #multi(pending: PendingReply): void {
    const { link } = pending;
    checkMulti(link.client);
    link.client.transaction = new QueuedRequests(link.client.account);
    this.#ownReplies.ok(pending);
  }

  #discard(pending: PendingReply): void {
    const { link } = pending;
    transactionFor("DISCARD", link.client);
    this.forget(link);
    this.#ownReplies.ok(pending);
  }

  #watch(pending: PendingReply, specification: CommandSpecification, request: Request, frame: Frame): void {
    const { link } = pending;
    checkWatch(link.client);
    checkSizes(specification, request);
    const keySlot = sharedSlot(specification, request);
    if (link.watch !== undefined && link.watch.slot !== keySlot) throw crossSlot();
    const isFirst = link.watch === undefined;
    if (link.watch === undefined) {
      const pool = this.#cluster.ownerOfSlot(keySlot);
      const { dialect } = link;
      link.watch = new Watch(keySlot, pool, this.#cluster.dedicate(pool, dialect), dialect);
    }
    link.watch.stream.send(new WatchRequest(pending, isFirst), frame.bytes, frame.start, frame.size);
    link.backpressure.holdUntilIdle();
  }

  /**
   * Queues a command, and replies `QUEUED`.
   *
   * @param keys the slots of a request of very many keys
   * @throws {ReplyError} when the command cannot be part of the client's transaction
   */
  queue(
    pending: PendingReply,
    specification: CommandSpecification,
    request: Request,
    frame: Frame,
    keys?: KeySlots,
  ): void {
    const transaction = pending.link.client.transaction!;
    const isOwn = isOwnRequest(specification, transaction);
    if (isOwn) checkLocal(specification, request);
    const keySlot = isOwn ? -1 : keys?.shared(true) ?? slotInTransaction(specification, request);
    if (keySlot >= 0) {
      const known = transaction.slot >= 0 ? transaction.slot : pending.link.watch?.slot ?? keySlot;
      if (known !== keySlot) throw crossSlot(true);
      transaction.slot = keySlot;
    }
    transaction.add(frame.bytes, frame.start, frame.size, isOwn ? specification : undefined);
    if (mayWrite(specification, request.count)) transaction.writes = true;
    this.#ownReplies.reply(pending, (reply) => reply.status("QUEUED"));
  }

  #exec(pending: PendingReply): void {
    const { link } = pending;
    const { dialect } = link;
    const transaction = transactionFor("EXEC", link.client);
    if (transaction.isSpoilt) this.forget(link);
    checkUnspoilt(transaction);
    link.client.transaction = undefined;
    pending.repeatable = false;
    if (transaction.count === 0 && link.watch === undefined) {
      transaction.free();
      return this.#ownReplies.reply(pending, (reply) => reply.array(0));
    }
    if (transaction.own.length > 0) return link.backpressure.hold(this.#execWithOwn(pending, transaction));
    const size = dialect.multi.length + transaction.bytes + dialect.exec.length;
    if (size > LONG_BYTES || transaction.count > LONG_ARGUMENTS_COUNT) {
      return link.backpressure.hold(this.#execLong(pending, transaction, size));
    }
    if (size > this.#frame.length) this.#frame = new Uint8Array(LONG_BYTES);
    const composing = compose(dialect, transaction, this.#frame);
    while (!composing());
    this.#sendAll(pending, transaction, this.#frame, size, false);
  }

  /** Does what {@linkcode #exec} does, for a long transaction, which is composed in slices. Never rejects. */
  async #execLong(pending: PendingReply, transaction: QueuedRequests, size: number): Promise<void> {
    const { link } = pending;
    const { dialect, client: { account } } = link;
    try {
      // Until its reply arrives, the transaction is on its way to the server.
      account.charge(Held.Request, size);
      pending.sentBytes = size;
      const frame = new Uint8Array(size);
      const composing = compose(dialect, transaction, frame);
      await finishInSlices(link, composing);
      this.#sendAll(pending, transaction, frame, size, true);
    } catch (error) {
      transaction.free();
      this.forget(pending.link);
      this.#ownReplies.reply(pending, () => {
        throw error;
      });
    }
  }

  /**
   * Does what {@linkcode #exec} does, for a transaction with commands that the proxy executes itself. Never rejects.
   */
  async #execWithOwn(pending: PendingReply, transaction: QueuedRequests): Promise<void> {
    const { link } = pending;
    const { dialect, client: { account } } = link;
    const own = new OwnRequests(pending, transaction, this.#ownReplies, this.#carryOut);
    let repliedBytes = 0;
    try {
      // Until its reply arrives, the transaction is on its way to the server.
      account.charge(Held.Request, transaction.bytes);
      pending.sentBytes = transaction.bytes;
      await own.compose();
      if (own.serverCount === 0 && link.watch === undefined) return await own.finish(EMPTY);
      const reply = await this.#sendWithOwn(pending, transaction, own);
      if (reply === undefined) return this.#ownReplies.reply(pending, (writer) => writer.nilArray());
      account.charge(Held.Reply, reply.length);
      repliedBytes = reply.length;
      if (dialect.grants(reply, 0) && !dialect.isNil(reply, 0)) await own.finish(reply);
      else pending.succeed(reply, 0, reply.length);
    } catch (error) {
      if (error instanceof ConnectionError) return pending.fail(error);
      this.#ownReplies.reply(pending, () => {
        throw error;
      });
    } finally {
      account.release(Held.Reply, repliedBytes);
      own.free();
      transaction.free();
      if (link.client.closing) link.leave();
    }
  }

  /**
   * Sends the server's part of a transaction. Returns a copy of the reply to `exec`, or `undefined` when watched keys
   * have another owner, where other clients may have changed them.
   *
   * @throws {ConnectionError} when there is no reply
   */
  async #sendWithOwn(
    pending: PendingReply,
    transaction: QueuedRequests,
    own: OwnRequests,
  ): Promise<Uint8Array | undefined> {
    const { link } = pending;
    const { watch } = link;
    const pool = this.#cluster.ownerOfSlot(watch?.slot ?? Math.max(0, transaction.slot));
    if (watch !== undefined && pool !== watch.pool) {
      this.forget(link);
      return undefined;
    }
    const part = new ServerPartRequest(1 + own.serverCount);
    if (watch === undefined && !own.changesVersion) {
      if (transaction.writes) this.#cluster.wrote(transaction.slot);
      pool.requests += part.unread;
      link.streams.sendOwned(pool, part, own.frame, own.size);
      return await part.reply;
    }
    const stream = watch?.stream ?? this.#cluster.dedicate(pool, link.dialect);
    if (transaction.writes) this.#cluster.wrote(watch?.slot ?? transaction.slot);
    link.watch = undefined;
    stream.sendOwned(part, own.frame, own.size);
    try {
      return await part.reply;
    } finally {
      // A connection that has used another version cannot be lent to other clients.
      if (own.changesVersion || watch === undefined) stream.drop();
      else watch.end();
    }
  }

  /**
   * Sends a transaction in one frame, so that no request of other clients comes in between. The replies before that to
   * `exec` are discarded: if the server refuses one request, it also refuses `exec`.
   *
   * @param isOwned whether the frame may be kept
   */
  #sendAll(
    pending: PendingReply,
    transaction: QueuedRequests,
    frame: Uint8Array<ArrayBuffer>,
    size: number,
    isOwned: boolean,
  ): void {
    const { link } = pending;
    const { watch } = link;
    const last = new LastRequest(pending, transaction, watch);
    if (watch === undefined) {
      const pool = this.#cluster.ownerOfSlot(Math.max(0, transaction.slot));
      if (transaction.writes) this.#cluster.wrote(transaction.slot);
      pool.requests += last.unread;
      if (isOwned) link.streams.sendOwned(pool, last, frame, size);
      else link.streams.send(pool, last, frame, 0, size);
      return;
    }
    if (this.#cluster.ownerOfSlot(watch.slot) !== watch.pool) {
      // The keys have another owner, where other clients may have changed them.
      transaction.free();
      this.forget(link);
      return this.#ownReplies.reply(pending, (reply) => reply.nilArray());
    }
    link.watch = undefined;
    if (transaction.writes) this.#cluster.wrote(watch.slot);
    if (isOwned) watch.stream.sendOwned(last, frame, size);
    else watch.stream.send(last, frame, 0, size);
    link.backpressure.holdUntilIdle();
  }

  /** Ends a client's transaction and its watch. */
  forget(link: ClientLink): void {
    link.client.transaction?.free();
    link.client.transaction = undefined;
    // The server forgets the keys when the connection ends.
    link.watch?.stream.drop();
    link.watch = undefined;
  }
}

/**
 * Composes a transaction in `frame`, which has room for it: `multi`, the queued commands, `exec`.
 *
 * @returns a function that composes some more with each call, and returns whether all is done
 */
function compose({ multi, exec }: Dialect, transaction: QueuedRequests, frame: Uint8Array): () => boolean {
  frame.set(multi);
  let length = multi.length;
  let next = 0;
  return () => {
    const stop = Math.min(transaction.count, next + STEP_ITEMS_COUNT);
    for (const full = length + STEP_BYTES; next < stop && length < full; next++) {
      length += transaction.copyTo(next, frame, length);
    }
    if (next < transaction.count) return false;
    frame.set(exec, length);
    // The frame contains the whole transaction now.
    transaction.freeBytes();
    return true;
  };
}

/** Returns whether the proxy itself executes a command that is queued in `transaction`. */
function isOwnRequest({ routing, proxy }: CommandSpecification, transaction: QueuedRequests): boolean {
  if (routing === "channel") return true;
  // Any server can execute some of them. But the reply to `ping` may depend on what the proxy executes before.
  return routing === "local" && (proxy.anyServer !== true || transaction.own.length > 0);
}

/**
 * Returns the slot of a queued command's keys, or -1 when it has none.
 *
 * @throws {ReplyError} when the keys are in several slots, or the command concerns all servers
 */
function slotInTransaction(specification: CommandSpecification, request: Request): number {
  const { routing, proxy, firstKey } = specification;
  if (routing === "publish") return slotOf(request.bytes, request.start(1), request.length(1));
  if (proxy.anyServer) return -1;
  if (firstKey === 0) throw cannotBeUsed(request, OF_ALL_SERVERS);
  // Any server refuses a command without all its arguments when it runs.
  const isWhole = request.count > firstKey && hasWholePairs(specification, request);
  return isWhole ? sharedSlot(specification, request, true) : -1;
}

/** The server's part of a transaction with commands that the proxy executes itself. */
class ServerPartRequest extends BackendRequest {
  readonly #reply = Promise.withResolvers<Uint8Array>();

  /**
   * Creates the request.
   *
   * @param unread the number of replies before that to `exec`
   */
  constructor(unread: number) {
    super();
    this.unread = unread;
  }

  /** The reply to `exec`. It rejects with a `ConnectionError` when there is none. */
  get reply(): Promise<Uint8Array> {
    return this.#reply.promise;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#reply.resolve(bytes.slice(start, end));
  }

  override succeedOwned(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.#reply.resolve(bytes.subarray(start, end));
  }

  override fail(error: ConnectionError): void {
    this.#reply.reject(error);
  }
}

/** A `watch` that is sent to the server. */
class WatchRequest extends BackendRequest {
  readonly #pending: PendingReply;
  readonly #isFirst: boolean;

  constructor(pending: PendingReply, isFirst: boolean) {
    super();
    this.#pending = pending;
    this.#isFirst = isFirst;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#pending.succeed(bytes, start, end);
  }

  override fail(error: ConnectionError): void {
    // After an earlier `watch`, `exec` must not forget the keys: it fails on the lost connection.
    if (this.#isFirst) this.#pending.link.watch = undefined;
    this.#pending.fail(error);
  }
}

/**
 * An `exec` that is sent to the server. Until its reply arrives, the queued commands are charged to the client. If the
 * client watches keys, its connection is then free for others.
 */
class LastRequest extends BackendRequest {
  readonly #pending: PendingReply;
  readonly #transaction: QueuedRequests;
  readonly #watch: ServerWatch | undefined;

  constructor(pending: PendingReply, transaction: QueuedRequests, watch: ServerWatch | undefined) {
    super();
    this.#pending = pending;
    this.#transaction = transaction;
    this.#watch = watch;
    // These are the replies to `multi` and to each queued command.
    this.unread = 1 + transaction.count;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#transaction.free();
    this.#pending.succeed(bytes, start, end);
    this.#watch?.end();
  }

  override fail(error: ConnectionError): void {
    this.#transaction.free();
    this.#pending.fail(error);
  }
}
