/**
 * Finds the slots of the keys of a request with very many keys, in steps: a key takes 30 ns, a million keys 30 ms.
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../../catalog/specification.ts";
import { slotOf } from "../../key_slot.ts";
import { LONG_ARGUMENTS_COUNT, SLOTS_COUNT, STEP_ITEMS_COUNT } from "../../limits.ts";
import type { Request } from "../../wire/request.ts";
import { crossSlot, hasWholePairs } from "./shared_slot.ts";

/** Returns whether a request may have more keys than one step looks at. */
export function hasManyKeys({ firstKey, lastKey }: CommandSpecification, { count }: Request): boolean {
  return count > LONG_ARGUMENTS_COUNT && firstKey > 0 && lastKey < 0;
}

/** The slots of all keys of one request. It borrows the request until all are found. */
export class KeySlots {
  /** The slot of each key, in the order of the request. */
  readonly slots: Uint16Array;
  /** Whether each slot has a key, as one byte per slot. */
  readonly isUsed = new Uint8Array(SLOTS_COUNT);
  readonly #request: Request;
  readonly #firstKey: number;
  readonly #keyStep: number;
  #found = 0;
  #isShared = true;
  readonly #hasWholePairs: boolean;

  /**
   * Creates the slots of a request, of which none is found yet.
   *
   * @param specification the row of a command that {@linkcode hasManyKeys}
   */
  constructor(specification: CommandSpecification, request: Request) {
    const { firstKey, keyStep } = specification;
    this.#hasWholePairs = hasWholePairs(specification, request);
    this.#request = request;
    this.#firstKey = firstKey;
    this.#keyStep = keyStep;
    this.slots = new Uint16Array(Math.floor((keysEnd(specification, request) - 1 - firstKey) / keyStep) + 1);
  }

  /** Finds the slots of some more keys. Returns whether all are found. */
  step(): boolean {
    const { bytes, starts, lengths } = this.#request;
    const { slots } = this;
    const stop = Math.min(slots.length, this.#found + STEP_ITEMS_COUNT);
    for (let key = this.#found; key < stop; key++) {
      const position = this.#firstKey + key * this.#keyStep;
      const slot = slotOf(bytes, starts[position]!, lengths[position]!);
      slots[key] = slot;
      this.isUsed[slot] = 1;
      if (slot !== slots[0]) this.#isShared = false;
    }
    this.#found = stop;
    return stop === slots.length;
  }

  /**
   * Returns the slot of all keys. A call that names a wrong number of keys has none; any server refuses it.
   *
   * @param isQueued whether the keys belong to a transaction
   * @throws {ReplyError} when the keys are in several slots
   */
  shared(isQueued = false): number {
    if (!this.#isShared && this.#hasWholePairs) throw crossSlot(isQueued);
    return this.slots[0] ?? 0;
  }
}
