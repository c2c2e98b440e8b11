/**
 * Memory that is reserved in the store for a command that stores in steps, so that other commands do not use it
 * meanwhile.
 *
 * The dispatcher makes room before a command begins (run.ts), and refuses the command if that fails. But a command may
 * have to wait before its first step, or it may read first and store later, and other commands use memory meanwhile. So
 * a command that stores in steps makes room again, and reserves it from the same moment on.
 *
 * @module
 */

import { STEP_BYTES } from "../limits.ts";
import type { Store } from "../store/store.ts";
import type { Request } from "../wire/request.ts";
import type { Steps } from "./context.ts";

/**
 * Makes room in steps, like `Room.make`, which does it in one.
 *
 * @throws {StoreFullError} when there is not enough room
 */
export function* makeRoomInSteps(store: Store, bytes: number, count: number): Steps {
  while (!store.room.makePart(bytes, count)) yield;
  store.room.make(bytes, count);
}

/** The memory reserved for the data that is still to be stored. The caller must call {@linkcode release} afterwards. */
export class KeptRoom {
  /** The first argument that {@linkcode take} has not taken. */
  next = 0;
  readonly #store: Store;
  #size: number;
  #count: number;
  #pages = 0;

  /** Reserves room for `size` bytes in `count` arguments. The caller has just made that room. */
  constructor(store: Store, size: number, count: number) {
    this.#store = store;
    this.#size = size;
    this.#count = count;
    this.#pages = store.room.keep(size, count, 0);
  }

  /**
   * Takes the arguments of a request that are stored in the next step: up to `count` of them, and fewer if they are
   * long.
   *
   * @param from the first argument; they are taken in pairs
   * @returns the position after the last one
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

  /** Records that `size` bytes in `count` arguments have been stored, or will be before any other command runs. */
  use(size: number, count: number): void {
    this.#size = Math.max(0, this.#size - size);
    this.#count = Math.max(0, this.#count - count);
    this.#pages = this.#store.room.keep(this.#size, this.#count, this.#pages);
  }

  /** Reserves room for `size` bytes from now on, for as many arguments as before. */
  keep(size: number): void {
    this.use(this.#size - size, 0);
  }

  /** Ends the reservation. */
  release(): void {
    this.#pages = this.#store.room.keep(0, 0, this.#pages);
  }
}
