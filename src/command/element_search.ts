/**
 * Searches for elements of a list, in steps. Between them, only the searching command may change the list.
 *
 * A comparison stops at the first different byte, after comparing lengths, so looking at an element takes about 10 ns.
 * That is the unit of work here. Comparing two long elements takes one unit for each 64 bytes.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import { findTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { isElement } from "./list_element.ts";
import { ValueGone } from "./long_command.ts";

/** The number of bytes that are compared in the time of looking at an element. */
const BYTES_PER_LOOK = 64;

/** A search for the elements of the list in argument 1 that equal another argument. */
export class ElementSearch {
  /** The index of the element that was found; -1 if the search has ended without one. */
  found = -1;
  /** Whether an element was found, or none is left. */
  isOver = false;
  readonly #context: CommandContext;
  readonly #request: Request;
  readonly #argument: number;
  readonly #step: 1 | -1;
  #index: number;
  #left: number;

  /**
   * @param argument the index of the argument to search for
   * @param first the index of the element at which to begin
   * @param step 1 to search towards the tail, -1 towards the head
   * @param lookedAt the most elements to look at
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

  /** Looks at elements until one is found, none is left, or `work` units were done. Returns the units that are left. */
  run(work: number): number {
    const { store } = this.#context;
    const entry = findTyped(this.#context, this.#request, 1, EntryType.List);
    if (entry === 0) throw new ValueGone();
    let more = this.#index >= 0 && store.lists.seek(entry, this.#index);
    const wanted = this.#request.lengths[this.#argument]!;
    for (; more && this.#left > 0 && work > 0; this.#left--) {
      work -= store.lists.elementLength() === wanted ? 1 + wanted / BYTES_PER_LOOK : 1;
      if (isElement(store, this.#request, this.#argument)) {
        this.found = this.#index;
        this.isOver = true;
        return work;
      }
      more = this.#step === 1 ? store.lists.next() : store.lists.previous();
      this.#index += this.#step;
    }
    this.isOver = !more || this.#left <= 0;
    return work;
  }

  /** Moves to the element after the one found. Returns `false` when there is none. */
  next(): boolean {
    this.#index += this.#step;
    this.#left--;
    this.found = -1;
    this.isOver = false;
    return this.#index >= 0 && this.#left > 0;
  }

  /**
   * Returns how many elements from the one found on are equal, up to `most`. The store's cursor must be on the one
   * found.
   */
  countEqual(most: number): number {
    const { store } = this.#context;
    let count = 0;
    let more = true;
    while (more && count < most && isElement(store, this.#request, this.#argument)) {
      count++;
      more = this.#step === 1 ? store.lists.next() : store.lists.previous();
    }
    return count;
  }
}
