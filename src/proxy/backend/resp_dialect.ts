/**
 * RESP as the proxy uses it, with one dialect per version. The versions differ in the bytes of replies, so a RESP3
 * client is served by connections to servers that were switched to version 3.
 *
 * ```text
 * reply   +word CRLF   :integer CRLF   $length CRLF bytes CRLF   *count CRLF …       grants its request
 *         -CODE message CRLF                                                        refuses it
 * ```
 *
 * @module
 */

import type { ReplyError } from "../../errors.ts";
import type { ClientAccount } from "../../memory/client_memory.ts";
import type { FrameMeasure, Transport } from "../../route/framing.ts";
import { isGranted, isNil, readRefusal, RespValueReader } from "../../wire/resp/reply_reader.ts";
import { RespReplyScanner } from "../../wire/resp/reply_scanner.ts";
import { RespReply } from "../../wire/resp/reply_writer.ts";
import { RespDecoder } from "../../wire/resp/request_decoder.ts";
import { RespRequestWriter } from "../../wire/resp/request_writer.ts";
import { codeAt, type Dialect, type Opener } from "./dialect.ts";

/** The dialect of a version of RESP. A proxy has one object for each version. */
export class RespDialect implements Dialect {
  readonly version: 2 | 3;
  readonly itemStart = 0;
  readonly writer = new RespRequestWriter();
  readonly ping = this.request(["ping"]);
  readonly multi = this.request(["multi"]);
  readonly exec = this.request(["exec"]);
  readonly #reply: RespReply;
  readonly #opener: Opener;

  /**
   * Creates the dialect.
   *
   * @param reply in one piece, and shared by both versions
   */
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
    return new RespReplyScanner();
  }

  makeWriter(): RespRequestWriter {
    return new RespRequestWriter();
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
    const writer = new RespRequestWriter();
    writer.add(words);
    return writer.buffer.slice(0, writer.length);
  }

  grants(bytes: Uint8Array, start: number): boolean {
    return isGranted(bytes, start);
  }

  isNil(bytes: Uint8Array, start: number): boolean {
    return isNil(bytes, start);
  }

  refusal(bytes: Uint8Array, start: number, end: number): ReplyError {
    return readRefusal(bytes, start, end);
  }

  errorCode(bytes: Uint8Array, start: number, end: number): string {
    return codeAt(bytes, start + 1, end);
  }

  values(bytes: Uint8Array, start: number, end: number): RespValueReader {
    return new RespValueReader(bytes, start, end);
  }
}
