/**
 * `flushslots` removes the keys of some slots, a part of them with each call. It visits keys as `scan` does.
 *
 * A proxy needs it when another server takes over a slot for a while: the keys that this server has in the slot are
 * outdated. There is no index of keys by slot. It would cost memory for every key, and time for every write, for an
 * event that happens once per failure of a server. So each call looks at the next part of all keys.
 *
 * The slots are a bitmap (key_slot.ts): half of all slots as ranges in decimal would be 40 kB at each call.
 *
 * A removal invalidates references, so a bucket is scanned again after each. It has a few keys, which are in the
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

/** The argument that contains the slots. */
const SLOTS_ARGUMENT = 2;

/** The key that is being looked at. One buffer is enough, since a call runs to completion. */
const key = new Uint8Array(KEY_SIZE_MAX_BYTES);

/**
 * `flushslots cursor slots` removes keys of slots.
 *
 * It replies with the next cursor, which is 0 at the end, and with the number of removed keys. A key of one of the
 * slots is removed if it exists from the first call, with cursor 0, to the last one.
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

/** Removes the keys of the given slots, bucket by bucket. */
class Sweep {
  /** The number of keys looked at. */
  visited = 0;
  /** The total length of the keys looked at, in bytes. */
  size = 0;
  /** The number of removed keys. */
  removed = 0;
  readonly #store: Store;
  readonly #bitmaps: Uint8Array;
  readonly #start: number;
  /** The entry of a key to be removed, or 0. */
  #found = 0;

  /** @param bitmaps contains the bitmap of the slots at `start`; borrowed as long as the sweep is used */
  constructor(store: Store, bitmaps: Uint8Array, start: number) {
    this.#store = store;
    this.#bitmaps = bitmaps;
    this.#start = start;
  }

  /** Removes the keys of the bucket at `cursor`. Returns the next cursor, or 0 at the end, as `Store.scan` does. */
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
