/**
 * The commands that give values other keys. Every function exported here is the command of its name.
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { LONG_VALUE_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findKey, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { copyValue } from "./long_copy.ts";

/** A list or hash of more elements or fields than this is copied in steps. */
const LONG_COPIED_COUNT = 512;

/** `rename key newkey` */
export function rename(context: CommandContext, request: Request, reply: Reply): void {
  const renamed = moveKey(context, request, true);
  reply.ok();
  announceList(context, request, renamed);
}

/** `renamenx key newkey` */
export function renamenx(context: CommandContext, request: Request, reply: Reply): void {
  const renamed = moveKey(context, request, false);
  reply.integer(renamed === 0 ? 0 : 1);
  announceList(context, request, renamed);
}

/**
 * Gives what the key in argument 1 holds the key in argument 2.
 *
 * @returns its entry; 0 when nothing was done, since both are the same or what the other one holds may not be replaced
 * @throws {ReplyError} when there is nothing
 */
function moveKey(context: CommandContext, request: Request, replaces: boolean): number {
  const { bytes, starts, lengths } = request;
  const store = context.store;
  const entry = findKey(context, request, 1);
  if (entry === 0) throw new ReplyError("ERR", "no such key");
  if (isSameKey(request)) return 0;
  const present = findKey(context, request, 2);
  if (present !== 0) {
    if (!replaces) return 0;
    store.remove(present);
  }
  return store.rename(entry, bytes, starts[2]!, lengths[2]!);
}

/** `copy source destination [DB 0] [REPLACE]` */
export function copy(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const replaces = copyOptions(request);
  if (isSameKey(request)) throw new ReplyError("ERR", "source and destination objects are the same");
  const { bytes, starts, lengths } = request;
  const store = context.store;
  const found = findKey(context, request, 1);
  if (found === 0 || (!replaces && findKey(context, request, 2) !== 0)) {
    reply.integer(0);
    return;
  }
  if (isLong(store, found)) return copyInSteps(context, request, reply);
  // This may cost what is to be replaced, but not what is copied.
  const source = store.makeRoomForCopy(found);
  const present = findKey(context, request, 2);
  if (present !== 0) store.remove(present);
  const copied = store.copyEntry(source, bytes, starts[2]!, lengths[2]!);
  reply.integer(1);
  announceList(context, request, copied);
}

/** Whether copying a value takes more than one step. */
function isLong(store: Store, entry: number): boolean {
  switch (store.type(entry)) {
    case EntryType.String:
      return store.stringLength(entry) > LONG_VALUE_BYTES;
    case EntryType.List:
      return store.listLength(entry) > LONG_COPIED_COUNT;
    default:
      return store.hashLength(entry) > LONG_COPIED_COUNT;
  }
}

function* copyInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  const copied = yield* copyValue(context, request);
  reply.integer(1);
  announceList(context, request, copied);
}

/**
 * Reads the options behind `copy source destination`.
 *
 * @returns whether what the destination holds is replaced
 * @throws {ReplyError} when they are wrong
 */
function copyOptions(request: Request): boolean {
  let replaces = false;
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, "replace")) {
      replaces = true;
    } else if (request.is(i, "db") && i + 1 < request.count) {
      if (roundedInteger(request, ++i) !== 0) throw new ReplyError("ERR", "DB index is out of range");
    } else {
      throw syntaxError();
    }
  }
  return replaces;
}

/** Whether arguments 1 and 2 are the same key. */
function isSameKey({ bytes, starts, lengths }: Request): boolean {
  return lengths[1] === lengths[2] && equalBytes(bytes, starts[1]!, bytes, starts[2]!, lengths[1]!);
}

/** Tells clients that wait for elements of the list in argument 2 that there is one, if `entry` is one. */
function announceList({ store, shared }: CommandContext, request: Request, entry: number): void {
  if (entry === 0 || store.type(entry) !== EntryType.List) return;
  shared.waiters.pushed(request.bytes, request.starts[2]!, request.lengths[2]!);
}
