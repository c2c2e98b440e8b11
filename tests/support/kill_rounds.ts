/**
 * Rounds of one server on one folder: start it, see that it has all that was acknowledged, write to it, kill it.
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

/** What came of the rounds. */
export interface KillTotals {
  kills: number;
  /** Of these, those that came while the server started, and while it took a snapshot. */
  killsAtStart: number;
  killsAtSnapshot: number;
  acknowledged: number;
  /** What was not as it had been acknowledged, in sentences. */
  readonly lost: string[];
  /** What servers have said that did not start. */
  readonly refusedStarts: string[];
}

/** Totals of no rounds yet. */
export function noKills(): KillTotals {
  return { kills: 0, killsAtStart: 0, killsAtSnapshot: 0, acknowledged: 0, lost: [], refusedStarts: [] };
}

/** How long writers write before the kill, at least and at most. */
const [LOAD_MIN_MS, LOAD_MAX_MS] = [50, 450];
/** A start takes about as long; a kill comes at some moment of it. */
const START_MS = 450;
/** Share of the kills that come while the server starts, and of the rounds without snapshots. */
const [KILLED_AT_START, WITHOUT_SNAPSHOTS] = [0.2, 0.2];
/** A slow machine acknowledges nothing for a while. */
const ACKNOWLEDGED_MAX_MS = 60_000;
/** Pause between two snapshots at most. */
const SNAPSHOT_PAUSE_MAX_MS = 30;

/** How to kill. */
export interface KillOptions {
  readonly policy: FsyncPolicy;
  readonly kills: number;
  readonly random: Random;
  /** The data folder. */
  readonly data: string;
  /** Added to as it goes on. */
  readonly totals: KillTotals;
}

/**
 * Kills a server so many times at random moments, under 32 writers, and starts it again on the same folder. Ends early once
 * something was lost or a start was refused: then the folder is as it was found.
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

/** The command line of a server that a test kills. What is on disk has nothing to do with TLS. */
export function serverWords(data: string): string[] {
  return ["server", "--addr", "127.0.0.1:0", "--plaintext", "--data", data, "--max-memory", "256mb"];
}

/** Has snapshots taken, one after another, until the connection is lost. */
export async function saveAgainAndAgain(client: Client, random: Random): Promise<void> {
  try {
    for (;;) {
      await pause(random.below(SNAPSHOT_PAUSE_MAX_MS));
      await client.send(["bgsave"]).catch((error) => {
        // One is under way already.
        if (!(error instanceof ReplyError)) throw error;
      });
    }
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
  }
}
