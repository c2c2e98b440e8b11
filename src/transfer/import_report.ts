/**
 * The report of an import: how many keys were imported and left out, and what is in doubt.
 *
 * The report is exact. A key counts as imported when the server has confirmed its last request, and no other does.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import { printableLine } from "../terminal/printable_text.ts";
import { formatCount } from "../terminal/progress.ts";

/** The counts of an import, in keys. */
export class ImportReport {
  /** Keys that the server has confirmed. */
  imported = 0;
  /** Keys that were left out, because they exist. */
  existing = 0;
  /** Keys that were left out, because their deadlines have passed. */
  expired = 0;
  /** Keys that were left out, because their values have no elements. */
  empty = 0;
  /** Keys of databases that were not chosen, by database. */
  readonly otherDatabases = new Map<number, number>();
  /** The number of values that were left out because inmem does not have their type, by type. */
  readonly unsupported = new Map<string, number>();
  /** The last key that was imported. */
  lastKey: Uint8Array | undefined;
  /** The key of which only a part was imported. */
  partialKey: Uint8Array | undefined;
  /** The keys whose requests were sent and not confirmed, because the connection was lost. */
  unconfirmed = 0;
  /** The first of these keys. */
  unconfirmedKey: Uint8Array | undefined;

  /** Counts what inmem does not have. */
  countUnsupported(name: string): void {
    this.unsupported.set(name, (this.unsupported.get(name) ?? 0) + 1);
  }

  /** Counts a key of a database that was not chosen. */
  countOther(database: number): void {
    this.otherDatabases.set(database, (this.otherDatabases.get(database) ?? 0) + 1);
  }

  /** Whether the chosen database has had anything. */
  get hasChosen(): boolean {
    return this.done > 0 || this.unsupported.size > 0;
  }

  /** The number of keys whose fate is known, for the progress line. */
  get done(): number {
    return this.imported + this.existing + this.expired + this.empty;
  }

  /** Returns the counts as a sentence, without its full stop. */
  text(): string {
    const parts = [`${countKeys(this.imported)} imported`];
    const left: string[] = [];
    if (this.existing > 0) left.push(`${formatCount(this.existing)} that exist`);
    if (this.expired > 0) left.push(`${formatCount(this.expired)} expired`);
    if (this.empty > 0) left.push(`${formatCount(this.empty)} without elements`);
    const other = this.otherDatabases.values().reduce((sum, count) => sum + count, 0);
    if (other > 0) left.push(`${formatCount(other)} of other databases`);
    for (const [name, count] of this.unsupported) left.push(timesOf(name, count));
    if (left.length > 0) parts.push(`left out: ${left.join(", ")}`);
    return parts.join("; ");
  }

  /** Returns sentences that say exactly what an import has done that did not come to its end. */
  partText(): string {
    const sentences = [`${this.text()}.`];
    if (this.lastKey !== undefined) sentences.push(`The last imported key is ${nameOf(this.lastKey)}.`);
    if (this.partialKey !== undefined) sentences.push(`Key ${nameOf(this.partialKey)} is imported in part.`);
    if (this.unconfirmedKey !== undefined) {
      const first = nameOf(this.unconfirmedKey);
      sentences.push(`Whether the next ${countKeys(this.unconfirmed)} are imported, from ${first} on, is not known.`);
    }
    return sentences.join(" ");
  }
}

/** Returns a number of keys as text. */
export function countKeys(count: number): string {
  return count === 1 ? "1 key" : `${formatCount(count)} keys`;
}

/** Returns what occurs several times as text, such as `a sorted set (3 times)`. */
export function timesOf(name: string, count: number): string {
  return count === 1 ? name : `${name} (${formatCount(count)} times)`;
}

const NAME_MAX_LENGTH = 64;

/** Returns a key in quotes, for a message. */
export function nameOf(key: Uint8Array): string {
  const text = printableLine(decodeText(key, 0, Math.min(key.length, 4 * NAME_MAX_LENGTH)));
  return text.length > NAME_MAX_LENGTH ? `"${text.slice(0, NAME_MAX_LENGTH)}…"` : `"${text}"`;
}
