/**
 * What commands on hashes have in common: finding a field, and answering with it.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Positions the store's cursor on the field in argument `index`; false when the entry or the field is absent. */
export function findField(store: Store, request: Request, entry: number, index: number): boolean {
  return entry !== 0 && store.hashFind(entry, request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** Answers the field that the store's cursor is on. */
export function replyField(store: Store, reply: Reply): void {
  const at = reply.reserve(store.fieldLength());
  store.copyField(reply.buffer, at, reply.view);
}

/** Answers the value that the store's cursor is on. */
export function replyValue(store: Store, reply: Reply): void {
  const at = reply.reserve(store.valueLength());
  store.copyValue(reply.buffer, at, reply.view);
}

/**
 * Sets the field in argument 2 of the hash in argument 1 to a value of the caller's; a hash that comes into being gets the
 * default TTL.
 *
 * @param entry what the key holds, or 0
 */
export function setField(
  context: CommandContext,
  { bytes, starts, lengths }: Request,
  entry: number,
  value: Uint8Array,
  valueStart: number,
  valueLength: number,
): void {
  const { store } = context;
  const changed = store.hashSet(
    bytes,
    starts[1]!,
    lengths[1]!,
    entry,
    bytes,
    starts[2]!,
    lengths[2]!,
    value,
    valueStart,
    valueLength,
  );
  if (entry === 0 && context.defaultTtlMs !== 0) store.setDeadline(changed, defaultDeadline(context));
}

/**
 * Refuses a field that no hash can hold.
 *
 * @throws {ReplyError}
 */
export function checkField(request: Request, index: number): void {
  if (request.lengths[index]! > FIELD_SIZE_MAX_BYTES) {
    throw new ReplyError("ERR", `field exceeds ${FIELD_SIZE_MAX_BYTES} bytes`);
  }
}
