/**
 * The commands that move elements between lists. Every function exported here is the command of its name.
 *
 * @module
 */

import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";
import { isHead, moveElement } from "./list_element.ts";

/** `lmove source destination LEFT|RIGHT LEFT|RIGHT` moves an element between ends of lists, and replies with it. */
export function lmove(context: CommandContext, request: Request, reply: Reply): void {
  if (!moveElement(context, request, reply, isHead(request, 3), isHead(request, 4))) reply.nil();
}

/**
 * `rpoplpush source destination` moves an element from the tail of a list to the head of another, and replies with it.
 */
export function rpoplpush(context: CommandContext, request: Request, reply: Reply): void {
  if (!moveElement(context, request, reply, false, true)) reply.nil();
}
