/**
 * `hrandfield`. Every function exported here is the command of its name.
 *
 * Fields are chosen in one of three ways:
 *
 * ```text
 * few of many        choose one at random, again and again; where they shall differ, one chosen before does not count
 * many, different    walk over all, and take each with the chance that makes it come out: wanted ÷ left
 * many, any          choose numbers at random, walk over all, and copy those that have these numbers
 * ```
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { replyField, replyValue } from "./hash_field.ts";
import { binaryText } from "./binary_text.ts";

/** Redis counts in 64 bits. */
const COUNT_MAX = 2 ** 63;
/** Fields are chosen one by one when there are more than this many times as many as wanted: it takes many steps each. */
const FEW_OF_MANY = 64;
/** Fields that are chosen in one walk over all, or more where there are many, so that the walks are not too many. */
const CHOSEN_AT_ONCE_MIN_COUNT = 1024;
/** Walks for each time as many fields as there are. */
const WALKS_MAX_COUNT = 16;
/** Choices of a field that may have been chosen before, for each that is wanted. */
const CHOICES_PER_FIELD = 10;

/** `hrandfield key [count [WITHVALUES]]` */
export function hrandfield(context: CommandContext, request: Request, reply: Reply): void {
  const store = context.store;
  const isOne = request.count === 2;
  const count = isOne ? 1 : roundedInteger(request, 2);
  const withValues = request.count > 3;
  if (request.count > 4 || (withValues && !request.is(3, "withvalues"))) throw syntaxError();
  checkCount(count, withValues);
  const entry = findTyped(context, request, 1, EntryType.Hash);
  if (isOne) {
    if (entry !== 0 && store.hashSeekRandom(entry, Math.random())) replyField(store, reply);
    else reply.nil();
  } else if (entry === 0 || count === 0) {
    reply.array(0);
  } else if (count < 0) {
    replyAny(store, entry, reply, -count, withValues);
  } else {
    replyDifferent(store, entry, reply, Math.min(count, store.hashLength(entry)), withValues);
  }
}

/** @throws {ReplyError} when Redis could not count so many */
function checkCount(count: number, withValues: boolean): void {
  if (count < -(COUNT_MAX - 1) || (count === -COUNT_MAX && !withValues)) {
    throw new ReplyError(
      "ERR",
      "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
  }
  if (withValues && Math.abs(count) > COUNT_MAX / 2) throw new ReplyError("ERR", "value is out of range");
}

/** Begins an array of `count` fields, or of fields with values. */
function beginArray(reply: Reply, count: number, withValues: boolean): void {
  reply.array(withValues && !reply.isRich ? count * 2 : count);
}

/** Answers the field at the store's cursor, or the pair. */
function replyItem(store: Store, reply: Reply, withValues: boolean): void {
  if (withValues && reply.isRich) reply.array(2);
  replyField(store, reply);
  if (withValues) replyValue(store, reply);
}

/** Answers `count` fields, one as often as it is chosen, in the order of choosing. */
function replyAny(store: Store, entry: number, reply: Reply, count: number, withValues: boolean): void {
  beginArray(reply, count, withValues);
  const total = store.hashLength(entry);
  if (count * FEW_OF_MANY < total) {
    for (let i = 0; i < count; i++) {
      store.hashSeekRandom(entry, Math.random());
      replyItem(store, reply, withValues);
    }
    return;
  }
  const mostAtOnce = Math.max(CHOSEN_AT_ONCE_MIN_COUNT, Math.ceil(total / WALKS_MAX_COUNT));
  for (let left = count; left > 0; left -= mostAtOnce) {
    for (const chosen of chooseFields(store, entry, total, Math.min(left, mostAtOnce))) {
      store.hashFind(entry, chosen, 0, chosen.length);
      replyItem(store, reply, withValues);
    }
  }
}

/** Chooses fields by their number in a walk over all, and answers copies of them in the order of choosing. */
function chooseFields(store: Store, entry: number, total: number, count: number): Uint8Array[] {
  const numbers = Array.from({ length: count }, () => Math.floor(Math.random() * total));
  const inOrder = Uint32Array.from(numbers.keys()).sort((a, b) => numbers[a]! - numbers[b]!);
  const fields = new Array<Uint8Array>(count);
  let number = 0;
  let next = 0;
  for (let more = store.hashFirst(entry); more && next < count; more = store.hashNext(), number++) {
    if (numbers[inOrder[next]!] !== number) continue;
    const copy = new Uint8Array(store.fieldLength());
    store.copyField(copy, 0);
    for (; next < count && numbers[inOrder[next]!] === number; next++) fields[inOrder[next]!] = copy;
  }
  return fields;
}

/** Answers `count` different fields, which is at most how many there are. */
function replyDifferent(store: Store, entry: number, reply: Reply, count: number, withValues: boolean): void {
  beginArray(reply, count, withValues);
  const total = store.hashLength(entry);
  let wanted = count;
  const chosen = new Set<string>();
  if (count * FEW_OF_MANY < total) {
    for (let choices = count * CHOICES_PER_FIELD; choices > 0 && wanted > 0; choices--) {
      store.hashSeekRandom(entry, Math.random());
      const before = chosen.size;
      if (chosen.add(fieldText(store)).size === before) continue;
      replyItem(store, reply, withValues);
      wanted--;
    }
  }
  let left = total - chosen.size;
  for (let more = wanted > 0 && store.hashFirst(entry); more && wanted > 0; more = store.hashNext()) {
    if (chosen.size > 0 && chosen.has(fieldText(store))) continue;
    if (Math.random() * left-- >= wanted) continue;
    replyItem(store, reply, withValues);
    wanted--;
  }
}

/** The field being looked at. Commands run to completion, so one buffer is enough. */
const field = new Uint8Array(FIELD_SIZE_MAX_BYTES);

/** The field at the store's cursor, as text of one character a byte. */
function fieldText(store: Store): string {
  const length = store.fieldLength();
  store.copyField(field, 0);
  return binaryText(field, 0, length);
}
