/**
 * The protocols of the proxy, each as one object that contains all differences between them.
 *
 * ```text
 * client ─ bytes ─► decoder ─► Request ─► router ─┬─ unchanged ───────────► server      (nearly always)
 *                                                 └─ writer ─► parts ───► servers
 * client ◄─ bytes ─────────────┬──────────────────── unchanged ◄─ measure ─ server
 *                              └─ reply ◄─ joins ◄─ values, grants, refusal ◄─ servers
 * ```
 *
 * A session has one dialect at a time, and so has every connection to a server. A request is sent to servers in the
 * dialect in which it arrived, so nothing is translated. All clients use the same writer and reply for one request
 * after another: they keep no state from one call to the next.
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import type { ProtocolVersion } from "../../connection/client_state.ts";
import { ProtocolError, type ReplyError } from "../../errors.ts";
import type { ClientAccount } from "../../memory/client_memory.ts";
import type { Framing, Transport } from "../../route/framing.ts";
import type { NativeDecoder } from "../../wire/native/request_decoder.ts";
import type { Reply } from "../../wire/reply.ts";
import type { ValueReader } from "../../wire/reply_reader.ts";
import type { RequestWriter } from "../../wire/request_writer.ts";
import type { RespDecoder } from "../../wire/resp/request_decoder.ts";

/** Decodes the requests of one client. */
export type RequestDecoder = NativeDecoder | RespDecoder;

/** One protocol, as the proxy uses it. */
export interface Dialect extends Framing {
  readonly version: ProtocolVersion;
  /** The number of bytes at the start of a reply that are absent when it is an item of the reply to `exec`. */
  readonly itemStart: number;
  readonly writer: RequestWriter;
  /**
   * The reply in progress, in one piece as the replies of servers are. Both versions of RESP have the same object,
   * which uses the version that was requested last.
   */
  readonly reply: Reply;
  /** The request that begins a transaction. */
  readonly multi: Uint8Array<ArrayBuffer>;
  /** The request that runs a transaction. */
  readonly exec: Uint8Array<ArrayBuffer>;
  /** Returns a writer for one request. The caller owns its buffer. */
  makeWriter(): RequestWriter;
  /** Returns a decoder for one client, whose account is charged for its memory. */
  decoder(account?: ClientAccount): RequestDecoder;
  /**
   * Returns the first request on a connection to a server. The reply shows that the server works and accepts the
   * password.
   */
  greeting(password: string | undefined): Uint8Array;
  /** Returns a request of the proxy itself. */
  request(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer>;
  /** Returns whether the reply at `start` grants its request. */
  grants(bytes: Uint8Array, start: number): boolean;
  /** Returns whether the reply at `start` is nil of any kind. */
  isNil(bytes: Uint8Array, start: number): boolean;
  /** Returns the error in the reply at `bytes[start, end)`. */
  refusal(bytes: Uint8Array, start: number, end: number): ReplyError;
  /** Returns the code of the error in the reply at `bytes[start, end)`, such as `WRONGTYPE`. It is cheaper. */
  errorCode(bytes: Uint8Array, start: number, end: number): string;
  /** Returns a reader of the reply at `bytes[start, end)`, which grants its request; borrowed. */
  values(bytes: Uint8Array, start: number, end: number): ValueReader;
}

/** The longest code of an error that is recognized. */
const ERROR_CODE_MAX_BYTES = 32;

/** Returns the code of an error that begins at `bytes[start]`: its capitals, or `ERR` if it begins with none. */
export function codeAt(bytes: Uint8Array, start: number, end: number): string {
  const stop = Math.min(end, start + ERROR_CODE_MAX_BYTES);
  let at = start;
  while (at < stop && isCodeByte(bytes[at]!)) at++;
  return at === start ? "ERR" : decodeText(bytes, start, at - start);
}

function isCodeByte(byte: number): boolean {
  return byte >= 0x41 && byte <= 0x5a || byte === 0x5f;
}

/** Returns the text of the reply at `bytes[start, end)`; empty when it is anything else, such as an error. */
export function readText(dialect: Dialect, bytes: Uint8Array, start: number, end: number): string {
  if (!dialect.grants(bytes, start)) return "";
  const reader = dialect.values(bytes, start, end);
  try {
    const length = reader.skip();
    return decodeText(bytes, reader.contentStart, length);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    return "";
  }
}

/** Opens connections to servers in a dialect. */
export type Opener = (dialect: Dialect, address: string, signal: AbortSignal) => Promise<Transport>;
