/**
 * Replies of many values, or of long ones, in steps.
 *
 * ```text
 * measure   item → item → … ─ pause ─ item → …       only their lengths: a reply that is too long is refused before any copy
 * reply     item → item → … ─ pause ─ item → …       a long item in pieces
 * ```
 *
 * The values do not change between steps, because the command holds its key (long_command.ts).
 *
 * @module
 */

import { LONG_ARGUMENTS_COUNT, LONG_BYTES, STEP_BYTES, STEP_ITEMS_COUNT, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { countRead, findTyped } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { replyValue } from "./hash_field.ts";
import { type Hold, KeySet } from "./holds.ts";
import { replyElement } from "./list_element.ts";
import { ValueGone } from "./long_command.ts";
import { replyString } from "./string_value.ts";

/** The values that a command replies with, one after another, with a current item that survives a pause. */
export interface Items {
  /** The number of values of the reply for each item. */
  readonly width: number;
  /**
   * Moves to item `index`, which is the first one of the walk or the one that it has left.
   *
   * @throws {ValueGone} when the item was removed
   */
  enter(index: number): void;
  /** Moves to the next item, which must exist. */
  next(): void;
  /**
   * Whether the current item belongs to a key that another command holds exclusively. Then it is entered again later.
   */
  readonly isBusy: boolean;
  /** Remembers the current item, so that the walk can continue there after a pause. */
  leave(): void;
  /** Returns the size of the current item, in bytes. */
  size(): number;
  /** Writes the current item to the reply. */
  reply(reply: Reply): void;
  /**
   * Writes the current item to the reply except for its long value, and returns the length of that value; -1 if there
   * is none.
   */
  replyHead(reply: Reply): number;
  /** Copies bytes `[from, from + length)` of the long value. */
  copyPart(from: number, target: Uint8Array, at: number, length: number): void;
  /** Holds the long value until the hold is released; returns `undefined` if the command already holds its key. */
  hold(): Hold | undefined;
}

/** Writes items `[from, to)` to the reply, as values of an array that was begun. */
export function* replyItems(reply: Reply, items: Items, from: number, to: number): Steps {
  if (from >= to) return;
  yield* measure(reply, items, from, to);
  items.enter(from);
  let left = STEP_ITEMS_COUNT;
  let bytes = 0;
  for (let i = from; i < to; i++) {
    if (items.isBusy) yield* untilFree(items, i);
    const size = items.size();
    if (size > LONG_BYTES) yield* replyLong(reply, items, i);
    else items.reply(reply);
    bytes += size;
    if (i + 1 === to) return;
    items.next();
    if (--left > 0 && bytes < STEP_BYTES) continue;
    items.leave();
    yield;
    items.enter(i + 1);
    left = STEP_ITEMS_COUNT;
    bytes = 0;
  }
}

/**
 * Adds up the sizes of the items and announces them to the reply.
 *
 * @throws {ReplyError} when the items are too long for a reply
 */
function* measure(reply: Reply, items: Items, from: number, to: number): Steps {
  const size = yield* sizeOf(items, to, from);
  reply.announce((to - from) * items.width, size);
}

/** Returns the sum of the sizes of items `[from, to)`, computed in steps. */
export function* sizeOf(items: Items, to: number, from = 0): Generator<void, number, void> {
  let size = 0;
  items.enter(from);
  for (let i = from; i < to; i++) {
    if (items.isBusy) yield* untilFree(items, i);
    size += items.size();
    if (i + 1 === to) break;
    items.next();
    if ((i - from) % STEP_ITEMS_COUNT !== STEP_ITEMS_COUNT - 1) continue;
    items.leave();
    yield;
    items.enter(i + 1);
  }
  return size;
}

function* untilFree(items: Items, index: number): Steps {
  while (items.isBusy) {
    items.leave();
    yield;
    items.enter(index);
  }
}

function* replyLong(reply: Reply, items: Items, index: number): Steps {
  const length = items.replyHead(reply);
  if (length < 0) return;
  const hold = items.hold();
  try {
    reply.openBytes(length);
    items.leave();
    for (let from = 0; from < length; from += STEP_BYTES) {
      if (from > 0) {
        yield;
        items.enter(index);
      }
      const part = Math.min(STEP_BYTES, length - from);
      const at = reply.piece(part);
      items.copyPart(from, reply.buffer, at, part);
    }
    reply.closeBytes();
  } finally {
    hold?.release();
  }
}

/** The common part of the items of one value, whose key the command holds. */
export abstract class HeldItems {
  readonly isBusy = false;

  hold(): undefined {
    return undefined;
  }
}

/** The elements of the list in argument 1, from index `first` on, towards the tail (`step` 1) or the head (-1). */
export class ElementItems extends HeldItems implements Items {
  readonly width = 1;
  readonly #context: CommandContext;
  readonly #store: Store;
  readonly #request: Request;
  readonly #first: number;
  readonly #step: 1 | -1;

  constructor(context: CommandContext, request: Request, first: number, step: 1 | -1 = 1) {
    super();
    this.#context = context;
    this.#store = context.store;
    this.#request = request;
    this.#first = first;
    this.#step = step;
  }

  enter(index: number): void {
    const entry = findTyped(this.#context, this.#request, 1, EntryType.List);
    if (entry === 0 || !this.#store.lists.seek(entry, this.#first + index * this.#step)) throw new ValueGone();
  }

  next(): void {
    if (this.#step === 1) this.#store.lists.next();
    else this.#store.lists.previous();
  }

  leave(): void {}

  size(): number {
    return this.#store.lists.elementLength();
  }

  reply(reply: Reply): void {
    replyElement(this.#store, reply);
  }

  replyHead(): number {
    return this.#store.lists.elementLength();
  }

  copyPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#store.lists.copyElementPart(from, target, at, length);
  }
}

/** The values of the fields in arguments 2 and on, in the hash in argument 1. */
export class NamedFieldItems extends HeldItems implements Items {
  readonly width = 1;
  readonly #context: CommandContext;
  readonly #store: Store;
  readonly #request: Request;
  #index = 0;
  #isThere = false;

  constructor(context: CommandContext, request: Request) {
    super();
    this.#context = context;
    this.#store = context.store;
    this.#request = request;
  }

  enter(index: number): void {
    this.#index = index;
    this.#find();
  }

  #find(): void {
    const { bytes, starts, lengths } = this.#request;
    const entry = findTyped(this.#context, this.#request, 1, EntryType.Hash);
    const argument = this.#index + 2;
    this.#isThere = entry !== 0 && this.#store.hashes.find(entry, bytes, starts[argument]!, lengths[argument]!);
  }

  next(): void {
    this.#index++;
    this.#find();
  }

  leave(): void {}

  size(): number {
    return this.#isThere ? this.#store.hashes.valueLength() : 0;
  }

  reply(reply: Reply): void {
    if (this.#isThere) replyValue(this.#store, reply);
    else reply.nil();
  }

  replyHead(): number {
    return this.#store.hashes.valueLength();
  }

  copyPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#store.hashes.copyValuePart(from, target, at, length);
  }
}

/** Bytes `[from, from + length)` of the string in argument 1. */
export class StringItems extends HeldItems implements Items {
  readonly width = 1;
  readonly #context: CommandContext;
  readonly #request: Request;
  readonly #from: number;
  readonly #length: number;
  #entry = 0;

  constructor(context: CommandContext, request: Request, from: number, length: number) {
    super();
    this.#context = context;
    this.#request = request;
    this.#from = from;
    this.#length = length;
  }

  enter(): void {
    this.#entry = findTyped(this.#context, this.#request, 1, EntryType.String);
    if (this.#entry === 0) throw new ValueGone();
  }

  next(): void {}

  leave(): void {}

  size(): number {
    return this.#length;
  }

  reply(reply: Reply): void {
    const at = reply.reserve(this.#length);
    this.copyPart(0, reply.buffer, at, this.#length);
  }

  replyHead(): number {
    return this.#length;
  }

  copyPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#context.store.strings.copy(this.#entry, this.#from + from, target, at, length);
  }
}

/** The strings of the keys in arguments 1 and on. */
export class KeyItems implements Items {
  readonly width = 1;
  isBusy = false;
  readonly #context: CommandContext;
  readonly #store: Store;
  readonly #request: Request;
  /** Whether the command does not hold its keys, because they are too many: then only each slice is atomic. */
  readonly #isFree: boolean;
  #argument = 0;
  /** The entry of the key; 0 when it is absent. */
  #found = 0;
  /** The entry of the key; 0 when it holds no string. */
  #entry = 0;

  constructor(context: CommandContext, request: Request) {
    this.#context = context;
    this.#store = context.store;
    this.#request = request;
    this.#isFree = request.count > LONG_ARGUMENTS_COUNT && !context.client.executing;
  }

  enter(index: number): void {
    this.#argument = index + 1;
    this.#find();
  }

  next(): void {
    this.#argument++;
    this.#find();
  }

  #find(): void {
    const { bytes, starts, lengths } = this.#request;
    const store = this.#store;
    const [start, length] = [starts[this.#argument]!, lengths[this.#argument]!];
    this.isBusy = this.#isFree && isHeldAlone(this.#context, bytes, start, length);
    const entry = this.#found = store.find(bytes, start, length);
    this.#entry = entry !== 0 && store.type(entry) === EntryType.String ? entry : 0;
  }

  leave(): void {}

  size(): number {
    return this.#entry === 0 ? 0 : this.#store.strings.length(this.#entry);
  }

  reply(reply: Reply): void {
    this.#count();
    if (this.#entry === 0) reply.nil();
    else replyString(this.#store, this.#entry, reply);
  }

  /** Counts a hit or a miss, once for each key: the walk that measures does not count. */
  #count(): void {
    countRead(this.#store, this.#found);
  }

  replyHead(): number {
    this.#count();
    return this.#store.strings.length(this.#entry);
  }

  copyPart(from: number, target: Uint8Array, at: number, length: number): void {
    this.#store.strings.copy(this.#entry, from, target, at, length);
  }

  hold(): Hold | undefined {
    if (!this.#isFree) return undefined;
    const { bytes, starts, lengths } = this.#request;
    const keys = new KeySet(1);
    keys.add(this.#store.keyHash(bytes, starts[this.#argument]!, lengths[this.#argument]!));
    return this.#context.shared.holds.acquire(keys, false);
  }
}

/** Returns whether another command holds a key exclusively. */
function isHeldAlone(
  { store, shared: { holds } }: CommandContext,
  bytes: Uint8Array,
  start: number,
  length: number,
): boolean {
  return holds.count !== 0 && holds.ofKey(store.keyHash(bytes, start, length), false) !== undefined;
}

/**
 * Visits the keys in arguments `[1, request.count)` in steps.
 *
 * @param isHolding whether the command holds its keys; otherwise a key that another command holds is visited after that
 * command has ended
 */
export function* eachKey(
  context: CommandContext,
  request: Request,
  isHolding: boolean,
  visit: (index: number) => void,
): Steps {
  const { bytes, starts, lengths, count } = request;
  const mayBeHeld = !isHolding && !context.client.executing;
  for (let i = 1; i < count; i++) {
    while (mayBeHeld && isHeldAlone(context, bytes, starts[i]!, lengths[i]!)) yield;
    visit(i);
    if (i % STEP_KEYS_COUNT === 0) yield;
  }
}
