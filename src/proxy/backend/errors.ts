/**
 * The errors that a client gets when a server has not replied, or cannot.
 *
 * @module
 */

import type { ConnectionError, ReplyCode } from "../../errors.ts";

/** Returns the code of the error when a server has not replied. Its message is that of `error`. */
export function codeOf(error: ConnectionError, repeatable: boolean): ReplyCode {
  return error.sent && !repeatable ? "UNKNOWN_OUTCOME" : "UNAVAILABLE";
}
