/**
 * The commands on parts of strings. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { LONG_BYTES, LONG_VALUE_BYTES, STEP_BYTES, VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, readTyped, roundedInteger } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeptRoom } from "./kept_room.ts";

import { replyItems, StringItems } from "./long_reply.ts";
import { stringTooLong } from "./string_value.ts";

const EMPTY = new Uint8Array(0);
const ZEROS = new Uint8Array(STEP_BYTES);

/**
 * `getrange key start end` replies with a part of a string, both ends included. Negative positions count from the end.
 */
export function getrange(context: CommandContext, request: Request, reply: Reply): void | Steps {
  let start = roundedInteger(request, 2);
  let end = roundedInteger(request, 3);
  const store = context.store;
  const entry = readTyped(context, request, 1, EntryType.String);
  const length = entry === 0 ? 0 : store.strings.length(entry);
  // Without this check, two positions before the string would both become 0 and return its first byte.
  const isBackward = start < 0 && end < 0 && start > end;
  if (start < 0) start = Math.max(0, start + length);
  if (end < 0) end = Math.max(0, end + length);
  const count = isBackward ? 0 : Math.max(0, Math.min(end, length - 1) - start + 1);
  if (count > LONG_BYTES) return replyItems(reply, new StringItems(context, request, start, count), 0, 1);
  const at = reply.reserve(count);
  if (count > 0) store.strings.copy(entry, start, reply.buffer, at, count);
}

/** `setrange key offset value` overwrites a part of a string. A gap before the offset is filled with zero bytes. */
export function setrange(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { bytes, starts, lengths } = request;
  const offset = roundedInteger(request, 2);
  if (offset < 0) throw new ReplyError("ERR", "offset is out of range");
  const store = context.store;
  const length = lengths[3]!;
  let entry = findTyped(context, request, 1, EntryType.String);
  const before = entry === 0 ? 0 : store.strings.length(entry);
  if (length === 0) {
    reply.integer(before);
    return;
  }
  const after = Math.max(before, offset + length);
  if (after > VALUE_SIZE_MAX_BYTES) throw stringTooLong();
  if (after - before > LONG_VALUE_BYTES || length > LONG_VALUE_BYTES) return setRangeInSteps(context, request, reply);
  if (after - before > length) {
    // More room is needed than for the request alone. Making it may evict the key itself, so the entry is looked up
    // again.
    store.room.make(request.size + after - before, request.count);
    entry = findTyped(context, request, 1, EntryType.String);
  }
  if (entry === 0) {
    entry = store.strings.set(bytes, starts[1]!, lengths[1]!, 0, EMPTY, 0, 0, defaultDeadline(context));
  }
  store.strings.overwrite(entry, offset, bytes, starts[3]!, length);
  reply.integer(after);
}

/** Fills the gap before the offset with zero bytes, and then writes the value, both in pieces. */
function* setRangeInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  const { store } = context;
  const { bytes, starts, lengths } = request;
  const [start, length] = [starts[3]!, lengths[3]!];
  const offset = roundedInteger(request, 2);
  const lengthNow = () => {
    const entry = findTyped(context, request, 1, EntryType.String);
    return entry === 0 ? 0 : store.strings.length(entry);
  };
  // Making room may evict the key itself, unless the key is held. So the missing size is computed again each time.
  const missing = () => Math.max(0, offset + length - lengthNow());
  while (!store.room.makePart(request.size + missing(), request.count)) yield;
  store.room.make(request.size + missing(), request.count);
  const after = Math.max(lengthNow(), offset + length);
  const room = new KeptRoom(store, after - lengthNow(), 1);
  try {
    if (findTyped(context, request, 1, EntryType.String) === 0) {
      store.strings.set(bytes, starts[1]!, lengths[1]!, 0, EMPTY, 0, 0, defaultDeadline(context));
    }
    for (let at = lengthNow(); at < offset; at = lengthNow()) {
      yield;
      const entry = findTyped(context, request, 1, EntryType.String);
      store.strings.append(entry, ZEROS, 0, Math.min(ZEROS.length, offset - at));
      room.keep(after - lengthNow());
    }
    for (let at = 0; at < length; at += STEP_BYTES) {
      yield;
      const entry = findTyped(context, request, 1, EntryType.String);
      store.strings.overwrite(entry, offset + at, bytes, start + at, Math.min(STEP_BYTES, length - at));
      room.keep(after - lengthNow());
    }
    reply.integer(after);
  } finally {
    room.release();
  }
}
