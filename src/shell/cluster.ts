/**
 * `cluster`: the servers behind a proxy, as a table, once or again and again.
 *
 * | typed | does |
 * |---|---|
 * | `cluster` | prints the table, or with `--json` one line |
 * | `cluster --watch [SECONDS]` | shows it every second, or at that interval, until Ctrl-C |
 *
 * All facts come from the proxy's `info cluster`.
 *
 * @module
 */

import type { Client } from "../client/client.ts";
import { ConnectionError, UsageError } from "../errors.ts";
import { LIVE_INTERVAL_MAX_MS, LIVE_INTERVAL_MIN_MS } from "../limits.ts";
import { parseDuration } from "../role/quantities.ts";
import { type Colours, NO_COLOURS } from "../terminal/colours.ts";
import { printableLine } from "../terminal/printable_text.ts";
import { toJson } from "./format.ts";
import type { Format } from "./format.ts";
import { type Asker, askFreshServers, askServers, type ServerRow } from "./live/cluster_facts.ts";
import { clusterLines } from "./live/cluster_table.ts";
import { cutEnd } from "./live/columns.ts";
import { type LiveView, repeat } from "./live/live_view.ts";
import { textsOf, type Words } from "./live/live_words.ts";

const WATCH_DEFAULT_MS = 1_000;

/** The request that the words after `cluster` make. */
interface ClusterRequest {
  readonly json: boolean;
  /** How often the table is shown again; `undefined` for once. */
  readonly watchMs: number | undefined;
}

/**
 * Returns the table, including its last newline; in JSON one line.
 *
 * @param words the command as it was typed; it accepts `--json`, since it is written like a program's
 * @param width the columns of the terminal; `Infinity` for all columns
 * @throws {UsageError} when there are other arguments
 * @throws {ReplyError} when the client's server is not a proxy, or refuses
 */
export async function clusterText(
  client: Asker,
  words: Words,
  format: Format,
  width = Infinity,
  colours: Colours = NO_COLOURS,
): Promise<string> {
  const { json, watchMs } = requestOf(words);
  if (watchMs !== undefined) throw new UsageError("Cannot watch the cluster here: other commands would never run");
  const rows = await askFreshServers(client);
  if (json || format === "json") return `${toJson({ servers: rows })}\n`;
  return `${clusterLines(rows, width, colours).join("\n")}\n`;
}

/**
 * Shows the servers again and again, until the view's tool shall end. A lost connection is reported in the place of the
 * table, and made again.
 *
 * @throws {UsageError} as {@linkcode clusterText} does
 * @throws {ReplyError} as {@linkcode clusterText} does
 */
export async function watchCluster(client: Client, words: Words, view: LiveView): Promise<void> {
  const { json, watchMs = WATCH_DEFAULT_MS } = requestOf(words);
  await repeat(view, { intervalMs: watchMs }, async () => {
    const rows = await view.orStopped(
      askServers(client).catch((error) => {
        if (error instanceof ConnectionError) return error;
        throw error;
      }),
    );
    if (rows === undefined) return;
    const time = new Date().toISOString();
    if (json || view.format === "json") {
      view.print(toJson(rows instanceof Error ? { time, error: rows.message } : { time, servers: rows }));
    } else view.frames.show(frameOf(client.address, rows, time, view));
  });
}

function frameOf(address: string, rows: readonly ServerRow[] | Error, time: string, view: LiveView): string[] {
  const { colours, size: { columns } } = view;
  const ending = view.isTerminal ? "  Ctrl-C ends" : "";
  const title = `${time.slice(11, 19)}  ${printableLine(address)}${ending}`;
  const lines = rows instanceof Error
    ? [colours.paint("error", cutEnd(printableLine(rows.message), columns))]
    : clusterLines(rows, columns, colours);
  return [colours.paint("faint", cutEnd(title, columns)), ...lines];
}

/** @throws {UsageError} when the arguments are not options of `cluster` */
function requestOf(words: Words): ClusterRequest {
  const options = textsOf(words).slice(1);
  let json = false;
  let watchMs: number | undefined;
  for (let index = 0; index < options.length; index++) {
    const [, name, value] = /^--?([a-z]+)(?:=(.*))?$/.exec(options[index]!) ?? [];
    if (name === "json" && value === undefined && !json) json = true;
    else if (name === "watch" && watchMs === undefined) {
      const next = options[index + 1];
      const text = value ?? (next?.startsWith("-") ? undefined : options[++index]);
      const range = { min: LIVE_INTERVAL_MIN_MS, max: LIVE_INTERVAL_MAX_MS };
      watchMs = text === undefined ? WATCH_DEFAULT_MS : parseDuration(text, range);
    } else {
      throw new UsageError(
        'Cannot run "cluster" with these arguments: expected --json, --watch [SECONDS] or none, other options before it',
      );
    }
  }
  return { json, watchMs };
}
