/**
 * The commands on parts of strings. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, roundedInteger } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { stringTooLong } from "./string_value.ts";

const EMPTY = new Uint8Array(0);

/** `getrange key start end`: both ends included, counted from behind the last byte when negative. */
export function getrange(context: CommandContext, request: Request, reply: Reply): void {
  let start = roundedInteger(request, 2);
  let end = roundedInteger(request, 3);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.String);
  const length = entry === 0 ? 0 : store.stringLength(entry);
  // Clamped below, two ends in front of the string would mean its first byte.
  const isBackward = start < 0 && end < 0 && start > end;
  if (start < 0) start = Math.max(0, start + length);
  if (end < 0) end = Math.max(0, end + length);
  const count = isBackward ? 0 : Math.max(0, Math.min(end, length - 1) - start + 1);
  const at = reply.reserve(count);
  if (count > 0) store.copyString(entry, start, reply.buffer, at, count);
}

/** `setrange key offset value`: what is missing before the offset becomes zero bytes. */
export function setrange(context: CommandContext, request: Request, reply: Reply): void {
  const { bytes, starts, lengths } = request;
  const offset = roundedInteger(request, 2);
  if (offset < 0) throw new ReplyError("ERR", "offset is out of range");
  const store = context.store;
  const length = lengths[3]!;
  let entry = findTyped(context, request, 1, EntryType.String);
  const before = entry === 0 ? 0 : store.stringLength(entry);
  if (length === 0) {
    reply.integer(before);
    return;
  }
  const after = Math.max(before, offset + length);
  if (after > VALUE_SIZE_MAX_BYTES) throw stringTooLong();
  if (after - before > length) {
    // More than the request brings. This may cost the key itself, and is repeated with what is there then.
    store.makeRoom(request.size + after - before, request.count);
    entry = findTyped(context, request, 1, EntryType.String);
  }
  if (entry === 0) {
    entry = store.setString(bytes, starts[1]!, lengths[1]!, 0, EMPTY, 0, 0, defaultDeadline(context));
  }
  store.overwriteString(entry, offset, bytes, starts[3]!, length);
  reply.integer(after);
}
