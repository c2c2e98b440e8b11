/**
 * What the proxy refuses by itself, in the words of the server: a client cannot tell who has refused it.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { CommandSpecification } from "../command/specification.ts";
import { ReplyError } from "../errors.ts";
import type { ConnectionError, ReplyCode } from "../errors.ts";
import { KEY_SIZE_MAX_BYTES, VALUE_SIZE_MAX_BYTES } from "../limits.ts";
import type { Request } from "../wire/request.ts";

/** Longest quotation of a request in an error, in characters. */
const QUOTATION_MAX_LENGTH = 128;

/** The refusal of a request with too few or too many arguments. Names the command as the client did. */
export function wrongCount(request: Request): ReplyError {
  return new ReplyError("ERR", `wrong number of arguments for '${request.text(0).toLowerCase()}' command`);
}

/** Quotes what was sent as Redis does: the name, and as many arguments as fit 128 characters. */
export function unknownCommand(request: Request): ReplyError {
  let quoted = "";
  for (let i = 1; i < request.count && quoted.length < QUOTATION_MAX_LENGTH; i++) {
    quoted += `'${quotation(request, i, QUOTATION_MAX_LENGTH - quoted.length)}' `;
  }
  const name = quotation(request, 0, QUOTATION_MAX_LENGTH);
  return new ReplyError("ERR", `unknown command '${name}', with args beginning with: ${quoted}`);
}

/** Argument `index` on one line, cut after `length` bytes. */
function quotation(request: Request, index: number, length: number): string {
  const start = request.start(index);
  const cut = request.bytes.subarray(start, start + Math.min(length, request.length(index)));
  // deno-lint-ignore no-control-regex -- control characters are what has to go
  return decodeText(cut).replace(/[\x00-\x1f\x7f]/g, " ");
}

/**
 * Refuses keys and values that are too long. Each server would do so too, but a command for several servers must be
 * refused before one of them has carried out its part.
 *
 * @throws {ReplyError}
 */
export function checkSizes({ firstKey, keyStep }: CommandSpecification, request: Request): void {
  for (let i = 1; i < request.count; i++) {
    const length = request.length(i);
    if (i >= firstKey && (i - firstKey) % keyStep === 0) {
      if (length > KEY_SIZE_MAX_BYTES) throw new ReplyError("ERR", `key exceeds ${KEY_SIZE_MAX_BYTES} bytes`);
    } else if (length > VALUE_SIZE_MAX_BYTES) {
      throw new ReplyError("ERR", `value exceeds ${VALUE_SIZE_MAX_BYTES} bytes`);
    }
  }
}

/** The code that a client is given when no reply came from a server. Its message is the error's. */
export function codeOf(error: ConnectionError, repeatable: boolean): ReplyCode {
  return error.sent && !repeatable ? "UNKNOWN_OUTCOME" : "UNAVAILABLE";
}
