/**
 * Reads a whole file before it is imported, so that a fault in it changes nothing.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { UsageError } from "../errors.ts";
import { DATABASES_NAMED_MAX_COUNT } from "../limits.ts";
import { formatCount } from "../terminal/progress.ts";
import { type EntryReader, InputError, Step } from "./entry_reader.ts";
import { nameOf, timesOf } from "./import_report.ts";

/** The contents of a file. */
export interface Contents {
  /** The number of keys that inmem has, by database. */
  readonly keys: ReadonlyMap<number, number>;
  /** The databases with something that was left out, since inmem does not have it. */
  readonly skipped: ReadonlySet<number>;
}

/** The values of a file that cannot be imported. */
class Unsupported {
  readonly #counts = new Map<string, number>();
  #first: { name: string; key: Uint8Array; where: string } | undefined;

  add(reader: EntryReader): void {
    const { unsupported: name } = reader;
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.#first ??= { name, key: reader.key.copy(), where: reader.describe(reader.keyPosition) };
  }

  /** @throws {InputError} unless nothing was added */
  refuse(): void {
    if (this.#first === undefined) return;
    const counts = [...this.#counts].map(([name, count]) => timesOf(name, count)).join(", ");
    const { name, key, where } = this.#first;
    const first = key.length > 0 ? `key ${nameOf(key)} is ${name}` : name;
    throw new InputError(
      `Cannot import what inmem does not have (${counts}): --skip-unsupported leaves it out; the first: ${first}`,
      where,
    );
  }
}

/**
 * Reads all keys.
 *
 * @param database the database that is imported; `undefined` for all
 * @param skipsUnsupported whether what inmem does not have is left out
 * @throws {InputError} when the file is damaged, or contains what cannot be imported
 */
export async function verifyEntries(
  reader: EntryReader,
  database: number | undefined,
  skipsUnsupported: boolean,
): Promise<Contents> {
  const keys = new Map<number, number>();
  const skipped = new Set<number>();
  const unsupported = new Unsupported();
  let count = 0;
  let present = reader.database;
  for (;;) {
    const step = reader.next();
    if (reader.database !== present) {
      if (count > 0) keys.set(present, (keys.get(present) ?? 0) + count);
      count = 0;
      present = reader.database;
    }
    switch (step) {
      case Step.String:
      case Step.Begin:
        count++;
        break;
      case Step.NeedsInput:
        await reader.advance();
        break;
      case Step.Unsupported:
        if (skipsUnsupported) skipped.add(reader.database);
        else if (database === undefined || reader.database === database) unsupported.add(reader);
        break;
      case Step.Done:
        if (count > 0) keys.set(present, (keys.get(present) ?? 0) + count);
        unsupported.refuse();
        return { keys, skipped };
    }
  }
}

/**
 * Chooses the database that is imported.
 *
 * @param choice the value of `--db`
 * @returns `undefined` for all
 * @throws {UsageError} when the choice is not a number
 */
export function parseDatabase(choice: string | undefined): number | undefined {
  if (choice === undefined || choice === "all") return undefined;
  if (!/^[0-9]{1,9}$/.test(choice)) throw new UsageError(`Cannot use --db "${choice}": expected a number, or "all"`);
  return Number(choice);
}

/** Returns text for a message: databases with their numbers of keys. */
export function describeDatabases({ keys }: Pick<Contents, "keys">): string {
  const parts = [...keys].sort(([a], [b]) => a - b).map(([db, count]) => `${formatCount(count)} in database ${db}`);
  const more = parts.length - DATABASES_NAMED_MAX_COUNT;
  return more <= 0
    ? parts.join(", ")
    : `${parts.slice(0, DATABASES_NAMED_MAX_COUNT).join(", ")}, and some in ${formatCount(more)} others`;
}

/**
 * Refuses a database that is not in a file. Database 0 of a file without keys is there, since Redis always has one.
 *
 * @param keys the number of keys by database
 * @param where the file
 * @throws {InputError}
 */
export function refuseAbsentDatabase(database: number, keys: ReadonlyMap<number, number>, where: string): void {
  if (database === 0 && keys.size === 0) return;
  const found = keys.size === 0 ? "there are no keys" : `there are ${describeDatabases({ keys })}`;
  throw new InputError(`Cannot use --db ${database}: the file has no such database; ${found}`, where);
}

/** The first bytes of the formats that have such. */
export function formatOf(start: Uint8Array): "rdb" | "jsonl" | "csv" {
  const text = decodeText(start).replace(/^\ufeff/, "").trimStart();
  if (/^(REDIS|VALKEY)/.test(text)) return "rdb";
  return text.startsWith("{") ? "jsonl" : "csv";
}
