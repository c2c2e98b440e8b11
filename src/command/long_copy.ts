/**
 * Copies long values in steps: piece by piece, element by element, field by field, member by member.
 *
 * The copy is consistent: no other command may use the destination meanwhile, and the source does not change. Its
 * effects in the log are the same as those of pushing and setting, in one batch.
 *
 * @module
 */

import { enlarge } from "../bytes.ts";
import { STEP_BYTES, STEP_KEYS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store, ValueTypeNumber } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import { findKey } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeptRoom } from "./kept_room.ts";

import { ElementItems, type Items, sizeOf } from "./long_reply.ts";
import { FieldItems, MemberItems } from "./named_items.ts";

/** The steps of measuring a value, which return its size in bytes. */
type SizeSteps = Generator<void, number, void>;

/** Copies the value of the key in argument 1, with its deadline, to the key in argument 2, whose value is replaced. */
export function* copyValue(context: CommandContext, request: Request): Steps {
  const { store } = context;
  const type = store.type(findKey(context, request, 1));
  const size = yield* measure(context, request, type);
  const count = countOf(store, findKey(context, request, 1), type) * 2 + request.count;
  // Making room may evict the value to be replaced, but not the value to be copied.
  while (!store.room.makePart(size, count, findKey(context, request, 1))) yield;
  store.room.makeBeside(size, count, findKey(context, request, 1));
  const room = new KeptRoom(store, size, count);
  try {
    const present = findKey(context, request, 2);
    if (present !== 0) store.remove(present);
    if (type === EntryType.String) yield* copyString(context, request, room);
    else yield* copyItems(context, request, itemsOf(context, request, type), type, room);
    const deadlineMs = store.deadline(findKey(context, request, 1));
    if (deadlineMs !== 0) store.setDeadline(findKey(context, request, 2), deadlineMs);
  } finally {
    room.release();
  }
}

/** A type whose values have items, which are copied one by one. */
type ItemsType = Exclude<ValueTypeNumber, typeof EntryType.String>;

function countOf(store: Store, entry: number, type: ValueTypeNumber): number {
  return type === EntryType.String ? 1 : store.typeOf(entry).length(entry);
}

function itemsOf(context: CommandContext, request: Request, type: ItemsType): Items {
  switch (type) {
    case EntryType.List:
      return new ElementItems(context, request, 0);
    case EntryType.Hash:
      return new FieldItems(context, request, true, true);
    case EntryType.Set:
      return new MemberItems(context, request);
  }
}

/** Returns the total size of all keys, fields and values of the copy, in bytes. */
function* measure(context: CommandContext, request: Request, type: ValueTypeNumber): SizeSteps {
  const entry = findKey(context, request, 1);
  if (type === EntryType.String) return request.size + context.store.strings.length(entry);
  return request.size + (yield* sizeOf(itemsOf(context, request, type), countOf(context.store, entry, type)));
}

function* copyString(context: CommandContext, request: Request, room: KeptRoom): Steps {
  const { store } = context;
  const { bytes, starts, lengths } = request;
  const length = store.strings.length(findKey(context, request, 1));
  const piece = new Uint8Array(Math.min(length, STEP_BYTES));
  for (let at = 0; at < length; at += piece.length) {
    if (at > 0) yield;
    const part = Math.min(piece.length, length - at);
    store.strings.copy(findKey(context, request, 1), at, piece, 0, part);
    if (at === 0) store.strings.set(bytes, starts[2]!, lengths[2]!, 0, piece, 0, part, 0);
    else store.strings.append(findKey(context, request, 2), piece, 0, part);
    room.use(part, 0);
  }
}

/** Some items of a value, copied out of the store. A write to the store invalidates its cursors. */
class Batch {
  readonly #store: Store;
  readonly #type: ItemsType;
  readonly #lengths: number[] = [];
  #bytes = new Uint8Array(STEP_BYTES);
  #size = 0;

  constructor(store: Store, type: ItemsType) {
    this.#store = store;
    this.#type = type;
  }

  /** The total size of all items, in bytes. */
  get size(): number {
    return this.#size;
  }

  /** The number of elements, or of fields and values. */
  get count(): number {
    return this.#lengths.length;
  }

  /** Whether another item may be added. */
  get hasRoom(): boolean {
    return this.#size < STEP_BYTES && this.#lengths.length < STEP_KEYS_COUNT;
  }

  /** Adds the item at the store's cursor. */
  add(): void {
    const store = this.#store;
    switch (this.#type) {
      case EntryType.List: {
        const at = this.#room(store.lists.elementLength());
        return store.lists.copyElement(this.#bytes, at);
      }
      case EntryType.Hash: {
        const at = this.#room(store.hashes.fieldLength());
        store.hashes.copyField(this.#bytes, at);
        const valueAt = this.#room(store.hashes.valueLength());
        return store.hashes.copyValue(this.#bytes, valueAt);
      }
      case EntryType.Set: {
        const at = this.#room(store.sets.memberLength());
        return store.sets.copyMember(this.#bytes, at);
      }
      default:
        this.#type satisfies never;
    }
  }

  #room(length: number): number {
    const at = this.#size;
    this.#size += length;
    this.#lengths.push(length);
    if (this.#size > this.#bytes.length) this.#bytes = enlarge(this.#bytes, at, this.#size);
    return at;
  }

  /** Writes all items to the key in argument 2, and forgets them. */
  write({ bytes, starts, lengths }: Request): void {
    const store = this.#store;
    const [start, length] = [starts[2]!, lengths[2]!];
    const from = this.#bytes;
    let entry = store.peek(bytes, start, length);
    let at = 0;
    for (let i = 0; i < this.#lengths.length; i++) {
      const size = this.#lengths[i]!;
      switch (this.#type) {
        case EntryType.List:
          entry = store.lists.push(bytes, start, length, entry, false, from, at, size);
          break;
        case EntryType.Hash: {
          const valueSize = this.#lengths[++i]!;
          entry = store.hashes.set(bytes, start, length, entry, from, at, size, from, at + size, valueSize);
          at += valueSize;
          break;
        }
        case EntryType.Set:
          entry = store.sets.add(bytes, start, length, entry, from, at, size);
          break;
        default:
          this.#type satisfies never;
      }
      at += size;
    }
    this.#lengths.length = 0;
    this.#size = 0;
    if (this.#bytes.length > 2 * STEP_BYTES) this.#bytes = new Uint8Array(STEP_BYTES);
  }
}

function* copyItems(
  context: CommandContext,
  request: Request,
  items: Items,
  type: ItemsType,
  room: KeptRoom,
): Steps {
  const { store } = context;
  const source = findKey(context, request, 1);
  const count = store.typeOf(source).length(source);
  const batch = new Batch(store, type);
  for (let next = 0; next < count;) {
    if (next > 0) yield;
    items.enter(next);
    while (next < count && batch.hasRoom) {
      batch.add();
      if (++next < count) items.next();
    }
    if (next < count) items.leave();
    room.use(batch.size, batch.count);
    batch.write(request);
  }
}
