/**
 * The walk over the intersection, the union or the difference of several sets, in steps.
 *
 * | operation | walks over | and keeps a member that |
 * |---|---|---|
 * | `inter` | the smallest set | all other sets have |
 * | `union` | all sets, one after another | no earlier set has |
 * | `diff` | the first set | no other set has |
 *
 * So a walk remembers no members, however large the sets are. A union of many sets would look up each member many
 * times. So it also has a Bloom filter of the members that it has kept, which does not contain most new ones.
 *
 * ```text
 * walked set   scan ─▶ some members ─▶ scan ─▶ some members …      copied, because a look-up moves the store's cursor
 * other sets             look up each of them
 * ```
 *
 * The sets do not change between steps, because the command holds its keys (long_command.ts). A step that ends between
 * the members of one call of `scan` is followed by one that copies these members again.
 *
 * @module
 */

import { enlarge } from "../bytes.ts";
import { LONG_ARGUMENTS_COUNT } from "../limits.ts";
import { EntryType } from "../store/store.ts";
import type { Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import { peekKey, readTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { KeySet } from "./holds.ts";
import { ValueGone } from "./long_command.ts";

/** The operation that makes one set of several. */
export type SetOperation = "inter" | "union" | "diff";

/** Receives a member of the result, whose bytes are borrowed until return. */
export type VisitMember = (bytes: Uint8Array, start: number, length: number) => void;

/** The number of look-ups of one step, which take 50 to 100 µs. Reading a member counts as one, too. */
const LOOKUPS_PER_STEP_COUNT = 512;
/** The most sets of a union without a filter. */
const UNFILTERED_SETS_COUNT = 4;
/** The number of bytes of a member that take as long as another look-up. */
const BYTES_PER_LOOKUP = 64;

/** One of the sets. */
interface FoundSet {
  /** The position of its key in the request. */
  readonly argument: number;
  readonly length: number;
  /** The entry of its key, which is valid in step {@linkcode step}. */
  entry: number;
  step: number;
}

/** The walk of one command. */
export class SetCombination {
  readonly #context: CommandContext;
  readonly #store: Store;
  readonly #request: Request;
  readonly #operation: SetOperation;
  /** The next key to find. */
  #key: number;
  readonly #firstKey: number;
  readonly #keysEnd: number;
  /** The sets that exist, in the order in which members are looked up. */
  #sets: FoundSet[] = [];
  /** The number of members of all sets together. */
  #membersCount = 0;
  /** The members that a union of many sets has kept, and a few others. */
  #kept: KeySet | undefined;
  /** The number of members that are still wanted. */
  #wanted: number;
  #step = 0;
  /** The number of look-ups that are left in the present step. */
  #left = 0;

  // The place of the walk: the walked set, the cursor of its scan, one of the members that the scan visits from there,
  // and the next set to look that member up in.
  #walked = 0;
  #cursor = 0;
  #member = 0;
  #other: number;

  /**
   * Prepares the walk.
   *
   * @param firstKey the position of the first key
   * @param keysEnd the position after the last key
   * @param wanted the number of members after which the walk ends
   */
  constructor(
    context: CommandContext,
    request: Request,
    operation: SetOperation,
    firstKey: number,
    keysEnd: number,
    wanted = Infinity,
  ) {
    this.#context = context;
    this.#store = context.store;
    this.#request = request;
    this.#operation = operation;
    this.#key = this.#firstKey = firstKey;
    this.#keysEnd = keysEnd;
    this.#wanted = wanted;
    this.#other = this.#firstOther;
  }

  /**
   * Visits some members of the result. Returns whether they were the last ones.
   *
   * @throws {ReplyError} `WRONGTYPE` when a key holds another type; nothing was visited before
   */
  step(visit: VisitMember): boolean {
    this.#step++;
    if (!this.#findSets()) return false;
    this.#left = LOOKUPS_PER_STEP_COUNT;
    while (this.#walked < this.#sets.length) {
      this.#left--;
      const next = batch.read(this.#store, this.#entryOf(this.#sets[this.#walked]!), this.#cursor);
      for (; this.#member < batch.count; this.#member++) {
        const start = batch.starts[this.#member]!;
        const length = batch.starts[this.#member + 1]! - start;
        const isKept = this.#isKept(start, length);
        if (isKept === undefined) return false;
        this.#left -= Math.floor(length / BYTES_PER_LOOKUP);
        this.#other = this.#firstOther;
        if (!isKept) continue;
        visit(batch.bytes, start, length);
        if (--this.#wanted === 0) return true;
      }
      this.#member = 0;
      this.#cursor = next;
      if (next === 0) this.#walked = this.#operation === "union" ? this.#walked + 1 : this.#sets.length;
    }
    return true;
  }

  /** The first set to look a member up in. Intersections and differences walk over set 0. */
  get #firstOther(): number {
    return this.#operation === "union" ? 0 : 1;
  }

  /** Finds some of the sets. Returns whether all are found. */
  #findSets(): boolean {
    if (this.#key === this.#keysEnd) return true;
    const { sets } = this.#store;
    const stop = Math.min(this.#keysEnd, this.#key + LONG_ARGUMENTS_COUNT);
    for (; this.#key < stop; this.#key++) {
      const entry = readTyped(this.#context, this.#request, this.#key, EntryType.Set);
      if (entry === 0) continue;
      this.#add({ argument: this.#key, length: sets.length(entry), entry, step: this.#step });
    }
    if (this.#key < this.#keysEnd) return false;
    this.#arrange();
    return true;
  }

  /** Adds a set. Intersections have the smallest one first. */
  #add(set: FoundSet): void {
    const sets = this.#sets;
    sets.push(set);
    this.#membersCount += set.length;
    if (this.#operation !== "inter" || set.length >= sets[0]!.length) return;
    sets[sets.length - 1] = sets[0]!;
    sets[0] = set;
  }

  /** Completes the list of sets once all are found. If the result is empty, none is left. */
  #arrange(): void {
    const sets = this.#sets;
    switch (this.#operation) {
      case "inter":
        if (sets.length < this.#keysEnd - this.#firstKey) this.#sets = [];
        // A member of the smallest set is most likely to be missing in the next larger ones.
        else if (sets.length <= LONG_ARGUMENTS_COUNT) sets.sort((a, b) => a.length - b.length);
        break;
      case "union":
        if (sets.length > UNFILTERED_SETS_COUNT) this.#kept = new KeySet(this.#membersCount);
        break;
      case "diff":
        if (sets[0]?.argument !== this.#firstKey) this.#sets = [];
        break;
    }
  }

  #entryOf(set: FoundSet): number {
    if (set.step === this.#step) return set.entry;
    set.entry = peekKey(this.#context, this.#request, set.argument);
    if (set.entry === 0) throw new ValueGone();
    set.step = this.#step;
    return set.entry;
  }

  /**
   * Returns whether a member of the walked set belongs to the result; `undefined` when the step has to end before that
   * is known.
   */
  #isKept(start: number, length: number): boolean | undefined {
    const { sets } = this.#store;
    const isInter = this.#operation === "inter";
    const end = this.#operation === "union" ? this.#walked : this.#sets.length;
    // A look-up is left for the first member of a step, so each step gets further, however long members are.
    if (--this.#left <= 0) return undefined;
    if (this.#kept !== undefined && this.#other === 0) {
      const hash = this.#store.keyHash(batch.bytes, start, length);
      if (!this.#kept.holds(hash)) {
        this.#kept.add(hash);
        return true;
      }
    }
    for (; this.#other < end; this.#other++) {
      if (this.#left <= 0) return undefined;
      this.#left -= 1 + Math.floor(length / BYTES_PER_LOOKUP);
      if (sets.has(this.#entryOf(this.#sets[this.#other]!), batch.bytes, start, length) !== isInter) return false;
    }
    return true;
  }
}

/** Copies of the members that one call of `scan` visits. */
class MemberBatch {
  bytes = new Uint8Array(4096);
  /** The start of each member in {@linkcode bytes}, and the end of the last one. */
  starts = new Int32Array(1024);
  count = 0;
  #store: Store | undefined;

  /** Copies the members that a set's scan visits at `cursor`. Returns the next cursor. */
  read(store: Store, entry: number, cursor: number): number {
    this.count = 0;
    this.#store = store;
    return store.sets.scan(entry, cursor, this.#add);
  }

  readonly #add = (): void => {
    const { sets } = this.#store!;
    const start = this.starts[this.count]!;
    const end = start + sets.memberLength();
    if (end > this.bytes.length) this.bytes = enlarge(this.bytes, start, end);
    sets.copyMember(this.bytes, start);
    if (++this.count === this.starts.length) {
      const starts = new Int32Array(this.starts.length * 2);
      starts.set(this.starts);
      this.starts = starts;
    }
    this.starts[this.count] = end;
  };
}

/** The members that are being looked at. A step runs to completion, so one is enough. */
const batch = new MemberBatch();
