/**
 * Long strings, read and stored in steps.
 *
 * A long value is stored as a first piece, to which the others are appended. Nobody sees a part of it, since its key is held
 * meanwhile, nor does a crash leave one, since all of it is one batch of the log (long_command.ts).
 *
 * @module
 */

import { LONG_BYTES, LONG_VALUE_BYTES, STEP_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findKey, findTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { KeptRoom } from "./kept_room.ts";
import type { Steps } from "./long_command.ts";
import { replyItems, StringItems } from "./long_reply.ts";
import { replyString, setArgument, setPairs } from "./string_value.ts";

/** Replies with the string in argument 1, which is `entry`: in steps when it is long. */
export function replyValue(context: CommandContext, request: Request, reply: Reply, entry: number): void | Steps {
  const length = context.store.stringLength(entry);
  if (length > LONG_BYTES) return replyItems(reply, new StringItems(context, request, 0, length), 0, 1);
  replyString(context.store, entry, reply);
}

/** Takes steps, and then what `then` does. */
export function* following(steps: Steps, then: () => void | Steps): Steps {
  yield* steps;
  const more = then();
  if (more !== undefined) yield* more;
}

/**
 * Sets the key in argument `keyIndex` to the value in argument `valueIndex`: in steps when that is long.
 *
 * @param entry what the key holds, of any type, or 0
 * @param deadlineMs when it expires; 0: never
 */
export function setValue(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  entry: number,
  deadlineMs: number,
): void | Steps {
  if (request.lengths[valueIndex]! > LONG_VALUE_BYTES) {
    return setInSteps(context, request, keyIndex, valueIndex, deadlineMs);
  }
  setArgument(context.store, request, keyIndex, valueIndex, entry, deadlineMs);
}

/** As {@linkcode setValue}, for a long value. */
export function* setInSteps(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  deadlineMs: number,
): Steps {
  const { store } = context;
  const { bytes, starts, lengths } = request;
  const length = lengths[valueIndex]!;
  const first = Math.min(STEP_BYTES, length);
  const entry = findKey(context, request, keyIndex);
  store.setString(
    bytes,
    starts[keyIndex]!,
    lengths[keyIndex]!,
    entry,
    bytes,
    starts[valueIndex]!,
    first,
    deadlineMs,
    request.dataView,
  );
  yield* appendInSteps(context, request, keyIndex, valueIndex, first);
}

/** Appends the value in argument `valueIndex`, from byte `from` on, to the string in argument `keyIndex`. */
export function* appendInSteps(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  from: number,
): Steps {
  const { store } = context;
  const start = request.starts[valueIndex]!;
  const length = request.lengths[valueIndex]!;
  let kept = store.keepRoom(length - from, 1, 0);
  try {
    for (let at = from; at < length;) {
      yield;
      const part = Math.min(STEP_BYTES, length - at);
      const entry = findTyped(context, request, keyIndex, EntryType.String);
      store.appendString(entry, request.bytes, start + at, part);
      at += part;
      kept = store.keepRoom(length - at, at < length ? 1 : 0, kept);
    }
  } finally {
    store.keepRoom(0, 0, kept);
  }
}

/** Sets all keys and values of a request, in steps. */
export function* setPairsInSteps(context: CommandContext, request: Request): Steps {
  const { lengths, count } = request;
  const room = new KeptRoom(context, request);
  try {
    for (let i = 1; i < count; i = room.next) {
      const isLong = lengths[i + 1]! > LONG_VALUE_BYTES;
      const to = room.take(i, isLong ? 2 : STEP_KEYS_COUNT * 2);
      for (let from = i; from < to; from += 2) {
        if (lengths[from + 1]! <= LONG_VALUE_BYTES) setPairs(context, request, from, from + 2);
        else yield* setInSteps(context, request, from, from + 1, defaultDeadline(context));
      }
      if (to < count) yield;
    }
  } finally {
    room.release();
  }
}
