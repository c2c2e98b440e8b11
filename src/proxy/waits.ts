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
 * @module
 */

import { checkSizes } from "../command/call.ts";
import type { PendingWait } from "../command/client_state.ts";
import type { CommandSpecification } from "../command/specification.ts";
import { ProtocolError, ReplyError } from "../errors.ts";
import type { ConnectionError } from "../errors.ts";
import type { DedicatedLane } from "../route/dedicated.ts";
import { Exchange } from "../route/exchange.ts";
import type { Pool } from "../route/pool.ts";
import type { Request } from "../wire/request.ts";
import type { Answers } from "./answers.ts";
import type { Cluster } from "./cluster.ts";
import { UnreadExchange } from "./unread_exchange.ts";
import { sharedSlot } from "./shared_slot.ts";
import type { Frame, Slot } from "./slot.ts";

/** All that wait. One for all clients. */
export class Waits {
  readonly #cluster: Cluster;
  readonly #answers: Answers;
  readonly #waits = new Set<Wait>();

  constructor(cluster: Cluster, answers: Answers) {
    this.#cluster = cluster;
    this.#answers = answers;
    cluster.onChange(() => this.#follow());
  }

  /** How many wait, as far as their servers have shown that they got to it. */
  get count(): number {
    let count = 0;
    for (const wait of this.#waits) if (wait.isKnown) count++;
    return count;
  }

  /**
   * Begins to wait.
   *
   * @throws {ReplyError}
   */
  begin(slot: Slot, specification: CommandSpecification, request: Request, frame: Frame): void {
    checkSizes(specification, request);
    const wait = new Wait(this, slot, sharedSlot(specification, request), frame, timeoutOf(request));
    wait.begin(this.#cluster);
    this.#waits.add(wait);
    slot.client.wait = wait;
    slot.client.holdUntilIdle();
  }

  /** Takes the reply to a wait, at `bytes[start, end)`. */
  settle(wait: Wait, bytes: Uint8Array, start: number, end: number): void {
    const { slot, giveUp } = wait;
    if (giveUp === undefined || giveUp === "nil" || !slot.client.dialect.isNil(bytes, start)) {
      this.forget(wait);
      return slot.succeed(bytes, start, end);
    }
    if (giveUp === "move") {
      try {
        return wait.begin(this.#cluster);
      } catch (error) {
        if (!(error instanceof ReplyError)) throw error;
        this.forget(wait);
        return this.#answers.refuseWith(slot, error);
      }
    }
    this.forget(wait);
    this.#answers.refuseWith(slot, giveUp);
  }

  /** Takes note that a wait has come to an end. */
  forget(wait: Wait): void {
    this.#waits.delete(wait);
    wait.slot.client.wait = undefined;
  }

  /** The slots have other owners: what waits where nothing will happen any more goes on elsewhere. */
  #follow(): void {
    for (const wait of this.#waits) {
      // What it was to be given up for before stays the reason.
      if (wait.giveUp === undefined && this.#cluster.ownerOfSlot(wait.keySlot) !== wait.pool) wait.unblock("move");
    }
  }
}

/** How long a request may wait, in ms; its last argument tells, in seconds. What is no number is refused by the server. */
function timeoutOf(request: Request): number {
  const seconds = Number(request.text(request.count - 1));
  return seconds === 0 ? Infinity : seconds > 0 ? seconds * 1000 : 0;
}

/** One that waits. */
export class Wait extends Exchange implements PendingWait {
  /** The client's request. */
  readonly slot: Slot;
  /** The slot of its keys. */
  readonly keySlot: number;
  /** Where it waits. */
  pool: Pool | undefined;
  /** What nil means once the server was asked to unblock it: go on elsewhere, nil, or an error. */
  giveUp: "move" | "nil" | ReplyError | undefined;
  readonly #waits: Waits;
  readonly #bytes: Uint8Array;
  readonly #timeoutMs: number;
  #own: DedicatedLane | undefined;
  /** The number of its connection, by which the server knows it. */
  #serverId: bigint | undefined;

  constructor(waits: Waits, slot: Slot, keySlot: number, frame: Frame, timeoutMs: number) {
    super();
    this.#waits = waits;
    this.slot = slot;
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
    const { dialect } = this.slot.client;
    this.giveUp = undefined;
    this.#serverId = undefined;
    this.pool = cluster.ownerOfSlot(this.keySlot);
    this.#own = cluster.dedicate(this.pool, dialect);
    // All that wait take something out when it comes.
    cluster.wrote(this.keySlot);
    const identify = dialect.request(["client", "id"]);
    this.#own.send(new IdentityExchange(this), identify, 0, identify.length, this.#timeoutMs);
    this.#own.send(this, this.#bytes, 0, this.#bytes.length, this.#timeoutMs);
  }

  /** Whether its server has answered what was asked before it on its connection. */
  get isKnown(): boolean {
    return this.#serverId !== undefined;
  }

  /** Takes note of the number of its connection. */
  identify(bytes: Uint8Array, start: number, end: number): void {
    const { dialect } = this.slot.client;
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
    this.giveUp = reason;
    if (this.#serverId === undefined) return;
    const { client } = this.slot;
    const request = client.dialect.request(["client", "unblock", String(this.#serverId)]);
    // Now that it does not wait for anything to happen, it is late as any other.
    this.#own!.pipeline.patienceMs = 0;
    client.send(this.pool!, new UnreadExchange(), request, 0, request.length);
  }

  expire(): void {
    this.unblock("nil");
  }

  refuse(error: ReplyError): void {
    this.unblock(error);
  }

  /** Gives it up for good: its client is gone. */
  drop(): void {
    this.#own?.drop();
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    // An unblocking that is on its way must not meet whoever has the connection next.
    if (this.giveUp === undefined) this.#own!.giveBack();
    else this.#own!.drop();
    this.#waits.settle(this, bytes, start, end);
  }

  override fail(error: ConnectionError): void {
    this.#waits.forget(this);
    this.slot.fail(error);
  }
}

/** Asks for the number of a connection. */
class IdentityExchange extends Exchange {
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
