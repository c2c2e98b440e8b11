/**
 * What a client is told when no reply came from a server, or none can.
 *
 * @module
 */

import { ReplyError } from "../../errors.ts";
import type { ConnectionError, ReplyCode } from "../../errors.ts";
import type { Request } from "../../wire/request.ts";

/** The code that a client is given when no reply came from a server. Its message is the error's. */
export function codeOf(error: ConnectionError, repeatable: boolean): ReplyCode {
  return error.sent && !repeatable ? "UNKNOWN_OUTCOME" : "UNAVAILABLE";
}

/** The refusal of a command that no proxy can carry out. */
export function cannotBeUsed(request: Request, reason: string): ReplyError {
  return new ReplyError("ERR", `'${request.text(0).toLowerCase()}' cannot be used through the proxy: ${reason}`);
}
