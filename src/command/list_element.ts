/**
 * What commands on lists have in common: answering with an element, comparing one, and moving one to another list.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { defaultDeadline, findTyped, syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";

/** Answers the element that the store's cursor is on. */
export function replyElement(store: Store, reply: Reply): void {
  const at = reply.reserve(store.elementLength());
  store.copyElement(reply.buffer, at);
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
  let source = findTyped(context, request, 1, EntryType.List);
  if (source === 0) return false;
  findTyped(context, request, 2, EntryType.List);
  store.listSeek(source, fromHead ? 0 : -1);
  const length = store.elementLength();
  // The element is more than the request brings. This may cost either list, and is begun anew with what is there then.
  store.makeRoom(request.size + length, request.count);
  source = findTyped(context, request, 1, EntryType.List);
  if (source === 0) return false;
  let destination = findTyped(context, request, 2, EntryType.List);
  store.listSeek(source, fromHead ? 0 : -1);
  const at = reply.reserve(length);
  store.copyElement(reply.buffer, at);
  if (source === destination) {
    // Put there before it is taken, so that a list of one element stays.
    if (fromHead !== toHead) {
      const entry = store.listPush(bytes, starts[2]!, lengths[2]!, destination, toHead, reply.buffer, at, length);
      store.listPop(entry, fromHead);
    }
  } else {
    const made = destination === 0;
    destination = store.listPush(bytes, starts[2]!, lengths[2]!, destination, toHead, reply.buffer, at, length);
    if (made && context.defaultTtlMs !== 0) store.setDeadline(destination, defaultDeadline(context));
    store.listPop(source, fromHead);
  }
  if (context.waiters.count > 0) context.waiters.pushed(bytes, starts[2]!, lengths[2]!);
  return true;
}
