/**
 * Reads all keys of a server or cluster with their values, and writes them to a file, in constant memory.
 *
 * ```text
 * scan ──► some hundred keys ──► type, deadline and size of each, pipelined
 *                                 │ small                        │ large
 *                                 ▼                              ▼
 *                        whole values, pipelined       one after another, in parts
 *                                 └──────────► file ◄────────────┘
 * ```
 *
 * A small value is read by one command, so it is one that the key had at some moment. A large one is read by several,
 * and may change in between. Keys that are removed or replaced by another type meanwhile are left out and counted.
 *
 * @module
 */

import type { Client, Value } from "../client/client.ts";
import { ReplyError } from "../errors.ts";
import { EXPORT_BATCH_BYTES, EXPORT_PART_BYTES, EXPORT_PARTS_MAX_COUNT, EXPORT_SCAN_COUNT } from "../limits.ts";
import type { ValueType } from "./entry_reader.ts";
import type { ExportedKey, ExportedPart, KeyWriter } from "./key_writer.ts";

/** The keys that are exported. */
export interface ExportOptions {
  /** A pattern, as in `scan`; `undefined` for all keys. */
  readonly match: string | undefined;
  readonly type: ValueType | undefined;
}

/** The counts of an export. */
export interface ExportCounts {
  /** The keys that were written. */
  exported: number;
  /** The keys that were removed or replaced while they were read. */
  vanished: number;
}

/** A key with the memory that it uses. */
interface MeasuredKey extends ExportedKey {
  readonly sizeBytes: number;
}

/**
 * Exports keys.
 *
 * @param write writes bytes to the file
 * @param counts is updated with each key
 * @throws {ReplyError} when the server refuses a command
 * @throws {ConnectionError} when the connection is lost
 */
export async function exportKeys(
  client: Client,
  writer: KeyWriter,
  options: ExportOptions,
  write: (bytes: Uint8Array) => Promise<void>,
  counts: ExportCounts,
): Promise<void> {
  await new Exporter(client, writer, write, counts).run(options);
}

class Exporter {
  readonly #client: Client;
  readonly #writer: KeyWriter;
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  readonly #counts: ExportCounts;

  constructor(client: Client, writer: KeyWriter, write: (bytes: Uint8Array) => Promise<void>, counts: ExportCounts) {
    this.#client = client;
    this.#writer = writer;
    this.#write = write;
    this.#counts = counts;
  }

  async run({ match, type }: ExportOptions): Promise<void> {
    if (this.#writer.header !== "") await this.#write(new TextEncoder().encode(this.#writer.header));
    const choice = [...match === undefined ? [] : ["match", match], ...type === undefined ? [] : ["type", type]];
    let cursor: Value = "0";
    do {
      const reply: Value = await this.#client.send(["scan", argument(cursor), "count", EXPORT_SCAN_COUNT, ...choice]);
      const [next, keys] = reply as [Value, Uint8Array[]];
      cursor = next;
      await this.#exportAll(keys);
    } while (textOf(cursor) !== "0");
  }

  async #exportAll(keys: readonly Uint8Array[]): Promise<void> {
    const measured = await Promise.all(keys.map((key) => this.#measure(key)));
    let batch: MeasuredKey[] = [];
    let batchBytes = 0;
    for (const key of measured) {
      if (key === undefined) {
        this.#counts.vanished++;
        continue;
      }
      if (key.sizeBytes > EXPORT_PART_BYTES) {
        await this.#exportLarge(key);
        continue;
      }
      if (batchBytes + key.sizeBytes > EXPORT_BATCH_BYTES) {
        await this.#exportSmall(batch);
        batch = [];
        batchBytes = 0;
      }
      batch.push(key);
      batchBytes += key.sizeBytes;
    }
    await this.#exportSmall(batch);
  }

  /** Returns a key with its facts; `undefined` when it does not exist any more. */
  async #measure(key: Uint8Array): Promise<MeasuredKey | undefined> {
    const client = this.#client;
    const [type, deadline, size] = await Promise.all([
      client.send(["type", key]),
      client.send(["pexpiretime", key]),
      client.send(["memory", "usage", key]),
    ]);
    const name = textOf(type);
    if (!isType(name) || typeof size !== "number" || typeof deadline !== "number") return undefined;
    return { key, type: name, deadlineMs: deadline < 0 ? undefined : deadline, sizeBytes: size };
  }

  async #exportSmall(keys: readonly MeasuredKey[]): Promise<void> {
    const values = await Promise.all(keys.map((key) => this.#whole(key)));
    for (const [index, key] of keys.entries()) {
      const parts = values[index]!;
      if (parts.length === 0) this.#counts.vanished++;
      else await this.#writeParts(key, parts, true, true);
    }
  }

  /** Returns the whole value; nothing when the key does not have it any more. */
  async #whole({ key, type }: MeasuredKey): Promise<ExportedPart[]> {
    try {
      switch (type) {
        case "string": {
          const value = await this.#client.send(["get", key]);
          return value === null ? [] : [{ value: value as Uint8Array }];
        }
        case "list":
          return elements(await this.#client.send(["lrange", key, 0, -1]));
        case "set":
          return elements(await this.#client.send(["smembers", key]));
        case "hash":
          return fields(await this.#client.send(["hgetall", key]));
      }
    } catch (error) {
      return nothingIfReplaced(error);
    }
  }

  async #exportLarge(key: MeasuredKey): Promise<void> {
    let isFirst = true;
    let pending: ExportedPart[] | undefined;
    for await (const parts of this.#inParts(key)) {
      // Only the next part shows whether this one is the last.
      if (pending !== undefined) {
        await this.#writeParts(key, pending, isFirst, false);
        isFirst = false;
      }
      pending = parts;
    }
    if (pending === undefined) this.#counts.vanished++;
    else await this.#writeParts(key, pending, isFirst, true);
  }

  async *#inParts(key: MeasuredKey): AsyncIterable<ExportedPart[]> {
    try {
      if (key.type === "string") yield* this.#stringParts(key);
      else if (key.type === "list") yield* this.#listParts(key);
      else yield* this.#scannedParts(key);
    } catch (error) {
      nothingIfReplaced(error);
    }
  }

  async *#stringParts(key: MeasuredKey): AsyncIterable<ExportedPart[]> {
    const partBytes = this.#writer.stringPartMaxBytes;
    if (partBytes === undefined) {
      const whole = await this.#whole(key);
      if (whole.length > 0) yield whole;
      return;
    }
    for (let at = 0;; at += partBytes) {
      const value = await this.#client.send(["getrange", key.key, at, at + partBytes - 1]) as Uint8Array;
      if (value.length > 0) yield [{ value }];
      if (value.length < partBytes) return;
    }
  }

  async *#listParts(key: MeasuredKey): AsyncIterable<ExportedPart[]> {
    const count = await this.#partCount(key, "llen");
    for (let at = 0;; at += count) {
      const parts = elements(await this.#client.send(["lrange", key.key, at, at + count - 1]));
      if (parts.length > 0) yield parts;
      if (parts.length < count) return;
    }
  }

  async *#scannedParts(key: MeasuredKey): AsyncIterable<ExportedPart[]> {
    const isHash = key.type === "hash";
    const count = await this.#partCount(key, isHash ? "hlen" : "scard");
    let cursor: Value = "0";
    do {
      const reply = await this.#client.send([isHash ? "hscan" : "sscan", key.key, argument(cursor), "count", count]);
      const [next, items] = reply as [Value, Value];
      const parts = isHash ? fields(items) : elements(items);
      if (parts.length > 0) yield parts;
      cursor = next;
    } while (textOf(cursor) !== "0");
  }

  /** Returns how many elements or fields make a part. */
  async #partCount({ key, sizeBytes }: MeasuredKey, command: string): Promise<number> {
    const count = Number(await this.#client.send([command, key]));
    const fitting = Math.floor(EXPORT_PART_BYTES / (sizeBytes / Math.max(1, count)));
    return Math.max(1, Math.min(EXPORT_PARTS_MAX_COUNT, fitting));
  }

  async #writeParts(key: ExportedKey, parts: ExportedPart[], isFirst: boolean, isLast: boolean): Promise<void> {
    await this.#write(this.#writer.format(key, parts, isFirst, isLast));
    if (isLast) this.#counts.exported++;
  }
}

function isType(name: string): name is ValueType {
  return name === "string" || name === "list" || name === "set" || name === "hash";
}

function argument(cursor: Value): string | Uint8Array {
  return cursor instanceof Uint8Array ? cursor : String(cursor);
}

function textOf(value: Value): string {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

function elements(value: Value): ExportedPart[] {
  return Array.isArray(value) ? value.map((element) => ({ value: element as Uint8Array })) : [];
}

/** Returns the fields of a hash, which come as a map or as a list in which fields and values alternate. */
function fields(value: Value): ExportedPart[] {
  if (value instanceof Map) {
    return [...value].map(([field, item]) => ({ field: field as Uint8Array, value: item as Uint8Array }));
  }
  if (!Array.isArray(value)) return [];
  const parts: ExportedPart[] = [];
  for (let i = 0; i + 1 < value.length; i += 2) {
    parts.push({ field: value[i] as Uint8Array, value: value[i + 1] as Uint8Array });
  }
  return parts;
}

/** Returns nothing when the key has another type now. */
function nothingIfReplaced(error: unknown): [] {
  if (error instanceof ReplyError && error.code === "WRONGTYPE") return [];
  throw error;
}
