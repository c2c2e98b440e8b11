/**
 * The native protocol, as the proxy uses it. wire/PROTOCOL.md defines the frames.
 *
 * ```text
 * reply   length:u32 · 92 00 value            grants its request
 *         length:u32 · 93 01 code message     refuses it
 * ```
 *
 * @module
 */

import type { ReplyError } from "../../errors.ts";
import type { ClientAccount } from "../../memory/client_memory.ts";
import type { FrameMeasure, Transport } from "../../route/framing.ts";
import { FRAME_PREFIX_BYTES } from "../../wire/native/frame.ts";
import { isGranted, isNil, NativeValueReader, readRefusal } from "../../wire/native/reply_reader.ts";
import { NativeReplyScanner } from "../../wire/native/reply_scanner.ts";
import { NativeReply } from "../../wire/native/reply_writer.ts";
import { NativeDecoder } from "../../wire/native/request_decoder.ts";
import { NativeRequestWriter } from "../../wire/native/request_writer.ts";
import { codeAt, type Dialect, type Opener } from "./dialect.ts";

/** The dialect of the native protocol. A proxy has one object. */
export class NativeDialect implements Dialect {
  readonly version = 0;
  readonly itemStart = FRAME_PREFIX_BYTES;
  readonly writer = new NativeRequestWriter();
  readonly reply = new NativeReply(Infinity);
  readonly ping = this.request(["ping"]);
  readonly multi = this.request(["multi"]);
  readonly exec = this.request(["exec"]);
  readonly #opener: Opener;

  constructor(opener: Opener) {
    this.#opener = opener;
  }

  open(address: string, signal: AbortSignal): Promise<Transport> {
    return this.#opener(this, address, signal);
  }

  measure(): FrameMeasure {
    return new NativeReplyScanner();
  }

  makeWriter(): NativeRequestWriter {
    return new NativeRequestWriter();
  }

  decoder(account?: ClientAccount): NativeDecoder {
    return new NativeDecoder(account);
  }

  greeting(password: string | undefined): Uint8Array {
    return this.request(password === undefined ? ["ping"] : ["auth", password]);
  }

  request(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
    const writer = new NativeRequestWriter();
    writer.add(words);
    return writer.take();
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
    // The headers of the array, of the number 1 and of the code come first.
    return codeAt(bytes, start + FRAME_PREFIX_BYTES + 3, end);
  }

  values(bytes: Uint8Array, start: number, end: number): NativeValueReader {
    return new NativeValueReader(bytes, start, end);
  }
}
