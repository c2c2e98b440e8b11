/**
 * The table of all attacks, with one row each:
 *
 * ```text
 * on("server", "exists", "1 M keys", sends(() => [["exists", ...names(n(1e6))]], SERVED), keys(n(500_000)))
 *     place     name      size        the action: attack.ts, scenes.ts                     the data before it
 * ```
 *
 * Sizes are the largest that limits.ts allows, or those that once held a server for seconds. With `SERVED` a refusal is
 * a fault. Without it, a refusal is as good a defence as any other.
 *
 * @module
 */

import type { Attack, Scaled } from "./attack.ts";
import { PLACES } from "./deployment.ts";
import { everyCommand } from "./every_command.ts";
import { inFindings } from "./findings.ts";
import { onLargeValues } from "./large_values.ts";
import { ofManyArguments } from "./many_arguments.ts";
import { ofManyRequests } from "./many_requests.ts";

/** Returns all attacks, grouped by place; `scale` is a factor for their sizes. */
export function attacks(scale = 1): Attack[] {
  const n: Scaled = (count) => Math.max(1, Math.round(count * scale));
  const rows = [inFindings, ofManyArguments, onLargeValues, ofManyRequests, everyCommand].flatMap((rowsOf) =>
    rowsOf(n)
  );
  const repeated = rows.map(({ name }) => name).find((name, i, all) => all.indexOf(name) !== i);
  if (repeated !== undefined) throw new Error(`Two attacks have the name "${repeated}"`);
  return rows.sort((a, b) => PLACES.indexOf(a.place) - PLACES.indexOf(b.place));
}
