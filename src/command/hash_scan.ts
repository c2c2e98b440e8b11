/**
 * `hscan` replies with the next part of a hash. Every function exported here is the command of its name.
 *
 * @module
 */

import { EntryType } from "../store/store.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import { readTyped } from "./argument.ts";
import type { CommandContext } from "./context.ts";
import { replyScan } from "./item_scan.ts";
import { FieldItems } from "./named_items.ts";
import { scanCursor } from "./scan_options.ts";

/** `hscan key cursor [MATCH pattern] [COUNT count]` replies with fields and values. */
export function hscan(context: CommandContext, request: Request, reply: Reply): void {
  const cursor = scanCursor(request, 2);
  const entry = readTyped(context, request, 1, EntryType.Hash);
  replyScan(context, request, reply, entry, cursor, new FieldItems(context, request, true, true));
}
