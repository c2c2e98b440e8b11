/**
 * Splits the keys of one command by the servers that own them.
 *
 * ```text
 * mget a b c d    a, c owned by X, b by Y, d by Z
 * partOf          [ 0, 1, 0, 2 ]           the part of each key, in the order of the request
 * requests        X: mget a c   Y: mget b   Z: mget d
 * ```
 *
 * Keys keep their order within a part. The keys of a part are chained by their positions (`next`), so that each part is
 * composed in one pass over its own keys. A request of a million keys takes one pass, regardless of the number of
 * servers.
 *
 * A long request is split in steps, between which other clients' requests are routed.
 *
 * @module
 */

import type { CommandSpecification } from "../../catalog/specification.ts";
import { slotOf } from "../../key_slot.ts";
import { STEP_BYTES, STEP_ITEMS_COUNT } from "../../limits.ts";
import type { Pool } from "../../route/pool.ts";
import type { Request } from "../../wire/request.ts";
import type { RequestWriter } from "../../wire/request_writer.ts";
import type { Cluster } from "../backend/cluster.ts";

/** The most bytes that any protocol adds to an argument: `$`, ten digits and two line ends. */
const ARGUMENT_OVERHEAD_MAX_BYTES = 16;
/** The cost of composing an argument, in bytes that are copied in the same time. */
const ARGUMENT_BYTES = STEP_BYTES / STEP_ITEMS_COUNT;

/** One part: the server and a chain of key numbers. */
interface Share {
  readonly pool: Pool;
  first: number;
  last: number;
  count: number;
  /** The size of its arguments, rounded up, in bytes. */
  size: number;
}

/** The keys of a request, by owner. It borrows the request. */
export class Split {
  /** The number of the part of each key, in the order of the request. */
  readonly partOf: Uint16Array;
  readonly #cluster: Cluster;
  readonly #shares: Share[] = [];
  readonly #shareOf: Int16Array;
  readonly #next: Int32Array;
  readonly #request: Request;
  readonly #firstKey: number;
  readonly #keyStep: number;
  readonly #slots: Uint16Array | undefined;
  /** The number of keys that are assigned to parts. */
  #assigned = 0;

  /**
   * Creates a split.
   *
   * @param request a request with complete keys: their number, and the values between them, were checked
   * @param slots the slot of each key, if the keys are to be assigned by {@linkcode assignSome}; otherwise all are
   * assigned immediately
   */
  constructor(cluster: Cluster, specification: CommandSpecification, request: Request, slots?: Uint16Array) {
    this.#cluster = cluster;
    this.#request = request;
    this.#firstKey = specification.firstKey;
    this.#keyStep = specification.keyStep;
    this.#slots = slots;
    const count = (request.count - this.#firstKey) / this.#keyStep;
    this.partOf = new Uint16Array(count);
    this.#next = new Int32Array(count).fill(-1);
    this.#shareOf = new Int16Array(cluster.pools.length).fill(-1);
    if (slots === undefined) this.#assign(count);
  }

  /** Assigns some more keys to parts. Returns whether all are assigned. */
  assignSome(): boolean {
    this.#assign(Math.min(this.partOf.length, this.#assigned + STEP_ITEMS_COUNT));
    return this.#assigned === this.partOf.length;
  }

  #assign(end: number): void {
    const { pools, owners } = this.#cluster;
    const request = this.#request;
    for (let key = this.#assigned; key < end; key++) {
      const position = this.#firstKey + key * this.#keyStep;
      const slot = this.#slots?.[key] ?? slotOf(request.bytes, request.start(position), request.length(position));
      const owner = owners[slot]!;
      let index = this.#shareOf[owner]!;
      if (index < 0) {
        index = this.#shareOf[owner] = this.#shares.length;
        this.#shares.push({ pool: pools[owner]!, first: key, last: key, count: 0, size: 0 });
      }
      const share = this.#shares[index]!;
      this.partOf[key] = index;
      if (share.count > 0) this.#next[share.last] = key;
      share.last = key;
      share.count++;
      for (let i = position; i < position + this.#keyStep; i++) {
        share.size += request.length(i) + ARGUMENT_OVERHEAD_MAX_BYTES;
      }
    }
    this.#assigned = end;
  }

  /** The number of servers that own keys of the request. */
  get count(): number {
    return this.#shares.length;
  }

  /** Returns the server of a part. */
  pool(part: number): Pool {
    return this.#shares[part]!.pool;
  }

  /** Composes the request with the keys of a part and their values. */
  compose(part: number, writer: RequestWriter): void {
    const share = this.#shares[part]!;
    writer.begin(this.#request, 1 + share.count * this.#keyStep);
    for (let key = share.first; key >= 0; key = this.#next[key]!) {
      const position = this.#firstKey + key * this.#keyStep;
      writer.copy(this.#request, position, position + this.#keyStep - 1);
    }
    writer.end();
  }

  /**
   * Composes like {@linkcode compose}, but in steps: each call of the result composes some more, and returns whether
   * all is done.
   */
  composing(part: number, writer: RequestWriter): () => boolean {
    const share = this.#shares[part]!;
    const request = this.#request;
    writer.begin(request, 1 + share.count * this.#keyStep);
    writer.reserve(share.size);
    let key = share.first;
    let argument = 0;
    let from = 0;
    return () => {
      for (let left = STEP_BYTES; left > 0 && key >= 0;) {
        const before = writer.length;
        from = writer.copyPart(request, this.#firstKey + key * this.#keyStep + argument, from, left);
        left -= writer.length - before + ARGUMENT_BYTES;
        if (from >= 0) continue;
        from = 0;
        if (++argument < this.#keyStep) continue;
        argument = 0;
        key = this.#next[key]!;
      }
      if (key >= 0) return false;
      writer.end();
      return true;
    };
  }
}
