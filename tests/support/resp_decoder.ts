/**
 * Replies in RESP2 and RESP3 as values that distinguish all types. {@linkcode decodeFrame} reads the frames.
 *
 * ```text
 * +OK             { status: "OK" }            %1 …      { map: [[key, value]] }
 * -ERR no         { error: "ERR no" }         ~2 …      { set: [a, b] }
 * :42             42, or 42n beyond 53 bits   >2 …      { push: [a, b] }
 * $2 · hi         "hi", one character a byte  =6 · …    { verbatim: "txt:hi" }
 * *2 …            [a, b]                      |1 … v    { attribute: [[key, value]], of: v }
 * $-1  *-1  _     { nil: "$" | "*" | "_" }    !6 · …    { bulkError: "ERR no" }
 * ,0.5            { double: "0.5" }           (123      { bigNumber: "123" }
 * #t              { boolean: true }
 * ```
 *
 * @module
 */

import { binaryText, decodeFrame, type Frame } from "./resp_frames.ts";

/** The value of a reply. */
export type RespValue =
  | string
  | number
  | bigint
  | RespValue[]
  | { status: string }
  | { error: string }
  | { nil: "$" | "*" | "_" }
  | { double: string }
  | { boolean: boolean }
  | { bigNumber: string }
  | { bulkError: string }
  | { verbatim: string }
  | { map: [RespValue, RespValue][] }
  | { set: RespValue[] }
  | { push: RespValue[] }
  | { attribute: [RespValue, RespValue][]; of: RespValue };

/** Thrown while a reply is incomplete. */
export class IncompleteReply extends Error {}

/**
 * Decodes the reply at `at`.
 *
 * @returns its value, and the position after it
 * @throws {IncompleteReply} while it is incomplete
 * @throws {Error} when the bytes are not a reply
 */
export function decodeResp(bytes: Uint8Array, at = 0): { value: RespValue; next: number } {
  const decoded = decodeFrame(bytes, at);
  if (decoded === undefined) throw new IncompleteReply();
  return { value: valueOf(decoded.frame), next: decoded.end };
}

/** Decodes replies up to the end of `bytes`. All must be complete. */
export function decodeAllResp(bytes: Uint8Array): RespValue[] {
  const values: RespValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const { value, next } = decodeResp(bytes, at);
    values.push(value);
    at = next;
  }
  return values;
}

/** Returns text as the decoder returns a bulk with its UTF-8: one character per byte. */
export function bulkOf(text: string): string {
  return binaryText(new TextEncoder().encode(text));
}

/** Returns the value of a frame. */
function valueOf({ type, line, body = "", items = [] }: Frame): RespValue {
  switch (type) {
    case "+":
      return { status: line };
    case "-":
      return { error: line };
    case ":":
      return Number.isSafeInteger(Number(line)) ? Number(line) : BigInt(line);
    case ",":
      return { double: line };
    case "(":
      return { bigNumber: line };
    case "#":
      return { boolean: line === "t" };
    case "_":
      return { nil: type };
    case "$":
      return line === "-1" ? { nil: type } : body;
    case "!":
      return { bulkError: body };
    case "=":
      return { verbatim: body };
    case "*":
      return line === "-1" ? { nil: type } : items.map(valueOf);
    case "~":
      return { set: items.map(valueOf) };
    case ">":
      return { push: items.map(valueOf) };
    case "%":
      return { map: pairsOf(items) };
    case "|":
      return { attribute: pairsOf(items.slice(0, -1)), of: valueOf(items.at(-1)!) };
    default:
      throw new Error(`No type: "${type}"`);
  }
}

function pairsOf(items: readonly Frame[]): [RespValue, RespValue][] {
  const pairs: [RespValue, RespValue][] = [];
  for (let i = 0; i < items.length; i += 2) pairs.push([valueOf(items[i]!), valueOf(items[i + 1]!)]);
  return pairs;
}
