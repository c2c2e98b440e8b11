/**
 * Computes how much longer than others a request may wait for its reply because its command waits: `blpop queue 60` is
 * not late after 10 s, and `blpop queue 0` never is.
 *
 * The command table marks the commands that wait. Their last argument is the time, in seconds. An argument that the
 * server refuses as a time delays nothing, since the refusal is immediate.
 *
 * @module
 */

import type { TransactionStep } from "../catalog/row.ts";
import { COMMANDS } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import { BLOCKING_TIMEOUT_MAX_MS } from "../limits.ts";
import type { Argument } from "../wire/request_writer.ts";

const SPECIFICATIONS: ReadonlyMap<string, CommandSpecification> = new Map(
  COMMANDS.flatMap((command) => [command.name, ...command.aliases].map((name) => [name, command])),
);
const NAME_MAX_LENGTH = Math.max(...[...SPECIFICATIONS.keys()].map((name) => name.length));

/** Matches numbers of C that JavaScript does not read: hexadecimal with a point or an exponent, and infinity. */
const C_NUMBER = /^\+?(0x[0-9a-f.]+(p[+-]?[0-9]+)?|inf(inity)?)$/i;

/** Returns the command of a request; `undefined` when there is none of its name. */
export function commandOf(request: readonly Argument[]): CommandSpecification | undefined {
  const name = request[0];
  if (typeof name === "string") return SPECIFICATIONS.get(name) ?? SPECIFICATIONS.get(name.toLowerCase());
  if (!(name instanceof Uint8Array) || name.length > NAME_MAX_LENGTH) return undefined;
  return SPECIFICATIONS.get(String.fromCharCode(...name).toLowerCase());
}

/** Follows the requests of one connection. `exec` runs the queued commands, so it takes as long as all of them. */
export class ReplyDelays {
  /** Whether `multi` was sent, and neither `exec` nor `discard` after it. */
  #isQueueing = false;
  /**
   * How long the commands since `multi` hold the server, in ms. A command such as `blpop` does not wait in a
   * transaction.
   */
  #queuedMs = 0;

  /**
   * Returns how long the reply of the next request may be delayed, in ms; `Infinity` for a wait without an end.
   *
   * @param command the request's command
   */
  next(request: readonly Argument[], command: CommandSpecification): number {
    const { transactionStep } = command;
    if (transactionStep !== undefined) return this.#nextOfTransaction(transactionStep);
    if (command.replyDelay === "none" || request.length < Math.abs(command.arity)) return 0;
    const delayMs = timeOf(request.at(-1)!);
    if (command.replyDelay === "timeout") {
      // The server takes a longer time for one without an end.
      return delayMs === 0 || delayMs > BLOCKING_TIMEOUT_MAX_MS ? Infinity : Math.max(0, delayMs);
    }
    this.#queuedMs += Math.max(0, delayMs);
    return Math.max(0, delayMs);
  }

  #nextOfTransaction(step: TransactionStep): number {
    const isEnd = step === "run" || step === "discard";
    const delayMs = step === "run" && this.#isQueueing ? this.#queuedMs : 0;
    // A `multi` within a transaction is refused, and changes nothing.
    if (isEnd || (step === "begin" && !this.#isQueueing)) this.#queuedMs = 0;
    if (isEnd || step === "begin") this.#isQueueing = !isEnd;
    return delayMs;
  }
}

/** Returns the seconds of an argument in ms; negative when it is not a time. */
function timeOf(argument: Argument): number {
  const text = argument instanceof Uint8Array ? new TextDecoder().decode(argument) : String(argument);
  if (C_NUMBER.test(text)) return Number.isNaN(Number(text)) ? Infinity : Number(text) * 1000;
  const seconds = /^[+-]?[0-9.]/.test(text) ? Number(text) : NaN;
  return Number.isNaN(seconds) ? -1 : seconds * 1000;
}
