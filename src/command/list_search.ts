/**
 * The commands that look for elements of a list. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { isElement } from "./list_element.ts";

/** `linsert key BEFORE|AFTER pivot element` */
export function linsert(context: CommandContext, request: Request, reply: Reply): void {
  const isBefore = request.is(2, "before");
  if (!isBefore && !request.is(2, "after")) throw syntaxError();
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    reply.integer(0);
    return;
  }
  const index = indexOf(store, entry, request, 3);
  if (index === -1) {
    reply.integer(-1);
    return;
  }
  const { bytes, starts, lengths } = request;
  const changed = store.listInsert(entry, isBefore ? index : index + 1, bytes, starts[4]!, lengths[4]!);
  reply.integer(store.listLength(changed));
}

/** The index of the first element that is argument `argument`; -1 when there is none. */
function indexOf(store: Store, entry: number, request: Request, argument: number): number {
  let index = 0;
  for (let more = store.listSeek(entry, 0); more; more = store.listNext(), index++) {
    if (isElement(store, request, argument)) return index;
  }
  return -1;
}

/** `lrem key count element`: the first `count`, or the last ones when negative; all when 0. */
export function lrem(context: CommandContext, request: Request, reply: Reply): void {
  const count = roundedInteger(request, 2);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    reply.integer(0);
    return;
  }
  const before = store.listLength(entry);
  const most = count === 0 ? Infinity : Math.abs(count);
  const left = store.listRemoveEqual(
    entry,
    count < 0,
    most,
    request.bytes,
    request.starts[3]!,
    request.lengths[3]!,
  );
  reply.integer(left === 0 ? before : before - store.listLength(left));
}

/** What the options of `lpos` say. */
interface PositionOptions {
  /** Matches to pass over, itself included: from the head, or from the tail when negative. */
  readonly rank: number;
  /** Most positions to answer with; 0 for all, -1 for one without an array around it. */
  readonly count: number;
  /** Most elements to look at; 0 for all. */
  readonly lookedAt: number;
}

/** `lpos key element [RANK rank] [COUNT count] [MAXLEN length]` */
export function lpos(context: CommandContext, request: Request, reply: Reply): void {
  const options = positionOptions(request);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  const found = entry === 0 ? [] : positions(store, entry, request, options);
  if (options.count !== -1) reply.array(found.length);
  else if (found.length === 0) reply.nil();
  for (const index of found) reply.integer(index);
}

function positionOptions(request: Request): PositionOptions {
  let rank = 1;
  let count = -1;
  let lookedAt = 0;
  for (let i = 3; i < request.count; i += 2) {
    if (i + 1 === request.count) throw syntaxError();
    if (request.is(i, "rank")) {
      rank = roundedInteger(request, i + 1);
      if (rank === 0) {
        throw new ReplyError(
          "ERR",
          "RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
            "or use negative to start from the end of the list",
        );
      }
    } else if (request.is(i, "count")) {
      count = naturalNumber(request, i + 1, "COUNT can't be negative");
    } else if (request.is(i, "maxlen")) {
      lookedAt = naturalNumber(request, i + 1, "MAXLEN can't be negative");
    } else {
      throw syntaxError();
    }
  }
  return { rank, count, lookedAt };
}

/**
 * Argument `index` as an integer from 0 up.
 *
 * @throws {ReplyError} with `refusal` when it is none
 */
function naturalNumber(request: Request, index: number, refusal: string): number {
  try {
    const value = roundedInteger(request, index);
    if (value >= 0) return value;
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
  }
  throw new ReplyError("ERR", refusal);
}

/** The indexes of elements that are argument 2, in the order they are come by. */
function positions(store: Store, entry: number, request: Request, options: PositionOptions): number[] {
  const { rank, count, lookedAt } = options;
  const isBackward = rank < 0;
  const most = count === 0 ? Infinity : Math.abs(count);
  let toLookAt = lookedAt === 0 ? Infinity : lookedAt;
  let toPass = Math.abs(rank) - 1;
  let index = isBackward ? store.listLength(entry) - 1 : 0;
  const found: number[] = [];
  let more = store.listSeek(entry, isBackward ? -1 : 0);
  while (more && toLookAt-- > 0) {
    if (isElement(store, request, 2) && toPass-- <= 0) {
      found.push(index);
      if (found.length >= most) break;
    }
    more = isBackward ? store.listPrevious() : store.listNext();
    index += isBackward ? -1 : 1;
  }
  return found;
}
