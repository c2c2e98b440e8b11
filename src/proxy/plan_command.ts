/**
 * The command `inmem proxy plan`, which prints the effect of a change of `servers.json`. It reads the lists of servers,
 * makes no connection and writes no file.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { SLOTS_COUNT } from "../limits.ts";
import { proxyPlanOptions } from "../role/option_tables.ts";
import { parseOptionsOnly } from "../role/options.ts";
import { formatTable } from "../role/text_table.ts";
import { readMembers } from "../route/members.ts";
import { formatSlots, type Plan, planOf, type Share, sharesOf } from "../route/plan.ts";
import type { Member } from "../route/slots.ts";

/** The text that is shown for the weight of a server in a list that does not name it. */
const NO_WEIGHT = "–";

/**
 * Prints the shares of one list, or the plan of a change from one to another.
 *
 * @param argv the arguments after `proxy plan`
 * @returns the exit status
 * @throws {UsageError} when the options or a list are wrong
 */
export function planMain(argv: readonly string[]): number {
  const values = parseOptionsOnly(proxyPlanOptions, argv);
  if (values === undefined) return 0;
  const before = values.from === undefined ? undefined : readList("from", values.from);
  const after = readList("servers", values.servers);
  if (before === undefined) {
    const shares = sharesOf(after);
    console.log(values.json ? JSON.stringify(shareListFacts(shares)) : describeShares(shares));
  } else {
    const plan = planOf(before, after);
    console.log(values.json ? JSON.stringify(planFacts(plan)) : describePlan(plan));
  }
  return 0;
}

/** Reads a list. Its errors name the option and the file, since there may be two lists. */
function readList(option: string, path: string): Member[] {
  try {
    return readMembers(path);
  } catch (error) {
    if (error instanceof UsageError) {
      throw new UsageError(`${error.message} (--${option} "${path}")`, { cause: error });
    }
    throw error;
  }
}

/** Returns the shares of one list as `--json` prints them. */
function shareListFacts(shares: readonly Share[]) {
  return { servers: shares.map((share) => ({ address: share.address, ...shareFacts(share) })) };
}

/** Returns a share as `--json` prints it. `share` is the part of all slots, 0 to 1; `asked` is the part by weight. */
function shareFacts({ weight, slotsCount, fraction, asked }: Share) {
  return { weight, slots: slotsCount, share: fraction, asked };
}

/** Returns a plan as `--json` prints it. `ratio` is null when slots move though the minimum is 0. */
function planFacts({ servers, moves, movedCount, minimumCount }: Plan) {
  return {
    servers: servers.map(({ address, before, after, difference }) => ({
      address,
      before: before === undefined ? null : shareFacts(before),
      after: after === undefined ? null : shareFacts(after),
      change: difference,
    })),
    moves: moves.map(({ source, target, slots }) => {
      return { source, target, slots: slots.length, share: slots.length / SLOTS_COUNT, ranges: formatSlots(slots) };
    }),
    moved: movedCount,
    share: movedCount / SLOTS_COUNT,
    minimum: minimumCount,
    ratio: movedCount === minimumCount ? 1 : minimumCount === 0 ? null : movedCount / minimumCount,
  };
}

function describeShares(shares: readonly Share[]): string {
  const rows = shares.map(({ address, weight, slotsCount, fraction, asked }) => {
    return [address, `${weight}`, `${slotsCount}`, formatPercent(fraction), formatPercent(asked)];
  });
  return formatTable([["server", "weight", "slots", "share", "by weight"], ...rows]);
}

function describePlan({ servers, moves, movedCount, minimumCount }: Plan): string {
  const serverRows = servers.map(({ address, before, after, difference }) => [
    address,
    `${before?.weight ?? NO_WEIGHT} → ${after?.weight ?? NO_WEIGHT}`,
    `${before?.slotsCount ?? 0}`,
    `${after?.slotsCount ?? 0}`,
    difference > 0 ? `+${difference}` : `${difference}`,
    formatPercent(before?.fraction ?? 0),
    formatPercent(after?.fraction ?? 0),
  ]);
  const heading = ["server", "weight", "slots before", "slots after", "change", "share before", "share after"];
  const parts = [formatTable([heading, ...serverRows])];
  if (moves.length > 0) {
    const moveRows = moves.map(({ source, target, slots }) => {
      return [`${source} → ${target}`, `${slots.length}`, formatPercent(slots.length / SLOTS_COUNT)];
    });
    parts.push(formatTable([["source → target", "slots", "of all"], ...moveRows]));
  }
  parts.push(`${describeMoved(movedCount, minimumCount)}\nThe order of the servers in a list changes nothing.`);
  return parts.join("\n\n");
}

function describeMoved(movedCount: number, minimumCount: number): string {
  if (movedCount === 0) return "No slot moves.";
  const moved = `${movedCount} of ${SLOTS_COUNT} slots move (${formatPercent(movedCount / SLOTS_COUNT)})`;
  if (movedCount === minimumCount) return `${moved}: the minimum that this change demands.`;
  const ratio = minimumCount === 0 ? "more than" : `${(movedCount / minimumCount).toFixed(2)} times`;
  return `${moved}: ${ratio} the minimum that this change demands, which is ${minimumCount}.`;
}

function formatPercent(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}
