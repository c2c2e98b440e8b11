/**
 * `--big-keys` and `--mem-keys`: a walk through all keys that measures each and keeps the largest.
 *
 * ```text
 *                        page of names ──► type of each ──► size of each ──► KeySurvey
 * --big-keys   bytes of a string; elements of a list, hash or set
 * --mem-keys   the memory that the server needs for the key
 * ```
 *
 * The requests of a page are in flight together. A key that is removed between two of them is left out. What the walk
 * keeps is bounded: sums for each type, and the largest keys with the beginning of their names.
 *
 * @module
 */

import { decodeText } from "../../bytes.ts";
import type { Client, Value } from "../../client/client.ts";
import { ReplyError } from "../../errors.ts";
import { SHOWN_KEY_MAX_BYTES } from "../../limits.ts";
import { type KeyName, keyPages, type KeySelection } from "./key_pages.ts";
import type { LiveView } from "./live_view.ts";

/** How a survey measures keys. */
export type Measure = "elements" | "memory";

/** The command that returns the size of a key, and the unit, by type. */
const SIZES: Readonly<Record<string, { readonly command: string; readonly unit: string }>> = {
  string: { command: "strlen", unit: "bytes" },
  list: { command: "llen", unit: "elements" },
  hash: { command: "hlen", unit: "fields" },
  set: { command: "scard", unit: "members" },
};

/** The name and size of a key. The name is cut if it is very long. */
export interface SizedKey {
  readonly name: KeyName;
  readonly type: string;
  readonly size: number;
}

/** The facts that a survey has of the keys of one type. */
export interface TypeSummary {
  readonly type: string;
  /** The unit of the sizes. */
  readonly unit: string;
  readonly count: number;
  /** The sum of the sizes. */
  readonly total: number;
  /** The largest keys, the largest first. */
  readonly largest: readonly SizedKey[];
}

/** The largest keys of those that were measured so far. */
export class KeySurvey {
  readonly #measure: Measure;
  readonly #topCount: number;
  readonly #types = new Map<string, { count: number; total: number; top: TopKeys }>();
  #namesBytes = 0;
  #count = 0;

  /** @param topCount how many keys are kept for each type */
  constructor(measure: Measure, topCount: number) {
    this.#measure = measure;
    this.#topCount = topCount;
  }

  /** The number of keys that were measured. */
  get count(): number {
    return this.#count;
  }

  /** The size of all names, in bytes. */
  get namesBytes(): number {
    return this.#namesBytes;
  }

  /** Adds a key. */
  add(name: KeyName, type: string, size: number): void {
    let summary = this.#types.get(type);
    if (summary === undefined) {
      this.#types.set(type, summary = { count: 0, total: 0, top: new TopKeys(this.#topCount) });
    }
    summary.count++;
    summary.total += size;
    summary.top.add(name, type, size);
    this.#namesBytes += name.length;
    this.#count++;
  }

  /** Returns what is known of each type, the one with the most keys first. */
  summaries(): TypeSummary[] {
    const all = [...this.#types].map(([type, { count, total, top }]): TypeSummary => {
      const unit = this.#measure === "memory" ? "bytes" : SIZES[type]?.unit ?? "bytes";
      return { type, unit, count, total, largest: top.keys };
    });
    return all.sort((one, other) => other.count - one.count);
  }

  /** Returns the largest keys of all types. It is meaningful if all types have the same unit. */
  largest(): SizedKey[] {
    const top = new TopKeys(this.#topCount);
    for (const { largest } of this.summaries()) for (const { name, type, size } of largest) top.add(name, type, size);
    return [...top.keys];
  }
}

/** The largest of many keys. */
class TopKeys {
  /** The keys, the largest first. */
  readonly keys: SizedKey[] = [];
  readonly #maxCount: number;

  constructor(maxCount: number) {
    this.#maxCount = maxCount;
  }

  add(name: KeyName, type: string, size: number): void {
    const { keys } = this;
    if (keys.length === this.#maxCount && size <= keys.at(-1)!.size) return;
    // `scan` may return a key twice.
    if (keys.some((key) => key.size === size && equals(key.name, name))) return;
    let place = keys.length;
    while (place > 0 && keys[place - 1]!.size < size) place--;
    // The page that the name is a part of is not kept with it.
    keys.splice(place, 0, { name: name.slice(0, SHOWN_KEY_MAX_BYTES), type, size });
    if (keys.length > this.#maxCount) keys.pop();
  }
}

function equals(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/**
 * Measures keys until there are no more or the view's tool shall end.
 *
 * @throws what {@linkcode keyPages} throws
 */
export async function surveyKeys(
  client: Client,
  survey: KeySurvey,
  measure: Measure,
  selection: KeySelection,
  view: LiveView,
): Promise<void> {
  for await (const keys of keyPages(client, selection, view)) {
    const measuring = measurePage(client, keys, measure);
    const measured = await view.orStopped(measuring);
    if (measured === undefined) return;
    for (const { name, type, size } of measured) survey.add(name, type, size);
  }
}

async function measurePage(client: Client, keys: readonly KeyName[], measure: Measure): Promise<SizedKey[]> {
  const types = await Promise.all(keys.map((key) => client.send(["type", key])));
  const measured = await Promise.all(keys.map(async (name, index): Promise<SizedKey | undefined> => {
    const type = textOf(types[index]!);
    if (type === "none") return undefined;
    const size = await sizeOf(client, name, type, measure);
    return size === undefined ? undefined : { name, type, size };
  }));
  return measured.filter((key) => key !== undefined);
}

/** Returns the size of a key; `undefined` when there is no such key any more. */
async function sizeOf(
  client: Client,
  name: KeyName,
  type: string,
  measure: Measure,
): Promise<number | undefined> {
  const command = measure === "memory" ? undefined : SIZES[type]?.command;
  try {
    const reply = await client.send(command === undefined ? ["memory", "usage", name] : [command, name]);
    return reply === null ? undefined : Number(reply);
  } catch (error) {
    // The key has been replaced by one of another type since.
    if (error instanceof ReplyError && error.code === "WRONGTYPE") return undefined;
    throw error;
  }
}

function textOf(value: Value): string {
  return value instanceof Uint8Array ? decodeText(value) : String(value);
}
