/**
 * Replies with items of one value that are chosen at random: fields of a hash, members of a set.
 *
 * There are three ways to choose them:
 *
 * ```text
 * few of many        choose one at random, repeatedly; if items must differ, one that was chosen before does not count
 * many, different    walk over all items, and choose each with probability (still wanted) ÷ (still to come)
 * many, any          choose indexes at random, walk over all items, and copy the names at the chosen indexes
 * ```
 *
 * @module
 */

import { binaryText } from "../connection/binary_text.ts";
import { ReplyError } from "../errors.ts";
import { FIELD_SIZE_MAX_BYTES, LONG_ITEMS_COUNT, STEP_BYTES, STEP_ITEMS_COUNT } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { exactInteger } from "./argument.ts";
import type { Steps } from "./context.ts";
import { sizeOf } from "./long_reply.ts";
import type { NamedItems } from "./named_items.ts";

/** The greatest count in Redis, which has 64 bits. */
const COUNT_MAX = 2n ** 63n - 1n;
/**
 * The factor by which items must outnumber the wanted ones to be chosen one by one, which takes many steps for each.
 */
const FEW_OF_MANY = 64;
/**
 * The most items of a value that is walked repeatedly. In larger ones, choosing one item takes fewer steps than a walk.
 */
const WALKED_MAX_COUNT = 4096;
/** The number of items that are chosen in one walk over all. */
const CHOSEN_PER_WALK_COUNT = 512;
/** The number of items that are chosen one by one in one step. */
const CHOSEN_PER_STEP_COUNT = 64;
/**
 * The factor by which the expected size of a reply must exceed the largest one for the reply to be refused before it
 * begins.
 */
const EXPECTED_SIZE_FACTOR = 2;
/** The number of choices for each wanted item, some of which may have been chosen before. */
const CHOICES_PER_ITEM = 10;

/**
 * Returns the count in argument `index`, rounded beyond 53 bits: negative if items may be repeated.
 *
 * @throws {ReplyError} when it is not an integer between Redis's bounds
 */
export function choiceCount(request: Request, index: number): number {
  const count = exactInteger(request, index);
  if (count < -COUNT_MAX) {
    throw new ReplyError("ERR", `value is out of range, value must between -${COUNT_MAX} and ${COUNT_MAX}`);
  }
  return Number(count);
}

/**
 * Checks the count in argument `index` when each item is two values of the reply.
 *
 * @throws {ReplyError} when the reply could have more values than Redis can count
 */
export function checkPairsCount(request: Request, index: number): void {
  const count = exactInteger(request, index);
  if (count < -COUNT_MAX / 2n || count > COUNT_MAX / 2n) throw new ReplyError("ERR", "value is out of range");
}

/** The choice of several items by one command. */
export class RandomChoice {
  readonly #items: NamedItems;
  readonly #reply: Reply;
  readonly #begin: (count: number) => void;

  /**
   * Prepares a choice.
   *
   * @param begin a function that begins the reply with the number of items that follow
   */
  constructor(items: NamedItems, reply: Reply, begin: (count: number) => void) {
    this.#items = items;
    this.#reply = reply;
    this.#begin = begin;
  }

  /** Replies with the item at the store's cursor. Returns its size in bytes. */
  #replyItem(): number {
    this.#items.reply(this.#reply);
    return this.#items.size();
  }

  /**
   * Refuses a reply that is far too long before any item is chosen. Its expected size is `count` times the average.
   */
  *#measure(count: number): Steps {
    const total = this.#items.length(this.#items.find());
    const size = yield* sizeOf(this.#items, total);
    this.#reply.announce(count, Math.floor(size / total * count / EXPECTED_SIZE_FACTOR));
  }

  /** Replies with `count` items in the order of choosing; an item may occur several times. */
  *replyAny(count: number): Steps {
    const total = this.#items.length(this.#items.find());
    if (count > LONG_ITEMS_COUNT) yield* this.#measure(count);
    this.#begin(count);
    if (count * FEW_OF_MANY < total || total > WALKED_MAX_COUNT) yield* this.#chooseEach(count);
    else yield* this.#chooseByNumber(count, total);
  }

  /** Chooses one item at random, repeatedly. */
  *#chooseEach(count: number): Steps {
    const items = this.#items;
    let entry = items.find();
    let bytes = 0;
    for (let i = 1; i <= count; i++) {
      items.seekRandom(entry);
      bytes += this.#replyItem();
      if (i % CHOSEN_PER_STEP_COUNT !== 0 && bytes < STEP_BYTES) continue;
      yield;
      entry = items.find();
      bytes = 0;
    }
  }

  /** Chooses indexes at random, and replies with the items at these indexes. */
  *#chooseByNumber(count: number, total: number): Steps {
    const items = this.#items;
    for (let left = count; left > 0; left -= CHOSEN_PER_WALK_COUNT) {
      const entry = items.find();
      for (const chosen of this.#chooseNames(entry, total, Math.min(left, CHOSEN_PER_WALK_COUNT))) {
        items.seek(entry, chosen, chosen.length);
        this.#replyItem();
      }
      // A few walks over small items are one step.
      yield;
    }
  }

  /** Chooses items by index in a walk over all, and returns copies of their names in the order of choosing. */
  #chooseNames(entry: number, total: number, count: number): Uint8Array[] {
    const items = this.#items;
    const numbers = Array.from({ length: count }, () => Math.floor(Math.random() * total));
    const inOrder = Uint32Array.from(numbers.keys()).sort((a, b) => numbers[a]! - numbers[b]!);
    const names = new Array<Uint8Array>(count);
    let number = 0;
    let next = 0;
    for (let more = items.first(entry); more && next < count; more = items.next(), number++) {
      if (numbers[inOrder[next]!] !== number) continue;
      const copy = new Uint8Array(items.nameLength());
      items.copyName(copy, 0);
      for (; next < count && numbers[inOrder[next]!] === number; next++) names[inOrder[next]!] = copy;
    }
    return names;
  }

  /** Replies with `count` different items. There must be at least as many. */
  *replyDifferent(count: number): Steps {
    const items = this.#items;
    if (count > LONG_ITEMS_COUNT) yield* this.#measure(count);
    this.#begin(count);
    let entry = items.find();
    const total = items.length(entry);
    let wanted = count;
    const chosen = new Set<string>();
    let bytes = 0;
    if (count * FEW_OF_MANY < total) {
      for (let choices = count * CHOICES_PER_ITEM; choices > 0 && wanted > 0; choices--) {
        items.seekRandom(entry);
        const before = chosen.size;
        if (chosen.add(nameText(items)).size === before) continue;
        bytes += this.#replyItem();
        wanted--;
        if (choices % CHOSEN_PER_STEP_COUNT !== 0 && bytes < STEP_BYTES) continue;
        yield;
        entry = items.find();
        bytes = 0;
      }
    }
    if (wanted === 0) return;
    let left = total - chosen.size;
    items.enter(0);
    bytes = 0;
    for (let i = 0; wanted > 0; i++) {
      const isNew = chosen.size === 0 || !chosen.has(nameText(items));
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

/** The name that is being looked at. Commands run to completion, so one buffer is enough. */
const name = new Uint8Array(FIELD_SIZE_MAX_BYTES);

/** Returns the name of the item at the store's cursor, as text of one character per byte. */
function nameText(items: NamedItems): string {
  const length = items.nameLength();
  items.copyName(name, 0);
  return binaryText(name, 0, length);
}
