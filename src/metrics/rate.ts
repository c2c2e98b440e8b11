/**
 * How fast a count grows, measured over the last moments.
 *
 * ```text
 * marks     count 100   count 180   count 260   count 340        one every `intervalMs`, as a ring
 *           oldest                              newest
 * rate      (the count of the last update - the oldest mark) / the time between them
 * ```
 *
 * @module
 */

/** The growth of one count a second. */
export class Rate {
  readonly #intervalMs: number;
  readonly #counts: Float64Array;
  readonly #moments: Float64Array;
  #marks = 1;
  #lastCount = 0;
  #lastMs: number;

  /**
   * @param nowMs the present, by the clock of {@linkcode update}; the count is 0 then
   * @param intervalMs the least time between two marks
   * @param marksCount the number of marks
   */
  constructor(nowMs: number, intervalMs: number, marksCount: number) {
    this.#intervalMs = intervalMs;
    this.#counts = new Float64Array(marksCount);
    this.#moments = new Float64Array(marksCount);
    this.#moments[0] = this.#lastMs = nowMs;
  }

  /** Records the count. It is called at least once an interval. */
  update(nowMs: number, count: number): void {
    this.#lastCount = count;
    this.#lastMs = nowMs;
    const marksCount = this.#counts.length;
    const newest = (this.#marks - 1) % marksCount;
    if (nowMs - this.#moments[newest]! < this.#intervalMs) return;
    const place = this.#marks++ % marksCount;
    this.#moments[place] = nowMs;
    this.#counts[place] = count;
  }

  /** Begins again, with a count of 0 at the time of the last {@linkcode update}. */
  reset(): void {
    this.#marks = 1;
    this.#moments[0] = this.#lastMs;
    this.#counts[0] = this.#lastCount = 0;
  }

  /** The growth a second, over the last moments up to the last {@linkcode update}. */
  get perSecond(): number {
    const marksCount = this.#counts.length;
    const oldest = this.#marks < marksCount ? 0 : this.#marks % marksCount;
    const durationMs = this.#lastMs - this.#moments[oldest]!;
    return durationMs > 0 ? (this.#lastCount - this.#counts[oldest]!) * 1000 / durationMs : 0;
  }
}
