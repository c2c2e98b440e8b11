/**
 * A port that passes bytes on to another one, and gets in the way of them as a test wants: late, slowly, not at all, or to
 * somebody else.
 *
 * @module
 */

import { parseAddress } from "../../src/address.ts";

const READ_BYTES = 64 * 1024;

/** Passes connections on to a target. Disposing of it closes all of them. */
export class Relay implements Disposable {
  /** Where connections made from now on lead to, as `host:port`; `undefined` closes them at once. */
  target: string | undefined;
  /** How much later bytes arrive, in ms; each way half of it. */
  delayMs = 0;
  /** How fast bytes are passed on, on each connection and each way. */
  bytesPerSecond = Infinity;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.Conn>();
  /** What is on its way, and arrives at once when its connections are closed. */
  readonly #delays = new Map<number, () => void>();
  /** Resolved when bytes are passed on again. */
  #held: PromiseWithResolvers<void> | undefined;
  /** A connection that has passed on more than this is not held. */
  #heldMaxBytes = Infinity;
  /** The most bytes that a connection has passed on, both ways. */
  passedMaxBytes = 0;

  /** @param target `host:port` */
  constructor(target: string) {
    this.target = target;
    this.#accept();
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${this.#listener.addr.port}`;
  }

  /** How many pieces of what it passes on are held up now. */
  get heldCount(): number {
    return this.#delays.size;
  }

  /**
   * Passes nothing on from now on, though it still accepts connections: as if its target were stopped.
   *
   * @param maxBytes connections that have passed on more go on, as if the target were busy with what comes on them
   */
  hold(maxBytes = Infinity): void {
    this.#heldMaxBytes = maxBytes;
    this.#held ??= Promise.withResolvers();
  }

  /** Passes on what it has held, and all that comes. */
  release(): void {
    this.#held?.resolve();
    this.#held = undefined;
  }

  /** Closes the connections that there are. */
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
      // Either end has gone, which the other one sees.
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
      // A failure ends the other direction as well, by closing.
      written.catch(() => close(from));
      // What cannot be passed on is not taken either.
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
    // It was closed already.
  }
}
