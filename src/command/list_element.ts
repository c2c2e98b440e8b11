/**
 * The parts that commands on lists have in common: replying with an element, comparing one, and moving one to another
 * list.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, syntaxError, touchKey } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Replies with the element at the store's cursor. */
export function replyElement(store: Store, reply: Reply): void {
  const at = reply.reserve(store.lists.elementLength());
  store.lists.copyElement(reply.buffer, at, reply.view);
}

/** Returns whether the element at the store's cursor equals argument `index`. */
export function isElement(store: Store, request: Request, index: number): boolean {
  return store.lists.elementEquals(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/**
 * Returns whether argument `index` specifies the head of a list; otherwise it specifies the tail.
 *
 * @throws {ReplyError} when it is neither `LEFT` nor `RIGHT`
 */
export function isHead(request: Request, index: number): boolean {
  if (request.is(index, "left")) return true;
  if (request.is(index, "right")) return false;
  throw syntaxError();
}

/**
 * Moves an element from one end of the list in argument 1 to one end of the list in argument 2, and replies with it.
 *
 * @returns `false` without a reply when the first list is absent
 * @throws {ReplyError} when one of the keys does not hold a list
 */
export function moveElement(
  context: CommandContext,
  request: Request,
  reply: Reply,
  fromHead: boolean,
  toHead: boolean,
): boolean {
  const store = context.store;
  const source = findTyped(context, request, 1, EntryType.List);
  if (source === 0) return false;
  const destination = findTyped(context, request, 2, EntryType.List);
  store.lists.seek(source, fromHead ? 0 : -1);
  const length = store.lists.elementLength();
  const at = reply.reserve(length);
  store.lists.copyElement(reply.buffer, at, reply.view);
  if (source !== destination) {
    // The element is removed first: so there is room for it, however long it is.
    store.lists.pop(source, fromHead);
    push(context, request, destination, toHead, reply.buffer, at, length);
  } else if (fromHead !== toHead && store.lists.length(source) > 1) {
    push(context, request, store.lists.pop(source, fromHead), toHead, reply.buffer, at, length);
  } else {
    touchKey(context, request, 1);
  }
  return true;
}

/** Pushes `source[start, start + length)` to one end of the list in argument 2, which is created if `entry` is 0. */
function push(
  context: CommandContext,
  { bytes, starts, lengths }: Request,
  entry: number,
  head: boolean,
  source: Uint8Array,
  start: number,
  length: number,
): void {
  const store = context.store;
  const changed = store.lists.push(bytes, starts[2]!, lengths[2]!, entry, head, source, start, length);
  if (entry === 0 && context.defaultTtlMs !== 0) store.setDeadline(changed, defaultDeadline(context));
}
