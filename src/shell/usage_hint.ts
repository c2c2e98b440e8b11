/**
 * Shows the syntax of a command after a wrong number of arguments.
 *
 * @module
 */

import { commandOf } from "../client/reply_delay.ts";
import type { ReplyError } from "../errors.ts";
import { usage } from "./help.ts";

/** Returns `usage: get key` and a newline when a command was refused for its number of arguments, otherwise nothing. */
export function usageHint(words: readonly (string | Uint8Array)[], error: ReplyError): string {
  const command = /^wrong number of arguments\b/.test(error.message) ? commandOf(words) : undefined;
  return command === undefined ? "" : `usage: ${usage(command)}\n`;
}
