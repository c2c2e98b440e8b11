/**
 * Kills servers at random moments, by default a thousand times with each `--fsync` policy, and reports whether anything
 * acknowledged was lost, or a start refused:
 *
 * ```sh
 * deno task soak:kill
 * deno task soak:kill --kills 50 --fsync always
 * ```
 *
 * The folder of a server that has lost something is kept, and its seed printed. Exit status: 0 when nothing was lost.
 *
 * @module
 */

import { pickSeed, Random } from "../../bench/support/random.ts";
import { UsageError } from "../../src/errors.ts";
import type { FsyncPolicy } from "../../src/log/append_log.ts";
import { helpText, type OptionTable, parseOptions } from "../../src/role/options.ts";
import { killRounds, type KillTotals, noKills } from "../support/kill_rounds.ts";
import { Launcher } from "../support/launcher.ts";

const POLICIES = ["always", "everysec", "never"] as const;
/** The number of kills on one folder, before the next folder is used. */
const FOLDER_KILLS_COUNT = 100;
/** The number of kept folders after which a policy ends. They are sufficient to find the error. */
const BAD_FOLDERS_MAX_COUNT = 5;

const soakOptions = {
  usage: "deno task soak:kill [OPTIONS]",
  summary: "Kills servers under 32 writers, and sees whether the next start has all that was acknowledged.",
  options: {
    kills: { kind: "count", default: "1000", min: 1, max: 1_000_000, help: "kills with each policy" },
    fsync: { kind: "text", choices: POLICIES, repeated: true, help: "only these policies" },
    help: { kind: "flag", help: "print this text" },
  },
} as const satisfies OptionTable;

/** Kills with one policy, on one folder after another. Returns the folders that are worth a look. */
async function soak(launcher: Launcher, policy: FsyncPolicy, kills: number, totals: KillTotals): Promise<string[]> {
  const kept: string[] = [];
  while (totals.kills < kills && kept.length < BAD_FOLDERS_MAX_COUNT) {
    const seed = pickSeed();
    const before = totals.lost.length + totals.refusedStarts.length;
    const folder = await Deno.makeTempDir({ prefix: `inmem-soak-${policy}-` });
    const count = Math.min(FOLDER_KILLS_COUNT, kills - totals.kills);
    await killRounds(launcher, { policy, kills: count, random: new Random(seed), data: `${folder}/data`, totals });
    if (totals.lost.length + totals.refusedStarts.length === before) {
      await Deno.remove(folder, { recursive: true });
    } else {
      kept.push(`${folder}/data (SEED=${seed})`);
    }
    console.log(`  ${totals.kills} kills, ${totals.acknowledged} acknowledged`);
  }
  return kept;
}

/** Returns the lines of the summary for a policy. */
function describe(policy: FsyncPolicy, totals: KillTotals, durationMs: number, kept: readonly string[]): string {
  const { kills, killsAtStart, killsAtSnapshot, acknowledged, lost, refusedStarts } = totals;
  return [
    `--fsync ${policy}`,
    `  kills                ${kills} (${killsAtStart} while starting, ${killsAtSnapshot} while taking a snapshot)`,
    `  acknowledged writes  ${acknowledged}`,
    `  lost                 ${lost.length}`,
    ...lost.map((each) => `    ${each}`),
    `  refused starts       ${refusedStarts.length}`,
    ...refusedStarts.map((each) => `    ${each}`),
    ...kept.map((each) => `  kept                 ${each}`),
    `  duration             ${Math.round(durationMs / 1000)} s`,
  ].join("\n");
}

/** Runs the soak and returns the exit status. */
async function main(argv: readonly string[]): Promise<number> {
  const { values, positional } = parseOptions(soakOptions, argv);
  if (positional.length > 0) throw new UsageError(`Cannot use "${positional[0]}": expected options only`);
  if (values.help) {
    console.log(helpText(soakOptions).trimEnd());
    return 0;
  }
  const summary: string[] = [];
  let isGood = true;
  const launcher = await Launcher.create();
  try {
    for (const policy of POLICIES) {
      if (values.fsync.length > 0 && !values.fsync.includes(policy)) continue;
      console.log(`--fsync ${policy}`);
      const [totals, startMs] = [noKills(), performance.now()];
      const kept = await soak(launcher, policy, values.kills, totals);
      isGood &&= kept.length === 0;
      summary.push(describe(policy, totals, performance.now() - startMs, kept));
    }
  } finally {
    await launcher.end();
  }
  console.log(`\n${summary.join("\n")}`);
  return isGood ? 0 : 1;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
