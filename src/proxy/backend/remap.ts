/**
 * Reassigns slots, with `--on-down remap`: to other servers while their server is down, back to it, and according to
 * the list.
 *
 * A slot whose server is down is lent to the next server by rendezvous hashing, among those that are up, and returns
 * when its server is back. When it is lent depends on what is known of its server:
 *
 * | the server | its slots are lent after |
 * |---|---|
 * | is gone: it refuses or resets connections, is another program, or cannot be reached | `REMAP_DELAY_MS` |
 * | is silent: it may be busy, or stopped for a moment | `REMAP_SILENT_MS`; its requests fail meanwhile |
 *
 * A server must never return a value older than the last write:
 *
 * - A stand-in may still have keys of an earlier loan, so it is flushed of a slot before it gets it.
 * - A server that returns has missed the writes of the meantime. It is flushed of the slots to which a stand-in was
 *   sent a write, and gets all other slots back immediately, with its own keys (loans.ts). So a server loses no key
 *   because of reads, or because it was busy.
 * - A server that was not in the list is flushed of all its slots, since its writes were not tracked.
 *
 * Until a flush is done, a slot stays with its server: with one that is down, whose requests fail immediately, or with
 * one that continues to serve.
 *
 * ```text
 *   at home ── its server is down ──► the stand-in is flushed ──► lent ── its server is up again
 *      ▲   (requests fail immediately)                                       │           │
 *      ├──────────────────────── nothing was written ◄───────────────────────┘           │
 *      └── at home, the stand-in is flushed ◄── its server is flushed ◄── written ◄──────┘
 *                                          (requests go to the stand-in)
 * ```
 *
 * The last flush is for `keys` and `size`, which would count the keys of both servers. All flushes of one server run
 * one after another, in small steps between its other requests (`flushslots`). A flush looks at all keys of the server,
 * which takes half a second per million.
 *
 * The limits of this design:
 *
 * - Proxies do not communicate. While one of them has lent a slot and another has not, a write through one is not
 *   visible through the other. Nor is a write of another proxy to a stand-in visible when a server returns and this
 *   proxy has written nothing meanwhile.
 * - A proxy that starts after a server has returned does not know which writes that server has missed.
 * - A request whose outcome is unknown may still be delivered by a network, or by a server that was stopped, after
 *   seconds. It is then executed, whether it is a client's write or a step of a flush.
 *
 * @module
 */

import { parseInteger } from "../../bytes.ts";
import { messageOf, ProtocolError } from "../../errors.ts";
import { hasSlot, SLOT_BITMAP_BYTES } from "../../key_slot.ts";
import { REMAP_DELAY_MS, REMAP_RETRY_MS, REMAP_SILENT_MS, SLOTS_COUNT } from "../../limits.ts";
import { BackendRequest, RequestStream } from "../../route/backend_request.ts";
import type { Clock, Flushable, FlushQueue } from "../../route/flush_queue.ts";
import type { Pool } from "../../route/pool.ts";
import { standInsFor } from "../../route/slots.ts";
import type { Cluster } from "./cluster.ts";
import type { Dialect } from "./dialect.ts";

/** Reports events, for the log. */
export interface RemapReport {
  /** Reports that a server serves `slots` more slots. */
  taken(address: string, slots: number, removedKeys: number): void;
  /** Reports that a server could not be flushed and gets no slots. The flush is repeated. */
  refused(address: string, reason: string): void;
}

/** The time since which a server is down, by the clock. */
interface Absence {
  readonly sinceMs: number;
  /** The time since which it is known to be gone; `Infinity` while it may only be silent. */
  goneMs: number;
}

/** Lends slots and returns them. */
export class Remap implements Flushable {
  scheduled = false;
  readonly #cluster: Cluster;
  readonly #dialect: Dialect;
  readonly #flushQueue: FlushQueue;
  readonly #clock: Clock;
  readonly #report: RemapReport;
  /** The flushes in progress, at most one for each server. */
  readonly #flushes = new Map<Pool, SlotFlush>();
  /** The slots that a server has served in the place of another, and of which it must be flushed. */
  readonly #leftovers = new Map<Pool, SlotSet>();
  /** The servers that are down. */
  readonly #absences = new Map<Pool, Absence>();
  /** The time of the last failed flush of each server. */
  readonly #failedMs = new Map<Pool, number>();
  /** The last result of {@linkcode Remap.#target}, with its inputs. */
  #known: { home?: Uint16Array; serving: readonly boolean[]; target: Uint16Array };

  /**
   * Creates a remap of a cluster.
   *
   * @param dialect the dialect of RESP
   */
  constructor(cluster: Cluster, dialect: Dialect, flushQueue: FlushQueue, clock: Clock, report: RemapReport) {
    this.#cluster = cluster;
    this.#dialect = dialect;
    this.#flushQueue = flushQueue;
    this.#clock = clock;
    this.#report = report;
    this.#known = { serving: [], target: cluster.home };
  }

  /** Reacts to a change of the list of servers, or of the state of one, at the end of the tick. */
  changed(): void {
    this.#flushQueue.schedule(this);
  }

  /**
   * Repeats failed flushes, and lends the slots of servers that are down for long enough. Must be called several times
   * a second.
   */
  sweep(): void {
    if (this.#failedMs.size > 0 || this.#absences.size > 0) this.#flushQueue.schedule(this);
  }

  /** Implements {@linkcode Flushable}: begins everything that is due. */
  flush(): void {
    const { pools, owners, members, loans } = this.#cluster;
    for (const known of [this.#leftovers, this.#failedMs, this.#absences]) {
      for (const pool of known.keys()) if (!pools.includes(pool)) known.delete(pool);
    }
    loans.keepOnly(pools.slice(0, members.length));
    for (const pool of pools) this.#noteAbsence(pool);
    const target = this.#target();
    if (this.#giveBack(target)) return this.#flushQueue.schedule(this);
    const wanted = new Map<Pool, SlotSet>();
    for (let slot = 0; slot < SLOTS_COUNT; slot++) {
      if (target[slot] !== owners[slot]) setOf(wanted, pools[target[slot]!]!).add(slot);
    }
    pools.forEach((pool, position) => {
      if (!canServe(pool)) this.#failedMs.delete(pool);
      if (!canServe(pool) || this.#flushes.has(pool)) return;
      if (this.#clock.nowMs - (this.#failedMs.get(pool) ?? -Infinity) < REMAP_RETRY_MS) return;
      const slots = wanted.get(pool) ?? this.#leftoversOf(pool, position);
      if (slots !== undefined) this.#begin(pool, slots);
    });
  }

  #noteAbsence(pool: Pool): void {
    if (canServe(pool)) return void this.#absences.delete(pool);
    const { nowMs } = this.#clock;
    let absence = this.#absences.get(pool);
    if (absence === undefined) this.#absences.set(pool, absence = { sinceMs: nowMs, goneMs: Infinity });
    if (pool.isGone) absence.goneMs = Math.min(absence.goneMs, nowMs);
  }

  /** Returns whether a server's slots may be lent. */
  #isLongAway(pool: Pool): boolean {
    const absence = this.#absences.get(pool);
    if (absence === undefined) return false;
    const { nowMs } = this.#clock;
    return nowMs - absence.goneMs >= REMAP_DELAY_MS || nowMs - absence.sinceMs >= REMAP_SILENT_MS;
  }

  /**
   * Returns lent slots without writes to their servers, with their keys.
   *
   * @returns whether there were any
   */
  #giveBack(target: Uint16Array): boolean {
    const { pools, loans } = this.#cluster;
    if (loans.count === 0) return false;
    const owners = this.#cluster.owners.slice();
    const taken = new Map<Pool, number>();
    for (let slot = 0; slot < SLOTS_COUNT; slot++) {
      const pool = pools[target[slot]!]!;
      // A server that is being flushed might still lose the keys.
      if (target[slot] === owners[slot] || !loans.isIntact(slot, pool)) continue;
      if (!canServe(pool) || this.#flushes.has(pool)) continue;
      loans.end(slot);
      owners[slot] = target[slot]!;
      taken.set(pool, (taken.get(pool) ?? 0) + 1);
    }
    if (taken.size === 0) return false;
    this.#cluster.assign(owners);
    for (const [pool, count] of taken) this.#report.taken(pool.address, count, 0);
    return true;
  }

  /**
   * Returns the server that should serve each slot. The result is kept while nothing changes, since computing it takes
   * as long as reading a list.
   */
  #target(): Uint16Array {
    const { pools, members, home } = this.#cluster;
    const serving = pools.slice(0, members.length).map((pool) => !this.#isLongAway(pool));
    const known = this.#known;
    if (known.home === home && known.serving.every((each, position) => each === serving[position])) return known.target;
    const target = standInsFor(members, home, serving);
    this.#known = { home, serving, target };
    return target;
  }

  /** Returns the slots of which a server must still be flushed, without those that it serves. */
  #leftoversOf(pool: Pool, position: number): SlotSet | undefined {
    const leftovers = this.#leftovers.get(pool);
    if (leftovers === undefined) return undefined;
    this.#leftovers.delete(pool);
    const { owners } = this.#cluster;
    for (let slot = 0; slot < SLOTS_COUNT; slot++) if (owners[slot] === position) leftovers.delete(slot);
    return leftovers.size > 0 ? leftovers : undefined;
  }

  #begin(pool: Pool, slots: SlotSet): void {
    const { loans } = this.#cluster;
    // A flush changes the slots, even if it fails.
    for (let slot = 0; slot < SLOTS_COUNT; slot++) {
      if (slots.has(slot) && loans.isIntact(slot, pool)) loans.end(slot);
    }
    const flush = new SlotFlush(pool, this.#dialect, slots, (problem) => {
      this.#flushes.delete(pool);
      if (problem === undefined) this.#handOver(pool, flush);
      else this.#fail(pool, slots, problem);
      this.#flushQueue.schedule(this);
    });
    this.#flushes.set(pool, flush);
    flush.begin();
  }

  #fail(pool: Pool, slots: SlotSet, problem: string): void {
    setOf(this.#leftovers, pool).addAll(slots);
    // The failure of this server is already logged.
    if (!canServe(pool)) return;
    if (!this.#failedMs.has(pool)) this.#report.refused(pool.address, problem);
    this.#failedMs.set(pool, this.#clock.nowMs);
  }

  /** Assigns a server the slots of which it was flushed and which it should serve. */
  #handOver(pool: Pool, { slots, removed }: SlotFlush): void {
    this.#failedMs.delete(pool);
    const { pools, members, home, loans } = this.#cluster;
    const position = pools.indexOf(pool);
    const target = this.#target();
    const owners = this.#cluster.owners.slice();
    let taken = 0;
    for (let slot = 0; slot < SLOTS_COUNT; slot++) {
      if (!slots.has(slot) || target[slot] !== position || owners[slot] === position) continue;
      const before = owners[slot]!;
      setOf(this.#leftovers, pools[before]!).add(slot);
      // From now on a write to the slot ends the loan. The keys of a stand-in are of no use to it later.
      if (before < members.length && home[slot] === before) loans.lend(slot, pools[before]!);
      owners[slot] = position;
      taken++;
    }
    if (taken === 0) return;
    this.#cluster.assign(owners);
    this.#report.taken(pool.address, taken, removed);
  }

  /** Begins no more flushes. */
  close(): void {
    for (const flush of this.#flushes.values()) flush.cancel();
  }
}

function canServe(pool: Pool): boolean {
  return pool.state === "up" || pool.state === "suspect";
}

function setOf(sets: Map<Pool, SlotSet>, pool: Pool): SlotSet {
  let set = sets.get(pool);
  if (set === undefined) sets.set(pool, set = new SlotSet());
  return set;
}

/** A set of slots, as a bitmap for `flushslots`. */
class SlotSet {
  readonly bitmap = new Uint8Array(SLOT_BITMAP_BYTES);
  size = 0;

  has(slot: number): boolean {
    return hasSlot(this.bitmap, 0, slot);
  }

  add(slot: number): void {
    if (this.has(slot)) return;
    this.bitmap[slot >> 3]! |= 1 << (slot & 7);
    this.size++;
  }

  addAll(slots: SlotSet): void {
    for (let slot = 0; slot < SLOTS_COUNT; slot++) if (slots.has(slot)) this.add(slot);
  }

  delete(slot: number): void {
    if (!this.has(slot)) return;
    this.bitmap[slot >> 3]! &= ~(1 << (slot & 7));
    this.size--;
  }
}

/** The flush of some slots of one server: one request after another, until the server's cursor is at the end. */
class SlotFlush extends BackendRequest {
  readonly slots: SlotSet;
  /** The number of keys removed so far. */
  removed = 0;
  readonly #pool: Pool;
  readonly #dialect: Dialect;
  readonly #stream: RequestStream;
  readonly #done: (problem: string | undefined) => void;
  #isCancelled = false;

  /**
   * Creates a flush.
   *
   * @param done called once, without an argument when the server was flushed, or with the reason why it was not; not
   * after {@linkcode cancel}
   */
  constructor(pool: Pool, dialect: Dialect, slots: SlotSet, done: (problem: string | undefined) => void) {
    super();
    this.#pool = pool;
    this.#dialect = dialect;
    this.#stream = new RequestStream(dialect);
    this.slots = slots;
    this.#done = done;
  }

  begin(): void {
    this.#send(0);
  }

  /** Sends no more requests. The one in flight may still be executed. */
  cancel(): void {
    this.#isCancelled = true;
  }

  #send(cursor: number): void {
    const request = this.#dialect.request(["flushslots", String(cursor), this.slots.bitmap]);
    this.#pool.send(this.#stream, this, request, 0, request.length);
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    if (this.#isCancelled) return;
    let cursor: number;
    try {
      cursor = this.#read(bytes, start, end);
    } catch (error) {
      return this.#done(messageOf(error));
    }
    if (cursor === 0) this.#done(undefined);
    else this.#send(cursor);
  }

  /**
   * Adds the number of removed keys, and returns the cursor for the next request.
   *
   * @throws {ReplyError} when the server has refused
   * @throws {ProtocolError} when the reply is invalid
   */
  #read(bytes: Uint8Array, start: number, end: number): number {
    if (!this.#dialect.grants(bytes, start)) throw this.#dialect.refusal(bytes, start, end);
    const reader = this.#dialect.values(bytes, start, end);
    if (reader.array() === 2) {
      const length = reader.skip();
      const cursor = parseInteger(bytes, reader.contentStart, length);
      this.removed += Number(reader.integer());
      if (cursor >= 0) return cursor;
    }
    throw new ProtocolError("Cannot read a reply to flushslots: expected a cursor and a count");
  }

  override fail(error: Error): void {
    if (!this.#isCancelled) this.#done(error.message);
  }
}
