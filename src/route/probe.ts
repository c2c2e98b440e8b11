/**
 * Asks a server whether it is there, on a connection of its own.
 *
 * A server that has stopped (SIGSTOP, a machine that hangs) still accepts connections and what is written to them, so that
 * requests wait there until their deadline. A connection counts as made only once a first request was answered on it
 * (framing.ts), so making one is the question: who answers that in time works, however long other requests take.
 *
 * What comes of it says different things of the server:
 *
 * | finding | what happened | so |
 * |---|---|---|
 * | `alive` | it has answered, be it with a refusal | it merely takes long |
 * | `silent` | no answer, and no other sign of life, for the time given | it is stopped, or busy: nobody knows |
 * | `gone` | its port is closed, or somebody else's; its machine is not there | it has lost what was asked of it |
 * | `unknown` | this machine could not ask | nothing |
 *
 * The time given is counted by the clock of its owner, which stands still while this process is held up itself, and anew
 * from every sign of life: an answer may be in the queue behind a long request that is still being taken.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Clock } from "./flush_queue.ts";
import type { Framing, Transport } from "./framing.ts";

/** What making a connection in vain says of a server; see the module's comment. */
export type Verdict = "alive" | "gone" | "unknown";

/** What a question has shown; see the module's comment. */
export type Finding = Verdict | "silent";

/** What comes of a question. */
export interface ProbeAnswer {
  readonly finding: Finding;
  /** Why the server has not granted a connection, in words; empty when it has. */
  readonly problem: string;
  /** The connection that was made, which whoever takes the answer owns. */
  readonly transport: Transport | undefined;
}

/** How questions are asked. */
export interface ProbeOptions {
  /** How long the server has to answer, in ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** What an error of {@linkcode Framing.open} says of the server. */
  readonly judge: (error: unknown) => Verdict;
}

/** One question at a time to one server. */
export class Probe {
  readonly #address: string;
  readonly #options: ProbeOptions;
  #asking: AbortController | undefined;
  #askedMs = 0;

  constructor(address: string, options: ProbeOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** Whether an answer is waited for. */
  get isAsking(): boolean {
    return this.#asking !== undefined;
  }

  /**
   * Asks, unless an answer is waited for already.
   *
   * @param answered called with what was found, not after {@linkcode close}
   */
  async ask(framing: Framing, answered: (answer: ProbeAnswer) => void): Promise<void> {
    if (this.#asking !== undefined) return;
    const asking = this.#asking = new AbortController();
    const { timeoutMs, clock, judge } = this.#options;
    this.#askedMs = clock.nowMs;
    let finding: Finding = "alive";
    let problem = "";
    let transport: Transport | undefined;
    try {
      transport = await framing.open(this.#address, asking.signal);
    } catch (error) {
      finding = asking.signal.aborted ? "silent" : judge(error);
      problem = finding === "silent" ? `no answer within ${timeoutMs} ms` : messageOf(error);
    }
    if (this.#asking !== asking) return transport?.close();
    this.#asking = undefined;
    answered({ finding, problem, transport });
  }

  /**
   * Waits no longer for an answer that is overdue. To be called several times a second.
   *
   * @param aliveMs when the server has shown last that it works
   */
  sweep(aliveMs: number): void {
    const { timeoutMs, clock } = this.#options;
    if (clock.nowMs - Math.max(this.#askedMs, aliveMs) > timeoutMs) this.#asking?.abort();
  }

  /** Asks no more; an answer that comes is of no interest. */
  close(): void {
    const asking = this.#asking;
    this.#asking = undefined;
    asking?.abort();
  }
}
