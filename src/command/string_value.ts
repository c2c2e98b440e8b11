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
import { defaultDeadline } from "./argument.ts";
import type { CommandContext } from "./context.ts";

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
 * @param length how much of the value: the others are appended later
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
  store.setString(
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

/** Sets the keys and values in arguments `[from, to)`, none of them long. */
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

/** The refusal to make a string longer than it may be. */
export function stringTooLong(): ReplyError {
  return new ReplyError("ERR", `string exceeds maximum allowed size (${VALUE_SIZE_MAX_BYTES} bytes)`);
}
