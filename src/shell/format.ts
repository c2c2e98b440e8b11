/**
 * Formats replies for people and programs.
 *
 * | | human | raw | json |
 * |---|---|---|---|
 * | bytes | `"a b\x00"` | the bytes | `"a b"`, or `{"base64":"…"}` when they are not UTF-8 |
 * | nil | `(nil)` | an empty line | `null` |
 * | integer | `(integer) 3` | `3` | `3` |
 * | array | `1) "a"` and so on | a line each, none when empty | `["a"]` |
 * | map | `1) "f" => "v"` | a line each, field and value in turn | `{"f":"v"}` |
 * | a status of the server | `OK` | `OK` | `"OK"` |
 * | text in lines, such as `info` | its lines | its bytes | `"a:1\r\n…"` |
 * | rows, as of `bigkeys` | a table under the names of its columns | a line each, item after item | `[["a",3]]` |
 * | refused | `(error) ERR why` | `ERR why`, on standard error | `{"error":{"code":"ERR","message":"why"}}` |
 * | refused in `exec` | `2) (error) ERR why` | an empty line, and as above | `["OK",{"error":{…}}]` |
 *
 * A map with a field that is not UTF-8 is `{"pairs":[[field,value],…]}` in JSON. Every reply ends with a newline.
 *
 * JSON contains no characters that a terminal would obey or not show: they are written as escapes such as `\u202e`,
 * which mean the same. This also holds in files and pipes, since their content is shown on a terminal sooner or later.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import type { Value } from "../client/client.ts";
import { commandOf } from "../client/reply_delay.ts";
import { ReplyError } from "../errors.ts";
import { NO_COLOURS } from "../terminal/colours.ts";
import { CONTROL, printable, printableLine, quote } from "../terminal/printable_text.ts";

/** How replies are shown. */
export type Format = "human" | "raw" | "json";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The shape of a reply: a value, text in lines, or rows with these columns. */
export type ReplyShape = "value" | "lines" | readonly string[];

/**
 * Returns the reply as bytes to write, including its newline.
 *
 * @param shape the shape of the replies of its command, by {@linkcode shapeOf}
 */
export function formatReply(value: Value, format: Format, shape: ReplyShape = "value"): Uint8Array {
  if (format === "json") return encodeText(formatJson(value) + "\n");
  if (format === "human" && typeof shape === "object" && isRows(value)) return encodeText(tableOf(value, shape));
  if (shape === "lines" && value instanceof Uint8Array) {
    return format === "raw" ? rawLines(value) : encodeText(linesOf(value));
  }
  if (format === "raw") return formatRaw(value);
  return encodeText(formatHuman(value) + "\n");
}

/** Returns the shape of the replies to a command, as its row in the catalog has it. */
export function shapeOf(words: readonly (string | Uint8Array)[]): ReplyShape {
  const { textReply = false, columns = [] } = commandOf(words) ?? {};
  if (columns.length > 0) return columns;
  if (typeof textReply === "boolean") return textReply ? "lines" : "value";
  const subcommand = typeof words[1] === "string" ? words[1] : new TextDecoder().decode(words[1]);
  return textReply.includes(subcommand.toLowerCase()) ? "lines" : "value";
}

/** Returns the errors in the reply to a transaction, with the positions of their commands, from 1. */
export function refusalsIn(value: Value): { place: number; error: ReplyError }[] {
  const refusals: { place: number; error: ReplyError }[] = [];
  if (!Array.isArray(value)) return refusals;
  for (const [index, error] of value.entries()) {
    if (error instanceof ReplyError) refusals.push({ place: index + 1, error });
  }
  return refusals;
}

/** Formats an error reply as a line of text, including its newline. It has a colour for people only. */
export function formatError(error: ReplyError, format: Format, colours = NO_COLOURS): string {
  if (format === "json") return formatJson(error) + "\n";
  return format === "human"
    ? colours.paint("error", `(error) ${refusalLine(error)}`) + "\n"
    : `${refusalLine(error)}\n`;
}

function refusalLine({ code, message }: ReplyError): string {
  return printableLine(`${code} ${message}`.trimEnd());
}

/** Returns a value as JSON, without characters that a terminal would obey. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(CONTROL, (character) => {
    return Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
    }).join("");
  });
}

/** Returns text of several lines without characters that a terminal would obey. */
function linesOf(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes).replaceAll("\r\n", "\n").replace(/\n+$/, "");
  if (text === "") return "(no lines)\n";
  return text.split("\n").map((line) => line.replace(CONTROL, "\ufffd") + "\n").join("");
}

/** Returns text of several lines, byte by byte. The last line usually has its newline. */
function rawLines(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 || bytes.at(-1) === NEWLINE ? bytes : formatRaw(bytes as Value);
}

/** Returns whether a reply is an array of rows, and not empty. */
function isRows(value: Value): value is Value[][] {
  return Array.isArray(value) && value.length > 0 && value.every((row) => Array.isArray(row));
}

/**
 * Returns rows as a table. Numbers are aligned to the right. The first column comes last, because the lengths of names
 * differ most.
 *
 * ```text
 *    bytes  elements  type  key
 * 14184065   1000000  list  "queue"
 * ```
 */
function tableOf(rows: readonly Value[][], columns: readonly string[]): string {
  const order = [...columns.keys()].slice(1).concat(0);
  const cells = rows.map((row) => order.map((column) => cellOf(row[column] ?? null, column)));
  const lines = [order.map((column) => columns[column]!.replaceAll("_", " ")), ...cells];
  const widths = order.map((_, place) => Math.max(...lines.map((line) => line[place]!.length)));
  const isNumeric = order.map((column) => typeof rows[0]![column] === "number");
  return lines.map((line) => {
    const padded = line.map((cell, place) => {
      return isNumeric[place] ? cell.padStart(widths[place]!) : cell.padEnd(widths[place]!);
    });
    return padded.join("  ").trimEnd() + "\n";
  }).join("");
}

/** Formats one item of a row. Only the name is quoted: the others are the server's own words and numbers. */
function cellOf(value: Value, column: number): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (column > 0 && value instanceof Uint8Array) return printable(new TextDecoder().decode(value));
  return formatHuman(value);
}

function formatHuman(value: Value, indent = ""): string {
  if (value === null) return "(nil)";
  if (value instanceof Uint8Array) return quote(value);
  switch (typeof value) {
    case "string":
      return printableLine(value);
    case "boolean":
      return `(${value})`;
    case "bigint":
      return `(integer) ${value}`;
    case "number":
      return Number.isInteger(value) ? `(integer) ${value}` : `(double) ${value}`;
  }
  if (value instanceof ReplyError) return `(error) ${refusalLine(value)}`;
  if (value instanceof Map) {
    return numbered([...value], indent, "(empty hash)", ([field, item], inner) => {
      return `${formatHuman(field, inner)} => ${formatHuman(item, inner)}`;
    });
  }
  return numbered(value, indent, "(empty array)", formatHuman);
}

/** Formats items, one per line, after their numbers. Items of an inner list are aligned as well. */
function numbered<Item>(
  items: readonly Item[],
  indent: string,
  empty: string,
  format: (item: Item, indent: string) => string,
): string {
  if (items.length === 0) return empty;
  const width = String(items.length).length;
  const inner = indent + " ".repeat(width + 2);
  return items.map((item, index) => {
    return `${index === 0 ? "" : indent}${String(index + 1).padStart(width)}) ${format(item, inner)}`;
  }).join("\n");
}

const NEWLINE = 0x0a;

function formatRaw(value: Value): Uint8Array {
  const chunks: Uint8Array[] = [];
  const sizeBytes = collectRaw(value, chunks);
  const target = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    target.set(chunk, at);
    at += chunk.length;
    target[at++] = NEWLINE;
  }
  return target;
}

function collectRaw(value: Value, chunks: Uint8Array[]): number {
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + collectRaw(item, chunks), 0);
  if (value instanceof Map) {
    let sum = 0;
    for (const [field, item] of value) sum += collectRaw(field, chunks) + collectRaw(item, chunks);
    return sum;
  }
  const isEmpty = value === null || value instanceof ReplyError;
  const chunk = value instanceof Uint8Array ? value : encodeText(isEmpty ? "" : String(value));
  chunks.push(chunk);
  return chunk.length + 1;
}

function formatJson(value: Value): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return jsonOfBytes(value);
  if (Array.isArray(value)) return `[${value.map(formatJson).join(",")}]`;
  if (value instanceof Map) return jsonOfMap(value);
  if (value instanceof ReplyError) return toJson({ error: { code: value.code, message: value.message } });
  // All digits of a large integer are written: JSON sets no bound, although its reader may.
  return typeof value === "bigint" ? String(value) : toJson(value);
}

function jsonOfBytes(bytes: Uint8Array): string {
  try {
    return toJson(strictDecoder.decode(bytes));
  } catch {
    return `{"base64":"${bytes.toBase64()}"}`;
  }
}

function jsonOfMap(map: Map<Value, Value>): string {
  const pairs = [...map].map(([field, value]): [string, string] => [formatJson(field), formatJson(value)]);
  if (pairs.every(([field]) => field.startsWith('"'))) return `{${pairs.map((pair) => pair.join(":")).join(",")}}`;
  return `{"pairs":[${pairs.map((pair) => `[${pair.join(",")}]`).join(",")}]}`;
}
