/**
 * Finds the slot to which a request may push elements that clients wait for.
 *
 * @module
 */

import type { CommandSpecification } from "../../catalog/specification.ts";
import { slotOf } from "../../key_slot.ts";
import type { Request } from "../../wire/request.ts";
import type { ClientLink } from "../client/client_link.ts";

/** Returns the slot of the key in argument `index`. */
export function slotOfArgument({ bytes, starts, lengths }: Request, index: number): number {
  return slotOf(bytes, starts[index]!, lengths[index]!);
}

/** Returns the slot to which a request may push elements that clients wait for, or -1. */
export function slotPushedTo(
  { client: { transaction } }: ClientLink,
  specification: CommandSpecification | undefined,
  request: Request,
): number {
  if (specification === undefined) return -1;
  const { transactionStep, writes, firstKey, routing } = specification;
  if (transaction !== undefined) return transactionStep === "run" ? transaction.slot : -1;
  const isOfOneSlot = routing === "key" || routing === "together" || routing === "wait";
  return writes && isOfOneSlot && firstKey > 0 && firstKey < request.count ? slotOfArgument(request, firstKey) : -1;
}
