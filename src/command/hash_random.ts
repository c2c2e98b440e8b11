/**
 * `hrandfield` replies with random fields of a hash. Every function exported here is the command of its name.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { readTyped, syntaxError } from "./argument.ts";
import type { CommandContext, Steps } from "./context.ts";
import { replyField } from "./hash_field.ts";
import { FieldItems } from "./named_items.ts";
import { checkPairsCount, choiceCount, RandomChoice } from "./random_choice.ts";

/** `hrandfield key [count [WITHVALUES]]` replies with random fields. */
export function hrandfield(context: CommandContext, request: Request, reply: Reply): void | Steps {
  const store = context.store;
  const isOne = request.count === 2;
  const count = isOne ? 1 : choiceCount(request, 2);
  const withValues = request.count > 3;
  if (request.count > 4 || (withValues && !request.is(3, "withvalues"))) throw syntaxError();
  if (withValues) checkPairsCount(request, 2);
  const entry = readTyped(context, request, 1, EntryType.Hash);
  if (isOne) {
    if (entry !== 0 && store.hashes.seekRandom(entry, Math.random())) replyField(store, reply);
    else reply.nil();
    return;
  }
  if (entry === 0 || count === 0) {
    reply.array(0);
    return;
  }
  const items = new ChosenFields(context, request, withValues);
  const begin = (length: number) => reply.array(withValues && !reply.isRich ? length * 2 : length);
  const choice = new RandomChoice(items, reply, begin);
  return count < 0 ? choice.replyAny(-count) : choice.replyDifferent(Math.min(count, store.hashes.length(entry)));
}

/** Fields, or pairs of fields and values. */
class ChosenFields extends FieldItems {
  readonly #withValues: boolean;

  constructor(context: CommandContext, request: Request, withValues: boolean) {
    super(context, request, true, withValues);
    this.#withValues = withValues;
  }

  override reply(reply: Reply): void {
    if (this.#withValues && reply.isRich) reply.array(2);
    super.reply(reply);
  }
}
