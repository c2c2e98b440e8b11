/**
 * Puts back an element that a server removed from a list for a client that had disconnected by then.
 *
 * ```text
 * client   blpop q 0 ─► …  end of the connection
 * proxy                                 [q, x] arrives ─► no client is there ─► lpush q x
 * server   blpop q 0 ─► …  rpush q x ─► [q, x]
 * ```
 *
 * The element returns to its end of the list. For a moment it is absent, and elements that others took meanwhile came
 * out before it. If it was the only element, the key has no TTL any more. An element that was moved to another list
 * (`blmove`) stays there, as if its client had disconnected a moment later.
 *
 * @module
 */

import { ProtocolError } from "../../errors.ts";
import type { ConnectionError } from "../../errors.ts";
import { BackendRequest } from "../../route/backend_request.ts";
import type { ValueReader } from "../../wire/reply_reader.ts";
import type { Dialect } from "../backend/dialect.ts";

/**
 * Composes the request that puts back the element of the reply at `bytes[start, end)`.
 *
 * @param undoneBy the name of the command that puts it back
 * @returns `undefined` when the reply is not a key and an element
 */
export function composePutBack(
  dialect: Dialect,
  undoneBy: string,
  bytes: Uint8Array,
  start: number,
  end: number,
): Uint8Array<ArrayBuffer> | undefined {
  if (!dialect.grants(bytes, start)) return undefined;
  try {
    const values = dialect.values(bytes, start, end);
    if (values.array() !== 2) return undefined;
    const key = takeBytes(values, bytes);
    return dialect.request([undoneBy, key, takeBytes(values, bytes)]);
  } catch (error) {
    if (error instanceof ProtocolError) return undefined;
    throw error;
  }
}

function takeBytes(values: ValueReader, bytes: Uint8Array): Uint8Array {
  const length = values.skip();
  return bytes.slice(values.contentStart, values.contentStart + length);
}

/** The request that puts an element back. */
export class PutBackRequest extends BackendRequest {
  readonly #dialect: Dialect;
  readonly #done: (problem: string | undefined) => void;

  /**
   * Creates the request.
   *
   * @param done called once, with the reason when the element may be lost
   */
  constructor(dialect: Dialect, done: (problem: string | undefined) => void) {
    super();
    this.#dialect = dialect;
    this.#done = done;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    if (this.#dialect.grants(bytes, start)) return this.#done(undefined);
    const { code, message } = this.#dialect.refusal(bytes, start, end);
    this.#done(`${code} ${message}`);
  }

  override fail(error: ConnectionError): void {
    this.#done(error.message);
  }
}
