/**
 * Reads CSV as in RFC 4180: a row for each string, element and field.
 *
 * ```text
 * key,type,expires_at,field,value
 * greeting,string,,,hello
 * session:1,hash,1796092228002,user,7
 * queue,list,,,"a, b"
 * queue,list,,,"say ""c"""
 * ```
 *
 * - The first row names the columns, in any order. `key` and `value` are necessary; without `type` all are strings.
 *   `ttl_ms` may be used instead of `expires_at`.
 * - Rows of a list, set or hash follow each other.
 * - Fields are bytes. One with a comma, a quote or the end of a line is in quotes, and a quote in it is doubled.
 * - A row ends with LF or CRLF. Empty rows are passed over.
 *
 * @module
 */

import { decodeText, parseInteger } from "../bytes.ts";
import { LINE_SIZE_MAX_BYTES } from "../limits.ts";
import { type ByteSource, SHORT } from "./byte_source.ts";
import { InputError, NO_DEADLINE, Step, type ValueType } from "./entry_reader.ts";
import { Span } from "./span.ts";
import { TextReader } from "./text_reader.ts";
import { tooLarge } from "./value_sizes.ts";

const [LF, CR, QUOTE, COMMA] = [0x0a, 0x0d, 0x22, 0x2c];

/** The columns that a file may have. */
const COLUMNS = ["key", "type", "expires_at", "ttl_ms", "field", "value"] as const;
type Column = typeof COLUMNS[number];

const TYPES: readonly string[] = ["string", "list", "set", "hash"];

/** Something is wrong in the present row. */
class RowError extends Error {}

/** Reads a file of CSV. */
export class CsvReader extends TextReader {
  /** The columns in the order of the file; empty until the first row is read. */
  #columns: readonly string[] = [];
  /** The fields of the present row, of which the first {@linkcode #fieldCount} are used. */
  readonly #fields: Span[] = [];
  #fieldCount = 0;
  /** The fields by column; a column that the file does not have is empty. */
  readonly #row: Readonly<Record<Column, Span>> = {
    key: new Span(),
    type: new Span(),
    expires_at: new Span(),
    ttl_ms: new Span(),
    field: new Span(),
    value: new Span(),
  };
  /** The number of lines before the present row, and that of the lines in it. */
  #line = 0;
  #rowLines = 0;
  /** Whether the present row is not used yet. */
  #hasRow = false;
  #rowType: ValueType = "string";
  /** Whether the value of the present key has not ended. */
  #isOpen = false;

  constructor(source: ByteSource) {
    super(source, `The row has more than ${LINE_SIZE_MAX_BYTES} bytes; perhaps a quote is not closed`);
  }

  protected override get nextLine(): number {
    return this.#line + 1;
  }

  override next(): Step {
    const { at } = this.source;
    try {
      return this.#step();
    } catch (error) {
      if (error === SHORT) return Step.NeedsInput;
      if (!(error instanceof RowError)) throw error;
      this.source.at = at;
      throw new InputError(`The row cannot be used: ${error.message}`, this.describe(this.#line + 1), { cause: error });
    }
  }

  #step(): Step {
    if (this.#columns.length === 0) this.#readHeader();
    if (!this.#hasRow && !this.#readRow()) {
      if (!this.#isOpen) return Step.Done;
      this.#isOpen = false;
      return Step.End;
    }
    const row = this.#row;
    if (this.#isOpen) {
      if (this.#rowType !== this.type || !row.key.equals(this.key)) {
        this.#isOpen = false;
        return Step.End;
      }
      return this.#use(Step.Part);
    }
    this.type = this.#rowType;
    this.keyLine = this.#line + 1;
    this.key.point(row.key.bytes, row.key.start, row.key.length);
    this.deadlineMs = this.#deadline();
    if (this.type === "string") return this.#use(Step.String);
    this.key.keep();
    this.#isOpen = true;
    return Step.Begin;
  }

  /** Uses the value of the present row. */
  #use(step: Step): Step {
    const { field, value } = this.#row;
    this.field.point(field.bytes, field.start, field.length);
    this.value.point(value.bytes, value.start, value.length);
    const problem = tooLarge(this);
    if (problem !== undefined) throw new RowError(problem);
    this.#hasRow = false;
    this.#line += this.#rowLines;
    return step;
  }

  #readHeader(): void {
    const { bytes, at, end } = this.source;
    if (end - at >= 3 && bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) this.source.at += 3;
    if (!this.#readFields()) throw new RowError("the input is empty: expected a row with the names of the columns");
    const names = this.#fields.slice(0, this.#fieldCount).map((field) => field.text().trim().toLowerCase());
    for (const [index, name] of names.entries()) {
      if (!(COLUMNS as readonly string[]).includes(name)) {
        throw new RowError(`column "${name.slice(0, 64)}" is unknown: expected some of ${COLUMNS.join(", ")}`);
      }
      if (names.indexOf(name) !== index) throw new RowError(`column "${name}" is there twice`);
    }
    for (const name of ["key", "value"]) {
      if (!names.includes(name)) throw new RowError(`column "${name}" is missing in the first row`);
    }
    this.#columns = names;
    this.#line += this.#rowLines;
  }

  /** Reads the next row that is not empty; returns `false` at the end of the input. */
  #readRow(): boolean {
    for (;;) {
      if (!this.#readFields()) return false;
      if (this.#fieldCount > 1 || this.#fields[0]!.length > 0) break;
      this.#line += this.#rowLines;
    }
    const columns = this.#columns;
    if (this.#fieldCount !== columns.length) {
      throw new RowError(`it has ${this.#fieldCount} fields, and the first row has ${columns.length}`);
    }
    for (const [index, name] of columns.entries()) {
      const { bytes, start, length } = this.#fields[index]!;
      this.#row[name as Column].point(bytes, start, length);
    }
    const { type, field } = this.#row;
    const name = type.length === 0 ? "string" : type.text();
    if (!TYPES.includes(name)) throw new RowError(`its type is "${name.slice(0, 64)}": expected ${TYPES.join(", ")}`);
    if (field.length > 0 && name !== "hash") throw new RowError(`it has a field, and its type is ${name}`);
    this.#rowType = name as ValueType;
    this.#hasRow = true;
    return true;
  }

  /** Reads the fields of a row; returns `false` at the end of the input. */
  #readFields(): boolean {
    const source = this.source;
    const start = source.at;
    const { bytes, end } = source;
    if (start === end) {
      if (!source.isEnded) source.short(1);
      return false;
    }
    this.#fieldCount = 0;
    this.#rowLines = 0;
    for (let at = start;;) {
      const field = this.#fields[this.#fieldCount++] ??= new Span();
      at = bytes[at] === QUOTE && at < end ? this.#quoted(field, at + 1, start) : this.#plain(field, at, start);
      if (at < end && bytes[at] === COMMA) {
        at++;
        continue;
      }
      if (at < end && bytes[at] === CR) at++;
      if (at < end) at++;
      source.at = at;
      this.#rowLines++;
      return true;
    }
  }

  /** Reads a field without quotes, and returns where it ends. */
  #plain(field: Span, start: number, rowStart: number): number {
    const { bytes, end } = this.source;
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === COMMA || byte === LF) break;
      if (byte === CR && this.#isLineEnd(at, rowStart)) break;
      if (byte === QUOTE) throw this.#quoteError("has a quote, and does not begin with one");
    }
    if (at === end && !this.source.isEnded) this.source.shortFrom(rowStart);
    field.point(bytes, start, at - start);
    return at;
  }

  /** Reads a field after its quote, and returns where it ends. */
  #quoted(field: Span, start: number, rowStart: number): number {
    const { bytes, end } = this.source;
    let quoteCount = 0;
    let at = start;
    for (;; at += 2) {
      at = this.#indexOf(QUOTE, at, rowStart);
      if (at + 1 === end && !this.source.isEnded) this.source.shortFrom(rowStart);
      if (at + 1 === end || bytes[at + 1] !== QUOTE) break;
      quoteCount++;
    }
    for (let lf = bytes.indexOf(LF, start); lf >= 0 && lf < at; lf = bytes.indexOf(LF, lf + 1)) this.#rowLines++;
    const next = at + 1;
    const isEnd = next === end || bytes[next] === COMMA || bytes[next] === LF || this.#isLineEnd(next, rowStart);
    if (!isEnd) throw this.#quoteError("goes on after its quote");
    if (quoteCount === 0) field.point(bytes, start, at - start);
    else unescape(field, bytes, start, at, quoteCount);
    return next;
  }

  /** Returns the place of the next byte of a kind, which there must be in a quoted field. */
  #indexOf(byte: number, at: number, rowStart: number): number {
    const source = this.source;
    const found = source.bytes.indexOf(byte, at);
    if (found >= 0 && found < source.end) return found;
    if (!source.isEnded) source.shortFrom(rowStart);
    throw this.#quoteError("begins with a quote that is never closed");
  }

  /** Returns whether a CR with a LF is at a place. */
  #isLineEnd(at: number, rowStart: number): boolean {
    const { bytes, end, isEnded } = this.source;
    if (bytes[at] !== CR) return false;
    if (at + 1 === end && !isEnded) this.source.shortFrom(rowStart);
    return at + 1 === end || bytes[at + 1] === LF;
  }

  #quoteError(problem: string): RowError {
    const index = this.#fieldCount - 1;
    const name = this.#columns[index];
    return new RowError(`field ${index + 1}${name === undefined ? "" : ` (${name})`} ${problem}`);
  }

  #deadline(): number {
    const { expires_at, ttl_ms } = this.#row;
    if (expires_at.length > 0 && ttl_ms.length > 0) throw new RowError("it has expires_at and ttl_ms");
    if (expires_at.length > 0) return milliseconds("expires_at", expires_at);
    return ttl_ms.length > 0 ? this.startMs + milliseconds("ttl_ms", ttl_ms) : NO_DEADLINE;
  }
}

function milliseconds(name: string, { bytes, start, length }: Span): number {
  const ms = parseInteger(bytes, start, length);
  if (ms >= 0) return ms;
  throw new RowError(`its ${name} is "${decodeText(bytes, start, Math.min(length, 64))}": expected whole milliseconds`);
}

/** Copies a field, in which each quote is doubled. */
function unescape(field: Span, bytes: Uint8Array, start: number, end: number, quoteCount: number): void {
  const target = field.own(end - start - quoteCount);
  let to = 0;
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!;
    if (byte === QUOTE) from++;
    target[to++] = byte;
  }
}
