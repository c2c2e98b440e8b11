/**
 * The number of calls of each command, and how long they take.
 *
 * Reading a precise clock for each call would cost more than many commands, so only some calls are timed: each one
 * while there are few, and otherwise about {@linkcode TIMED_PER_SWEEP_COUNT} of a command between two sweeps. A call
 * that is not timed costs one decrement and one comparison. The number of calls is exact nevertheless:
 *
 * ```text
 * command     get       set       …        one place per command of the catalog
 * untilTimed  37        1         …        calls until the next timed one; the caller decrements it
 * stride      101       1         …        the value at which the countdown began
 * counted     5000      7         …        calls before the countdown
 * calls       5064      7                  counted + stride - untilTimed
 * ```
 *
 * A timed call also counts for the calls since the last timed one, which it *represents*. So the histogram of a command
 * has as many durations as there were calls, apart from those since the last timed one. A stride is odd, so that it
 * does not keep in step with clients that send batches.
 *
 * A call that pauses or waits is measured whether or not its turn has come, and represents only itself:
 *
 * | call | the owner calls |
 * |---|---|
 * | countdown is not over | nothing |
 * | countdown is over | `begin`; at the end `claim`, and `add` with the claimed weight |
 * | the call pauses, whether or not the countdown is over | `claimOne`; at the end `add` with weight 1 |
 * | it was refused before it ran | `reject`, or `rejectCounted` after the countdown |
 * | its duration cannot be known | `countUntimed`, instead of the countdown |
 *
 * @module
 */

import { Histogram } from "./histogram.ts";

const TIMED_PER_SWEEP_COUNT = 16;

/** The bounds of {@linkcode CommandStats.buckets}, in microseconds. The last bucket has no bound. */
export const BUCKET_BOUNDS_US: readonly number[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map((power) => 2 ** power),
  ...[12, 14, 16, 18, 20, 23].map((power) => 2 ** power),
];

/** The calls of all commands of one role. A command is known by its position in the catalog. */
export class CommandStats {
  /** The number of calls of each command until one is timed. The owner decrements it, and calls `begin` at 0. */
  readonly untilTimed: Int32Array;
  /** The number of calls of each command that ran and failed. */
  readonly failed: Float64Array;
  /** The number of calls of each command that were refused before they ran. They are not among {@linkcode calls}. */
  readonly rejected: Float64Array;
  readonly #strides: Int32Array;
  /** The strides that follow from the calls between the last two sweeps. */
  readonly #sweptStrides: Int32Array;
  /** The calls of each command at the last sweep. */
  readonly #swept: Float64Array;
  readonly #counted: Float64Array;
  /** The calls of each command before the last reset. */
  readonly #forgotten: Float64Array;
  readonly #represented: Float64Array;
  readonly #microseconds: Float64Array;
  /** The durations of each command that was timed. */
  readonly #histograms: (Histogram | undefined)[];
  #timesAll = false;
  /** The command whose next call is timed only for itself, and the rest of its countdown; -1 for none. */
  #isolated = -1;
  #isolatedRest = 0;

  /** @param commandsCount the number of commands in the catalog */
  constructor(commandsCount: number) {
    this.untilTimed = new Int32Array(commandsCount).fill(1);
    this.failed = new Float64Array(commandsCount);
    this.rejected = new Float64Array(commandsCount);
    this.#strides = new Int32Array(commandsCount).fill(1);
    this.#sweptStrides = new Int32Array(commandsCount).fill(1);
    this.#swept = new Float64Array(commandsCount);
    this.#counted = new Float64Array(commandsCount);
    this.#forgotten = new Float64Array(commandsCount);
    this.#represented = new Float64Array(commandsCount);
    this.#microseconds = new Float64Array(commandsCount);
    this.#histograms = new Array(commandsCount).fill(undefined);
  }

  /** The number of commands in the catalog. */
  get count(): number {
    return this.untilTimed.length;
  }

  /** Whether every call is timed. */
  get timesAll(): boolean {
    return this.#timesAll;
  }

  set timesAll(timesAll: boolean) {
    this.#timesAll = timesAll;
    for (let position = 0; position < this.count; position++) this.#restart(position, 1);
  }

  // Reading.

  /** Returns the number of calls of a command that have begun since the start or the last {@linkcode reset}. */
  calls(position: number): number {
    // A call that began before the reset may be refused after it.
    return Math.max(0, this.#begun(position) - this.#forgotten[position]!);
  }

  /** Returns an estimate of the time that all calls of a command have taken, in microseconds. It never decreases. */
  microseconds(position: number): number {
    return this.#microseconds[position]!;
  }

  /** Returns the durations of the calls of a command; `undefined` if none was timed. */
  histogram(position: number): Histogram | undefined {
    return this.#histograms[position];
  }

  /**
   * Returns how many calls of a command took at most each of {@linkcode BUCKET_BOUNDS_US}, and at the end the number of
   * all calls in its histogram. The counts are cumulative, as Prometheus has them.
   */
  buckets(position: number): Float64Array<ArrayBuffer> {
    const histogram = this.#histograms[position];
    return Float64Array.from([...BUCKET_BOUNDS_US, Infinity], (boundUs) => histogram?.countUpTo(boundUs / 1000) ?? 0);
  }

  // Recording.

  /** Makes the next call of a command one that is timed, and that represents only itself, because it is unusual. */
  isolateNext(position: number): void {
    this.#isolated = position;
    this.#isolatedRest = this.untilTimed[position]!;
    this.#restart(position, 1);
  }

  /** Begins the next countdown of a command, when the last one is over. The call that begins now is timed. */
  begin(position: number): void {
    this.#restart(position, this.#isolated === position ? this.#isolatedRest : this.#nextStride(position));
  }

  /** Returns the number of calls that a timed call represents, when its duration is known. */
  claim(position: number): number {
    const isIsolated = this.#isolated === position;
    if (isIsolated) this.#isolated = -1;
    const weight = isIsolated ? 1 : Math.max(0, this.#begun(position) - this.#represented[position]!);
    this.#represented[position]! += weight;
    return weight;
  }

  /** Records that a call of a command, which has begun, represents only itself. */
  claimOne(position: number): void {
    if (this.#isolated === position) this.#isolated = -1;
    this.#represented[position]! += 1;
  }

  /** Gives back calls that were claimed. They are represented by a later call. */
  unclaim(position: number, weight: number): void {
    this.#represented[position]! -= weight;
  }

  /** Counts the duration of a call, which represents `weight` calls. */
  add(position: number, durationMs: number, weight: number): void {
    this.#microseconds[position]! += durationMs * 1000 * weight;
    (this.#histograms[position] ??= new Histogram()).add(durationMs, weight);
  }

  /** Counts a call that is not timed, and that has no part in the countdown. */
  countUntimed(position: number): void {
    this.#counted[position]! += 1;
    this.#represented[position]! += 1;
  }

  /** Counts a call that was refused before the countdown. */
  reject(position: number): void {
    this.rejected[position]! += 1;
  }

  /** Counts a call that was refused after the countdown, and before it ran. */
  rejectCounted(position: number): void {
    this.rejected[position]! += 1;
    this.#counted[position]! -= 1;
  }

  /** Takes back a call that was counted when it had to wait, and is counted again when it runs. */
  uncount(position: number): void {
    this.#counted[position]! -= 1;
  }

  /** Computes the strides again. It is called several times a second. */
  sweep(): void {
    for (let position = 0; position < this.count; position++) {
      const calls = this.#begun(position);
      const stride = strideOf(calls - this.#swept[position]!);
      this.#swept[position] = calls;
      this.#sweptStrides[position] = stride;
      if (this.untilTimed[position]! > stride) this.#restart(position, stride);
    }
  }

  /** Sets all counts to zero. Calls in progress are still added to the histograms when they end. */
  reset(): void {
    for (let position = 0; position < this.count; position++) {
      this.#forgotten[position] = this.#represented[position] = this.#begun(position);
    }
    for (const counts of [this.failed, this.rejected, this.#microseconds]) counts.fill(0);
    this.#histograms.fill(undefined);
  }

  /** Returns the number of calls of a command since the start. */
  #begun(position: number): number {
    return this.#counted[position]! + this.#strides[position]! - this.untilTimed[position]!;
  }

  /** Begins a countdown, and counts the calls of the last one. */
  #restart(position: number, stride: number): void {
    this.#counted[position] = this.#begun(position);
    this.#strides[position] = this.untilTimed[position] = stride;
  }

  #nextStride(position: number): number {
    if (this.#timesAll) return 1;
    // A sudden burst is not timed completely until the next sweep.
    const sinceSweep = this.#begun(position) - this.#swept[position]!;
    return Math.max(this.#sweptStrides[position]!, strideOf(sinceSweep));
  }
}

/** Returns the stride with which about {@linkcode TIMED_PER_SWEEP_COUNT} of `calls` calls are timed. */
function strideOf(calls: number): number {
  return Math.max(0, Math.floor(calls / TIMED_PER_SWEEP_COUNT)) | 1;
}
