/**
 * Slots change hands, with `--on-down remap`: to others while their server is down, back to it, and as the list says.
 *
 * A slot whose server is away is lent to the next by rendezvous among those that are up, and goes home when its server is
 * back. When it is lent depends on what is known of its server:
 *
 * | the server | its slots are lent after |
 * |---|---|
 * | is gone: it refuses or resets connections, is somebody else, cannot be reached | `REMAP_DELAY_MS` |
 * | is silent: it may be busy, or be stopped for a moment | `REMAP_SILENT_MS`; its requests fail meanwhile |
 *
 * A server must not show a value that is older than what was written last. A stand-in may still have what it was written
 * the last time, so it is flushed of a slot before it gets it. The server that comes back has missed what was written
 * meanwhile: it is flushed of the slots that a stand-in was sent a write of, and gets all others as it left them, at once
 * (loans.ts). Reads, and being busy, so cost no server a key. A server that was off the list is flushed of all its slots,
 * since nobody kept count. Until a flush is done a slot stays where it is: with a server that is away, whose requests fail
 * at once, or with one that goes on.
 *
 * ```text
 *   at home ── its server is away ──► the stand-in is flushed ──► lent ── its server is up again
 *      ▲     (requests fail at once)                                         │           │
 *      ├──────────────────────── nothing was written ◄───────────────────────┘           │
 *      └── at home, the stand-in is flushed ◄── its server is flushed ◄── written ◄──────┘
 *                                          (requests go to the stand-in)
 * ```
 *
 * The last flush is for `keys` and `size`, which would count twice what was written here and there. All flushes of one
 * server come one after another, in small steps between its other requests (`flushslots`); all its keys have to be looked
 * at, which takes half a second a million.
 *
 * What that cannot do: proxies do not talk to each other. While one of them has lent a slot and another has not, what is
 * written through one is not seen through the other; nor is what another one wrote to a stand-in, when a server comes back
 * that this one has written nothing in the place of. A proxy that is started when a server has been away, and is back,
 * does not know what it has missed. And a request whose outcome is unknown may still be on its way: one that a network, or
 * a server that is stopped, holds back for seconds, and delivers after all, is carried out then, be it a client's write or
 * a step of a flush.
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

/** What happens, for the log. */
export interface RemapReport {
  /** A server serves so many slots more. */
  taken(address: string, slots: number, removedKeys: number): void;
  /** A server could not be flushed, so that it takes no slots; it is tried again. */
  refused(address: string, reason: string): void;
}

/** Since when a server is away, by the clock. */
interface Absence {
  readonly sinceMs: number;
  /** Since when it is known that it is gone; `Infinity` while it may be silent only. */
  goneMs: number;
}

/** Lends slots and takes them back. */
export class Remap implements Flushable {
  scheduled = false;
  readonly #cluster: Cluster;
  readonly #dialect: Dialect;
  readonly #flushQueue: FlushQueue;
  readonly #clock: Clock;
  readonly #report: RemapReport;
  /** Flushes under way: one a server at most. */
  readonly #flushes = new Map<Pool, SlotFlush>();
  /** Slots that a server has served in the place of another, and has to be flushed of. */
  readonly #leftovers = new Map<Pool, SlotSet>();
  /** The servers that are away. */
  readonly #absences = new Map<Pool, Absence>();
  /** When flushing failed last. */
  readonly #failedMs = new Map<Pool, number>();
  /** What {@linkcode Remap.#target} has answered last, and to what. */
  #known: { home?: Uint16Array; serving: readonly boolean[]; target: Uint16Array };

  /** @param dialect RESP */
  constructor(cluster: Cluster, dialect: Dialect, flushQueue: FlushQueue, clock: Clock, report: RemapReport) {
    this.#cluster = cluster;
    this.#dialect = dialect;
    this.#flushQueue = flushQueue;
    this.#clock = clock;
    this.#report = report;
    this.#known = { serving: [], target: cluster.home };
  }

  /** To be called when the list of servers, or the state of one, has changed. It is acted on at the end of the turn. */
  changed(): void {
    this.#flushQueue.schedule(this);
  }

  /** Tries again what has failed, and lends what has been away for long enough. To be called several times a second. */
  sweep(): void {
    if (this.#failedMs.size > 0 || this.#absences.size > 0) this.#flushQueue.schedule(this);
  }

  /** Part of {@linkcode Flushable}: begins what is to be done now. */
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

  /** Whether a server's slots may be lent. */
  #isLongAway(pool: Pool): boolean {
    const absence = this.#absences.get(pool);
    if (absence === undefined) return false;
    const { nowMs } = this.#clock;
    return nowMs - absence.goneMs >= REMAP_DELAY_MS || nowMs - absence.sinceMs >= REMAP_SILENT_MS;
  }

  /**
   * Lets servers have slots back that they have lent and nobody has written since, as they left them.
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
      // One that is being flushed might lose the keys after all.
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

  /** Who is to serve each slot. Kept as long as nothing has changed, since it takes as long as reading a list does. */
  #target(): Uint16Array {
    const { pools, members, home } = this.#cluster;
    const serving = pools.slice(0, members.length).map((pool) => !this.#isLongAway(pool));
    const known = this.#known;
    if (known.home === home && known.serving.every((each, position) => each === serving[position])) return known.target;
    const target = standInsFor(members, home, serving);
    this.#known = { home, serving, target };
    return target;
  }

  /** What a server at a position is still to be flushed of, but for what it serves. */
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
    // What is flushed is not as it was, even if the flush fails.
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
    // That one has gone down is told already.
    if (!canServe(pool)) return;
    if (!this.#failedMs.has(pool)) this.#report.refused(pool.address, problem);
    this.#failedMs.set(pool, this.#clock.nowMs);
  }

  /** Lets a server have the slots that it was flushed of and is to serve. */
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
      // From now on whoever writes the slot ends the loan. What a stand-in has is of no use to it later.
      if (before < members.length && home[slot] === before) loans.lend(slot, pools[before]!);
      owners[slot] = position;
      taken++;
    }
    if (taken === 0) return;
    this.#cluster.assign(owners);
    this.#report.taken(pool.address, taken, removed);
  }

  /** Begins nothing more. */
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

/** Slots, as `flushslots` takes them. */
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

/** The flush of one server of some slots: one request after another, until the server's cursor is at the end. */
class SlotFlush extends BackendRequest {
  readonly slots: SlotSet;
  /** Keys removed so far. */
  removed = 0;
  readonly #pool: Pool;
  readonly #dialect: Dialect;
  readonly #ownLane: RequestStream;
  readonly #done: (problem: string | undefined) => void;
  #isCancelled = false;

  /** @param done called once with nothing when the server was flushed, else with why it was not; not after {@linkcode cancel} */
  constructor(pool: Pool, dialect: Dialect, slots: SlotSet, done: (problem: string | undefined) => void) {
    super();
    this.#pool = pool;
    this.#dialect = dialect;
    this.#ownLane = new RequestStream(dialect);
    this.slots = slots;
    this.#done = done;
  }

  begin(): void {
    this.#send(0);
  }

  /** Sends no more requests; the one under way may still be carried out. */
  cancel(): void {
    this.#isCancelled = true;
  }

  #send(cursor: number): void {
    const request = this.#dialect.request(["flushslots", String(cursor), this.slots.bitmap]);
    this.#pool.send(this.#ownLane, this, request, 0, request.length);
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
   * Takes note of how many keys were removed, and answers the cursor to go on with.
   *
   * @throws {ReplyError} when the server has refused
   * @throws {ProtocolError} when it has answered something else
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
