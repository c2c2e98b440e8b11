/**
 * The protocols of the proxy, each as one object: everything that differs between them stands behind it.
 *
 * ```text
 * client ─ bytes ─► decoder ─► Request ─► router ─┬─ untouched ───────────► server      (nearly always)
 *                                                 └─ composer ─► parts ───► servers
 * client ◄─ bytes ─────────────┬──────────────────── untouched ◄─ measure ─ server
 *                              └─ reply ◄─ joins ◄─ values, grants, refusal ◄─ servers
 * ```
 *
 * A session has one dialect at a time, and so has every connection to a server: what came in one of them goes to servers
 * in the same, so that nothing has to be translated. Composer and reply are used for one request after another by all
 * clients: nothing in them outlives a call.
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

/** Takes requests out of what one client sends. */
export type RequestDecoder = NativeDecoder | RespDecoder;

/** One protocol. */
export interface Dialect extends Framing {
  readonly version: ProtocolVersion;
  /** Bytes in front of a reply that it has not as an item of the reply to `exec`. */
  readonly itemStart: number;
  readonly composer: RequestWriter;
  /**
   * The reply under way, in one piece as the replies of servers are. Both versions of RESP have the same, which goes on in
   * the version that was asked for it last.
   */
  readonly reply: Reply;
  /** The request that begins a transaction. */
  readonly multi: Uint8Array<ArrayBuffer>;
  /** The request that runs one. */
  readonly exec: Uint8Array<ArrayBuffer>;
  /** A composer for one request, whose buffer is the caller's. */
  makeComposer(): RequestWriter;
  /** A decoder for one client, whose account is charged for what it keeps. */
  decoder(account?: ClientAccount): RequestDecoder;
  /** The first request on a connection to a server: its reply shows that it works, and lets the proxy in. */
  greeting(password: string | undefined): Uint8Array;
  /** A request of the proxy's own. */
  request(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer>;
  /** Whether the reply at `start` grants its request. */
  grants(bytes: Uint8Array, start: number): boolean;
  /** Whether the reply at `start` is nil, of whatever kind. */
  isNil(bytes: Uint8Array, start: number): boolean;
  /** Why the reply at `bytes[start, end)` does not grant its request. */
  refusal(bytes: Uint8Array, start: number, end: number): ReplyError;
  /** Reads the reply at `bytes[start, end)`, which grants its request; borrowed. */
  values(bytes: Uint8Array, start: number, end: number): ValueReader;
}

/** The text that the reply at `bytes[start, end)` is; empty when it is something else, such as a refusal. */
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
