/**
 * Reads and stores long strings in steps.
 *
 * A long value is stored as a first piece, to which the other pieces are appended. No command sees a part of it,
 * because its key is held meanwhile. A crash does not leave a part either, because all pieces are in one batch of the
 * log (long_command.ts).
 *
 * @module
 */

import { LONG_BYTES, LONG_VALUE_BYTES, STEP_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findKey, findTyped } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeptRoom, makeRoomInSteps } from "./kept_room.ts";

import { replyItems, StringItems } from "./long_reply.ts";
import { replyString, setArgument, setPairs } from "./string_value.ts";

/** Replies with `entry`, the string in argument 1; in steps if it is long. */
export function replyValue(context: CommandContext, request: Request, reply: Reply, entry: number): void | Steps {
  const length = context.store.strings.length(entry);
  if (length > LONG_BYTES) return replyItems(reply, new StringItems(context, request, 0, length), 0, 1);
  replyString(context.store, entry, reply, length);
}

/** Runs steps that reply with a value, and then sets the key in argument 1, which is looked up again. */
export function* replacing(
  context: CommandContext,
  request: Request,
  steps: Steps,
  set: (entry: number) => void | Steps,
): Steps {
  yield* steps;
  // Other commands may have used the room that was made before.
  yield* makeRoomInSteps(context.store, request.size, request.count);
  const more = set(findKey(context, request, 1));
  if (more !== undefined) yield* more;
}

/** Runs steps, then calls `then` and runs the steps that it returns. */
export function* following(steps: Steps, then: () => void | Steps): Steps {
  yield* steps;
  const more = then();
  if (more !== undefined) yield* more;
}

/**
 * Sets the key in argument `keyIndex` to the value in argument `valueIndex`; in steps if that is long.
 *
 * @param entry the current entry of the key, of any type, or 0
 * @param deadlineMs the time at which the key expires; 0 for never
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

function* setInSteps(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  deadlineMs: number,
): Steps {
  yield* makeRoomInSteps(context.store, request.size, request.count);
  yield* storeInSteps(context, request, keyIndex, valueIndex, deadlineMs);
}

/** Sets a long value for which there is room, like {@linkcode setValue}. */
function* storeInSteps(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  deadlineMs: number,
): Steps {
  const first = Math.min(STEP_BYTES, request.lengths[valueIndex]!);
  const entry = findKey(context, request, keyIndex);
  setArgument(context.store, request, keyIndex, valueIndex, entry, deadlineMs, first);
  yield* appendPieces(context, request, keyIndex, valueIndex, first);
}

/** Appends the long value in argument `valueIndex` to the string in argument `keyIndex`. */
export function* appendInSteps(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
): Steps {
  yield* makeRoomInSteps(context.store, request.size, request.count);
  yield* appendPieces(context, request, keyIndex, valueIndex, 0);
}

/** Appends the value in argument `valueIndex`, from byte `from` on, to a string. There must be room for it. */
function* appendPieces(
  context: CommandContext,
  request: Request,
  keyIndex: number,
  valueIndex: number,
  from: number,
): Steps {
  const { store } = context;
  const start = request.starts[valueIndex]!;
  const length = request.lengths[valueIndex]!;
  const room = new KeptRoom(store, length - from, 1);
  try {
    for (let at = from; at < length;) {
      yield;
      const part = Math.min(STEP_BYTES, length - at);
      const entry = findTyped(context, request, keyIndex, EntryType.String);
      store.strings.append(entry, request.bytes, start + at, part);
      at += part;
      room.use(part, at < length ? 0 : 1);
    }
  } finally {
    room.release();
  }
}

/** Sets all keys and values of a request, in steps. */
export function* setPairsInSteps(context: CommandContext, request: Request): Steps {
  const { lengths, count } = request;
  const { store } = context;
  yield* makeRoomInSteps(store, request.size, count);
  const room = new KeptRoom(store, request.size, count);
  try {
    for (let i = 1; i < count; i = room.next) {
      const isLong = lengths[i + 1]! > LONG_VALUE_BYTES;
      const to = room.take(request, i, isLong ? 2 : STEP_KEYS_COUNT * 2);
      for (let from = i; from < to; from += 2) {
        if (lengths[from + 1]! <= LONG_VALUE_BYTES) setPairs(context, request, from, from + 2);
        else yield* storeInSteps(context, request, from, from + 1, defaultDeadline(context));
      }
      if (to < count) yield;
    }
  } finally {
    room.release();
  }
}
