/**
 * Writes JSON lines, as `json_lines_reader.ts` describes them.
 *
 * They contain no characters that a terminal would obey or not show: these are written as escapes such as `\u202e`,
 * which mean the same.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { EXPORT_PART_BYTES } from "../limits.ts";
import { CONTROL } from "../terminal/printable_text.ts";
import type { ExportedKey, ExportedPart, KeyWriter } from "./key_writer.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Matches text that needs no escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

/** Writes JSON lines. */
export class JsonLinesWriter implements KeyWriter {
  readonly header = "";
  readonly stringPartMaxBytes = EXPORT_PART_BYTES;

  format(
    { key, type, deadlineMs }: ExportedKey,
    parts: readonly ExportedPart[],
    isFirst: boolean,
    isLast: boolean,
  ): Uint8Array {
    const deadline = isFirst && deadlineMs !== undefined ? `,"expiresAt":${deadlineMs}` : "";
    const flags = (isFirst ? "" : ',"continued":true') + (isLast ? "" : ',"more":true');
    const value = type === "string" ? jsonText(parts[0]!.value) : type === "hash" ? jsonHash(parts) : jsonArray(parts);
    return encodeText(`{"key":${jsonText(key)},"type":"${type}"${deadline},"value":${value}${flags}}\n`);
  }
}

/** Returns bytes as a JSON text, or as `{"base64":…}` when they are not UTF-8. */
function jsonText(bytes: Uint8Array): string {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return `{"base64":"${bytes.toBase64()}"}`;
  }
  return PLAIN.test(text) ? `"${text}"` : JSON.stringify(text).replace(CONTROL, escapeUnits);
}

function escapeUnits(character: string): string {
  let escaped = "";
  for (let i = 0; i < character.length; i++) {
    escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
  }
  return escaped;
}

function jsonArray(parts: readonly ExportedPart[]): string {
  return `[${parts.map(({ value }) => jsonText(value)).join(",")}]`;
}

function jsonHash(parts: readonly ExportedPart[]): string {
  const pairs = parts.map(({ field, value }) => [jsonText(field!), jsonText(value)] as const);
  // A field that is not UTF-8 cannot be a name in JSON.
  if (pairs.every(([field]) => field.startsWith('"'))) return `{${pairs.map((pair) => pair.join(":")).join(",")}}`;
  return `{"pairs":[${pairs.map((pair) => `[${pair.join(",")}]`).join(",")}]}`;
}
