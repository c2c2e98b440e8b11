/**
 * A client that sends any bytes, complete frames or not, and reads frames, replies or any bytes.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { ReplyError } from "../../src/errors.ts";
import { decodeReply, type Value } from "../../src/wire/native/reply_reader.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import type { Argument } from "../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";

/** Returns the frames of some requests. */
export function framesOf(...requests: (readonly Argument[])[]): Uint8Array<ArrayBuffer> {
  const writer = new NativeRequestWriter();
  for (const request of requests) writer.add(request);
  return writer.take();
}

/** Returns a reply in the form that tests compare: bytes as text, an error as `CODE message`. */
export function plain(value: Value | ReplyError): unknown {
  if (value instanceof ReplyError) return `${value.code} ${value.message}`;
  if (value instanceof Uint8Array) return decodeText(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [plain(key), plain(each)]));
  return value;
}

/** How long to wait for an action of the other side, such as closing the connection, in ms. */
const TIMEOUT_MS = 30_000;

/** One connection. Dispose of it or {@linkcode close} it after use. */
export class RawClient implements Disposable {
  readonly socket: Deno.TcpConn | Deno.TlsConn;
  #buffer = new Uint8Array(64 * 1024);
  #start = 0;
  #end = 0;
  #closed = false;

  constructor(socket: Deno.TcpConn | Deno.TlsConn) {
    this.socket = socket;
  }

  /** Connects in plaintext, or with TLS when certificates are given. */
  static async connect(address: { hostname: string; port: number }, caCerts?: string[]): Promise<RawClient> {
    const { hostname, port } = address;
    return new RawClient(
      caCerts ? await Deno.connectTls({ hostname, port, caCerts }) : await Deno.connect({ hostname, port }),
    );
  }

  /** Sends bytes, or text as UTF-8. */
  async send(content: Uint8Array | string): Promise<void> {
    const bytes = typeof content === "string" ? encodeText(content) : content;
    for (let start = 0; start < bytes.length;) start += await this.socket.write(bytes.subarray(start));
  }

  /** Sends one request and reads its reply. */
  async call(...request: Argument[]): Promise<unknown> {
    await this.send(framesOf(request));
    return await this.reply();
  }

  /** Reads one frame, with its prefix. */
  async readFrame(): Promise<Uint8Array> {
    await this.#fill(FRAME_PREFIX_BYTES);
    const length = FRAME_PREFIX_BYTES + frameLength(this.#buffer, this.#start);
    await this.#fill(length);
    this.#start += length;
    return this.#buffer.slice(this.#start - length, this.#start);
  }

  /** Reads `count` bytes, as text. */
  async readText(count: number): Promise<string> {
    await this.#fill(count);
    this.#start += count;
    return decodeText(this.#buffer, this.#start - count, count);
  }

  /** Reads as many bytes as `text` has, and asserts that they are equal. */
  async expect(text: string): Promise<void> {
    const wanted = encodeText(text);
    await this.#fill(wanted.length);
    this.#start += wanted.length;
    assertEquals(decodeText(this.#buffer, this.#start - wanted.length, wanted.length), text);
  }

  /** Reads one reply. */
  async reply(): Promise<unknown> {
    const frame = await this.readFrame();
    return plain(decodeReply(frame, FRAME_PREFIX_BYTES, frame.length));
  }

  /** Reads `count` replies. */
  async replies(count: number): Promise<unknown[]> {
    const found: unknown[] = [];
    while (found.length < count) found.push(await this.reply());
    return found;
  }

  /** Reads until the other side ends the connection, in order or not. Fails when that does not happen in time. */
  async readToEnd(timeoutMs = TIMEOUT_MS): Promise<Uint8Array> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.close();
    }, timeoutMs);
    try {
      while (await this.#read());
    } catch (error) {
      assert(error instanceof Error && error.name in Deno.errors, String(error));
    } finally {
      clearTimeout(timer);
    }
    if (late) throw new Error(`The connection was not closed within ${timeoutMs} ms`);
    const bytes = this.#buffer.slice(this.#start, this.#end);
    this.#start = this.#end;
    return bytes;
  }

  /** Does what {@linkcode readToEnd} does, and returns text. */
  async rest(): Promise<string> {
    const bytes = await this.readToEnd();
    return decodeText(bytes, 0, bytes.length);
  }

  async #fill(count: number): Promise<void> {
    while (this.#end - this.#start < count) {
      if (!await this.#read()) throw new Error("The server has ended the connection");
    }
  }

  async #read(): Promise<boolean> {
    if (this.#end === this.#buffer.length) {
      const unread = this.#buffer.subarray(this.#start, this.#end);
      const next = unread.length > this.#buffer.length / 2 ? new Uint8Array(this.#buffer.length * 2) : this.#buffer;
      next.set(unread);
      this.#buffer = next;
      this.#end -= this.#start;
      this.#start = 0;
    }
    const count = await this.socket.read(this.#buffer.subarray(this.#end));
    if (count === null) return false;
    this.#end += count;
    return true;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
