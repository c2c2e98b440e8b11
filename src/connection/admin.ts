/**
 * Reports the commands of administrators to the log of messages.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Call, CommandSpecification } from "../catalog/specification.ts";
import { ADMIN_WORDS_MAX_LENGTH } from "../limits.ts";
import type { ConnectionContext } from "./context.ts";

const SETTING_NAME = /^[a-z]+(-[a-z]+)*$/i;

/** Reports a call to the log of messages if it is an administrator's command. */
export function noteIfAdmin(context: ConnectionContext, specification: CommandSpecification, call: Call): void {
  const { name, admin, secret } = specification;
  if (admin === undefined) return;
  const text = (index: number) => {
    return decodeText(call.bytes, call.starts[index]!, Math.min(call.lengths[index]!, ADMIN_WORDS_MAX_LENGTH));
  };
  if (admin.subcommands !== undefined) {
    if (call.count < 2 || !admin.subcommands.includes(text(1).toLowerCase())) return;
  }
  // The name is logged as it was sent: `flushall` is an alias.
  const words = [text(0).toLowerCase()];
  let end = Math.min(call.count, admin.shownCount + 1);
  // The word in the place of a setting's name may be its value, or both in one word, so it is not logged then.
  if (secret === "settings" && end > 2 && (call.count < 4 || !SETTING_NAME.test(text(2)))) end = 2;
  for (let index = 1; index < end; index++) words.push(text(index));
  if (end < call.count) words.push("…");
  context.role.noteAdmin(context.client, name, words.join(" ").slice(0, ADMIN_WORDS_MAX_LENGTH));
}
