/**
 * The native protocol, as the proxy needs it. Frames are drawn in wire/PROTOCOL.md.
 *
 * ```text
 * reply   length:u32 · 92 00 value            grants its request
 *         length:u32 · 93 01 code message     does not
 * ```
 *
 * @module
 */

import { ProtocolError, ReplyError } from "../../errors.ts";
import { REPLY_SIZE_MAX_BYTES } from "../../limits.ts";
import type { ClientAccount } from "../../memory/client_memory.ts";
import type { FrameMeasure, Transport } from "../../route/framing.ts";
import { decodeReply, FRAME_PREFIX_BYTES, frameLength, RequestWriter } from "../../wire/native/frame.ts";
import { Form } from "../../wire/native/message_pack.ts";
import { NativeValueReader } from "../../wire/native/reply_reader.ts";
import { NativeDecoder } from "../../wire/native/request_decoder.ts";
import { NativeComposer } from "../../wire/native/request_writer.ts";
import { NativeReply } from "../../wire/reply.ts";
import type { Dialect, Opener } from "./dialect.ts";

/** The shortest reply is `92 00 c0`. */
const REPLY_MIN_BYTES = 3;

/** The dialect. One for a whole proxy. */
export class NativeDialect implements Dialect {
  readonly version = 0;
  readonly itemStart = FRAME_PREFIX_BYTES;
  readonly composer = new NativeComposer();
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
    return new NativeMeasure();
  }

  makeComposer(): NativeComposer {
    return new NativeComposer();
  }

  decoder(account?: ClientAccount): NativeDecoder {
    return new NativeDecoder(account);
  }

  greeting(password: string | undefined): Uint8Array {
    return this.request(password === undefined ? ["ping"] : ["auth", password]);
  }

  request(words: readonly (string | Uint8Array)[]): Uint8Array<ArrayBuffer> {
    const writer = new RequestWriter();
    writer.add(words);
    return writer.take();
  }

  grants(bytes: Uint8Array, start: number): boolean {
    return bytes[start + FRAME_PREFIX_BYTES] === 0x92 && bytes[start + FRAME_PREFIX_BYTES + 1] === 0;
  }

  isNil(bytes: Uint8Array, start: number): boolean {
    return this.grants(bytes, start) && bytes[start + FRAME_PREFIX_BYTES + 2] === Form.Nil;
  }

  refusal(bytes: Uint8Array, start: number, end: number): ReplyError {
    try {
      const reply = decodeReply(bytes, start + FRAME_PREFIX_BYTES, end);
      if (reply instanceof ReplyError) return reply;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    return new ReplyError("ERR", "a server has answered what is no reply");
  }

  values(bytes: Uint8Array, start: number, end: number): NativeValueReader {
    return new NativeValueReader(bytes, start, end);
  }
}

/** The length stands in front, so nothing has to be remembered, but of a reply that is passed over. */
class NativeMeasure implements FrameMeasure {
  needed = 0;
  /** Bytes that are still to come of a reply whose first ones were dropped. */
  #passing = 0;

  size(bytes: Uint8Array, start: number, end: number): number {
    if (this.#passing > 0) return this.#rest(end - start);
    this.needed = 0;
    if (end - start < FRAME_PREFIX_BYTES) return 0;
    const length = frameLength(bytes, start);
    if (length < REPLY_MIN_BYTES || length > REPLY_SIZE_MAX_BYTES) {
      throw new ProtocolError(`it sent a reply of ${length} bytes`);
    }
    const size = FRAME_PREFIX_BYTES + length;
    if (end - start >= size) return size;
    this.needed = size;
    return 0;
  }

  #rest(available: number): number {
    const rest = this.#passing;
    if (available < rest) return 0;
    this.#passing = 0;
    return rest;
  }

  drop(bytes: Uint8Array, start: number, end: number): number {
    const available = end - start;
    if (this.#passing === 0) {
      if (available < FRAME_PREFIX_BYTES) return 0;
      this.#passing = FRAME_PREFIX_BYTES + frameLength(bytes, start);
    }
    this.#passing -= available;
    return available;
  }
}
