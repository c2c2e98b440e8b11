/**
 * The parts that commands on hashes have in common: finding a field, and replying with it.
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

/** Moves the store's cursor to the field in argument `index`. Returns `false` when the entry or the field is absent. */
export function findField(store: Store, request: Request, entry: number, index: number): boolean {
  return entry !== 0 && store.hashes.find(entry, request.bytes, request.starts[index]!, request.lengths[index]!);
}

/** Replies with the field at the store's cursor. */
export function replyField(store: Store, reply: Reply): void {
  const at = reply.reserve(store.hashes.fieldLength());
  store.hashes.copyField(reply.buffer, at, reply.view);
}

/** Replies with the value at the store's cursor. */
export function replyValue(store: Store, reply: Reply): void {
  const at = reply.reserve(store.hashes.valueLength());
  store.hashes.copyValue(reply.buffer, at, reply.view);
}

/**
 * Sets the field in argument 2 of the hash in argument 1 to the caller's value. A new hash gets the default TTL.
 *
 * @param entry the current entry of the key, or 0
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
  const changed = store.hashes.set(
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
 * Checks that a field is not too long.
 *
 * @throws {ReplyError} when it is
 */
export function checkField(request: Request, index: number): void {
  if (request.lengths[index]! > FIELD_SIZE_MAX_BYTES) {
    throw new ReplyError("ERR", `field exceeds ${FIELD_SIZE_MAX_BYTES} bytes`);
  }
}
