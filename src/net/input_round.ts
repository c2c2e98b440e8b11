/**
 * Waits until the event loop has polled the system for input, by sending a byte from this process to itself.
 *
 * ```text
 * event loop   timer · slice · timer · slice …              timers that are due run without a poll
 *              timer · slice · send ─ poll ─ receive · slice …
 * ```
 *
 * The event loop polls when it has nothing else to do, and otherwise once in 61 turns (Tokio's `event_interval`, as
 * Deno sets it). While the garbage collector marks, it posts a new task after each task, so the loop always has
 * something else to do. Timers that are due still run. So slices of 2 ms follow each other for 100 ms, and no client is
 * served meanwhile. The byte can be received only after a poll. A round takes about 50 µs.
 *
 * @module
 */

import { closeQuietly } from "./abort.ts";

const LOOPBACK = "127.0.0.1";

/** Both ends of one connection within this process. The owner disposes of it. */
export class InputRound implements Disposable {
  readonly #near: Deno.TcpConn;
  readonly #far: Deno.TcpConn;
  readonly #byte = new Uint8Array(1);
  readonly #received = new Uint8Array(1);
  #under: Promise<void> | undefined;
  #isOpen = true;

  private constructor(near: Deno.TcpConn, far: Deno.TcpConn) {
    this.#near = near;
    this.#far = far;
    near.setNoDelay(true);
  }

  /**
   * Connects this process to itself. Returns `undefined` when the machine has no loopback address, or when another
   * program connects to the port first.
   */
  static async open(): Promise<InputRound | undefined> {
    let listener: Deno.TcpListener | undefined;
    let near: Deno.TcpConn | undefined;
    let far: Deno.TcpConn | undefined;
    try {
      listener = Deno.listen({ hostname: LOOPBACK, port: 0 });
      near = await Deno.connect({ hostname: LOOPBACK, port: listener.addr.port });
      far = await listener.accept();
      if (far.remoteAddr.port === near.localAddr.port) return new InputRound(near, far);
    } catch {
      // Everything works without rounds; they only help while the event loop has much to do.
    } finally {
      listener?.close();
    }
    if (near !== undefined) closeQuietly(near);
    if (far !== undefined) closeQuietly(far);
    return undefined;
  }

  /**
   * Returns a promise that resolves once the event loop has polled for all input that has arrived by now. Concurrent
   * calls share a round. The promise resolves immediately when the connection is closed.
   */
  pass(): Promise<void> {
    if (!this.#isOpen) return Promise.resolve();
    return this.#under ??= this.#pass();
  }

  async #pass(): Promise<void> {
    try {
      const received = this.#far.read(this.#received);
      await Promise.all([this.#near.write(this.#byte), received]);
    } catch {
      this[Symbol.dispose]();
    } finally {
      this.#under = undefined;
    }
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeQuietly(this.#near);
    closeQuietly(this.#far);
  }
}
