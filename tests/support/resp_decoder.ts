/**
 * Replies in RESP2 and RESP3 as values that tell all types apart: for tests, and with no code of ours in common.
 *
 * ```text
 * +OK             { status: "OK" }            %1 …      { map: [[key, value]] }
 * -ERR no         { error: "ERR no" }         ~2 …      { set: [a, b] }
 * :42             42, or 42n beyond 53 bits   >2 …      { push: [a, b] }
 * $2 · hi         "hi", a character a byte    =6 · …    { verbatim: "txt:hi" }
 * *2 …            [a, b]                      |1 … v    { attribute: [[key, value]], of: v }
 * $-1  *-1  _     { nil: "$" | "*" | "_" }    !6 · …    { bulkError: "ERR no" }
 * ,0.5            { double: "0.5" }           (123      { bigNumber: "123" }
 * #t              { boolean: true }
 * ```
 *
 * @module
 */

/** What a reply says. */
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

/** Thrown while a reply is not whole. */
export class IncompleteReply extends Error {}

/**
 * Reads the reply at `at`.
 *
 * @returns what it says, and the position behind it
 * @throws {IncompleteReply} while it is not whole
 * @throws {Error} when those bytes are no reply
 */
export function decodeResp(bytes: Uint8Array, at = 0): { value: RespValue; next: number } {
  const reader = new Reader(bytes, at);
  const value = reader.value();
  return { value, next: reader.at };
}

/** Reads replies up to the end of `bytes`, which must be whole. */
export function decodeAllResp(bytes: Uint8Array): RespValue[] {
  const values: RespValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const { value, next } = decodeResp(bytes, at);
    values.push(value);
    at = next;
  }
  return values;
}

/** Text as a bulk of its UTF-8 is told: a character a byte. */
export function bulkOf(text: string): string {
  return binary(new TextEncoder().encode(text));
}

function binary(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 10_000) text += String.fromCharCode(...bytes.subarray(at, at + 10_000));
  return text;
}

class Reader {
  constructor(readonly bytes: Uint8Array, public at: number) {}

  value(): RespValue {
    const line = this.line();
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return { status: rest };
      case "-":
        return { error: rest };
      case ":":
        return integer(rest);
      case ",":
        return { double: rest };
      case "(":
        return { bigNumber: rest };
      case "#":
        if (rest !== "t" && rest !== "f") throw new Error(`No boolean: "${line}"`);
        return { boolean: rest === "t" };
      case "_":
        if (rest !== "") throw new Error(`No null: "${line}"`);
        return { nil: "_" };
      case "$":
        return rest === "-1" ? { nil: "$" } : this.content(count(rest));
      case "!":
        return { bulkError: this.content(count(rest)) };
      case "=":
        return { verbatim: this.content(count(rest)) };
      case "*":
        return rest === "-1" ? { nil: "*" } : this.values(count(rest));
      case "~":
        return { set: this.values(count(rest)) };
      case ">":
        return { push: this.values(count(rest)) };
      case "%":
        return { map: this.pairs(count(rest)) };
      case "|":
        return { attribute: this.pairs(count(rest)), of: this.value() };
      default:
        throw new Error(`No type: "${line}"`);
    }
  }

  line(): string {
    const end = this.bytes.indexOf(0x0d, this.at);
    if (end === -1 || end + 1 === this.bytes.length) throw new IncompleteReply();
    if (this.bytes[end + 1] !== 0x0a) throw new Error("CR without LF");
    const line = binary(this.bytes.subarray(this.at, end));
    if (line.includes("\n")) throw new Error("LF without CR");
    this.at = end + 2;
    return line;
  }

  content(length: number): string {
    const end = this.at + length;
    if (end + 2 > this.bytes.length) throw new IncompleteReply();
    if (this.bytes[end] !== 0x0d || this.bytes[end + 1] !== 0x0a) throw new Error("No line end behind a content");
    const content = binary(this.bytes.subarray(this.at, end));
    this.at = end + 2;
    return content;
  }

  values(length: number): RespValue[] {
    const values: RespValue[] = [];
    for (let i = 0; i < length; i++) values.push(this.value());
    return values;
  }

  pairs(length: number): [RespValue, RespValue][] {
    const pairs: [RespValue, RespValue][] = [];
    for (let i = 0; i < length; i++) pairs.push([this.value(), this.value()]);
    return pairs;
  }
}

function integer(text: string): number | bigint {
  if (!/^(0|-?[1-9][0-9]*)$/.test(text)) throw new Error(`No integer: "${text}"`);
  return Number.isSafeInteger(Number(text)) ? Number(text) : BigInt(text);
}

function count(text: string): number {
  if (!/^(0|[1-9][0-9]*)$/.test(text)) throw new Error(`No length: "${text}"`);
  return Number(text);
}
