/**
 * `flushslots`: removes the keys of some slots, a part of them at a call, as `scan` visits them.
 *
 * It is what a proxy needs when a slot gets another server for a while: what that one holds of the slot is from another
 * time. There is no index of keys by slot: it would cost every key some bytes, and every write some time, for what happens
 * once in a server's failure. So each call looks at the next keys of all.
 *
 * The slots come as a bitmap (key_slot.ts): half of all slots as ranges in words would be 40 kB, at each call.
 *
 * A removal invalidates references, so a bucket is looked at anew after each; it holds a few keys, and they are in the
 * processor's cache by then.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { hasSlot, SLOT_BITMAP_BYTES, slotOf } from "../key_slot.ts";
import { FLUSH_SLOTS_VISITS_MAX_BYTES, FLUSH_SLOTS_VISITS_MAX_COUNT, KEY_SIZE_MAX_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";
import { replyCursor, SCAN_BUCKETS_PER_KEY, scanCursor } from "./scan_options.ts";

/** Where the slots are named. */
const SLOTS_ARGUMENT = 2;

/** The key looked at. One is enough, since a call runs to its end. */
const key = new Uint8Array(KEY_SIZE_MAX_BYTES);

/**
 * `flushslots cursor slots`
 *
 * Answers the cursor to go on with, 0 at the end, and how many keys were removed. A key that is there all the time from the
 * first call, with cursor 0, to the last is removed if its slot is one of those.
 */
export function flushslots(context: CommandContext, request: Request, reply: Reply): void {
  let cursor = scanCursor(request, 1);
  if (request.length(SLOTS_ARGUMENT) !== SLOT_BITMAP_BYTES) {
    throw new ReplyError("ERR", `slots must be a bitmap of ${SLOT_BITMAP_BYTES} bytes`);
  }
  const sweep = new Sweep(context.store, request.bytes, request.start(SLOTS_ARGUMENT));
  let buckets = FLUSH_SLOTS_VISITS_MAX_COUNT * SCAN_BUCKETS_PER_KEY;
  do cursor = sweep.bucket(cursor); while (
    cursor !== 0 && --buckets > 0 && sweep.visited < FLUSH_SLOTS_VISITS_MAX_COUNT &&
    sweep.size < FLUSH_SLOTS_VISITS_MAX_BYTES
  );
  reply.array(2);
  replyCursor(reply, cursor);
  reply.integer(sweep.removed);
}

/** Removes the keys of the slots that are meant, bucket by bucket. */
class Sweep {
  /** Keys looked at. */
  visited = 0;
  /** Sum of their lengths, in bytes. */
  size = 0;
  /** Keys removed. */
  removed = 0;
  readonly #store: Store;
  readonly #bitmaps: Uint8Array;
  readonly #start: number;
  /** A key to be removed, or 0. */
  #found = 0;

  /** @param bitmaps has the slots that are meant from `start` on; borrowed for the sweep's life */
  constructor(store: Store, bitmaps: Uint8Array, start: number) {
    this.#store = store;
    this.#bitmaps = bitmaps;
    this.#start = start;
  }

  /** Goes through the bucket at `cursor`, and answers where to go on; see `Store.scan`. */
  bucket(cursor: number): number {
    for (;;) {
      this.#found = 0;
      const next = this.#store.scan(cursor, this.#look);
      if (this.#found === 0) return next;
      this.#store.remove(this.#found);
      this.removed++;
    }
  }

  readonly #look = (entry: number): void => {
    if (this.#found !== 0) return;
    this.visited++;
    const length = this.#store.keyLength(entry);
    this.size += length;
    this.#store.copyKey(entry, key, 0);
    if (hasSlot(this.#bitmaps, this.#start, slotOf(key, 0, length))) this.#found = entry;
  };
}
