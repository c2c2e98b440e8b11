/**
 * `--hot-keys`: the keys that most requests use, as the server counts them, once or again and again.
 *
 * @module
 */

import type { Client, Value } from "../../client/client.ts";
import { quote } from "../../terminal/printable_text.ts";
import { formatReply, toJson } from "../format.ts";
import { cutEnd } from "./columns.ts";
import { type Column, fittedTable } from "./fitted_table.ts";
import { type LiveView, type Pace, repeat } from "./live_view.ts";

const COLUMNS: readonly Column[] = [
  { heading: "requests/s", importance: 1, align: "right" },
  { heading: "key", importance: 0, align: "left", elastic: true },
];

/**
 * Shows the keys.
 *
 * @param pace how often; once without it
 * @throws {ReplyError} when the server refuses
 * @throws {ConnectionError} when the connection is lost
 */
export async function showHotKeys(
  client: Client,
  topCount: number,
  pace: Pace | undefined,
  view: LiveView,
): Promise<void> {
  const step = async () => {
    const reply = await view.orStopped(client.send(["hotkeys", topCount]));
    if (reply !== undefined) show(rowsOf(reply), client.address, pace !== undefined, view);
  };
  if (pace === undefined) await step();
  else await repeat(view, pace, step);
}

function rowsOf(reply: Value): { key: Value; perSecond: number }[] {
  const rows = Array.isArray(reply) ? reply : [];
  return rows.map((row) => {
    const [key = null, perSecond = 0] = Array.isArray(row) ? row : [];
    return { key, perSecond: Number(perSecond) };
  });
}

function show(
  rows: readonly { key: Value; perSecond: number }[],
  address: string,
  isRepeated: boolean,
  view: LiveView,
): void {
  const time = new Date().toISOString();
  if (view.format === "json") {
    const keys = rows.map(({ key, perSecond }) => {
      const name = new TextDecoder().decode(formatReply(key, "json")).trimEnd();
      return `{"key":${name},"requestsPerSecond":${perSecond}}`;
    });
    return view.print(`${toJson({ time }).slice(0, -1)},"keys":[${keys.join(",")}]}`);
  }
  const { colours, size: { columns } } = view;
  const cells = rows.map(({ key, perSecond }) => [
    { text: `${perSecond}` },
    { text: key instanceof Uint8Array ? quote(key) : String(key), style: "name" as const },
  ]);
  const lines = fittedTable(COLUMNS, cells, columns, colours);
  if (rows.length === 0) lines.push("no key is used often");
  if (!isRepeated) return view.print(...lines);
  const ending = view.isTerminal ? "  Ctrl-C ends" : "";
  view.frames.show([colours.paint("faint", cutEnd(`${time.slice(11, 19)}  ${address}${ending}`, columns)), ...lines]);
}
