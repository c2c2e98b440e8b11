/**
 * The commands that show which keys deserve attention. Every function exported here is the command of its name.
 *
 * @module
 */

import { COMMANDS } from "../catalog/specification.ts";
import { topRowsOf } from "../connection/top_rows.ts";
import { assert } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { CommandContext } from "./context.ts";

const HOTKEYS = specificationOf("hotkeys");
const BIGKEYS = specificationOf("bigkeys");

function specificationOf(name: string) {
  const specification = COMMANDS.find((each) => each.name === name);
  assert(specification !== undefined, `command "${name}" has no row`);
  return specification;
}

/** `hotkeys [count]` replies with the keys that are used most, and the requests a second that use each. */
export function hotkeys({ shared, store }: CommandContext, request: Request, reply: Reply): void {
  const { count } = topRowsOf(HOTKEYS, request);
  const rows = shared.keys.hot.top(count, store.nowMs);
  reply.array(rows.length);
  for (const { name, perSecond } of rows) {
    reply.array(2);
    reply.bytes(name, 0, name.length);
    reply.integer(Math.round(perSecond));
  }
}

/** `bigkeys [count [BYTES | ELEMENTS]]` replies with the keys that have the largest values, and their sizes. */
export function bigkeys({ shared: { keys } }: CommandContext, request: Request, reply: Reply): void {
  const { count, column } = topRowsOf(BIGKEYS, request);
  const by = BIGKEYS.columns[column] === "elements" ? "elements" : "bytes";
  const rows = keys.big.top(count, by, keys.measure);
  reply.array(rows.length);
  for (const { name, bytes, elements, type } of rows) {
    reply.array(BIGKEYS.columns.length);
    reply.bytes(name, 0, name.length);
    reply.integer(bytes);
    reply.integer(elements);
    reply.text(type);
  }
}
