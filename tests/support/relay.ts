/**
 * A port that forwards bytes to another one, and disturbs this as a test specifies: late, slowly, not at all, or to
 * another server.
 *
 * @module
 */

import { parseAddress } from "../../src/address.ts";

const READ_BYTES = 64 * 1024;

/** Forwards connections to a target. Disposing of it closes all of them. */
export class Relay implements Disposable {
  /** The target of new connections, as `host:port`; `undefined` closes them immediately. */
  target: string | undefined;
  /** The delay of bytes in ms, half of it in each direction. */
  delayMs = 0;
  /** The rate at which bytes are forwarded, on each connection in each direction. */
  bytesPerSecond = Infinity;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  /** The delayed bytes, which arrive immediately when their connections are closed. */
  readonly #delays = new Map<number, () => void>();
  /** Resolves when bytes are forwarded again. */
  #held: PromiseWithResolvers<void> | undefined;
  /** Connections that have forwarded more than this are not held. */
  #heldMaxBytes = Infinity;
  /** The most bytes that a connection has forwarded in both directions. */
  passedMaxBytes = 0;

  /**
   * Starts to listen.
   *
   * @param target the target, as `host:port`
   */
  constructor(target: string) {
    this.target = target;
    this.#accept();
  }

  /** The address of the relay, as `host:port`. */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** The number of pieces that are delayed now. */
  get heldCount(): number {
    return this.#delays.size;
  }

  /**
   * Forwards nothing from now on, as if the target were stopped, but still accepts connections.
   *
   * @param maxBytes connections that have forwarded more continue, as if the target were busy with their bytes
   */
  hold(maxBytes = Infinity): void {
    this.#heldMaxBytes = maxBytes;
    this.#held ??= Promise.withResolvers();
  }

  /** Forwards the held bytes and all later ones. */
  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Closes all connections. */
  cut(): void {
    for (const connection of this.#open) close(connection);
    this.#open.clear();
    for (const [timer, arrive] of this.#delays) {
      clearTimeout(timer);
      arrive();
    }
    this.#delays.clear();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.release();
    this.cut();
  }

  async #accept(): Promise<void> {
    for await (const near of this.#listener) void this.#relay(near);
  }

  async #relay(near: Deno.Conn): Promise<void> {
    this.#open.add(near);
    let far: Deno.Conn | undefined;
    try {
      if (this.target === undefined) return;
      far = await Deno.connect(parseAddress(this.target));
      this.#open.add(far);
      const passed = { bytes: 0 };
      await Promise.all([this.#pass(near, far, passed), this.#pass(far, near, passed)]);
    } catch {
      // Either end has closed, which the other one notices.
    } finally {
      for (const each of [near, far]) {
        if (each === undefined) continue;
        this.#open.delete(each);
        close(each);
      }
    }
  }

  #delay(durationMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      this.#delays.delete(timer);
      resolve();
    }, durationMs);
    this.#delays.set(timer, resolve);
    return promise;
  }

  async #pass(from: Deno.Conn, to: Deno.Conn, passed: { bytes: number }): Promise<void> {
    const buffer = new Uint8Array(READ_BYTES);
    let written: Promise<void> = Promise.resolve();
    for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
      const bytes = buffer.slice(0, count);
      const dueMs = performance.now() + this.delayMs / 2;
      const slowMs = count * 1000 / this.bytesPerSecond;
      written = written.then(async () => {
        if (this.#held !== undefined && passed.bytes <= this.#heldMaxBytes) await this.#held.promise;
        passed.bytes += bytes.length;
        this.passedMaxBytes = Math.max(this.passedMaxBytes, passed.bytes);
        const leftMs = Math.max(dueMs - performance.now(), slowMs);
        if (leftMs > 0) await this.#delay(leftMs);
        for (let done = 0; done < bytes.length;) done += await to.write(bytes.subarray(done));
      });
      // A failure also ends the other direction, by closing.
      written.catch(() => close(from));
      // The relay reads no more than it can forward.
      if (slowMs > 0 || this.#held !== undefined) await written;
    }
    await written;
    close(to);
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // The connection was already closed.
  }
}
