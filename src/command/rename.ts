/**
 * The commands that move or copy a value to another key. Every function exported here is the command of its name.
 *
 * @module
 */

import { equalBytes } from "../bytes.ts";
import { ReplyError } from "../errors.ts";
import { LONG_VALUE_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store, ValueTypeNumber } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findKey, readKey, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { copyValue } from "./long_copy.ts";

/** The most elements, fields or members of a value that is copied without steps. */
const LONG_COPIED_COUNT = 512;

/** `rename key newkey` moves a value to another key. */
export function rename(context: CommandContext, request: Request, reply: Reply): void {
  moveKey(context, request, true);
  reply.ok();
}

/** `renamenx key newkey` moves a value to another key if that is absent. */
export function renamenx(context: CommandContext, request: Request, reply: Reply): void {
  reply.integer(moveKey(context, request, false) ? 1 : 0);
}

/**
 * Moves the value of the key in argument 1 to the key in argument 2.
 *
 * @returns `false` when nothing was done, because the keys are equal or the value of the second one must remain
 * @throws {ReplyError} when the first key is absent
 */
function moveKey(context: CommandContext, request: Request, replaces: boolean): boolean {
  const { bytes, starts, lengths } = request;
  const store = context.store;
  const entry = findKey(context, request, 1);
  if (entry === 0) throw new ReplyError("ERR", "no such key");
  if (isSameKey(request)) return false;
  const present = findKey(context, request, 2);
  if (present !== 0) {
    if (!replaces) return false;
    store.remove(present);
  }
  const renamed = store.rename(entry, bytes, starts[2]!, lengths[2]!);
  // A large value is known under its new name, even if this request is not measured.
  if (isLong(store, renamed)) context.shared.keys.noteSize(bytes, starts[2]!, lengths[2]!);
  return true;
}

/** `copy source destination [DB 0] [REPLACE]` copies a value to another key. */
export function copy(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const replaces = copyOptions(request);
  if (isSameKey(request)) throw new ReplyError("ERR", "source and destination objects are the same");
  const { bytes, starts, lengths } = request;
  const store = context.store;
  const found = readKey(context, request, 1);
  if (found === 0 || (!replaces && findKey(context, request, 2) !== 0)) {
    reply.integer(0);
    return;
  }
  if (isLong(store, found)) return copyInSteps(context, request, reply);
  // Making room may evict the value to be replaced, but not the value to be copied.
  const source = store.room.makeForCopy(found);
  const present = findKey(context, request, 2);
  if (present !== 0) store.remove(present);
  store.copyEntry(source, bytes, starts[2]!, lengths[2]!);
  reply.integer(1);
}

/** The length of a value of each type above which copying it takes more than one step. */
const LONG_LENGTHS = {
  [EntryType.String]: LONG_VALUE_BYTES,
  [EntryType.List]: LONG_COPIED_COUNT,
  [EntryType.Hash]: LONG_COPIED_COUNT,
  [EntryType.Set]: LONG_COPIED_COUNT,
} satisfies Record<ValueTypeNumber, number>;

/** Returns whether copying a value takes more than one step. */
function isLong(store: Store, entry: number): boolean {
  return store.typeOf(entry).length(entry) > LONG_LENGTHS[store.type(entry)];
}

function* copyInSteps(context: CommandContext, request: Request, reply: Reply): Steps {
  yield* copyValue(context, request);
  reply.integer(1);
}

/**
 * Reads the options after `copy source destination`.
 *
 * @returns whether a value of the destination is replaced
 * @throws {ReplyError} when the options are wrong
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

/** Returns whether arguments 1 and 2 are the same key. */
function isSameKey({ bytes, starts, lengths }: Request): boolean {
  return lengths[1] === lengths[2] && equalBytes(bytes, starts[1]!, bytes, starts[2]!, lengths[1]!);
}
