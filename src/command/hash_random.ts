/**
 * `hrandfield` replies with random fields of a hash. Every function exported here is the command of its name.
 *
 * There are three ways to choose fields:
 *
 * ```text
 * few of many        choose one at random, repeatedly; if fields must differ, one that was chosen before does not count
 * many, different    walk over all fields, and choose each with probability (still wanted) ÷ (still to come)
 * many, any          choose indexes at random, walk over all fields, and copy those at the chosen indexes
 * ```
 *
 * @module
 */

import { binaryText } from "../connection/binary_text.ts";
import { ReplyError } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES, LONG_ITEMS_COUNT, STEP_BYTES, STEP_ITEMS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { replyField, replyValue } from "./hash_field.ts";
import { ValueGone } from "./long_command.ts";
import { FieldItems, sizeOf } from "./long_reply.ts";

/** The bound of a count in Redis, which has 64 bits. */
const COUNT_MAX = 2 ** 63;
/**
 * The factor by which fields must outnumber the wanted ones to be chosen one by one, which takes many steps for each.
 */
const FEW_OF_MANY = 64;
/**
 * The most fields of a hash that is walked repeatedly. In larger ones, choosing one field takes fewer steps than a
 * walk.
 */
const WALKED_MAX_COUNT = 4096;
/** The number of fields that are chosen in one walk over all. */
const CHOSEN_PER_WALK_COUNT = 512;
/** The number of fields that are chosen one by one in one step. */
const CHOSEN_PER_STEP_COUNT = 64;
/**
 * The factor by which the expected size of a reply must exceed the largest one for the reply to be refused before it
 * begins.
 */
const EXPECTED_SIZE_FACTOR = 2;
/** The number of choices for each wanted field, some of which may have been chosen before. */
const CHOICES_PER_FIELD = 10;

/** `hrandfield key [count [WITHVALUES]]` replies with random fields. */
export function hrandfield(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  const isOne = request.count === 2;
  const count = isOne ? 1 : roundedInteger(request, 2);
  const withValues = request.count > 3;
  if (request.count > 4 || (withValues && !request.is(3, "withvalues"))) throw syntaxError();
  checkCount(count, withValues);
  const entry = findTyped(context, request, 1, EntryType.Hash);
  if (isOne) {
    if (entry !== 0 && store.hashes.seekRandom(entry, Math.random())) replyField(store, reply);
    else reply.nil();
  } else if (entry === 0 || count === 0) {
    reply.array(0);
  } else if (count < 0) {
    return new RandomFields(context, request, reply, withValues).replyAny(-count);
  } else {
    const most = Math.min(count, store.hashes.length(entry));
    return new RandomFields(context, request, reply, withValues).replyDifferent(most);
  }
}

/**
 * Checks a count against Redis's bounds.
 *
 * @throws {ReplyError} when it is outside of them
 */
function checkCount(count: number, withValues: boolean): void {
  if (count < -(COUNT_MAX - 1) || (count === -COUNT_MAX && !withValues)) {
    throw new ReplyError(
      "ERR",
      "value is out of range, value must between -9223372036854775807 and 9223372036854775807",
    );
  }
  if (withValues && Math.abs(count) > COUNT_MAX / 2) throw new ReplyError("ERR", "value is out of range");
}

/** The choice of several fields by one `hrandfield`. */
class RandomFields {
  readonly #context: CommandContext;
  readonly #store: Store;
  readonly #request: Request;
  readonly #reply: Reply;
  readonly #withValues: boolean;

  constructor(context: CommandContext, request: Request, reply: Reply, withValues: boolean) {
    this.#context = context;
    this.#store = context.store;
    this.#request = request;
    this.#reply = reply;
    this.#withValues = withValues;
  }

  #find(): number {
    const entry = findTyped(this.#context, this.#request, 1, EntryType.Hash);
    if (entry === 0) throw new ValueGone();
    return entry;
  }

  /** Begins an array of `count` fields, or of fields with values. */
  #beginArray(count: number): void {
    this.#reply.array(this.#withValues && !this.#reply.isRich ? count * 2 : count);
  }

  /** Replies with the field at the store's cursor, or with field and value. Returns their size in bytes. */
  #replyItem(): number {
    const store = this.#store;
    const reply = this.#reply;
    if (this.#withValues && reply.isRich) reply.array(2);
    replyField(store, reply);
    if (!this.#withValues) return store.hashes.fieldLength();
    replyValue(store, reply);
    return store.hashes.fieldLength() + store.hashes.valueLength();
  }

  /**
   * Refuses a reply that is far too long before any field is chosen. Its expected size is `count` times the average.
   */
  *#measure(count: number): Steps {
    const total = this.#store.hashes.length(this.#find());
    const size = yield* sizeOf(new FieldItems(this.#context, this.#request, true, this.#withValues), total);
    this.#reply.announce(count, Math.floor(size / total * count / EXPECTED_SIZE_FACTOR));
  }

  /** Replies with `count` fields in the order of choosing; a field may occur several times. */
  *replyAny(count: number): Steps {
    const total = this.#store.hashes.length(this.#find());
    if (count > LONG_ITEMS_COUNT) yield* this.#measure(count);
    this.#beginArray(count);
    if (count * FEW_OF_MANY < total || total > WALKED_MAX_COUNT) yield* this.#chooseEach(count);
    else yield* this.#chooseByNumber(count, total);
  }

  /** Chooses one field at random, repeatedly. */
  *#chooseEach(count: number): Steps {
    let entry = this.#find();
    let bytes = 0;
    for (let i = 1; i <= count; i++) {
      this.#store.hashes.seekRandom(entry, Math.random());
      bytes += this.#replyItem();
      if (i % CHOSEN_PER_STEP_COUNT !== 0 && bytes < STEP_BYTES) continue;
      yield;
      entry = this.#find();
      bytes = 0;
    }
  }

  /** Chooses indexes at random, and replies with the fields at these indexes. */
  *#chooseByNumber(count: number, total: number): Steps {
    for (let left = count; left > 0; left -= CHOSEN_PER_WALK_COUNT) {
      const entry = this.#find();
      let bytes = 0;
      for (const chosen of this.#chooseFields(entry, total, Math.min(left, CHOSEN_PER_WALK_COUNT))) {
        this.#store.hashes.find(entry, chosen, 0, chosen.length);
        bytes += this.#replyItem();
      }
      // A few walks over small fields are one step.
      yield;
    }
  }

  /** Chooses fields by index in a walk over all, and returns copies of them in the order of choosing. */
  #chooseFields(entry: number, total: number, count: number): Uint8Array[] {
    const store = this.#store;
    const numbers = Array.from({ length: count }, () => Math.floor(Math.random() * total));
    const inOrder = Uint32Array.from(numbers.keys()).sort((a, b) => numbers[a]! - numbers[b]!);
    const fields = new Array<Uint8Array>(count);
    let number = 0;
    let next = 0;
    for (let more = store.hashes.first(entry); more && next < count; more = store.hashes.next(), number++) {
      if (numbers[inOrder[next]!] !== number) continue;
      const copy = new Uint8Array(store.hashes.fieldLength());
      store.hashes.copyField(copy, 0);
      for (; next < count && numbers[inOrder[next]!] === number; next++) fields[inOrder[next]!] = copy;
    }
    return fields;
  }

  /** Replies with `count` different fields. There must be at least as many. */
  *replyDifferent(count: number): Steps {
    const store = this.#store;
    if (count > LONG_ITEMS_COUNT) yield* this.#measure(count);
    this.#beginArray(count);
    let entry = this.#find();
    const total = store.hashes.length(entry);
    let wanted = count;
    const chosen = new Set<string>();
    let bytes = 0;
    if (count * FEW_OF_MANY < total) {
      for (let choices = count * CHOICES_PER_FIELD; choices > 0 && wanted > 0; choices--) {
        store.hashes.seekRandom(entry, Math.random());
        const before = chosen.size;
        if (chosen.add(fieldText(store)).size === before) continue;
        bytes += this.#replyItem();
        wanted--;
        if (choices % CHOSEN_PER_STEP_COUNT !== 0 && bytes < STEP_BYTES) continue;
        yield;
        entry = this.#find();
        bytes = 0;
      }
    }
    if (wanted === 0) return;
    let left = total - chosen.size;
    const items = new FieldItems(this.#context, this.#request, true, true);
    items.enter(0);
    bytes = 0;
    for (let i = 0; wanted > 0; i++) {
      const isNew = chosen.size === 0 || !chosen.has(fieldText(store));
      if (isNew && Math.random() * left-- < wanted) {
        bytes += this.#replyItem();
        wanted--;
      }
      if (wanted === 0) return;
      items.next();
      if (i % STEP_ITEMS_COUNT !== STEP_ITEMS_COUNT - 1 && bytes < STEP_BYTES) continue;
      items.leave();
      yield;
      items.enter(i + 1);
      bytes = 0;
    }
  }
}

/** The field that is being looked at. Commands run to completion, so one buffer is enough. */
const field = new Uint8Array(FIELD_SIZE_MAX_BYTES);

/** Returns the field at the store's cursor, as text of one character per byte. */
function fieldText(store: Store): string {
  const length = store.hashes.fieldLength();
  store.hashes.copyField(field, 0);
  return binaryText(field, 0, length);
}
