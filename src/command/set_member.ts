/**
 * The parts that commands on sets have in common: looking up a member, replying with one, and adding one.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";

/** Returns whether a set has the member in argument `index`. An absent set (`entry` 0) has none. */
export function hasMember(store: Store, { bytes, starts, lengths }: Request, entry: number, index: number): boolean {
  return entry !== 0 && store.sets.has(entry, bytes, starts[index]!, lengths[index]!);
}

/** Replies with the member at the store's cursor. */
export function replyMember(store: Store, reply: Reply): void {
  const at = reply.reserve(store.sets.memberLength());
  store.sets.copyMember(reply.buffer, at, reply.view);
}

/**
 * Adds the member in argument `index` to the set in argument `key`. Returns the set's entry.
 *
 * @param entry the current entry of the key, or 0
 */
export function addMember(store: Store, request: Request, key: number, entry: number, index: number): number {
  const { bytes, starts, lengths } = request;
  return store.sets.add(
    bytes,
    starts[key]!,
    lengths[key]!,
    entry,
    bytes,
    starts[index]!,
    lengths[index]!,
    request.dataView,
  );
}

/**
 * Checks that arguments `[from, to)` are not too long to be members.
 *
 * @throws {ReplyError} when one is
 */
export function checkMembers({ lengths }: Request, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    if (lengths[i]! > FIELD_SIZE_MAX_BYTES) throw new ReplyError("ERR", `member exceeds ${FIELD_SIZE_MAX_BYTES} bytes`);
  }
}
