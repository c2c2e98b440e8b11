/**
 * Finds the slot that all keys of one request must share because several servers cannot execute it together.
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../../catalog/specification.ts";
import { ReplyError } from "../../errors.ts";
import { slotOf } from "../../key_slot.ts";
import type { Request } from "../../wire/request.ts";

/** The text of Redis Cluster, which clients may look for, followed by advice. */
const CROSS_SLOT = "Keys in request don't hash to the same slot; give them a common {tag}, as in {user1}:name";

/**
 * Returns the error for keys in several slots.
 *
 * @param isQueued whether the keys belong to a transaction, which a library may have made of a pipeline
 */
export function crossSlot(isQueued = false): ReplyError {
  return new ReplyError("CROSSSLOT", isQueued ? `${CROSS_SLOT}, or send the pipeline without MULTI` : CROSS_SLOT);
}

/** Returns whether each key has its value, if values are between keys. If not, any server refuses the request. */
export function hasWholePairs({ firstKey, keyStep }: CommandSpecification, { count }: Request): boolean {
  return (count - firstKey) % keyStep === 0;
}

/**
 * Returns the slot of all keys of a request.
 *
 * @param isQueued whether the request belongs to a transaction
 * @throws {ReplyError} when the keys are in several slots
 */
export function sharedSlot(specification: CommandSpecification, request: Request, isQueued = false): number {
  const { firstKey, keyStep } = specification;
  const { bytes, starts, lengths } = request;
  const end = keysEnd(specification, request);
  const shared = slotOf(bytes, starts[firstKey]!, lengths[firstKey]!);
  if (!hasWholePairs(specification, request)) return shared;
  for (let i = firstKey + keyStep; i < end; i += keyStep) {
    if (slotOf(bytes, starts[i]!, lengths[i]!) !== shared) throw crossSlot(isQueued);
  }
  return shared;
}
