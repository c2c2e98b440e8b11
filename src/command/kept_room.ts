/**
 * The room that a command makes in the store and uses in steps, so that others do not take it meanwhile.
 *
 * The dispatcher makes room before a command begins (run.ts), and refuses it where there is none. But a command may have to wait
 * for its first step, or read first and store later, and others use room meanwhile: so what stores in steps makes sure of it
 * once more, and keeps it from the same moment on.
 *
 * @module
 */

import { STEP_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import type { Steps } from "./context.ts";

/**
 * Makes room in steps, as `Store.makeRoom` does at once.
 *
 * @throws {StoreFullError} when there is none
 */
export function* makeRoomInSteps(store: Store, bytes: number, count: number): Steps {
  while (!store.makeRoomPart(bytes, count)) yield;
  store.makeRoom(bytes, count);
}

/** The room for what is still to be stored. {@linkcode release} has to follow. */
export class KeptRoom {
  /** The first argument that {@linkcode take} has not taken. */
  next = 0;
  readonly #store: Store;
  #size: number;
  #count: number;
  #pages = 0;

  /** Keeps room for `size` bytes in `count` arguments, which has just been made. */
  constructor(store: Store, size: number, count: number) {
    this.#store = store;
    this.#size = size;
    this.#count = count;
    this.#pages = store.keepRoom(size, count, 0);
  }

  /**
   * Takes the arguments of a request that are stored in the next step: up to `count` of them, fewer where they are long.
   *
   * @param from the first of them; two at a time
   * @returns the position behind the last
   */
  take(request: Request, from: number, count: number): number {
    const { lengths } = request;
    const stop = Math.min(request.count, from + count);
    let size = 0;
    let to = from;
    while (to < stop && size < STEP_BYTES) {
      size += lengths[to]! + (to + 1 < stop ? lengths[to + 1]! : 0);
      to += 2;
    }
    this.next = Math.min(to, stop);
    this.use(size, this.next - from);
    return this.next;
  }

  /** Takes note that `size` bytes in `count` arguments have been stored, or are before anything else happens. */
  use(size: number, count: number): void {
    this.#size = Math.max(0, this.#size - size);
    this.#count = Math.max(0, this.#count - count);
    this.#pages = this.#store.keepRoom(this.#size, this.#count, this.#pages);
  }

  /** Keeps room for `size` bytes from now on, in as many arguments as before. */
  keep(size: number): void {
    this.use(this.#size - size, 0);
  }

  /** Gives back what is left. */
  release(): void {
    this.#pages = this.#store.keepRoom(0, 0, this.#pages);
  }
}
