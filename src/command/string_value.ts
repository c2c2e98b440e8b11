/**
 * What commands on strings have in common: answering with one, and setting one to an argument.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";

/** Answers the whole string. */
export function replyString(store: Store, entry: number, reply: Reply): void {
  const length = store.stringLength(entry);
  const at = reply.reserve(length);
  store.copyString(entry, 0, reply.buffer, at, length, reply.view);
}

/**
 * Sets the key in argument `keyIndex` to the value in argument `valueIndex`.
 *
 * @param entry what the key holds, of any type, or 0
 * @param deadlineMs when it expires; 0: never
 */
export function setArgument(
  store: Store,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  entry: number,
  deadlineMs: number,
): void {
  const { bytes, starts, lengths } = request;
  store.setString(
    bytes,
    starts[keyIndex]!,
    lengths[keyIndex]!,
    entry,
    bytes,
    starts[valueIndex]!,
    lengths[valueIndex]!,
    deadlineMs,
    request.dataView,
  );
}

/** The refusal to make a string longer than it may be. */
export function stringTooLong(): ReplyError {
  return new ReplyError("ERR", `string exceeds maximum allowed size (${VALUE_SIZE_MAX_BYTES} bytes)`);
}
