/**
 * Blocking commands, such as `blpop`. Each runs on a dedicated connection, since other requests would wait after it.
 * All its keys must share a slot.
 *
 * ```text
 * client    blpop {a}x {a}y 0 ─────────────────────► … ─────► [{a}x, 1]        only the end of the client is read meanwhile
 * server    client id · blpop {a}x {a}y 0  → 7, … ──────────► [{a}x, 1]        on a dedicated connection
 * ```
 *
 * A wait can be cancelled without losing an element that is on its way. The proxy asks the server to unblock the
 * connection by its id. The reply is then either an element after all, or nil. The proxy does this in these cases:
 *
 * - The slot changes its owner. The wait continues there, with its whole timeout.
 * - A client sends `client unblock`.
 * - The proxy stops.
 * - The client has disconnected. An element that is pushed then must not be lost:
 *   - Before the proxy forwards a command that writes in a slot in which clients wait, it finds out from the system
 *     which of them have disconnected (peer_ends.ts). If any have, the command waits until the server has unblocked
 *     them.
 *   - An element that arrives nevertheless, since it was pushed past this proxy, is put back (put_back.ts).
 *
 * @module
 */

import { checkSizes } from "../../catalog/call.ts";
import type { CommandSpecification } from "../../catalog/specification.ts";
import type { PendingWait } from "../../connection/client_state.ts";
import { ProtocolError, ReplyError } from "../../errors.ts";
import type { ConnectionError } from "../../errors.ts";
import { BLOCKING_PUT_OFF_MAX_COUNT, UNBLOCK_RETRY_MS } from "../../limits.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { DedicatedStream } from "../../route/dedicated.ts";
import type { Pool } from "../../route/pool.ts";
import type { Request } from "../../wire/request.ts";
import type { Cluster } from "../backend/cluster.ts";
import type { Dialect } from "../backend/dialect.ts";
import type { OwnReplies } from "../client/own_replies.ts";
import type { PendingReply } from "../client/client_link.ts";
import type { Frame } from "../client/queued_requests.ts";
import { composePutBack, PutBackRequest } from "./put_back.ts";
import { sharedSlot } from "./shared_slot.ts";

/** The functions of the proxy that waits need. */
export interface WaitsHost {
  /** Ends the connections of clients that have disconnected, according to the system. */
  look(): void;
  /** Reports that an element may be lost which a server gave to a disconnected client. */
  reportLoss(problem: string): void;
}

/** All blocking commands in progress. One object serves all clients. */
export class Waits {
  /** The number of waits, which is usually 0. */
  total = 0;
  readonly #cluster: Cluster;
  readonly #ownReplies: OwnReplies;
  readonly #host: WaitsHost;
  /** The waits in each slot. */
  readonly #bySlot = new Map<number, Set<Wait>>();
  /** The waits of disconnected clients, in each slot. */
  readonly #abandoned = new Map<number, Set<Wait>>();

  constructor(cluster: Cluster, ownReplies: OwnReplies, host: WaitsHost) {
    this.#cluster = cluster;
    this.#ownReplies = ownReplies;
    this.#host = host;
    cluster.onChange(() => this.#follow());
  }

  /** The number of clients that wait, as far as their servers have received the command. */
  get count(): number {
    let count = 0;
    for (const waits of this.#bySlot.values()) {
      for (const wait of waits) if (wait.isKnown && !wait.isAbandoned) count++;
    }
    return count;
  }

  /**
   * Begins a wait.
   *
   * @throws {ReplyError}
   */
  begin(pending: PendingReply, specification: CommandSpecification, request: Request, frame: Frame): void {
    checkSizes(specification, request);
    const { undoneBy } = specification.proxy;
    const wait = new Wait(this, pending, undoneBy, sharedSlot(specification, request), frame, timeoutOf(request));
    wait.begin(this.#cluster);
    addTo(this.#bySlot, wait);
    this.total++;
    pending.link.wait = wait;
    pending.link.backpressure.holdUntilIdle();
  }

  /**
   * Returns a promise for which a command that writes in this slot must wait, so that its elements are not given to
   * disconnected clients; `undefined` when it may be forwarded.
   */
  settledIn(keySlot: number): Promise<unknown> | undefined {
    if (!this.#bySlot.has(keySlot)) return undefined;
    this.#host.look();
    const abandoned = this.#abandoned.get(keySlot);
    return abandoned && Promise.all([...abandoned].map(({ over }) => over));
  }

  /** Resolves when no wait of a disconnected client is left. */
  async settled(): Promise<void> {
    const all = [...this.#abandoned.values()].flatMap((waits) => [...waits].map(({ over }) => over));
    await Promise.all(all);
  }

  /** Handles the reply to a wait, at `bytes[start, end)`. */
  settle(wait: Wait, bytes: Uint8Array, start: number, end: number): void {
    const { pending, giveUp } = wait;
    const isNil = pending.link.dialect.isNil(bytes, start);
    if (wait.isAbandoned) return isNil ? this.forget(wait) : this.#putBack(wait, bytes, start, end);
    if (!isNil || giveUp === undefined || giveUp === "nil") {
      this.forget(wait);
      return pending.succeed(bytes, start, end);
    }
    if (giveUp === "move") {
      try {
        return wait.begin(this.#cluster);
      } catch (error) {
        if (!(error instanceof ReplyError)) throw error;
        this.forget(wait);
        return this.#ownReplies.refuseWith(pending, error);
      }
    }
    this.forget(wait);
    this.#ownReplies.refuseWith(pending, giveUp);
  }

  #putBack(wait: Wait, bytes: Uint8Array, start: number, end: number): void {
    const { link } = wait.pending;
    const { undoneBy } = wait;
    const request = undoneBy === undefined ? undefined : composePutBack(link.dialect, undoneBy, bytes, start, end);
    if (request === undefined) return this.forget(wait);
    const backendRequest = new PutBackRequest(link.dialect, (problem) => {
      if (problem !== undefined) this.#host.reportLoss(problem);
      this.forget(wait);
    });
    link.streams.send(this.#cluster.ownerOfSlot(wait.keySlot), backendRequest, request, 0, request.length);
  }

  /** Ends the waits of disconnected clients. */
  look(): void {
    this.#host.look();
  }

  /** Records that the client of a wait has disconnected. */
  abandon(wait: Wait): void {
    if (this.#bySlot.get(wait.keySlot)?.has(wait)) addTo(this.#abandoned, wait);
  }

  /** Records the end of a wait. Idempotent. */
  forget(wait: Wait): void {
    if (!removeFrom(this.#bySlot, wait)) return;
    removeFrom(this.#abandoned, wait);
    this.total--;
    wait.pending.link.wait = undefined;
    wait.end();
  }

  /** Moves the waits whose slots have changed their owners. */
  #follow(): void {
    for (const [keySlot, waits] of this.#bySlot) {
      const owner = this.#cluster.ownerOfSlot(keySlot);
      for (const wait of waits) {
        // An earlier reason for cancelling has precedence.
        if (wait.giveUp === undefined && owner !== wait.pool) wait.unblock("move");
      }
    }
  }
}

function addTo(waitsBySlot: Map<number, Set<Wait>>, wait: Wait): void {
  const waits = waitsBySlot.get(wait.keySlot);
  if (waits === undefined) waitsBySlot.set(wait.keySlot, new Set([wait]));
  else waits.add(wait);
}

/** Removes a wait from its slot. Returns whether it was there. */
function removeFrom(waitsBySlot: Map<number, Set<Wait>>, wait: Wait): boolean {
  const waits = waitsBySlot.get(wait.keySlot);
  if (waits === undefined || !waits.delete(wait)) return false;
  if (waits.size === 0) waitsBySlot.delete(wait.keySlot);
  return true;
}

/**
 * Returns how long a request may wait, in ms, from its last argument in seconds. A number in another notation (`0x1p4`)
 * counts as no limit. The server immediately refuses what is not a number.
 */
function timeoutOf(request: Request): number {
  const seconds = Number(request.text(request.count - 1));
  return seconds > 0 ? seconds * 1000 : Infinity;
}

/** A blocking command in progress. */
export class Wait extends BackendRequest implements PendingWait {
  /** The client's request. */
  readonly pending: PendingReply;
  /** The command that puts back the element of the reply if the client has disconnected. */
  readonly undoneBy: string | undefined;
  /** The slot of the keys. */
  readonly keySlot: number;
  /** The server at which it waits. */
  pool: Pool | undefined;
  /** The meaning of nil after the server was asked to unblock it: move, nil, or an error. */
  giveUp: "move" | "nil" | ReplyError | undefined;
  /** Whether its client has disconnected. */
  isAbandoned = false;
  readonly #over = Promise.withResolvers<void>();
  readonly #waits: Waits;
  readonly #bytes: Uint8Array;
  readonly #timeoutMs: number;
  #own: DedicatedStream | undefined;
  /** Whether its connection has no reply outstanding. */
  #isOver = false;
  /** The id of its connection at the server. */
  #serverId: bigint | undefined;

  constructor(
    waits: Waits,
    pending: PendingReply,
    undoneBy: string | undefined,
    keySlot: number,
    frame: Frame,
    timeoutMs: number,
  ) {
    super();
    this.#waits = waits;
    this.pending = pending;
    this.undoneBy = undoneBy;
    this.keySlot = keySlot;
    this.#bytes = frame.bytes.slice(frame.start, frame.start + frame.size);
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends the command to the owner of its slot.
   *
   * @throws {ReplyError} when no connection is available
   */
  begin(cluster: Cluster): void {
    const { dialect } = this.pending.link;
    this.giveUp = undefined;
    this.#isOver = false;
    this.#serverId = undefined;
    this.pool = cluster.ownerOfSlot(this.keySlot);
    this.#own = cluster.dedicate(this.pool, dialect);
    // Every blocking command removes an element when it ends.
    cluster.wrote(this.keySlot);
    const identify = dialect.request(["client", "id"]);
    this.#own.send(new IdentityRequest(this), identify, 0, identify.length, this.#timeoutMs);
    this.#own.send(this, this.#bytes, 0, this.#bytes.length, this.#timeoutMs);
  }

  /** Resolves when the wait has ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Marks the wait as ended. */
  end(): void {
    this.#over.resolve();
  }

  /** Whether its server has replied to the request before it on its connection. */
  get isKnown(): boolean {
    return this.#serverId !== undefined;
  }

  /** Stores the id of its connection. */
  identify(bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = this.pending.link;
    try {
      if (dialect.grants(bytes, start)) this.#serverId = dialect.values(bytes, start, end).integer();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    // The wait was cancelled before the id was known.
    if (this.giveUp !== undefined) this.unblock(this.giveUp);
  }

  /** Cancels the wait. The reason determines the meaning of nil. */
  unblock(reason: "move" | "nil" | ReplyError): void {
    if (this.#isOver) return;
    this.giveUp = reason;
    // The command does not block any more, so its reply has the usual timeout.
    this.#own!.pipeline.extraTimeoutMs = 0;
    if (this.#serverId !== undefined) this.#askToUnblock(this.#serverId);
  }

  #askToUnblock(serverId: bigint): void {
    // Meanwhile the wait may have ended, or moved to another server.
    if (this.#isOver || this.giveUp === undefined || this.#serverId !== serverId) return;
    const { link } = this.pending;
    const request = link.dialect.request(["client", "unblock", String(serverId)]);
    const again = () => this.#askToUnblock(serverId);
    link.streams.send(
      this.pool!,
      new UnblockRequest(link.dialect, again, () => this.#own!.drop()),
      request,
      0,
      request.length,
    );
  }

  expire(): void {
    this.unblock("nil");
  }

  refuse(error: ReplyError): void {
    this.unblock(error);
  }

  /** Cancels the wait because its client has disconnected. An element that still arrives is put back. Idempotent. */
  abandon(): void {
    if (this.isAbandoned) return;
    this.isAbandoned = true;
    this.#waits.abandon(this);
    // Without a sent request, nothing can arrive.
    if (!this.#isOver && !this.#own!.pipeline.begun) return this.#own!.drop();
    this.unblock("nil");
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#isOver = true;
    // An unblocking that is on its way must not affect the next user of the connection.
    if (this.giveUp === undefined) this.#own!.giveBack();
    else this.#own!.drop();
    // The end of the client's connection may not have been read yet.
    this.#waits.look();
    const isPutOff = this.#mayBePutOff && !this.pending.link.dialect.isNil(bytes, start);
    if (isPutOff) this.#handOver(bytes.slice(start, end));
    else this.#waits.settle(this, bytes, start, end);
  }

  /**
   * Whether the client's connection may have ended after its unread bytes, so that the element is not passed on yet.
   */
  get #mayBePutOff(): boolean {
    return !this.isAbandoned && this.undoneBy !== undefined && this.pending.link.hasInput;
  }

  async #handOver(reply: Uint8Array): Promise<void> {
    for (let turns = 0; turns < BLOCKING_PUT_OFF_MAX_COUNT && this.#mayBePutOff; turns++) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      this.#waits.look();
    }
    this.#waits.settle(this, reply, 0, reply.length);
  }

  override fail(error: ConnectionError): void {
    this.#isOver = true;
    this.#waits.forget(this);
    this.pending.fail(error);
  }
}

/** The request that unblocks a connection. */
class UnblockRequest extends BackendRequest {
  readonly #dialect: Dialect;
  readonly #repeat: () => void;
  readonly #drop: () => void;

  /**
   * Creates the request.
   *
   * @param repeat sends it again, if that is still useful
   * @param drop closes the connection
   */
  constructor(dialect: Dialect, repeat: () => void, drop: () => void) {
    super();
    this.#dialect = dialect;
    this.#repeat = repeat;
    this.#drop = drop;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    // The server returns the id of a connection shortly before it blocks. Or its last reply may be on its way.
    if (!this.#isDone(bytes, start, end)) setTimeout(this.#repeat, UNBLOCK_RETRY_MS);
  }

  #isDone(bytes: Uint8Array, start: number, end: number): boolean {
    try {
      return this.#dialect.grants(bytes, start) && this.#dialect.values(bytes, start, end).integer() !== 0n;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      return false;
    }
  }

  override fail(): void {
    // The server notices the end of the connection.
    this.#drop();
  }
}

/** The request for the id of a connection. */
class IdentityRequest extends BackendRequest {
  readonly #wait: Wait;

  constructor(wait: Wait) {
    super();
    this.#wait = wait;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#wait.identify(bytes, start, end);
  }

  override fail(): void {
    // The wait, which was sent after it, fails too.
  }
}
