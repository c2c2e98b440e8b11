/**
 * The room that a command has made in the store and uses in steps, so that others do not take it meanwhile.
 *
 * @module
 */

import { STEP_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";

/** The room for the arguments of a request that are still to be stored. {@linkcode release} has to follow. */
export class KeptRoom {
  /** The first argument that was not taken. */
  next = 0;
  readonly #store: Store;
  readonly #request: Request;
  #size: number;
  #pages = 0;

  /** Keeps room for all of a request. */
  constructor({ store }: CommandContext, request: Request) {
    this.#store = store;
    this.#request = request;
    this.#size = request.size;
    this.#pages = store.keepRoom(request.size, request.count, 0);
  }

  /**
   * Takes the arguments that are stored in the next step: up to `count` of them, fewer where they are long.
   *
   * @param from the first of them; two at a time
   * @returns the position behind the last
   */
  take(from: number, count: number): number {
    const { lengths } = this.#request;
    const stop = Math.min(this.#request.count, from + count);
    let size = 0;
    let to = from;
    while (to < stop && size < STEP_BYTES) {
      size += lengths[to]! + (to + 1 < stop ? lengths[to + 1]! : 0);
      to += 2;
    }
    this.next = Math.min(to, stop);
    this.#size = Math.max(0, this.#size - size);
    this.#pages = this.#store.keepRoom(this.#size, this.#request.count - this.next, this.#pages);
    return this.next;
  }

  /** Gives back what is left. */
  release(): void {
    this.#pages = this.#store.keepRoom(0, 0, this.#pages);
  }
}
