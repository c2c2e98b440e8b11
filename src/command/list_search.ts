/**
 * The commands that search a list for elements. Every function exported here is the command of its name.
 *
 * @module
 */

import { ReplyError } from "../errors.ts";
import { LONG_ITEMS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { findTyped, readTyped, roundedInteger, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { ElementSearch } from "./element_search.ts";

/** The work that a search does immediately, without steps, in compared elements; a long one counts as several. */
const SEARCH_WITHOUT_STEPS = 1024;
/** The work that a search does in one step, in compared elements; a long one counts as several. */
const SEARCH_STEP = 4096;
/** The longest element that is compared without steps, in bytes. */
const LONG_COMPARED_BYTES = 4096;
/** The number of ranges of elements that are removed in one step. */
const RANGES_PER_STEP = 64;

/** `linsert key BEFORE|AFTER pivot element` inserts an element next to the first one that equals the pivot. */
export function linsert(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const isBefore = request.is(2, "before");
  if (!isBefore && !request.is(2, "after")) throw syntaxError();
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    reply.integer(0);
    return;
  }
  const search = new ElementSearch(context, request, 3, 0, 1);
  search.run(SEARCH_WITHOUT_STEPS);
  if (!search.isOver) return insertInSteps(context, request, reply, search, isBefore);
  insertBeside(context, request, reply, search.found, isBefore);
}

function* insertInSteps(
  context: CommandContext,
  request: Request,
  reply: Reply,
  search: ElementSearch,
  isBefore: boolean,
): Steps {
  while (!search.isOver) {
    yield;
    search.run(SEARCH_STEP);
  }
  insertBeside(context, request, reply, search.found, isBefore);
}

/** Inserts argument 4 next to the element at `index`, unless that is -1 because none was found. */
function insertBeside(
  context: CommandContext,
  request: Request,
  reply: Reply,
  index: number,
  isBefore: boolean,
): void {
  if (index === -1) {
    reply.integer(-1);
    return;
  }
  const { store } = context;
  const { bytes, starts, lengths } = request;
  const entry = findTyped(context, request, 1, EntryType.List);
  const changed = store.lists.insert(entry, isBefore ? index : index + 1, bytes, starts[4]!, lengths[4]!);
  reply.integer(store.lists.length(changed));
}

/**
 * `lrem key count element` removes the first `count` equal elements, the last ones if negative, or all if 0.
 */
export function lrem(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const count = roundedInteger(request, 2);
  const store = context.store;
  const entry = findTyped(context, request, 1, EntryType.List);
  if (entry === 0) {
    reply.integer(0);
    return;
  }
  const before = store.lists.length(entry);
  const most = count === 0 ? Infinity : Math.abs(count);
  if (before > LONG_ITEMS_COUNT || request.size > LONG_COMPARED_BYTES) {
    return removeEqualInSteps(context, request, reply, count < 0, most);
  }
  const left = store.lists.removeEqual(
    entry,
    count < 0,
    most,
    request.bytes,
    request.starts[3]!,
    request.lengths[3]!,
  );
  reply.integer(left === 0 ? before : before - store.lists.length(left));
}

/** Alternates searching for the next equal element and removing it with the equal ones next to it. */
function* removeEqualInSteps(
  context: CommandContext,
  request: Request,
  reply: Reply,
  fromTail: boolean,
  most: number,
): Steps {
  const { store } = context;
  const step = fromTail ? -1 : 1;
  let index = fromTail ? store.lists.length(findTyped(context, request, 1, EntryType.List)) - 1 : 0;
  let removed = 0;
  let ranges = 0;
  while (removed < most) {
    const search = new ElementSearch(context, request, 3, index, step);
    for (search.run(SEARCH_STEP); !search.isOver; search.run(SEARCH_STEP)) yield;
    if (search.found === -1) break;
    const count = search.countEqual(Math.min(most - removed, LONG_ITEMS_COUNT));
    const first = fromTail ? search.found - count + 1 : search.found;
    removed += count;
    const left = store.lists.remove(findTyped(context, request, 1, EntryType.List), first, count);
    if (left === 0) break;
    index = fromTail ? first - 1 : first;
    if (index < 0 || index >= store.lists.length(left)) break;
    if (++ranges % RANGES_PER_STEP === 0) yield;
  }
  reply.integer(removed);
}

/** The options of `lpos`. */
interface PositionOptions {
  /** The number of the first wanted match, counted from 1 at the head, or from -1 at the tail. */
  readonly rank: number;
  /** The most positions to reply with; 0 for all, -1 for one without an array around it. */
  readonly count: number;
  /** The most elements to look at; 0 for all. */
  readonly lookedAt: number;
}

/** `lpos key element [RANK rank] [COUNT count] [MAXLEN length]` replies with the indexes of equal elements. */
export function lpos(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const options = positionOptions(request);
  const entry = readTyped(context, request, 1, EntryType.List);
  const positions = new Positions(context, request, options);
  if (entry === 0) return positions.reply(reply);
  positions.begin(context.store.lists.length(entry));
  if (!positions.run(SEARCH_WITHOUT_STEPS)) return positionsInSteps(positions, reply);
  positions.reply(reply);
}

function* positionsInSteps(positions: Positions, reply: Reply): Steps {
  do yield; while (!positions.run(SEARCH_STEP));
  for (const _ of positions.replySome(reply)) yield;
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
 * Returns argument `index` as an integer of at least 0.
 *
 * @throws {ReplyError} with the message `refusal` when it is not such an integer
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

/** The indexes of the elements that equal argument 2, in the order in which they are found. */
class Positions {
  readonly #context: CommandContext;
  readonly #request: Request;
  readonly #options: PositionOptions;
  readonly #found: number[] = [];
  #search: ElementSearch | undefined;
  #toPass: number;

  constructor(context: CommandContext, request: Request, options: PositionOptions) {
    this.#context = context;
    this.#request = request;
    this.#options = options;
    this.#toPass = Math.abs(options.rank) - 1;
  }

  /** Begins to search a list of `length` elements, at the end that the sign of the rank specifies. */
  begin(length: number): void {
    const isBackward = this.#options.rank < 0;
    const lookedAt = this.#options.lookedAt === 0 ? Infinity : this.#options.lookedAt;
    const first = isBackward ? length - 1 : 0;
    this.#search = new ElementSearch(this.#context, this.#request, 2, first, isBackward ? -1 : 1, lookedAt);
  }

  /** Searches for `work` steps. Returns whether all wanted elements were found. */
  run(work: number): boolean {
    const search = this.#search!;
    const { count } = this.#options;
    const most = count === 0 ? Infinity : Math.abs(count);
    for (let left = work; left > 0;) {
      left = search.run(left);
      if (!search.isOver) return false;
      if (search.found === -1) return true;
      if (this.#toPass-- <= 0) this.#found.push(search.found);
      if (this.#found.length >= most || !search.next()) return true;
    }
    return false;
  }

  /** Writes the positions to the reply. */
  reply(reply: Reply): void {
    for (const _ of this.replySome(reply));
  }

  /** Writes the positions to the reply like {@linkcode reply}, in steps. */
  *replySome(reply: Reply): Generator<void> {
    const found = this.#found;
    if (this.#options.count !== -1) reply.array(found.length);
    else if (found.length === 0) reply.nil();
    for (let i = 0; i < found.length; i++) {
      reply.integer(found[i]!);
      if (i % LONG_ITEMS_COUNT === LONG_ITEMS_COUNT - 1) yield;
    }
  }
}
