/**
 * The slot that all keys of one request have to share where no two servers could carry it out together.
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../../catalog/specification.ts";
import { ReplyError } from "../../errors.ts";
import { slotOf } from "../../key_slot.ts";
import type { Request } from "../../wire/request.ts";

/** The words of Redis Cluster, which clients may look for, and what to do about it. */
const CROSS_SLOT = "Keys in request don't hash to the same slot; give them a common {tag}, as in {user1}:name";

/**
 * The refusal of keys that do not share one.
 *
 * @param isQueued whether they are of a transaction, which a library may have made of a pipeline
 */
export function crossSlot(isQueued = false): ReplyError {
  return new ReplyError("CROSSSLOT", isQueued ? `${CROSS_SLOT}, or send the pipeline without MULTI` : CROSS_SLOT);
}

/** Whether each key has its value, where values stand between keys. If not, any server refuses the request. */
export function hasWholePairs({ firstKey, keyStep }: CommandSpecification, { count }: Request): boolean {
  return (count - firstKey) % keyStep === 0;
}

/**
 * The slot of all keys of a request.
 *
 * @param isQueued whether it is of a transaction
 * @throws {ReplyError} when they do not share one
 */
export function sharedSlot(specification: CommandSpecification, request: Request, isQueued = false): number {
  const { firstKey, keyStep } = specification;
  const { bytes, starts, lengths } = request;
  const end = keysEnd(specification, request.count);
  const shared = slotOf(bytes, starts[firstKey]!, lengths[firstKey]!);
  if (!hasWholePairs(specification, request)) return shared;
  for (let i = firstKey + keyStep; i < end; i += keyStep) {
    if (slotOf(bytes, starts[i]!, lengths[i]!) !== shared) throw crossSlot(isQueued);
  }
  return shared;
}
