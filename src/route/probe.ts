/**
 * Probes whether a server is there, on a separate connection.
 *
 * A server that has stopped (SIGSTOP, a machine that hangs) still accepts connections and bytes, so that requests wait
 * there until their deadline. A connection counts as made only after a first reply on it (framing.ts), so opening one
 * is the probe: a server that replies in time works, however long other requests take.
 *
 * The findings differ in what they say about the server:
 *
 * | finding | what happened | conclusion |
 * |---|---|---|
 * | `alive` | it has replied, even with a refusal | it only takes long |
 * | `silent` | no reply, and no bytes on any connection, for the time given | it is stopped or busy, which is unknown |
 * | `gone` | its port is closed or belongs to another program, or its machine is not there | it has lost the requests in flight |
 * | `unknown` | this machine could not connect | none |
 *
 * The time is counted by the clock of the probe's owner, which does not advance while this process is delayed itself.
 * It starts again with every sign of life, since a reply may be queued after a long request that is still being
 * received.
 *
 * @module
 */

import { messageOf } from "../errors.ts";
import type { Clock } from "./flush_queue.ts";
import type { Framing, Transport } from "./framing.ts";

/** The conclusion about a server from a failed attempt to connect: it lives, it is gone, or neither is known. */
export type Verdict = "alive" | "gone" | "unknown";

/** The finding of a probe. */
export type Finding = Verdict | "silent";

/** The result of a probe. */
export interface ProbeResult {
  readonly finding: Finding;
  /** The reason why the server has not granted a connection; empty when it has. */
  readonly problem: string;
  /** The connection that was opened. The receiver of the result owns it. */
  readonly transport: Transport | undefined;
}

/** The options of probes. */
export interface ProbeOptions {
  /** How long the server may take to reply, in ms. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Returns the conclusion about the server from an error of {@linkcode Framing.open}. */
  readonly judge: (error: unknown) => Verdict;
}

/** Probes one server, with one probe at a time. */
export class Probe {
  readonly #address: string;
  readonly #options: ProbeOptions;
  #connecting: AbortController | undefined;
  #startedMs = 0;

  constructor(address: string, options: ProbeOptions) {
    this.#address = address;
    this.#options = options;
  }

  /** Whether a probe is in progress. */
  get isProbing(): boolean {
    return this.#connecting !== undefined;
  }

  /**
   * Starts a probe, unless one is in progress.
   *
   * @param onResult called with the result, unless {@linkcode close} was called before
   */
  async start(framing: Framing, onResult: (result: ProbeResult) => void): Promise<void> {
    if (this.#connecting !== undefined) return;
    const connecting = this.#connecting = new AbortController();
    const { timeoutMs, clock, judge } = this.#options;
    this.#startedMs = clock.nowMs;
    let finding: Finding = "alive";
    let problem = "";
    let transport: Transport | undefined;
    try {
      transport = await framing.open(this.#address, connecting.signal);
    } catch (error) {
      finding = connecting.signal.aborted ? "silent" : judge(error);
      problem = finding === "silent" ? `no answer within ${timeoutMs} ms` : messageOf(error);
    }
    if (this.#connecting !== connecting) return transport?.close();
    this.#connecting = undefined;
    onResult({ finding, problem, transport });
  }

  /**
   * Ends an overdue probe. It is called several times a second.
   *
   * @param aliveMs when the server last showed that it works
   */
  sweep(aliveMs: number): void {
    const { timeoutMs, clock } = this.#options;
    if (clock.nowMs - Math.max(this.#startedMs, aliveMs) > timeoutMs) this.#connecting?.abort();
  }

  /** Stops probing. A result that arrives later is ignored. */
  close(): void {
    const connecting = this.#connecting;
    this.#connecting = undefined;
    connecting?.abort();
  }
}
