/**
 * The commands on strings that are other forms of `get` and `set`. Every function exported here is the command of its
 * name.
 *
 * @module
 */

import { wrongCount } from "../catalog/call.ts";
import { LONG_ARGUMENTS_COUNT, LONG_VALUE_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { deadlineAfter, defaultDeadline, findKey, readTyped } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { GETEX_OPTIONS, MOMENT, optionDeadlineMs, PERSIST, readDeadline, readOptions, TTL } from "./set_options.ts";

import { following, replacing, replyValue, setPairsInSteps, setValue } from "./long_string.ts";
import { setPairs } from "./string_value.ts";

/** `getset key value` sets a string, and replies with the old one. */
export function getset(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = readTyped(context, request, 1, EntryType.String);
  if (entry === 0) {
    reply.nil();
    return setValue(context, request, 1, 2, 0, defaultDeadline(context));
  }
  const steps = replyValue(context, request, reply, entry);
  if (steps === undefined) return setValue(context, request, 1, 2, entry, defaultDeadline(context));
  return settingAfter(steps, context, request);
}

function settingAfter(steps: Steps, context: CommandContext, request: Request): Steps {
  return replacing(context, request, steps, (entry) => {
    return setValue(context, request, 1, 2, entry, defaultDeadline(context));
  });
}

/** `getex key [EX seconds | PX ms | EXAT seconds | PXAT ms | PERSIST]` replies with a string, and changes its TTL. */
export function getex(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  const options = readOptions(request, 2, GETEX_OPTIONS);
  // Only a TTL needs memory: without one, the value can be read even if the store is full.
  if ((options & TTL) !== 0) store.room.make(request.size, request.count);
  const entry = readTyped(context, request, 1, EntryType.String);
  if (entry === 0) {
    reply.nil();
    return;
  }
  readDeadline(context, request, options);
  const deadlineMs = optionDeadlineMs;
  const steps = replyValue(context, request, reply, entry);
  if (steps === undefined) return changeDeadline(context, entry, options, deadlineMs);
  return changingAfter(steps, context, request, options, deadlineMs);
}

function changingAfter(
  steps: Steps,
  context: CommandContext,
  request: Request,
  options: number,
  deadlineMs: number,
): Steps {
  return following(steps, () => changeDeadline(context, findKey(context, request, 1), options, deadlineMs));
}

/** Changes a key's deadline as the options of `getex` specify. */
function changeDeadline({ store }: CommandContext, entry: number, options: number, deadlineMs: number): void {
  if ((options & MOMENT) !== 0 && deadlineMs <= store.nowMs) store.remove(entry);
  else if ((options & TTL) !== 0) store.setDeadline(entry, deadlineMs);
  else if ((options & PERSIST) !== 0 && store.deadline(entry) !== 0) store.setDeadline(entry, 0);
}

/** `setnx key value` sets a string if the key is absent. */
export function setnx(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const entry = context.store.find(request.bytes, request.starts[1]!, request.lengths[1]!);
  reply.integer(entry === 0 ? 1 : 0);
  if (entry === 0) return setValue(context, request, 1, 2, 0, defaultDeadline(context));
}

/** `setex key seconds value` sets a string with a TTL in seconds. */
export function setex(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return setFor(context, request, reply, 1000);
}

/** `psetex key ms value` sets a string with a TTL in milliseconds. */
export function psetex(context: CommandContext, request: Request, reply: Reply): void | Steps {
  return setFor(context, request, reply, 1);
}

function setFor(context: CommandContext, request: Request, reply: Reply, unitMs: number): void | Steps {
  const deadlineMs = deadlineAfter(context, request, 2, unitMs);
  const entry = context.store.find(request.bytes, request.starts[1]!, request.lengths[1]!);
  reply.ok();
  return setValue(context, request, 1, 3, entry, deadlineMs);
}

/** `msetnx key value [key value …]` sets all keys if every one of them is absent, or none. */
export function msetnx(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const { count, size } = request;
  if (count % 2 === 0) throw wrongCount(request);
  if (count > LONG_ARGUMENTS_COUNT || size > LONG_VALUE_BYTES) return setAbsentInSteps(context, request, reply);
  const isAny = isAnyThere(context, request, 1, count);
  // A key may occur twice: its last value is kept.
  if (!isAny) setPairs(context, request, 1, count);
  reply.integer(isAny ? 0 : 1);
}

function* setAbsentInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  const { count } = request;
  for (let i = 1; i < count; i += STEP_KEYS_COUNT * 2) {
    if (isAnyThere(context, request, i, Math.min(count, i + STEP_KEYS_COUNT * 2))) return reply.integer(0);
    yield;
  }
  yield* setPairsInSteps(context, request);
  reply.integer(1);
}

/** Returns whether one of the keys in arguments `[from, to)` exists; keys and values alternate. */
function isAnyThere({ store }: CommandContext, request: Request, from: number, to: number): boolean {
  for (let i = from; i < to; i += 2) {
    if (store.find(request.bytes, request.starts[i]!, request.lengths[i]!) !== 0) return true;
  }
  return false;
}
