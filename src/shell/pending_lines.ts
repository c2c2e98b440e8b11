/**
 * The lines of the piped client that are sent and have no reply yet, and those that wait for their place among them.
 *
 * ```text
 * request number   17   18   19   20            of the bulk stream
 * line             40   41   43   44            a ring of numbers: no object for a line
 *                           ▲
 *                      line 42, which is not sent (`help`), is written after the reply to request 18
 * ```
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import { PIPED_IN_FLIGHT_MAX_COUNT } from "../limits.ts";
import type { ReplyShape } from "./human.ts";

const MASK = PIPED_IN_FLIGHT_MAX_COUNT - 1;

/** An outcome that needs no reply. */
interface LocalOutcome {
  /** The number of requests whose replies come before it. */
  readonly place: number;
  readonly write: () => void;
}

/** The lines in flight. The number of a request identifies its line. */
export class PendingLines {
  readonly #lines = new Float64Array(PIPED_IN_FLIGHT_MAX_COUNT);
  readonly #shapes: ReplyShape[] = new Array(PIPED_IN_FLIGHT_MAX_COUNT).fill("value");
  readonly #commands: (CommandSpecification | undefined)[] = new Array(PIPED_IN_FLIGHT_MAX_COUNT).fill(undefined);
  #locals: LocalOutcome[] = [];
  /** The index of the first local outcome that is not written. */
  #head = 0;

  /** Notes the line of request `number`, the shape of its reply, and its command if it is known. */
  add(number: number, line: number, shape: ReplyShape, command: CommandSpecification | undefined): void {
    const place = number & MASK;
    this.#lines[place] = line;
    this.#shapes[place] = shape;
    this.#commands[place] = command;
  }

  /** Returns the line of request `number`, which is in flight. */
  line(number: number): number {
    return this.#lines[number & MASK]!;
  }

  /** Returns the shape of the reply to request `number`, which is in flight. */
  shape(number: number): ReplyShape {
    return this.#shapes[number & MASK]!;
  }

  /** Returns the command of request `number`, which is in flight. */
  command(number: number): CommandSpecification | undefined {
    return this.#commands[number & MASK];
  }

  /** Notes an outcome that is written after the replies to `place` requests. */
  addLocal(place: number, write: () => void): void {
    this.#locals.push({ place, write });
  }

  /** The number of local outcomes that are not written. */
  get localCount(): number {
    return this.#locals.length - this.#head;
  }

  /** Writes the local outcomes that come before the reply to request `repliedCount`. */
  writeLocals(repliedCount: number): void {
    while (this.#head < this.#locals.length && this.#locals[this.#head]!.place <= repliedCount) {
      this.#locals[this.#head++]!.write();
    }
    if (this.#head < this.#locals.length || this.#head === 0) return;
    this.#locals = [];
    this.#head = 0;
  }
}
