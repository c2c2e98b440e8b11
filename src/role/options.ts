/**
 * Options on the command line: a role declares a table and gets typed values.
 *
 * `@std/cli/parse-args` collects the values. This module adds what a server's operator needs: types, ranges, one-line
 * errors, help, and Go's convention of one dash (`-addr x`, `-addr=x`).
 *
 * - An option has a value, after `=` or as the next argument, or is a flag without a value.
 * - `--` ends the options. In a table with `stopEarly` the first positional argument ends them too: what follows a
 *   client's command is data and may begin with a dash.
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { type Address, parseAddress } from "../address.ts";
import { UsageError } from "../errors.ts";
import { parseCount, parseDuration, parsePercent, parseSize } from "./quantities.ts";

/** The kind of an option's value. Sizes are in bytes, durations in ms. */
export type OptionKind = "flag" | "text" | "count" | "size" | "duration" | "percent" | "address";

/** One option of a role. */
export interface Option {
  readonly kind: OptionKind;
  /** One sentence for `--help`, without its full stop. */
  readonly help: string;
  /** The placeholder of the value in `--help`, such as `FILE`. */
  readonly valueName?: string;
  /** The value when the option is absent, as it would be typed. */
  readonly default?: string;
  /** The effect of leaving the option out, for `--help`, where that is not a plain value. */
  readonly absent?: string;
  /** Whether the option may be given several times. */
  readonly repeated?: true;
  /** The allowed values. */
  readonly choices?: readonly string[];
  /** The smallest allowed number, in the unit of the value. */
  readonly min?: number;
  /** The largest allowed number, in the unit of the value. */
  readonly max?: number;
  /** The environment variable that the role reads instead, for `--help`. */
  readonly environment?: string;
}

/** The options of one role. */
export interface OptionTable {
  /** How to call the role, such as `inmem server [OPTIONS]`. */
  readonly usage: string;
  /** The role's purpose, for `--help`. */
  readonly summary: string;
  /** Whether the first positional argument ends the options. */
  readonly stopEarly?: true;
  /** The options by name, without dashes. */
  readonly options: Readonly<Record<string, Option>>;
}

/** The type of one value of each kind. */
interface KindTypes {
  flag: boolean;
  text: string;
  count: number;
  size: number;
  duration: number;
  percent: number;
  address: Address;
}

/** The type of an option's value: that of its choices if it has any, otherwise that of its kind. */
type ValueOf<O extends Option> = O extends { choices: readonly (infer Choice)[] } ? Choice : KindTypes[O["kind"]];

/** The values of a table. An absent option without a default is `undefined`, and a repeated one is an array. */
export type OptionValues<T extends OptionTable> = {
  readonly [Name in keyof T["options"]]: T["options"][Name] extends { kind: "flag" } ? boolean
    : T["options"][Name] extends { repeated: true } ? ValueOf<T["options"][Name]>[]
    : T["options"][Name] extends { default: string } ? ValueOf<T["options"][Name]>
    : ValueOf<T["options"][Name]> | undefined;
};

/** The result of parsing a command line. */
export interface ParsedOptions<T extends OptionTable> {
  readonly values: OptionValues<T>;
  /** The positional arguments, unchanged. */
  readonly positional: string[];
}

/**
 * Parses the arguments of a role.
 *
 * @param argv the arguments after the role's name
 * @throws {UsageError} with one line that says what was expected
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { serverOptions } from "./option_tables.ts";
 * import { parseOptions } from "./options.ts";
 *
 * const { values } = parseOptions(serverOptions, ["-addr", ":9443", "--max-memory=64mb"]);
 * assertEquals(values.addr, { hostname: "0.0.0.0", port: 9443 });
 * assertEquals(values["max-memory"], 67_108_864);
 * ```
 */
export function parseOptions<const T extends OptionTable>(table: T, argv: readonly string[]): ParsedOptions<T> {
  const names = Object.keys(table.options);
  const { given, positional } = normalize(table, argv);
  const isFlag = (name: string) => table.options[name]?.kind === "flag";
  const parsed: Record<string, unknown> = parseArgs(given, {
    boolean: names.filter(isFlag),
    string: names.filter((name) => !isFlag(name)),
    collect: names.filter((name) => !isFlag(name)),
  });
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(table.options)) {
    values[name] = option.kind === "flag" ? parsed[name] === true : valueOf(name, option, textsOf(parsed[name]));
  }
  // The loop above has made exactly what the mapped type describes, which the compiler cannot infer.
  return { values: values as OptionValues<T>, positional };
}

/**
 * Parses the arguments of a role that takes options only. If they ask for help, it is printed.
 *
 * @returns `undefined` when help was printed and nothing is left to do
 * @throws {UsageError} as {@linkcode parseOptions} does, and for any other argument
 */
export function parseOptionsOnly<const T extends OptionTable>(
  table: T,
  argv: readonly string[],
): OptionValues<T> | undefined {
  const { values, positional } = parseOptions(table, argv);
  if ("help" in values && values.help === true) {
    console.log(helpText(table).trimEnd());
    return undefined;
  }
  if (positional.length > 0) {
    throw new UsageError(`Cannot use "${positional[0]}": expected options only, --help lists them`);
  }
  return values;
}

function textsOf(collected: unknown): string[] {
  return Array.isArray(collected) ? collected.map(String) : [];
}

/** Brings every option into the form `--name=value`, and separates the other arguments. */
function normalize(table: OptionTable, argv: readonly string[]): { given: string[]; positional: string[] } {
  const given: string[] = [];
  const positional: string[] = [];
  for (let index = 0; index < argv.length; index++) {
    const argument = argv[index] ?? "";
    if (argument === "--") {
      positional.push(...argv.slice(index + 1));
      break;
    }
    if (!looksLikeOption(argument)) {
      if (table.stopEarly) {
        positional.push(...argv.slice(index));
        break;
      }
      positional.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const typed = argument.slice(0, equals < 0 ? undefined : equals).replace(/^--?/, "");
    const name = typed === "h" ? "help" : typed;
    const option = Object.hasOwn(table.options, name) ? table.options[name] : undefined;
    if (option === undefined) throw unknownOption(table, typed);
    if (option.kind === "flag") {
      if (equals >= 0) throw new UsageError(`Cannot use "${argument}": --${name} takes no value`);
      // The value is left out: with one, parseArgs takes the `no-` of a name for a negation and drops it.
      given.push(`--${name}`);
      continue;
    }
    const value = equals >= 0 ? argument.slice(equals + 1) : argv[++index];
    if (value === undefined || value === "" || (equals < 0 && looksLikeOption(value))) {
      throw new UsageError(`Cannot use --${name} without a value: expected --${name} ${valueNameOf(option)}`);
    }
    given.push(`--${name}=${value}`);
  }
  return { given, positional };
}

/** Returns whether an argument is an option. A dash alone or before a digit is not an option. */
function looksLikeOption(argument: string): boolean {
  return /^--?[A-Za-z]/.test(argument);
}

function valueOf(name: string, option: Option, texts: readonly string[]): unknown {
  if (option.repeated) return texts.map((text) => parseValue(name, option, text));
  if (texts.length > 1) throw new UsageError(`Cannot use --${name} ${texts.length} times: expected it once`);
  const text = texts[0] ?? option.default;
  return text === undefined ? undefined : parseValue(name, option, text);
}

function parseValue(name: string, option: Option, text: string): string | number | Address {
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw new UsageError(`Cannot use --${name} "${text}": expected ${option.choices.join(" or ")}`);
  }
  try {
    switch (option.kind) {
      case "count":
        return parseCount(text, option);
      case "size":
        return parseSize(text, option);
      case "duration":
        return parseDuration(text, option);
      case "percent":
        return parsePercent(text, option);
      case "address":
        return parseAddress(text);
      default:
        return text;
    }
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${error.message} (--${name})`, { cause: error });
    throw error;
  }
}

function unknownOption(table: OptionTable, name: string): UsageError {
  const names = Object.keys(table.options);
  const nearest = names.map((other) => ({ other, distance: editDistance(name, other) }))
    .sort((left, right) => left.distance - right.distance)[0];
  // Up to half of the letters wrong is a typing error, such as two swapped letters; more is another word.
  const isNear = nearest !== undefined && nearest.distance <= Math.min(3, Math.floor(nearest.other.length / 2));
  const advice = isNear ? `did you mean --${nearest.other}?` : "expected one that --help lists";
  return new UsageError(`Cannot use unknown option "--${name}": ${advice}`);
}

/** Returns how many letters have to be inserted, removed or replaced to turn one word into the other (Levenshtein). */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

const VALUE_NAMES: Readonly<Record<OptionKind, string>> = {
  flag: "",
  text: "TEXT",
  count: "NUMBER",
  size: "SIZE",
  duration: "DURATION",
  percent: "PERCENT",
  address: "HOST:PORT",
};

function valueNameOf(option: Option): string {
  return option.valueName ?? option.choices?.join("|") ?? VALUE_NAMES[option.kind];
}

/** The widest line of `--help`. */
const HELP_COLUMNS = 96;

/**
 * Returns the text of `--help`: usage, what the role does, and every option with its default, aligned and with a
 * newline at the end.
 */
export function helpText(table: OptionTable): string {
  const rows = Object.entries(table.options).map(([name, option]) => ({
    left: `  --${name} ${valueNameOf(option)}`.trimEnd(),
    right: describeOption(option),
  }));
  const indent = Math.max(...rows.map((row) => row.left.length)) + 2;
  const lines = rows.flatMap(({ left, right }) => {
    return wrap(right, HELP_COLUMNS - indent).map((line, index) => (index === 0 ? left : "").padEnd(indent) + line);
  });
  return ["Usage: " + table.usage, "", ...wrap(table.summary, HELP_COLUMNS), "", "Options:", ...lines, ""].join("\n");
}

function describeOption(option: Option): string {
  const notes: string[] = [];
  if (option.repeated) notes.push("may be repeated");
  if (option.environment !== undefined) notes.push(`or the environment variable ${option.environment}`);
  if (option.default !== undefined) notes.push(`default ${option.default}`);
  if (option.absent !== undefined) notes.push(`default: ${option.absent}`);
  return notes.length === 0 ? option.help : `${option.help} (${notes.join("; ")})`;
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
