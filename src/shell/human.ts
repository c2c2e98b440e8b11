/**
 * Formats replies for people: with colours and numbers of items, and with long values cut.
 *
 * ```text
 * > lrange queue 0 -1
 *  1) "first"
 *  …
 * 12) "\xff\xd8\xff\xe0" … 995904 more bytes
 * (12 elements, 0.03 s; values are cut: inmem client COMMAND > FILE writes all of them)
 * ```
 *
 * The lines after the reply are there only if they tell something: a long list, a slow reply, a value that is cut.
 *
 * Every text of the server is escaped before it gets a colour, so the only control sequences are those of this program.
 *
 * @module
 */

import type { CommandSpecification } from "../catalog/specification.ts";
import type { Value } from "../client/client.ts";
import { commandOf } from "../client/reply_delay.ts";
import { ReplyError } from "../errors.ts";
import { COUNTED_ITEMS_MIN_COUNT, SHOWN_VALUE_MAX_CHARACTERS, SLOW_REPLY_MIN_MS } from "../limits.ts";
import { type Colours, NO_COLOURS, type Style } from "../terminal/colours.ts";
import { CONTROL, printable, printableLine, quote } from "../terminal/printable_text.ts";
import { unfinishedLength } from "../terminal/typed_text.ts";

/** The shape of a reply: a value, text in lines, or rows with these columns. */
export type ReplyShape = "value" | "lines" | readonly string[];

/** How replies look. */
export interface Look {
  readonly colours: Colours;
  /** The longest value that is shown completely, in characters as they are shown. */
  readonly valueMaxCharacters: number;
}

/** Replies without colours, in which nothing is cut. */
export const PLAIN_LOOK: Look = { colours: NO_COLOURS, valueMaxCharacters: Infinity };

/** Returns how replies look on a terminal. */
export function terminalLook(colours: Colours): Look {
  return { colours, valueMaxCharacters: SHOWN_VALUE_MAX_CHARACTERS };
}

/** Returns the shape of the replies to a command, as its row in the catalog has it. */
export function shapeOf(words: readonly (string | Uint8Array)[]): ReplyShape {
  const { textReply = false, columns = [] } = commandOf(words) ?? {};
  if (columns.length > 0) return columns;
  if (typeof textReply === "boolean") return textReply ? "lines" : "value";
  const subcommand = typeof words[1] === "string" ? words[1] : new TextDecoder().decode(words[1]);
  return textReply.includes(subcommand.toLowerCase()) ? "lines" : "value";
}

/** Returns the reply to a command as lines of text, with what people want to know about it. */
export function humanReply(
  words: readonly (string | Uint8Array)[],
  value: Value,
  elapsedMs: number,
  look: Look,
): string {
  const command = commandOf(words);
  const replies = new HumanReplies(look, command !== undefined && NAMING.includes(command.name) ? "name" : undefined);
  return replies.text(value, shapeOf(words)) + replies.remark(value, command, elapsedMs);
}

/** Returns an error reply as a line of text. */
export function refusalLine({ code, message }: ReplyError): string {
  return printableLine(`${code} ${message}`.trimEnd());
}

/** The commands that reply with names of keys or fields. */
const NAMING: readonly string[] = ["keys", "scan", "randomkey", "hkeys"];

/** Formats one reply. */
export class HumanReplies {
  readonly #colours: Colours;
  readonly #valueMaxCharacters: number;
  readonly #style: Style | undefined;
  #hasCut = false;

  /** @param style the style of values, which have none by default */
  constructor(look: Look, style?: Style) {
    this.#colours = look.colours;
    this.#valueMaxCharacters = look.valueMaxCharacters;
    this.#style = style;
  }

  /** Returns a reply as text, which ends with a newline. */
  text(value: Value, shape: ReplyShape): string {
    if (typeof shape === "object" && isRows(value)) return this.#table(value, shape);
    if (shape === "lines" && value instanceof Uint8Array) return this.#lines(value);
    return this.#value(value, "", this.#style) + "\n";
  }

  /** Returns a line about a reply that was formatted; empty if there is nothing to tell. */
  remark(value: Value, command: CommandSpecification | undefined, elapsedMs: number): string {
    const parts: string[] = [];
    const count = Array.isArray(value) ? value.length : value instanceof Map ? value.size : 0;
    const isLong = count >= COUNTED_ITEMS_MIN_COUNT;
    if (isLong) parts.push(`${count} ${unitOf(value, command)}`);
    if (isLong || elapsedMs >= SLOW_REPLY_MIN_MS) parts.push(`${(elapsedMs / 1000).toFixed(2)} s`);
    const facts = parts.join(", ");
    const advice = this.#hasCut ? "values are cut: inmem client COMMAND > FILE writes all of them" : "";
    const all = [facts, advice].filter((part) => part !== "").join("; ");
    return all === "" ? "" : this.#colours.paint("faint", `(${all})`) + "\n";
  }

  #value(value: Value, indent = "", style?: Style): string {
    const paint = (style: Style, text: string) => this.#colours.paint(style, text);
    if (value === null) return paint("faint", "(nil)");
    if (value instanceof Uint8Array) return this.#bytes(value, style);
    switch (typeof value) {
      case "string":
        return paint("good", printableLine(value));
      case "boolean":
        return paint("kind", `(${value})`);
      case "bigint":
        return paint("kind", `(integer) ${value}`);
      case "number":
        return paint("kind", Number.isInteger(value) ? `(integer) ${value}` : `(double) ${value}`);
    }
    if (value instanceof ReplyError) return paint("error", `(error) ${refusalLine(value)}`);
    if (value instanceof Map) {
      return this.#numbered([...value], indent, "(empty hash)", ([field, item], inner) => {
        return `${this.#value(field, inner, "name")} => ${this.#value(item, inner, style)}`;
      });
    }
    return this.#numbered(value, indent, "(empty array)", (item, inner) => this.#value(item, inner, style));
  }

  #bytes(bytes: Uint8Array, style: Style | undefined): string {
    const paint = (text: string) => style === undefined ? text : this.#colours.paint(style, text);
    const maxCharacters = this.#valueMaxCharacters;
    // A byte takes four characters at most, and the quotes two.
    if (bytes.length * 4 + 2 <= maxCharacters) return paint(quote(bytes));
    const whole = bytes.length <= maxCharacters ? quote(bytes) : "";
    if (whole !== "" && whole.length <= maxCharacters) return paint(whole);
    this.#hasCut = true;
    const begin = longestBegin(bytes, maxCharacters);
    const rest = this.#colours.paint("faint", ` … ${bytes.length - begin.length} more bytes`);
    return paint(quote(begin)) + rest;
  }

  /** Formats items, one per line, after their numbers. Items of an inner list are aligned as well. */
  #numbered<Item>(
    items: readonly Item[],
    indent: string,
    empty: string,
    format: (item: Item, indent: string) => string,
  ): string {
    if (items.length === 0) return this.#colours.paint("faint", empty);
    const width = String(items.length).length;
    const inner = indent + " ".repeat(width + 2);
    return items.map((item, index) => {
      const number = this.#colours.paint("faint", `${String(index + 1).padStart(width)})`);
      return `${index === 0 ? "" : indent}${number} ${format(item, inner)}`;
    }).join("\n");
  }

  /** Returns text of several lines without characters that a terminal would obey. */
  #lines(bytes: Uint8Array): string {
    const text = new TextDecoder().decode(bytes).replaceAll("\r\n", "\n").replace(/\n+$/, "");
    if (text === "") return this.#colours.paint("faint", "(no lines)") + "\n";
    return text.split("\n").map((line) => {
      const shown = line.replace(CONTROL, "\ufffd");
      return (shown.startsWith("# ") ? this.#colours.paint("strong", shown) : shown) + "\n";
    }).join("");
  }

  /**
   * Returns rows as a table. Numbers are aligned to the right. The first column comes last, because the lengths of
   * names differ most.
   *
   * ```text
   *    bytes  elements  type  key
   * 14184065   1000000  list  "queue"
   * ```
   */
  #table(rows: readonly Value[][], columns: readonly string[]): string {
    const order = [...columns.keys()].slice(1).concat(0);
    const cells = rows.map((row) => order.map((column) => cellOf(row[column] ?? null, column)));
    const titles = order.map((column) => columns[column]!.replaceAll("_", " "));
    const widths = order.map((_, place) => Math.max(...[titles, ...cells].map((line) => line[place]!.length)));
    const isNumeric = order.map((column) => typeof rows[0]![column] === "number");
    return [titles, ...cells].map((line, row) => {
      const padded = line.map((cell, place) => {
        if (place === order.length - 1 && row > 0) return this.#colours.paint("name", cell);
        return isNumeric[place] ? cell.padStart(widths[place]!) : cell.padEnd(widths[place]!);
      });
      const text = padded.join("  ").trimEnd();
      return (row === 0 ? this.#colours.paint("strong", text) : text) + "\n";
    }).join("");
  }
}

/** Returns the most bytes from the beginning that need at most `maxCharacters`, without half a character. */
function longestBegin(bytes: Uint8Array, maxCharacters: number): Uint8Array {
  let length = Math.min(bytes.length, maxCharacters);
  for (;;) {
    const cut = bytes.subarray(0, length);
    const begin = cut.subarray(0, length - unfinishedLength(cut));
    const shown = quote(begin).length;
    if (shown <= maxCharacters + 2) return begin;
    length = Math.floor(length * maxCharacters / shown);
  }
}

/** Returns whether a reply is an array of rows, and not empty. */
function isRows(value: Value): value is Value[][] {
  return Array.isArray(value) && value.length > 0 && value.every((row) => Array.isArray(row));
}

/** Formats one item of a row. Only the name is quoted: the others are the server's own words and numbers. */
function cellOf(value: Value, column: number): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (column > 0 && value instanceof Uint8Array) return printable(new TextDecoder().decode(value));
  return new HumanReplies(PLAIN_LOOK).text(value, "value").trimEnd();
}

/** The names of the items of a reply, by the command or else by its group. */
const UNITS: Readonly<Record<string, string>> = {
  keys: "keys",
  hvals: "values",
  hmget: "values",
  mget: "values",
  command: "commands",
  list: "elements",
  hash: "fields",
  set: "members",
};

function unitOf(value: Value, command: CommandSpecification | undefined): string {
  const unit = UNITS[command?.name ?? ""] ?? UNITS[command?.group ?? ""] ?? "items";
  return value instanceof Map && unit === "items" ? "entries" : unit;
}
