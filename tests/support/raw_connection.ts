/**
 * A connection for bytes that no client of ours would send.
 *
 * @module
 */

import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/frame.ts";

/** A connection whose bytes the test writes itself. */
export class RawConnection implements Disposable {
  readonly #connection: Deno.Conn;
  #closed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /** Writes all of it. */
  async write(bytes: Uint8Array | string): Promise<void> {
    const all = typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes;
    for (let at = 0; at < all.length;) at += await this.#connection.write(all.subarray(at));
  }

  /** Reads whatever comes until the other side closes, in order or not; fails after `timeoutMs`. */
  async readToEnd(timeoutMs = 10_000): Promise<Uint8Array> {
    const parts: number[] = [];
    const buffer = new Uint8Array(65536);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.close();
    }, timeoutMs);
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) break;
        for (let i = 0; i < count; i++) parts.push(buffer[i]!);
      }
    } catch {
      // Cut off without a farewell, which is an end as well.
    } finally {
      clearTimeout(timer);
    }
    if (late) throw new Error(`The connection was not closed within ${timeoutMs} ms`);
    return Uint8Array.from(parts);
  }

  /** Reads one frame, its prefix included. */
  async readFrame(): Promise<Uint8Array> {
    const prefix = await this.#readExactly(FRAME_PREFIX_BYTES);
    const body = await this.#readExactly(frameLength(prefix, 0));
    const frame = new Uint8Array(prefix.length + body.length);
    frame.set(prefix);
    frame.set(body, prefix.length);
    return frame;
  }

  async #readExactly(length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const count = await this.#connection.read(bytes.subarray(at));
      if (count === null) throw new Error("The connection was closed in the middle of a frame");
      at += count;
    }
    return bytes;
  }

  /** Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
