/**
 * Counts the requests of a proxy's clients by command, and times some of them (metrics/command_stats.ts).
 *
 * ```text
 * router   request admitted ─ begin ─► calls; sometimes: the clock
 * link     reply complete ─── end ───► the time since then; error replies by code
 * ```
 *
 * The time of a request is the time until its reply is complete: in the proxy, on the way, and in the server. The time
 * until the replies before it are complete is not part of it. A request that waits for an element (`blpop`) is not
 * timed, because the proxy does not know how long it has waited. Nor is a command that is queued in a transaction.
 *
 * @module
 */

import type { CommandSpecification } from "../../catalog/specification.ts";
import type { ClientState } from "../../connection/client_state.ts";
import { showRequest } from "../../connection/observation.ts";
import type { Instruments } from "../../metrics/instruments.ts";
import type { Request } from "../../wire/request.ts";
import type { Dialect } from "../backend/dialect.ts";

/** A request in flight, as far as it is counted. */
export interface CountedRequest {
  /** The position of its command in the catalog; -1 as long as it is not counted as a call. */
  position: number;
  /** The number of calls that the request represents if it is timed; otherwise 0. */
  weight: number;
  /** When timing began, by `performance.now()`. */
  timedSinceMs: number;
}

/** Counts the requests of all clients. */
export class RequestCounts {
  /** The countdowns of the commands. The router decrements one at each request, and calls {@linkcode time} at 0. */
  readonly untilTimed: Int32Array;
  readonly #instruments: Instruments;

  constructor(instruments: Instruments) {
    this.#instruments = instruments;
    this.untilTimed = instruments.commands.untilTimed;
  }

  /** Counts a request that was admitted. */
  begin(counted: CountedRequest, specification: CommandSpecification, request: Request, client: ClientState): void {
    const { position, routing } = specification;
    counted.position = position;
    if (routing === "wait") {
      this.#instruments.commands.countUntimed(position);
      this.#show(specification, request, client);
    } else if (--this.untilTimed[position]! === 0) {
      this.time(counted, specification, request, client);
    }
  }

  /** Begins to time a request whose countdown is over. */
  time(counted: CountedRequest, specification: CommandSpecification, request: Request, client: ClientState): void {
    const { commands } = this.#instruments;
    commands.begin(counted.position);
    counted.weight = commands.claim(counted.position);
    counted.timedSinceMs = performance.now();
    this.#show(specification, request, client);
  }

  /** Counts a command that was queued in a transaction. Clients that monitor see it before `exec`. */
  queued(specification: CommandSpecification, request: Request, client: ClientState): void {
    this.#instruments.commands.countUntimed(specification.position);
    this.#show(specification, request, client);
  }

  /** Shows a request to the clients that monitor: to its own client after the reply, as servers do. */
  #show(specification: CommandSpecification, request: Request, client: ClientState): void {
    const { monitor } = client;
    if (this.#instruments.monitors.count === 0) return;
    const line = showRequest(this.#instruments, specification, request, client, monitor);
    if (monitor === undefined || line === undefined) return;
    queueMicrotask(() => {
      // The request may have ended the monitoring.
      if (client.monitor === monitor) monitor.monitored(line);
    });
  }

  /** Counts a request that was refused before its command could begin. */
  rejected(specification: CommandSpecification | undefined): void {
    if (specification !== undefined) this.#instruments.commands.reject(specification.position);
  }

  /** Ends the time of a request that was timed. */
  end(request: CountedRequest): void {
    this.#instruments.add(request.position, performance.now() - request.timedSinceMs, request.weight);
    request.weight = 0;
  }

  /** Counts the error reply at `bytes[start, end)`. */
  failed({ position }: CountedRequest, dialect: Dialect, bytes: Uint8Array, start: number, end: number): void {
    if (position !== -1) this.#instruments.commands.failed[position]! += 1;
    this.#instruments.errors.note(dialect.errorCode(bytes, start, end));
  }
}
