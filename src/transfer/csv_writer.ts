/**
 * Writes CSV, as `csv_reader.ts` describes it. Fields are bytes, so a value that is not UTF-8 is written as it is.
 *
 * @module
 */

import { encodeText, enlarge } from "../bytes.ts";
import type { ExportedKey, ExportedPart, KeyWriter } from "./key_writer.ts";

const [LF, CR, QUOTE, COMMA, SPACE] = [0x0a, 0x0d, 0x22, 0x2c, 0x20];
const INITIAL_BYTES = 1024;

/** Writes CSV. */
export class CsvWriter implements KeyWriter {
  readonly header = "key,type,expires_at,field,value\n";
  readonly stringPartMaxBytes = undefined;

  format({ key, type, deadlineMs }: ExportedKey, parts: readonly ExportedPart[]): Uint8Array {
    const middle = encodeText(`,${type},${deadlineMs ?? ""},`);
    const buffer = new RowBuffer();
    for (const { field, value } of parts) {
      buffer.field(key);
      buffer.plain(middle);
      if (field !== undefined) buffer.field(field);
      buffer.byte(COMMA);
      buffer.field(value);
      buffer.byte(LF);
    }
    return buffer.bytes();
  }
}

/** Collects rows. */
class RowBuffer {
  #buffer: Uint8Array = new Uint8Array(INITIAL_BYTES);
  #length = 0;

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  byte(byte: number): void {
    this.#reserve(1);
    this.#buffer[this.#length++] = byte;
  }

  plain(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends a field, in quotes if it needs them. */
  field(bytes: Uint8Array): void {
    if (!needsQuotes(bytes)) return this.plain(bytes);
    this.#reserve(2 * bytes.length + 2);
    const buffer = this.#buffer;
    let at = this.#length;
    buffer[at++] = QUOTE;
    for (const byte of bytes) {
      if (byte === QUOTE) buffer[at++] = QUOTE;
      buffer[at++] = byte;
    }
    buffer[at++] = QUOTE;
    this.#length = at;
  }

  #reserve(size: number): void {
    const needed = this.#length + size;
    if (needed > this.#buffer.length) this.#buffer = enlarge(this.#buffer, this.#length, needed);
  }
}

/** Blanks at the ends need quotes, too, because other readers of CSV drop them. So does nothing at all as a key. */
function needsQuotes(bytes: Uint8Array): boolean {
  if (bytes.length === 0) return true;
  if (bytes[0]! <= SPACE || bytes.at(-1)! <= SPACE || bytes[0] === BOM_START) return true;
  for (const byte of bytes) if (byte === COMMA || byte === QUOTE || byte === LF || byte === CR) return true;
  return false;
}

const BOM_START = 0xef;
