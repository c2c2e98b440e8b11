/**
 * Rounds of one server on one folder: start it, verify that it has everything acknowledged, write to it, kill it.
 *
 * @module
 */

import type { Random } from "../../bench/support/random.ts";
import type { FsyncPolicy } from "../../src/log/append_log.ts";
import { type Client, connect, ConnectionError, ReplyError } from "../../src/mod.ts";
import { AcknowledgedLoad } from "./acknowledged_load.ts";
import type { Launcher } from "./launcher.ts";
import { pause } from "./pause.ts";
import { until } from "./until.ts";

/** The results of the rounds. */
export interface KillTotals {
  kills: number;
  /** The number of kills that came while the server started. */
  killsAtStart: number;
  /** The number of kills that came while it took a snapshot. */
  killsAtSnapshot: number;
  acknowledged: number;
  /** The acknowledged writes that were lost, in sentences. */
  readonly lost: string[];
  /** The output of servers that did not start. */
  readonly refusedStarts: string[];
}

/** Returns totals without rounds. */
export function noKills(): KillTotals {
  return { kills: 0, killsAtStart: 0, killsAtSnapshot: 0, acknowledged: 0, lost: [], refusedStarts: [] };
}

/** The shortest and the longest time for which writers write before the kill. */
const [LOAD_MIN_MS, LOAD_MAX_MS] = [50, 450];
/** The approximate time of a start, in ms. A kill comes at any moment of it. */
const START_MS = 450;
/** The share of the kills that come during the start, and the share of the rounds without snapshots. */
const [KILLED_AT_START, WITHOUT_SNAPSHOTS] = [0.2, 0.2];
/** How long to wait for acknowledged writes on a slow machine, in ms. */
const ACKNOWLEDGED_MAX_MS = 60_000;
/** The longest pause between two snapshots, in ms. */
const SNAPSHOT_PAUSE_MAX_MS = 30;

/** The options of the kills. */
export interface KillOptions {
  readonly policy: FsyncPolicy;
  readonly kills: number;
  readonly random: Random;
  /** The data folder. */
  readonly data: string;
  /** The totals, to which the rounds are added. */
  readonly totals: KillTotals;
}

/**
 * Kills a server `kills` times at random moments, under 32 writers, and starts it again on the same folder. Ends early
 * when something was lost or a start was refused, and then leaves the folder as it was found.
 */
export async function killRounds(launcher: Launcher, options: KillOptions): Promise<void> {
  const { policy, kills, random, data, totals } = options;
  const words = [...serverWords(data), "--fsync", policy];
  const load = new AcknowledgedLoad(random);
  const troubles = () => totals.lost.length + totals.refusedStarts.length;
  const troublesBefore = troubles();
  for (let left = kills; troubles() === troublesBefore; left--) {
    const before = load.acknowledged;
    const role = launcher.start("server", words);
    launcher.forgive(role);
    try {
      if (left > 0 && random.chance(KILLED_AT_START)) {
        await pause(random.below(START_MS));
        if (await Promise.race([role.status, pause(0)]) === undefined) {
          totals.killsAtStart++;
          continue;
        }
      }
      const addr = await role.address().catch((error) => {
        totals.refusedStarts.push(String(error));
      });
      if (addr === undefined) return;
      const client = await connect({ addr, plaintext: true });
      try {
        totals.lost.push(...await load.verify(client));
        if (left === 0) return;
        const writing = load.run(() => connect({ addr, plaintext: true }));
        const saving = random.chance(WITHOUT_SNAPSHOTS) ? undefined : saveAgainAndAgain(client, random);
        let isOver = false;
        writing.then(() => isOver = true, () => isOver = true);
        const begun = load.acknowledged;
        await until(
          () => load.acknowledged > begun || load.refused.size > 0 || isOver,
          "a write is replied to",
          ACKNOWLEDGED_MAX_MS,
        );
        await pause(LOAD_MIN_MS + random.below(LOAD_MAX_MS - LOAD_MIN_MS));
        await role.kill();
        await Promise.all([writing, saving]);
        if (await isSnapshotBegun(data)) totals.killsAtSnapshot++;
        totals.lost.push(
          ...[...load.refused.keys()].map((code) => `A write was refused with ${code}: ${load.lastRefusal}`),
        );
      } finally {
        await client.close();
      }
    } finally {
      await role.kill();
      if (left > 0) totals.kills++;
      totals.acknowledged += load.acknowledged - before;
    }
  }
}

async function isSnapshotBegun(folder: string): Promise<boolean> {
  for await (const { name } of Deno.readDir(folder)) if (name.endsWith(".tmp")) return true;
  return false;
}

/** Returns the command line of a server that a test kills. TLS has no effect on the disk, so it is off. */
export function serverWords(data: string): string[] {
  return ["server", "--addr", "127.0.0.1:0", "--plaintext", "--data", data, "--max-memory", "256mb"];
}

/** Takes snapshots, one after another, until the connection is lost. */
export async function saveAgainAndAgain(client: Client, random: Random): Promise<void> {
  try {
    for (;;) {
      await pause(random.below(SNAPSHOT_PAUSE_MAX_MS));
      await client.send(["bgsave"]).catch((error) => {
        // A snapshot is already in progress.
        if (!(error instanceof ReplyError)) throw error;
      });
    }
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
  }
}
