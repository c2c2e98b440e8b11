/**
 * What a client is told when no reply came from a server, or none can.
 *
 * @module
 */

import type { ConnectionError, ReplyCode } from "../../errors.ts";

/** The code that a client is given when no reply came from a server. Its message is the error's. */
export function codeOf(error: ConnectionError, repeatable: boolean): ReplyCode {
  return error.sent && !repeatable ? "UNKNOWN_OUTCOME" : "UNAVAILABLE";
}
