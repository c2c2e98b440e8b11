/**
 * What commands on lists have in common: answering with an element, comparing one, and moving one to another list.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, syntaxError, touchKey } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Answers the element that the store's cursor is on. */
export function replyElement(store: Store, reply: Reply): void {
  const at = reply.reserve(store.elementLength());
  store.copyElement(reply.buffer, at, reply.view);
}

/** Whether the element that the store's cursor is on is argument `index`. */
export function isElement(store: Store, request: Request, index: number): boolean {
  return store.elementEquals(request.bytes, request.starts[index]!, request.lengths[index]!);
}

/**
 * Whether argument `index` means the head of a list; else it means the tail.
 *
 * @throws {ReplyError} when it is neither `LEFT` nor `RIGHT`
 */
export function isHead(request: Request, index: number): boolean {
  if (request.is(index, "left")) return true;
  if (request.is(index, "right")) return false;
  throw syntaxError();
}

/**
 * Takes an element from one end of the list in argument 1, puts it at one end of the list in argument 2, and answers it.
 *
 * @returns `false`, with nothing answered, when the first list is absent
 * @throws {ReplyError} when one of the two is no list
 */
export function moveElement(
  context: CommandContext,
  request: Request,
  reply: Reply,
  fromHead: boolean,
  toHead: boolean,
): boolean {
  const { bytes, starts, lengths } = request;
  const store = context.store;
  const source = findTyped(context, request, 1, EntryType.List);
  if (source === 0) return false;
  const destination = findTyped(context, request, 2, EntryType.List);
  store.listSeek(source, fromHead ? 0 : -1);
  const length = store.elementLength();
  const at = reply.reserve(length);
  store.copyElement(reply.buffer, at, reply.view);
  if (source !== destination) {
    // Taken first: however long it is, it finds room again where it was.
    store.listPop(source, fromHead);
    push(context, request, destination, toHead, reply.buffer, at, length);
  } else if (fromHead !== toHead && store.listLength(source) > 1) {
    push(context, request, store.listPop(source, fromHead), toHead, reply.buffer, at, length);
  } else {
    touchKey(context, request, 1);
  }
  context.shared.waiters.pushed(bytes, starts[2]!, lengths[2]!);
  return true;
}

/** Puts `source[start, start + length)` at one end of the list in argument 2, which is made when `entry` is 0. */
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
  const changed = store.listPush(bytes, starts[2]!, lengths[2]!, entry, head, source, start, length);
  if (entry === 0 && context.defaultTtlMs !== 0) store.setDeadline(changed, defaultDeadline(context));
}
