/**
 * Reads all keys of an RDB file, or of another format, for tests.
 *
 * @module
 */

import { ByteSource } from "../../src/transfer/byte_source.ts";
import { CsvReader } from "../../src/transfer/csv_reader.ts";
import { type EntryReader, NO_DEADLINE, Step } from "../../src/transfer/entry_reader.ts";
import { JsonLinesReader } from "../../src/transfer/json_lines_reader.ts";
import { Crc64 } from "../../src/transfer/rdb/crc64.ts";
import { RdbReader } from "../../src/transfer/rdb/rdb_reader.ts";
import type { Span } from "../../src/transfer/span.ts";

/** A key of a file. Text has one character for each byte. */
export interface Entry {
  readonly key: string;
  readonly type: string;
  /** A string, the elements, or the fields. A string in parts has several. */
  readonly value: string | string[] | Record<string, string>;
  readonly deadlineMs?: number;
  readonly database?: number;
}

function text({ bytes, start, length }: Span): string {
  let result = "";
  for (let i = start; i < start + length; i++) result += String.fromCharCode(bytes[i]!);
  return result;
}

/** Reads bytes in parts of a size, so that values are cut anywhere. */
export function partsOf(bytes: Uint8Array, size: number): { read(target: Uint8Array): Promise<number | null> } {
  let at = 0;
  return {
    read: (target) => {
      if (at === bytes.length) return Promise.resolve(null);
      const count = Math.min(size, target.length, bytes.length - at);
      target.set(bytes.subarray(at, at + count));
      at += count;
      return Promise.resolve(count);
    },
  };
}

/** The choices of reading an RDB file. */
export interface ReadingOptions {
  /** The size of the parts that are read. */
  readonly partBytes?: number;
  readonly isVerified?: boolean;
  readonly dropFieldDeadlines?: boolean;
}

/** Returns a reader of an RDB file. */
export function rdbReader(bytes: Uint8Array, options: ReadingOptions = {}): RdbReader {
  const { partBytes = Infinity, isVerified = true, dropFieldDeadlines = false } = options;
  const checksum = isVerified ? new Crc64() : undefined;
  const source = new ByteSource("test", partsOf(bytes, partBytes), (used, length) => checksum?.add(used, 0, length));
  return new RdbReader(source, { checksum, dropFieldDeadlines });
}

/** Returns a reader of a text format. */
export function textReader(format: "jsonl" | "csv", bytes: Uint8Array, partBytes = Infinity): EntryReader {
  const source = new ByteSource("test", partsOf(bytes, partBytes));
  return format === "csv" ? new CsvReader(source) : new JsonLinesReader(source);
}

/**
 * Reads all keys.
 *
 * @returns the keys in order, with the unsupported ones as texts
 */
export async function readEntries(reader: EntryReader): Promise<(Entry | string)[]> {
  const entries: (Entry | string)[] = [];
  let parts: [field: string, value: string][] = [];
  for (;;) {
    switch (reader.next()) {
      case Step.NeedsInput:
        await reader.advance();
        break;
      case Step.String:
        entries.push(entryOf(reader, text(reader.value)));
        break;
      case Step.Begin:
        parts = [];
        break;
      case Step.Part:
        parts.push([text(reader.field), text(reader.value)]);
        break;
      case Step.End:
        entries.push(
          entryOf(reader, reader.type === "hash" ? Object.fromEntries(parts) : parts.map(([, value]) => value)),
        );
        break;
      case Step.Unsupported:
        entries.push(`${reader.unsupported}: ${text(reader.key)}`);
        break;
      case Step.Done:
        return entries;
    }
  }
}

function entryOf(reader: EntryReader, value: Entry["value"]): Entry {
  const { type, deadlineMs, database } = reader;
  return {
    key: text(reader.key),
    type,
    value,
    ...deadlineMs === NO_DEADLINE ? {} : { deadlineMs },
    ...database === 0 ? {} : { database },
  };
}
