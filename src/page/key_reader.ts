/**
 * The reading side of the key browser: it finds keys by a pattern, and returns values in parts of bounded size.
 *
 * @module
 */

import type { Value } from "../client/client.ts";
import { toBytes, toInteger, toItems, toWord } from "../client/convert.ts";
import {
  PAGE_ITEM_MAX_BYTES,
  PAGE_ITEMS_BYTES,
  PAGE_ITEMS_COUNT,
  PAGE_KEYS_COUNT,
  PAGE_SCAN_MAX_COUNT,
  PAGE_SCAN_MIN_COUNT,
  PAGE_SEARCH_MS,
  PAGE_STRING_MAX_BYTES,
} from "../limits.ts";
import type { FoundKeys, KeyFacts, KeyItem, KeyPart } from "./data.ts";
import type { PageCommands } from "./page_commands.ts";

/** The bytes that make a pattern match more than one key: `*`, `?`, `[` and `\`. */
const PATTERN_BYTES: readonly number[] = [0x2a, 0x3f, 0x5b, 0x5c];

/** A search for keys. */
export interface KeySearch {
  /** `0` to begin, or the cursor of the last result. */
  readonly cursor: string;
  /** The pattern. One without special characters is the name of a key, which is looked up without a scan. */
  readonly match: Uint8Array;
  /** The type of the values; empty for any. */
  readonly type: string;
}

/** Returns some of the keys that match, and where the search continues. It may find none and still continue. */
export async function findKeys(commands: PageCommands, { cursor, match, type }: KeySearch): Promise<FoundKeys> {
  if (!match.some((byte) => PATTERN_BYTES.includes(byte))) {
    const found = toWord(await commands.run("type", match));
    const fits = found !== "none" && (type === "" || found === type);
    return { cursor: "0", keys: fits ? [match.toBase64()] : [] };
  }
  const keys: string[] = [];
  const startedMs = performance.now();
  const ofType = type === "" ? [] : ["type", type];
  let count = PAGE_SCAN_MIN_COUNT;
  do {
    const [next = null, found = null] = toItems(
      await commands.run("scan", cursor, "match", match, "count", count, ...ofType),
    );
    cursor = wordOf(next);
    const names = toItems(found);
    for (const name of names) keys.push(toBytes(name).toBase64());
    // Names may be long, so a scan that finds many is short.
    count = names.length > 0 ? PAGE_SCAN_MIN_COUNT : Math.min(PAGE_SCAN_MAX_COUNT, count * 2);
  } while (cursor !== "0" && keys.length < PAGE_KEYS_COUNT && performance.now() - startedMs < PAGE_SEARCH_MS);
  return { cursor, keys };
}

/** Returns a cursor as text. It is an integer in the native protocol, unless it is beyond 2^53. */
function wordOf(value: Value): string {
  return typeof value === "number" || typeof value === "bigint" ? String(value) : toWord(value);
}

/** The command that returns the number of elements, by the type of a value. */
const LENGTH_COMMANDS: Readonly<Record<string, string>> = {
  string: "strlen",
  list: "llen",
  hash: "hlen",
  set: "scard",
};

/** Returns a key with the part of its value that begins at `cursor`, which is `0` for the first. */
export async function readKey(commands: PageCommands, name: Uint8Array, cursor: string): Promise<KeyFacts> {
  const type = toWord(await commands.run("type", name));
  const facts = { name: name.toBase64(), type, canEdit: commands.canEdit };
  const length = LENGTH_COMMANDS[type];
  if (length === undefined) return { ...facts, ...NOTHING };
  const [elements, ttlMs, size, encoding] = await Promise.all([
    commands.run(length, name).then(toInteger),
    commands.run("pttl", name).then(toInteger),
    commands.run("memory", "usage", name),
    commands.run("object", "encoding", name),
  ]);
  // The key may have expired meanwhile.
  if (size === null) return { ...facts, type: "none", ...NOTHING };
  const sizeBytes = toInteger(size);
  const part = await PARTS[type]!({ commands, name, cursor, elements, sizeBytes });
  return {
    ...facts,
    elements,
    ttlMs: ttlMs < 0 ? null : ttlMs,
    sizeBytes,
    encoding: encoding === null ? "" : toWord(encoding),
    part,
  };
}

const NOTHING = { ttlMs: null, sizeBytes: 0, encoding: "", elements: 0, part: { cursor: "0", items: [] } };

/** A value of which a part is read. */
interface ReadValue {
  readonly commands: PageCommands;
  readonly name: Uint8Array;
  readonly cursor: string;
  readonly elements: number;
  readonly sizeBytes: number;
}

/** The functions that read a part of a value, by its type. */
const PARTS: Readonly<Record<string, (value: ReadValue) => Promise<KeyPart>>> = {
  string: async ({ commands, name }) => {
    const bytes = toBytes(await commands.run("getrange", name, 0, PAGE_STRING_MAX_BYTES));
    const value = bytes.subarray(0, PAGE_STRING_MAX_BYTES).toBase64();
    return { cursor: bytes.length > PAGE_STRING_MAX_BYTES ? "more" : "0", items: [{ value }] };
  },
  list: async (value) => {
    const { commands, name, cursor, elements } = value;
    const start = Number.parseInt(cursor) || 0;
    const end = start + countFor(value);
    const items = toItems(await commands.run("lrange", name, start, end - 1));
    return {
      cursor: items.length > 0 && end < elements ? String(end) : "0",
      items: items.map((item, i): KeyItem => ({ index: start + i, ...cutValue(item) })),
    };
  },
  hash: async (value) => {
    const { next, items } = await scanPart("hscan", value);
    const pairs = Array.from({ length: items.length / 2 }, (_, i): KeyItem => {
      const field = cut(items[2 * i] ?? null);
      return { field: field.text, isFieldCut: field.isCut, ...cutValue(items[2 * i + 1] ?? null) };
    });
    return { cursor: next, items: pairs };
  },
  set: async (value) => {
    const { next, items } = await scanPart("sscan", value);
    return { cursor: next, items: items.map(cutValue) };
  },
};

async function scanPart(command: string, value: ReadValue): Promise<{ next: string; items: Value[] }> {
  const { commands, name, cursor } = value;
  const [next = null, found = null] = toItems(await commands.run(command, name, cursor, "count", countFor(value)));
  return { next: wordOf(next), items: found instanceof Map ? [...found].flat() : toItems(found) };
}

/** Returns how many elements to read at a time: fewer if they are large. */
function countFor({ elements, sizeBytes }: ReadValue): number {
  const perElement = sizeBytes / Math.max(1, elements);
  return Math.max(1, Math.min(PAGE_ITEMS_COUNT, Math.floor(PAGE_ITEMS_BYTES / perElement)));
}

function cutValue(item: Value): { value: string; isValueCut: boolean } {
  const { text, isCut } = cut(item);
  return { value: text, isValueCut: isCut };
}

function cut(item: Value): { text: string; isCut: boolean } {
  const bytes = toBytes(item);
  return { text: bytes.subarray(0, PAGE_ITEM_MAX_BYTES).toBase64(), isCut: bytes.length > PAGE_ITEM_MAX_BYTES };
}
