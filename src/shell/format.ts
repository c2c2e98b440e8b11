/**
 * Replies as a person or a program reads them.
 *
 * | | human | raw | json |
 * |---|---|---|---|
 * | bytes | `"a b\x00"` | the bytes | `"a b"`, or `{"base64":"…"}` when they are not UTF-8 |
 * | nil | `(nil)` | an empty line | `null` |
 * | integer | `(integer) 3` | `3` | `3` |
 * | array | `1) "a"` and so on | a line each, none when empty | `["a"]` |
 * | map | `1) "f" => "v"` | a line each, field and value in turn | `{"f":"v"}` |
 * | a word of the server's | `OK` | `OK` | `"OK"` |
 * | refused | `(error) ERR why` | `ERR why`, on standard error | `{"error":{"code":"ERR","message":"why"}}` |
 *
 * A map with a field that is not UTF-8 is `{"pairs":[[field,value],…]}` in JSON. Every reply ends with a newline.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import type { ReplyError } from "../errors.ts";
import type { Value } from "../client.ts";

/** How replies are shown. */
export type Format = "human" | "raw" | "json";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes that are shown as they are, whatever they mean: printable ASCII without the quote and the backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

// What a terminal would obey rather than show, or not show at all. The joiners inside of emoji and some scripts stay.
const UNPRINTABLE = /(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}"\\]/gu;

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["\t", "\\t"],
  ["\x07", "\\a"],
  ["\b", "\\b"],
  ['"', '\\"'],
  ["\\", "\\\\"],
]);

/**
 * The reply as bytes to write, its newline included.
 *
 * @param command the command's name in lower case: what `info` answers is shown as lines
 */
export function formatReply(value: Value, format: Format, command = ""): Uint8Array {
  if (format === "raw") return formatRaw(value);
  if (format === "json") return encodeText(formatJson(value) + "\n");
  if (command === "info" && value instanceof Uint8Array) return encodeText(formatLines(value));
  return encodeText(formatHuman(value) + "\n");
}

/** A refusal as a line of text, its newline included. */
export function formatError(error: ReplyError, format: Format): string {
  const { code, message } = error;
  if (format === "json") return JSON.stringify({ error: { code, message } }) + "\n";
  const line = `${code} ${message}`.replace(UNPRINTABLE, (character) => {
    return character === '"' || character === "\\" ? character : escapeCharacter(character);
  });
  return format === "human" ? `(error) ${line}\n` : `${line}\n`;
}

/** Bytes in double quotes, so that the same line typed again means the same bytes. */
export function quote(bytes: Uint8Array): string {
  let text: string;
  try {
    text = strictDecoder.decode(bytes);
  } catch {
    return quoteBinary(bytes);
  }
  return PLAIN.test(text) ? `"${text}"` : `"${text.replace(UNPRINTABLE, escapeCharacter)}"`;
}

function escapeCharacter(character: string): string {
  const short = SHORT_ESCAPES.get(character);
  if (short !== undefined) return short;
  let escaped = "";
  for (const byte of encodeText(character)) escaped += escapeByte(byte);
  return escaped;
}

function escapeByte(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

function quoteBinary(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const printable = byte >= 0x20 && byte < 0x7f;
    parts.push(SHORT_ESCAPES.get(character) ?? (printable ? character : escapeByte(byte)));
  }
  return `"${parts.join("")}"`;
}

/** Text of several lines as it is, without what a terminal would obey. */
function formatLines(bytes: Uint8Array): string {
  const lines = new TextDecoder().decode(bytes).replaceAll("\r\n", "\n").replace(/\n+$/, "").split("\n");
  return lines.map((line) => line.replace(/\p{C}/gu, "\ufffd") + "\n").join("");
}

function formatHuman(value: Value, indent = ""): string {
  if (value === null) return "(nil)";
  if (value instanceof Uint8Array) return quote(value);
  switch (typeof value) {
    case "string":
      return value.replace(/\p{C}/gu, escapeCharacter);
    case "boolean":
      return `(${value})`;
    case "bigint":
      return `(integer) ${value}`;
    case "number":
      return Number.isInteger(value) ? `(integer) ${value}` : `(double) ${value}`;
  }
  if (value instanceof Map) {
    return numbered([...value], indent, "(empty hash)", ([field, item], inner) => {
      return `${formatHuman(field, inner)} => ${formatHuman(item, inner)}`;
    });
  }
  return numbered(value, indent, "(empty array)", formatHuman);
}

/** Items a line each behind their numbers; those of an inner list stand below one another, too. */
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
  const chunk = value instanceof Uint8Array ? value : encodeText(value === null ? "" : String(value));
  chunks.push(chunk);
  return chunk.length + 1;
}

function formatJson(value: Value): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return jsonOfBytes(value);
  if (Array.isArray(value)) return `[${value.map(formatJson).join(",")}]`;
  if (value instanceof Map) return jsonOfMap(value);
  // All digits of a large integer are written: JSON sets no bound, and the reader may have one of its own.
  return typeof value === "bigint" ? String(value) : JSON.stringify(value);
}

function jsonOfBytes(bytes: Uint8Array): string {
  try {
    return JSON.stringify(strictDecoder.decode(bytes));
  } catch {
    return `{"base64":"${bytes.toBase64()}"}`;
  }
}

function jsonOfMap(map: Map<Value, Value>): string {
  const pairs = [...map].map(([field, value]): [string, string] => [formatJson(field), formatJson(value)]);
  if (pairs.every(([field]) => field.startsWith('"'))) return `{${pairs.map((pair) => pair.join(":")).join(",")}}`;
  return `{"pairs":[${pairs.map((pair) => `[${pair.join(",")}]`).join(",")}]}`;
}
