/**
 * The session in `src/wire/PROTOCOL.md`, read from the page itself, so that the page stays correct.
 *
 * @module
 */

import { encodeText } from "../../src/bytes.ts";
import type { Value } from "../../src/wire/native/reply_reader.ts";
import { fromHex } from "./hex.ts";

/** One frame of the page. */
export interface Example {
  readonly from: "client" | "server";
  /** The frame, with its prefix. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The meaning of the frame, according to the page. */
  readonly meaning: Value;
}

/** Returns all frames of the page, in order. */
export function readExamples(): Example[] {
  const page = Deno.readTextFileSync(new URL("../../src/wire/PROTOCOL.md", import.meta.url));
  const examples: Example[] = [];
  const pattern = /^(client|server) {2}((?:[0-9a-f]{2}\s+)+)([[].*)$/gm;
  for (const [, from, hex, meaning] of page.matchAll(pattern)) {
    examples.push({
      from: from === "client" ? "client" : "server",
      bytes: fromHex(hex!),
      meaning: parseMeaning(meaning!),
    });
  }
  return examples;
}

/**
 * Parses JSON in which `b"…"` is bytes, as a value and as a name. A mark that occurs in no example distinguishes them
 * from text.
 */
function parseMeaning(text: string): Value {
  const json: unknown = JSON.parse(text.replaceAll(/(?<=[[{ ])b"/g, '"bytes:'));
  return unmark(json);
}

function unmark(json: unknown): Value {
  if (typeof json === "string") {
    return json.startsWith("bytes:") ? Uint8Array.from(json.slice(6), (character) => character.charCodeAt(0)) : json;
  }
  if (Array.isArray(json)) return json.map(unmark);
  if (typeof json === "object" && json !== null) {
    return new Map(Object.entries(json).map(([name, value]): [Value, Value] => [unmark(name), unmark(value)]));
  }
  if (typeof json === "number" || json === null) return json;
  throw new TypeError(`Cannot read ${String(json)} in PROTOCOL.md`);
}

/** Returns the bytes of an argument of an example. */
export function argumentBytes(argument: Value): Uint8Array {
  if (argument instanceof Uint8Array) return argument;
  if (typeof argument === "string") return encodeText(argument);
  throw new TypeError(`Cannot send ${String(argument)} as an argument`);
}
