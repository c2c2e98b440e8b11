/**
 * The slot that all keys of one request have to share where no two servers could carry it out together.
 *
 * @module
 */

import { type CommandSpecification, keysEnd } from "../command/specification.ts";
import { ReplyError } from "../errors.ts";
import { slotOf } from "../key_slot.ts";
import type { Request } from "../wire/request.ts";

/** The refusal of keys that do not share one, in the words of Redis Cluster. */
export function crossSlot(): ReplyError {
  return new ReplyError("CROSSSLOT", "Keys in request don't hash to the same slot");
}

/**
 * The slot of all keys of a request.
 *
 * @throws {ReplyError} when they do not share one
 */
export function sharedSlot(specification: CommandSpecification, request: Request): number {
  const { firstKey, keyStep } = specification;
  const { bytes, starts, lengths } = request;
  const end = keysEnd(specification, request.count);
  const shared = slotOf(bytes, starts[firstKey]!, lengths[firstKey]!);
  for (let i = firstKey + keyStep; i < end; i += keyStep) {
    if (slotOf(bytes, starts[i]!, lengths[i]!) !== shared) throw crossSlot();
  }
  return shared;
}
