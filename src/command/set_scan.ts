/**
 * `sscan` replies with the next part of a set. Every function exported here is the command of its name.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { readTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { replyScan } from "./item_scan.ts";
import { MemberItems } from "./named_items.ts";
import { scanCursor } from "./scan_options.ts";

/** `sscan key cursor [MATCH pattern] [COUNT count]` replies with members. */
export function sscan(context: CommandContext, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, 2);
  const entry = readTyped(context, request, 1, EntryType.Set);
  replyScan(context, request, reply, entry, cursor, new MemberItems(context, request));
}
