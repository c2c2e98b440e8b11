/**
 * Moves the bytes of lanes through a loop over their descriptors: without TLS, on Linux.
 *
 * The loop runs in slices, between which the event loop turns, so that timers and signals are noticed.
 *
 * @module
 */

import { BENCH_SLICE_MS } from "../../limits.ts";
import type { DescriptorLoop } from "../../net/descriptor_loop.ts";
import type { Lane } from "./lane.ts";

/** How many reads may find nothing although the system has announced something. A lost connection does so forever. */
const EMPTY_READS_MAX_COUNT = 8;

/** Runs the lanes of all connections until their run is over. */
export async function driveDescriptors(
  lanes: readonly Lane[],
  loop: DescriptorLoop,
  isAborted: () => boolean,
): Promise<void> {
  const driver = new DescriptorDriver(lanes, loop);
  while (!isAborted() && driver.runSlice()) await new Promise((resolve) => setTimeout(resolve, 0));
}

class DescriptorDriver {
  readonly #lanes: readonly Lane[];
  readonly #loop: DescriptorLoop;
  readonly #ready = (index: number): void => this.#serve(index);
  /** The bytes of each lane's pipeline that are written. */
  readonly #written: number[];
  readonly #emptyReads: number[];
  #activeCount = 0;

  constructor(lanes: readonly Lane[], loop: DescriptorLoop) {
    this.#lanes = lanes;
    this.#loop = loop;
    this.#written = lanes.map(() => 0);
    this.#emptyReads = lanes.map(() => 0);
    for (const index of lanes.keys()) this.#begin(index, performance.now());
  }

  /** Returns whether the run goes on. */
  runSlice(): boolean {
    const endMs = performance.now() + BENCH_SLICE_MS;
    while (this.#activeCount > 0 && performance.now() < endMs) this.#loop.wait(BENCH_SLICE_MS, this.#ready);
    return this.#activeCount > 0;
  }

  #begin(index: number, nowMs: number): void {
    const lane = this.#lanes[index]!;
    if (!lane.prepare(nowMs)) return;
    this.#activeCount++;
    this.#written[index] = 0;
    this.#write(index, lane);
  }

  #serve(index: number): void {
    const lane = this.#lanes[index]!;
    if (this.#written[index]! < lane.outgoing.length && lane.waitingCount > 0) this.#continue(index, lane);
    const count = this.#loop.read(index, lane.incoming);
    if (count === 0) throw new Deno.errors.UnexpectedEof();
    if (count < 0) return this.#countEmpty(index);
    this.#emptyReads[index] = 0;
    const nowMs = lane.commit(count);
    if (lane.waitingCount > 0) return;
    this.#activeCount--;
    this.#begin(index, nowMs);
  }

  /** An error of the connection is reported as readable, again and again. */
  #countEmpty(index: number): void {
    if (++this.#emptyReads[index]! > EMPTY_READS_MAX_COUNT) throw new Deno.errors.ConnectionReset();
  }

  #write(index: number, lane: Lane): void {
    const count = this.#loop.write(index, lane.outgoing);
    this.#written[index] = Math.max(0, count);
    if (count < lane.outgoing.length) this.#loop.watchWritable(index, true);
  }

  #continue(index: number, lane: Lane): void {
    const count = this.#loop.write(index, lane.outgoing.subarray(this.#written[index]));
    // It is readable then, so the emptiness does not count.
    if (count > 0) this.#emptyReads[index] = -1;
    this.#written[index]! += Math.max(0, count);
    if (this.#written[index] === lane.outgoing.length) this.#loop.watchWritable(index, false);
  }
}
