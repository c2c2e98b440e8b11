/**
 * Measures pauses, large values, the index and the memory of inmem, next to the promised bounds.
 *
 * Pauses are measured on a real server, whose event loop is watched while a client in another process works and sends
 * pings. On a shared machine, a clock includes the time of other processes: an idle loop is delayed by 5 ms and more
 * now and then. So a hold is compared with its bound as the time for which the thread ran or was blocked
 * (support/processor_time.ts). The time by the clock is printed beside it, and the group "idle" shows the same for an
 * idle server. Every case runs several times. The printed value is the median over the rounds; for holds, of the
 * longest hold of each round.
 *
 * The script measures and does not judge: its exit status is 0 even if a bound is missed.
 *
 * ```sh
 * deno run -A bench/bounds.ts --rounds 1 --scale 0.1 --only lists,hashes
 * ```
 *
 * @module
 */

import { join } from "@std/path";
import { makeCertificates } from "../src/role/certs.ts";
import { type BoundRow, formatRows, Rows } from "./support/bound_row.ts";
import { CAPACITY_CASES } from "./support/shifting_sizes.ts";
import { describeMachine } from "./support/machine.ts";
import { runScript, type Script, type ScriptWords } from "./support/script.ts";
import { measureServed, SERVED_CASES } from "./support/served_bounds.ts";
import { STORE_CASES } from "./support/store_bounds.ts";

const ROUNDS_DEFAULT = 3;
/** The cases that run in this process alone. */
const LOCAL_CASES = { ...STORE_CASES, ...CAPACITY_CASES };
const NAMES = [...Object.keys(SERVED_CASES), ...Object.keys(LOCAL_CASES)];

const HELP = `Measures pauses, large values, the index and the memory of inmem, next to the promised bounds.

Usage: deno run -A bench/bounds.ts [options]

  --only NAMES     the cases to run, separated by commas (default: all):
                   ${NAMES.join(" ")}
  --rounds NUMBER  the number of rounds; medians are printed (default: ${ROUNDS_DEFAULT})
  --scale FACTOR   a factor for the counts and the memory limit (default: 1); the bounds apply to 1
  --json           print the result as JSON
  --help           print this text
`;

interface Options {
  readonly names: readonly string[];
  readonly rounds: number;
  readonly scale: number;
}

/** The report, as `--json` prints it. */
export interface BoundsReport {
  readonly machine: string;
  readonly rounds: number;
  readonly scale: number;
  readonly rows: readonly BoundRow[];
}

function readOptions(words: ScriptWords): Options {
  return {
    names: words.some("only", NAMES),
    rounds: words.number("rounds", ROUNDS_DEFAULT, { min: 1, max: 100, integer: true }),
    scale: words.number("scale", 1, { min: 0.001, max: 4 }),
  };
}

async function measure(options: Options): Promise<BoundsReport> {
  const { names, rounds, scale } = options;
  const measured: Rows[] = [];
  const served = names.filter((name) => name in SERVED_CASES);
  if (served.length > 0) measured.push(...await measureWithServer(served, options));
  for (const [name, run] of Object.entries(LOCAL_CASES)) {
    if (!names.includes(name)) continue;
    const rows = new Rows(name);
    run(options, rows);
    measured.push(rows);
  }
  return { machine: describeMachine(), rounds, scale, rows: measured.flatMap(({ rows }) => rows) };
}

/** Measures with a certificate in a temporary folder, which is removed afterwards. */
async function measureWithServer(names: readonly string[], { rounds, scale }: Options): Promise<Rows[]> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-bounds-" });
  try {
    const { paths: certificates } = await makeCertificates(join(folder, "certs"), []);
    return await measureServed(names, { certificates, rounds, scale });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function formatReport({ machine, rounds, scale, rows }: BoundsReport): string {
  const missed = rows.filter(({ met }) => met === false).length;
  const promised = rows.filter(({ met }) => met !== undefined).length;
  const scaled = scale === 1 ? "" : `, counts × ${scale}: the bounds are meant for 1`;
  return `${formatRows(rows)}\n\n${
    promised - missed
  } of ${promised} met; medians of ${rounds} rounds${scaled}\n${machine}`;
}

const SCRIPT: Script<Options, BoundsReport> = {
  help: HELP,
  values: ["only", "rounds", "scale"],
  read: readOptions,
  measure,
  format: formatReport,
};

if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
