/**
 * Looking for an element of a list, in steps between which the list does not change but by who looks.
 *
 * Comparing stops at the first byte that differs, and lengths are compared first, so looking at an element takes about 10 ns:
 * that is the unit of work here. Comparing two long ones takes one unit for each 64 bytes.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import { findTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { isElement } from "./list_element.ts";
import { ValueGone } from "./long_command.ts";

/** Bytes that are compared in the time that looking at an element takes. */
const BYTES_PER_LOOK = 64;

/** One search for the elements of the list in argument 1 that are another argument. */
export class ElementSearch {
  /** Where one was found; -1 when the search is over without. */
  found = -1;
  /** Whether one was found, or none is left. */
  isOver = false;
  readonly #context: CommandContext;
  readonly #request: Request;
  readonly #argument: number;
  readonly #step: 1 | -1;
  #index: number;
  #left: number;

  /**
   * @param argument what is looked for
   * @param first the index to begin at
   * @param step towards the tail (1) or the head (-1)
   * @param lookedAt elements to look at, at most
   */
  constructor(
    context: CommandContext,
    request: Request,
    argument: number,
    first: number,
    step: 1 | -1,
    lookedAt = Infinity,
  ) {
    this.#context = context;
    this.#request = request;
    this.#argument = argument;
    this.#index = first;
    this.#step = step;
    this.#left = lookedAt;
  }

  /** Looks at elements until one is found, none is left, or so much work was done. Returns the work that is left. */
  run(work: number): number {
    const { store } = this.#context;
    const entry = findTyped(this.#context, this.#request, 1, EntryType.List);
    if (entry === 0) throw new ValueGone();
    let more = this.#index >= 0 && store.listSeek(entry, this.#index);
    const wanted = this.#request.lengths[this.#argument]!;
    for (; more && this.#left > 0 && work > 0; this.#left--) {
      work -= store.elementLength() === wanted ? 1 + wanted / BYTES_PER_LOOK : 1;
      if (isElement(store, this.#request, this.#argument)) {
        this.found = this.#index;
        this.isOver = true;
        return work;
      }
      more = this.#step === 1 ? store.listNext() : store.listPrevious();
      this.#index += this.#step;
    }
    this.isOver = !more || this.#left <= 0;
    return work;
  }

  /** Moves on to the next element. Returns `false` when there is none. */
  goOn(): boolean {
    this.#index += this.#step;
    this.#left--;
    this.found = -1;
    this.isOver = false;
    return this.#index >= 0 && this.#left > 0;
  }

  /** How many elements from the one found on are equal, `most` at most. Its cursor is on that one. */
  countEqual(most: number): number {
    const { store } = this.#context;
    let count = 0;
    let more = true;
    while (more && count < most && isElement(store, this.#request, this.#argument)) {
      count++;
      more = this.#step === 1 ? store.listNext() : store.listPrevious();
    }
    return count;
  }
}
