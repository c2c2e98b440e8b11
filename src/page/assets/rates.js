/** Turns counters into rates over the last seconds. */

/** The time over which rates are computed, in ms. */
const WINDOW_MS = 10_000;

/** The counters, as an overview has them. */
const COUNTERS = /** @type {const} */ (["hits", "misses", "evictedKeys", "expiredKeys", "inputBytes", "outputBytes"]);

/** @typedef {{ [Name in typeof COUNTERS[number]]: number }} Counts */

/** The counters of one role or server. */
export class Rates {
  constructor() {
    /** @type {{ timeMs: number, counts: Counts }[]} */
    this.samples = [];
  }

  /**
   * Adds the present counts. Returns the rates a second, which are `NaN` while they are not known.
   *
   * @param {number} timeMs
   * @param {Partial<Counts>} present
   * @returns {Counts}
   */
  next(timeMs, present) {
    const { samples } = this;
    const counts = each((name) => present[name] ?? NaN);
    const last = samples.at(-1);
    // Counts that have decreased began at zero, because the process was started again.
    if (last !== undefined && COUNTERS.some((name) => counts[name] < last.counts[name])) samples.length = 0;
    // The same counts may come again, because the server has not reported since.
    if (last === undefined || timeMs - last.timeMs > 100) samples.push({ timeMs, counts });
    while (samples.length > 2 && timeMs - (samples[1]?.timeMs ?? 0) >= WINDOW_MS) samples.shift();
    const [first, newest] = [samples[0], samples.at(-1)];
    if (first === undefined || newest === undefined || first === newest) return each(() => NaN);
    const seconds = (newest.timeMs - first.timeMs) / 1000;
    return each((name) => (newest.counts[name] - first.counts[name]) / seconds);
  }
}

/**
 * @param {(name: typeof COUNTERS[number]) => number} make
 * @returns {Counts}
 */
function each(make) {
  return /** @type {Counts} */ (Object.fromEntries(COUNTERS.map((name) => [name, make(name)])));
}
