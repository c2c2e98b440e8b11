/**
 * The parts that commands on strings have in common: replying with a string, and setting one to an argument.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Replies with the whole string, whose length the caller may know. */
export function replyString(store: Store, entry: number, reply: Reply, length = store.strings.length(entry)): void {
  const at = reply.reserve(length);
  store.strings.copy(entry, 0, reply.buffer, at, length, reply.view);
}

/**
 * Sets the key in argument `keyIndex` to the value in argument `valueIndex`.
 *
 * @param entry the current entry of the key, of any type, or 0
 * @param deadlineMs the time at which the key expires; 0 for never
 * @param length the length of the part of the value to be set; the caller appends the rest later
 */
export function setArgument(
  store: Store,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  entry: number,
  deadlineMs: number,
  length = request.lengths[valueIndex]!,
): void {
  const { bytes, starts, lengths } = request;
  store.strings.set(
    bytes,
    starts[keyIndex]!,
    lengths[keyIndex]!,
    entry,
    bytes,
    starts[valueIndex]!,
    length,
    deadlineMs,
    request.dataView,
  );
}

/** Sets the keys and values in arguments `[from, to)`, none of which is long. */
export function setPairs(context: CommandContext, request: Request, from: number, to: number): void {
  const store = context.store;
  const { bytes, starts, lengths } = request;
  const deadlineMs = defaultDeadline(context);
  let ahead = from;
  for (let i = from; i < to; i += 2) {
    if (i === ahead) ahead = store.prefetch(bytes, starts, lengths, i, to, 2);
    const entry = store.find(bytes, starts[i]!, lengths[i]!);
    setArgument(store, request, i, i + 1, entry, deadlineMs);
  }
}

/** Returns the error for a string that would get too long. */
export function stringTooLong(): ReplyError {
  return new ReplyError("ERR", `string exceeds maximum allowed size (${VALUE_SIZE_MAX_BYTES} bytes)`);
}
