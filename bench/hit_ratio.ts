/**
 * Measures the benefit of exact LRU: the hits of inmem's store next to those of a cache that evicts by sampling, as
 * redis-server does.
 *
 * Both are used as caches: a key that is requested and absent is added. The exact side is the real store under a memory
 * limit, with eviction. The sampled side is a model of keys without values (support/sampled_lru.ts). The number of keys
 * in the store changes slightly with every page that it fills and frees. So after each access the model evicts until it
 * has no more keys than the store at that moment. Neither side ever has more room.
 *
 * The first half of each trace fills the caches, and hits are counted in the second half.
 *
 * ```sh
 * deno run -A bench/hit_ratio.ts --seed 42 --scale 0.1
 * ```
 *
 * @module
 */

import { formatTable } from "../src/role/text_table.ts";
import { ExactLru } from "./support/exact_lru.ts";
import { Random } from "./support/random.ts";
import { SampledLru } from "./support/sampled_lru.ts";
import { runScript, type Script, type ScriptWords } from "./support/script.ts";
import { makeTraces, type Trace } from "./support/traces.ts";

const KEYS_COUNT = 200_000;
const ACCESSES_COUNT = 2_000_000;
/** The sizes of the caches, as shares of the keys. */
const CACHE_SHARES = [0.01, 0.05, 0.1, 0.25];
/** Separates the random numbers of the samples from those of the traces. */
const SAMPLING_SEED = 0x5a5a5a5a;

const HELP =
  `Compares the hits of the store's exact LRU and of LRU by sampling, as in redis-server, with equally many keys.

Usage: deno run -A bench/hit_ratio.ts [options]

  --seed NUMBER   the seed of all random choices (default: a new one each time)
  --scale FACTOR  a factor for the keys and accesses: ${KEYS_COUNT} and ${ACCESSES_COUNT} (default: 1)
  --json          print the result as JSON
  --help          print this text
`;

interface Options {
  readonly seed: number;
  readonly scale: number;
}

/** The results of both caches for one trace. */
export interface HitRow {
  readonly trace: string;
  /** The average number of keys in the caches over the counted accesses, as a share of all keys but the cold ones. */
  readonly cacheShare: number;
  /** The average number of keys in the caches. */
  readonly cacheKeys: number;
  readonly exactHitPercent: number;
  readonly sampledHitPercent: number;
}

/** The report, as `--json` prints it. */
export interface HitReport {
  readonly seed: number;
  readonly keys: number;
  readonly accesses: number;
  readonly rows: readonly HitRow[];
}

function readOptions(words: ScriptWords): Options {
  const anySeed = crypto.getRandomValues(new Uint32Array(1))[0]!;
  return {
    seed: words.number("seed", anySeed, { min: 0, max: 2 ** 32 - 1, integer: true }),
    scale: words.number("scale", 1, { min: 0.05, max: 20 }),
  };
}

/** Runs a trace through both caches. */
function compare(trace: Trace, keysCount: number, cacheShare: number, seed: number): HitRow {
  const exact = ExactLru.holding(Math.ceil(keysCount * cacheShare));
  const sampled = new SampledLru(trace.keysEnd, new Random(seed ^ SAMPLING_SEED));
  const { keys, coldFrom } = trace;
  const countedFrom = keys.length >>> 1;
  let counted = 0;
  let exactHits = 0;
  let sampledHits = 0;
  let heldSum = 0;
  for (let access = 0; access < keys.length; access++) {
    const key = keys[access]!;
    const exactHit = exact.use(key);
    const sampledHit = sampled.use(key);
    while (sampled.size > exact.size) sampled.evict();
    if (access < countedFrom || key >= coldFrom) continue;
    counted++;
    heldSum += exact.size;
    if (exactHit) exactHits++;
    if (sampledHit) sampledHits++;
  }
  const cacheKeys = heldSum / counted;
  return {
    trace: trace.name,
    cacheShare: cacheKeys / keysCount,
    cacheKeys,
    exactHitPercent: exactHits / counted * 100,
    sampledHitPercent: sampledHits / counted * 100,
  };
}

function makeReport({ seed, scale }: Options): HitReport {
  const keysCount = Math.ceil(KEYS_COUNT * scale);
  const accessesCount = Math.ceil(ACCESSES_COUNT * scale);
  const traces = makeTraces({ keysCount, accessesCount, seed });
  const rows = traces.flatMap((trace) => CACHE_SHARES.map((share) => compare(trace, keysCount, share, seed)));
  return { seed, keys: keysCount, accesses: accessesCount, rows };
}

function formatReport({ seed, keys, accesses, rows }: HitReport): string {
  const table = formatTable([
    ["trace", "keys held", "of all keys", "exact hit %", "sampled hit %", "difference"],
    ...rows.map((row) => {
      const difference = row.exactHitPercent - row.sampledHitPercent;
      return [
        row.trace,
        Math.round(row.cacheKeys).toLocaleString("en"),
        `${(row.cacheShare * 100).toFixed(1)} %`,
        row.exactHitPercent.toFixed(2),
        row.sampledHitPercent.toFixed(2),
        `${difference < 0 ? "" : "+"}${difference.toFixed(2)}`,
      ];
    }),
  ]);
  const size = `${keys.toLocaleString("en")} keys, ${accesses.toLocaleString("en")} accesses`;
  return `${table}\n\n${size}; repeat with --seed ${seed}`;
}

const SCRIPT: Script<Options, HitReport> = {
  help: HELP,
  values: ["seed", "scale"],
  read: readOptions,
  measure: makeReport,
  format: formatReport,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
