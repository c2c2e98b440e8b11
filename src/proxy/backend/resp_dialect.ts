/**
 * RESP as the proxy needs it, one dialect a version: what differs are the bytes of replies, so a client of version 3 is
 * served by connections to servers that were switched to version 3.
 *
 * ```text
 * reply   +word CRLF   :integer CRLF   $length CRLF bytes CRLF   *count CRLF …       grants its request
 *         -CODE message CRLF                                                        does not
 * ```
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import { ReplyError } from "../../errors.ts";
import type { ClientAccount } from "../../memory/client_memory.ts";
import type { FrameMeasure, Transport } from "../../route/framing.ts";
import { RespValueReader } from "../../wire/resp/reply_reader.ts";
import { RespReplyScanner } from "../../wire/resp/reply_scanner.ts";
import { RespReply } from "../../wire/resp/reply_writer.ts";
import { RespDecoder } from "../../wire/resp/request_decoder.ts";
import { encodeRespRequest, RespComposer } from "../../wire/resp/request_writer.ts";
import type { Dialect, Opener } from "./dialect.ts";

const MINUS = 0x2d;
const BULK_ERROR = 0x21;
const UNDERSCORE = 0x5f;
const DOLLAR = 0x24;
const ASTERISK = 0x2a;

/** The dialect. One a version for a whole proxy. */
export class RespDialect implements Dialect {
  readonly version: 2 | 3;
  readonly itemStart = 0;
  readonly composer = new RespComposer();
  readonly ping = this.request(["ping"]);
  readonly multi = this.request(["multi"]);
  readonly exec = this.request(["exec"]);
  readonly #reply: RespReply;
  readonly #opener: Opener;

  /** @param reply in one piece, and the same for both versions */
  constructor(version: 2 | 3, opener: Opener, reply: RespReply) {
    this.version = version;
    this.#opener = opener;
    this.#reply = reply;
  }

  get reply(): RespReply {
    this.#reply.version = this.version;
    return this.#reply;
  }

  open(address: string, signal: AbortSignal): Promise<Transport> {
    return this.#opener(this, address, signal);
  }

  measure(): FrameMeasure {
    return new RespMeasure();
  }

  makeComposer(): RespComposer {
    return new RespComposer();
  }

  decoder(account?: ClientAccount): RespDecoder {
    return new RespDecoder(account);
  }

  greeting(password: string | undefined): Uint8Array {
    const words = ["hello", String(this.version)];
    if (password !== undefined) words.push("auth", "default", password);
    return this.request(words);
  }

  request(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
    return encodeRespRequest(words);
  }

  grants(bytes: Uint8Array, start: number): boolean {
    return bytes[start] !== MINUS && bytes[start] !== BULK_ERROR;
  }

  isNil(bytes: Uint8Array, start: number): boolean {
    const sign = bytes[start];
    return sign === UNDERSCORE || ((sign === DOLLAR || sign === ASTERISK) && bytes[start + 1] === MINUS);
  }

  refusal(bytes: Uint8Array, start: number, end: number): ReplyError {
    const line = decodeText(bytes, start + 1, end - start - 3);
    const space = line.indexOf(" ");
    return space < 0 ? new ReplyError("ERR", line) : new ReplyError(line.slice(0, space), line.slice(space + 1));
  }

  values(bytes: Uint8Array, start: number, end: number): RespValueReader {
    return new RespValueReader(bytes, start, end);
  }
}

/** Remembers how far it got, so that a long reply which comes in many reads is looked at once. */
class RespMeasure implements FrameMeasure {
  readonly #scanner = new RespReplyScanner();

  get needed(): number {
    return this.#scanner.needed;
  }

  size(bytes: Uint8Array, start: number, end: number): number {
    const behind = this.#scanner.scan(bytes, start, end);
    return behind < 0 ? 0 : behind - start;
  }

  drop(_bytes: Uint8Array, start: number, end: number): number {
    return this.#scanner.drop(end - start);
  }
}
