/**
 * Commands that wait for something to happen, such as `blpop`: each on a connection of its own, since others' requests
 * would wait behind it. All their keys have to share a slot.
 *
 * ```text
 * client    blpop {a}x {a}y 0 ─────────────────────► … ─────► [{a}x, 1]        reads nothing meanwhile but the client's end
 * server    client id · blpop {a}x {a}y 0  → 7, … ──────────► [{a}x, 1]        on a connection that is lent
 * ```
 *
 * A wait can be given up without losing an element that is on its way: the server is asked to unblock the connection,
 * whose number it told, and what comes then is either an element after all, or nil. So it is when the slot gets another owner,
 * where the wait goes on (for the whole of its time again), when `client unblock` asks for it, and when the proxy stops.
 *
 * So it is too when its client has gone. An element that is pushed then must not be taken for nobody:
 *
 * - Before the proxy passes on a command that writes in a slot in which clients wait, it asks the system which of them have
 *   gone (peer_ends.ts). Where there are any, the command stays where it is until the server has unblocked them.
 * - An element that comes nevertheless, since it was pushed past this proxy, is put back (put_back.ts).
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

/** What waits ask of the proxy. */
export interface WaitsHost {
  /** Ends the connections of clients that have gone, as far as the system knows. */
  look(): void;
  /** Takes note that an element may be lost that a server took for a client that had gone. */
  reportLoss(problem: string): void;
}

/** All that wait. One for all clients. */
export class Waits {
  /** How many there are: 0 nearly always. */
  total = 0;
  readonly #cluster: Cluster;
  readonly #ownReplies: OwnReplies;
  readonly #host: WaitsHost;
  /** Those of each slot. */
  readonly #bySlot = new Map<number, Set<Wait>>();
  /** Those of each slot whose clients have gone. */
  readonly #abandoned = new Map<number, Set<Wait>>();

  constructor(cluster: Cluster, ownReplies: OwnReplies, host: WaitsHost) {
    this.#cluster = cluster;
    this.#ownReplies = ownReplies;
    this.#host = host;
    cluster.onChange(() => this.#follow());
  }

  /** How many clients wait, as far as their servers have shown that they got to it. */
  get count(): number {
    let count = 0;
    for (const waits of this.#bySlot.values()) {
      for (const wait of waits) if (wait.isKnown && !wait.isAbandoned) count++;
    }
    return count;
  }

  /**
   * Begins to wait.
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
   * What a command that writes in this slot has to wait for, so that nothing it pushes is taken for a client that has gone;
   * `undefined` when it may be passed on.
   */
  settledIn(keySlot: number): Promise<unknown> | undefined {
    if (!this.#bySlot.has(keySlot)) return undefined;
    this.#host.look();
    const abandoned = this.#abandoned.get(keySlot);
    return abandoned && Promise.all([...abandoned].map(({ over }) => over));
  }

  /** Resolves when nothing is under way any more for clients that have gone. */
  async settled(): Promise<void> {
    const all = [...this.#abandoned.values()].flatMap((waits) => [...waits].map(({ over }) => over));
    await Promise.all(all);
  }

  /** Takes the reply to a wait, at `bytes[start, end)`. */
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

  /** Ends the waits of clients that have gone. */
  look(): void {
    this.#host.look();
  }

  /** Takes note that the client of a wait has gone. */
  abandon(wait: Wait): void {
    if (this.#bySlot.get(wait.keySlot)?.has(wait)) addTo(this.#abandoned, wait);
  }

  /** Takes note that a wait has come to an end. Idempotent. */
  forget(wait: Wait): void {
    if (!removeFrom(this.#bySlot, wait)) return;
    removeFrom(this.#abandoned, wait);
    this.total--;
    wait.pending.link.wait = undefined;
    wait.end();
  }

  /** The slots have other owners: what waits where nothing will happen any more goes on elsewhere. */
  #follow(): void {
    for (const [keySlot, waits] of this.#bySlot) {
      const owner = this.#cluster.ownerOfSlot(keySlot);
      for (const wait of waits) {
        // What it was to be given up for before stays the reason.
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

/** Returns whether it was there. */
function removeFrom(waitsBySlot: Map<number, Set<Wait>>, wait: Wait): boolean {
  const waits = waitsBySlot.get(wait.keySlot);
  if (waits === undefined || !waits.delete(wait)) return false;
  if (waits.size === 0) waitsBySlot.delete(wait.keySlot);
  return true;
}

/**
 * How long a request may wait, in ms; its last argument tells, in seconds. What is written in another way than here (`0x1p4`)
 * may be as long as can be; what is no number is refused by the server at once.
 */
function timeoutOf(request: Request): number {
  const seconds = Number(request.text(request.count - 1));
  return seconds > 0 ? seconds * 1000 : Infinity;
}

/** One that waits. */
export class Wait extends BackendRequest implements PendingWait {
  /** The client's request. */
  readonly pending: PendingReply;
  /** The command that puts back what its reply brings, if its client has gone then. */
  readonly undoneBy: string | undefined;
  /** The slot of its keys. */
  readonly keySlot: number;
  /** Where it waits. */
  pool: Pool | undefined;
  /** What nil means once the server was asked to unblock it: go on elsewhere, nil, or an error. */
  giveUp: "move" | "nil" | ReplyError | undefined;
  /** Whether its client has gone. */
  isAbandoned = false;
  readonly #over = Promise.withResolvers<void>();
  readonly #waits: Waits;
  readonly #bytes: Uint8Array;
  readonly #timeoutMs: number;
  #own: DedicatedStream | undefined;
  /** Whether its connection owes it nothing any more. */
  #isOver = false;
  /** The number of its connection, by which the server knows it. */
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
   * Waits at the owner of its slot.
   *
   * @throws {ReplyError} when that one cannot be asked
   */
  begin(cluster: Cluster): void {
    const { dialect } = this.pending.link;
    this.giveUp = undefined;
    this.#isOver = false;
    this.#serverId = undefined;
    this.pool = cluster.ownerOfSlot(this.keySlot);
    this.#own = cluster.dedicate(this.pool, dialect);
    // All that wait take something out when it comes.
    cluster.wrote(this.keySlot);
    const identify = dialect.request(["client", "id"]);
    this.#own.send(new IdentityRequest(this), identify, 0, identify.length, this.#timeoutMs);
    this.#own.send(this, this.#bytes, 0, this.#bytes.length, this.#timeoutMs);
  }

  /** Resolves when it has come to an end. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** To be called when it has come to an end. */
  end(): void {
    this.#over.resolve();
  }

  /** Whether its server has answered what was asked before it on its connection. */
  get isKnown(): boolean {
    return this.#serverId !== undefined;
  }

  /** Takes note of the number of its connection. */
  identify(bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = this.pending.link;
    try {
      if (dialect.grants(bytes, start)) this.#serverId = dialect.values(bytes, start, end).integer();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    // It was to be given up before it was known how.
    if (this.giveUp !== undefined) this.unblock(this.giveUp);
  }

  /** Gives it up; what nil means then is up to the reason. */
  unblock(reason: "move" | "nil" | ReplyError): void {
    if (this.#isOver) return;
    this.giveUp = reason;
    // Now that it does not wait for anything to happen, it is late as any other.
    this.#own!.pipeline.extraTimeoutMs = 0;
    if (this.#serverId !== undefined) this.#askToUnblock(this.#serverId);
  }

  #askToUnblock(serverId: bigint): void {
    // Meanwhile it may have ended, or have begun elsewhere.
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

  /** Gives it up for good: its client has gone. An element that comes all the same is put back. Idempotent. */
  abandon(): void {
    if (this.isAbandoned) return;
    this.isAbandoned = true;
    this.#waits.abandon(this);
    // Where nothing has left yet, nothing can come.
    if (!this.#isOver && !this.#own!.pipeline.begun) return this.#own!.drop();
    this.unblock("nil");
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#isOver = true;
    // An unblocking that is on its way must not meet whoever has the connection next.
    if (this.giveUp === undefined) this.#own!.giveBack();
    else this.#own!.drop();
    // That its client has gone may be unread as yet.
    this.#waits.look();
    const isPutOff = this.#mayBePutOff && !this.pending.link.dialect.isNil(bytes, start);
    if (isPutOff) this.#handOver(bytes.slice(start, end));
    else this.#waits.settle(this, bytes, start, end);
  }

  /** Whether the end of its client may be behind what is unread, so that its element is not handed over yet. */
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

/** Asks a server to unblock a connection. */
class UnblockRequest extends BackendRequest {
  readonly #dialect: Dialect;
  readonly #repeat: () => void;
  readonly #drop: () => void;

  /**
   * @param repeat asks once more, if that is still of use
   * @param drop closes the connection
   */
  constructor(dialect: Dialect, repeat: () => void, drop: () => void) {
    super();
    this.#dialect = dialect;
    this.#repeat = repeat;
    this.#drop = drop;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    // The server tells the number of a connection a moment before it waits. Its last reply may as well be on its way.
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
    // The server notices the end of it.
    this.#drop();
  }
}

/** Asks for the number of a connection. */
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
    // So does the wait, which was sent behind it.
  }
}
