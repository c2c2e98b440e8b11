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
import { ReplyError } from "../errors.ts";
import { NO_COLOURS } from "../terminal/colours.ts";
import { CONTROL } from "../terminal/printable_text.ts";
import { HumanReplies, PLAIN_LOOK, refusalLine, type ReplyShape } from "./human.ts";

/** How replies are shown. */
export type Format = "human" | "raw" | "json";

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Returns the reply as bytes to write, including its newline.
 *
 * @param shape the shape of the replies of its command, by {@linkcode shapeOf}
 */
export function formatReply(value: Value, format: Format, shape: ReplyShape = "value"): Uint8Array {
  if (format === "json") return encodeText(formatJson(value) + "\n");
  if (format === "human") return encodeText(new HumanReplies(PLAIN_LOOK).text(value, shape));
  return shape === "lines" && value instanceof Uint8Array ? rawLines(value) : formatRaw(value);
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

/** Returns a value as JSON, without characters that a terminal would obey. */
export function toJson(value: unknown): string {
  return JSON.stringify(value).replace(CONTROL, (character) => {
    return Array.from({ length: character.length }, (_, index) => {
      return `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`;
    }).join("");
  });
}

/** Returns text of several lines, byte by byte. The last line usually has its newline. */
function rawLines(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 || bytes.at(-1) === NEWLINE ? bytes : formatRaw(bytes as Value);
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
