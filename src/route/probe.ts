/**
 * Asks a server whether it is there, on a connection of its own.
 *
 * A server that has stopped (SIGSTOP, a machine that hangs) still accepts connections and what is written to them, so that
 * requests wait there until their deadline. A connection counts as made only once a first request was answered on it
 * (framing.ts), so making one is the question: who answers that in time works, however long other requests take.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Framing } from "./framing.ts";

/** One question at a time to one server. */
export class Probe {
  readonly #address: string;
  readonly #timeoutMs: number;
  #asking: AbortController | undefined;

  /** @param timeoutMs how long the server has to answer */
  constructor(address: string, timeoutMs: number) {
    this.#address = address;
    this.#timeoutMs = timeoutMs;
  }

  /** Whether an answer is waited for. */
  get isAsking(): boolean {
    return this.#asking !== undefined;
  }

  /**
   * Asks, unless an answer is waited for already.
   *
   * @param answered called with nothing when the server has answered, else with why it has not; not after {@linkcode close}
   */
  async ask(framing: Framing, answered: (problem: string | undefined) => void): Promise<void> {
    if (this.#asking !== undefined) return;
    const asking = this.#asking = new AbortController();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      asking.abort();
    }, this.#timeoutMs);
    let problem: string | undefined;
    try {
      const transport = await framing.open(this.#address, asking.signal);
      transport.close();
    } catch (error) {
      problem = isLate ? `no answer within ${this.#timeoutMs} ms` : messageOf(error);
    }
    clearTimeout(timer);
    if (this.#asking !== asking) return;
    this.#asking = undefined;
    answered(problem);
  }

  /** Asks no more; an answer that comes is of no interest. */
  close(): void {
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.abort();
  }
}
