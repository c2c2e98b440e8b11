/**
 * Replies with all members of a set, in steps when there are many.
 *
 * @module
 */

import { LONG_ITEMS_COUNT, REPLY_AT_ONCE_BYTES } from "../limits.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext, Steps } from "./context.ts";
import { replyItems } from "./long_reply.ts";
import { MemberItems } from "./named_items.ts";
import { replyMember } from "./set_member.ts";

/** Replies with all members of the set in argument 1, whose entry is given. An absent set (0) has none. */
export function replyMembers(context: CommandContext, request: Request, reply: Reply, entry: number): void | Steps {
  const { store } = context;
  const count = entry === 0 ? 0 : store.sets.length(entry);
  reply.set(count);
  if (count === 0) return;
  const stopBytes = reply.size + REPLY_AT_ONCE_BYTES;
  let i = 0;
  for (let more = store.sets.first(entry); more; more = store.sets.next(), i++) {
    if (i === LONG_ITEMS_COUNT || reply.size > stopBytes) {
      return replyItems(reply, new MemberItems(context, request, i), i, count);
    }
    replyMember(store, reply);
  }
}
