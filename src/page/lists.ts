/**
 * The lists that the page shows: hot keys, big keys, the slow log and clients. Each is the reply to one command, as
 * JSON of bounded size.
 *
 * @module
 */

import type { Value } from "../client/client.ts";
import { toBytes, toInteger, toItems, toWord } from "../client/convert.ts";
import {
  PAGE_CLIENTS_MAX_COUNT,
  PAGE_ITEM_MAX_BYTES,
  PAGE_SLOW_ENTRIES_MAX_COUNT,
  PAGE_TOP_KEYS_MAX_COUNT,
} from "../limits.ts";
import type { ClientRow, KeyRow, SlowRow } from "./data.ts";
import type { PageCommands } from "./page_commands.ts";

/** Returns the hottest keys. */
export async function hotKeys(commands: PageCommands): Promise<{ keys: KeyRow[] }> {
  const rows = toItems(await commands.run("hotkeys", PAGE_TOP_KEYS_MAX_COUNT)).map(toItems);
  return {
    keys: rows.map(([name = null, perSecond = null]) => {
      return { name: toBytes(name).toBase64(), perSecond: toInteger(perSecond) };
    }),
  };
}

/** Returns the biggest keys. */
export async function bigKeys(commands: PageCommands): Promise<{ keys: KeyRow[] }> {
  const rows = toItems(await commands.run("bigkeys", PAGE_TOP_KEYS_MAX_COUNT)).map(toItems);
  return {
    keys: rows.map(([name = null, bytes = null, elements = null, type = null]) => ({
      name: toBytes(name).toBase64(),
      sizeBytes: toInteger(bytes),
      elements: toInteger(elements),
      type: toWord(type),
    })),
  };
}

/** Returns the newest entries of the slow log. */
export async function slowLog(commands: PageCommands): Promise<{ entries: SlowRow[] }> {
  const entries = toItems(await commands.run("slowlog", "get", PAGE_SLOW_ENTRIES_MAX_COUNT)).map(toItems);
  return { entries: entries.map(slowRow) };
}

function slowRow(
  [id = null, time = null, duration = null, words = null, client = null, name = null]: Value[],
): SlowRow {
  const [seconds, durationUs] = [toInteger(time), toInteger(duration)];
  const address = toWord(client);
  return {
    // A proxy joins the entries of its servers, which count each for itself.
    id: `${toInteger(id)} ${seconds} ${durationUs} ${address}`,
    timeMs: seconds * 1000,
    durationUs,
    words: toItems(words).map((word) => toBytes(word).subarray(0, PAGE_ITEM_MAX_BYTES).toBase64()),
    client: address,
    name: toWord(name),
  };
}

/** Returns the clients that hold the most memory, and how many there are. */
export async function clients(commands: PageCommands): Promise<{ count: number; clients: ClientRow[] }> {
  const rows = (await commands.clients()).map(clientRow);
  const { length } = rows;
  rows.sort((a, b) => b.memoryBytes - a.memoryBytes);
  return { count: length, clients: rows.slice(0, PAGE_CLIENTS_MAX_COUNT) };
}

/** The meanings of the flags of `client list`. */
const FLAGS: Readonly<Record<string, string>> = {
  P: "subscribed",
  x: "in a transaction",
  b: "waits for an element",
  e: "not evicted",
  T: "touches nothing",
  O: "monitors",
};

function clientRow(facts: ReadonlyMap<string, string>): ClientRow {
  const text = (name: string) => facts.get(name) ?? "";
  const states = [...text("flags")].map((flag) => FLAGS[flag] ?? "").filter((state) => state !== "");
  return {
    id: text("id"),
    address: text("addr"),
    name: text("name"),
    command: text("cmd").replace("|", " "),
    ageS: Number(text("age")),
    idleS: Number(text("idle")),
    memoryBytes: Number(text("tot-mem")),
    protocol: text("resp") === "0" ? "native" : `RESP${text("resp")}`,
    library: `${text("lib-name")} ${text("lib-ver")}`.trim(),
    state: states.join(", "),
  };
}
