/**
 * A byte that this process sends to itself, to know that the event loop has asked the system for input meanwhile.
 *
 * ```text
 * event loop   timer · slice · timer · slice …              what is due already needs no question to the system
 *              timer · slice · send ─ ask the system ─ receive · slice …
 * ```
 *
 * The event loop asks the system when it has nothing else to do, and otherwise once in 61 turns (Tokio's `event_interval`,
 * as Deno sets it). While the garbage collector marks, there is always something else: it posts itself a task after each
 * task. Timers that are due run all the same, so that slices of 2 ms follow each other for 100 ms, and nobody is heard
 * meanwhile. That a socket can be read is known from the system only, hence the byte. A round takes about 50 µs.
 *
 * @module
 */

import { closeQuietly } from "./abort.ts";

const LOOPBACK = "127.0.0.1";

/** Two ends of one connection within this process. Dispose of it. */
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

  /** Connects to itself. Returns nothing where the machine has no loopback address, or somebody else was faster. */
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
      // Rounds are a help where the event loop has much to do, and no more than that.
    } finally {
      listener?.close();
    }
    if (near !== undefined) closeQuietly(near);
    if (far !== undefined) closeQuietly(far);
    return undefined;
  }

  /**
   * Resolves once the system was asked for input that had come by now. Those who ask at the same time share a round. At once
   * when it cannot be known.
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
