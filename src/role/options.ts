/**
 * The options of a role: a table declares them, and the role gets typed values.
 *
 * ```text
 * --max-memory=4gb                  the command line
 * INMEM_SERVER_MAX_MEMORY=4gb       the environment, for an option that the command line does not have
 * {"max-memory": "4gb"}             the file of --config, for an option that neither of them has (config_file.ts)
 * default: "1gb"                    the table
 * ```
 *
 * - An option has a value, after `=` or as the next argument. A flag needs none, and `--flag=no` turns it off where the
 *   environment or the file turns it on. One dash does, as in Go: `-addr x`, `-addr=x`.
 * - `--` ends the options. In a table with `stopEarly` the first positional argument ends them too: what follows a
 *   client's command is data and may begin with a dash.
 * - An empty environment variable counts as absent. With `--help`, only the command line counts.
 * - Every error is one line, which names the source of the wrong value.
 *
 * @module
 */

import { type Address, parseAddress } from "../address.ts";
import { UsageError } from "../errors.ts";
import { formatDuration, formatSizeExactly, parseCount, parseDuration, parsePercent, parseSize } from "./quantities.ts";
import { redisCliHint } from "./redis_cli_options.ts";
import { parseServerUrl, type ServerUrl } from "./server_url.ts";

/**
 * The kind of an option's value. Sizes are in bytes, durations in ms. An address is one to listen on, and a server is
 * one to connect to, as an address or a URL.
 */
export type OptionKind = "flag" | "text" | "count" | "size" | "duration" | "percent" | "address" | "server";

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
  /** Further names of the option, without dashes, such as `u`. */
  readonly aliases?: readonly string[];
  /** The heading under which `--help` and the manual list the option; the first one of the table unless given. */
  readonly group?: string;
  /** The allowed values. */
  readonly choices?: readonly string[];
  /** The smallest allowed number, in the unit of the value. */
  readonly min?: number;
  /** The largest allowed number, in the unit of the value. */
  readonly max?: number;
  /** The environment variable that the role reads instead, for `--help`. */
  readonly environment?: string;
  /** Whether the option can change while the role runs, by the file of `--config` and by `config set`. */
  readonly isLive?: true;
  /** Whether only the command line may have the option, not the environment or a file. */
  readonly onlyTyped?: true;
}

/** One example of a call. */
export interface Example {
  /** The purpose of the call, without a full stop. */
  readonly text: string;
  readonly command: string;
}

/** The options of one role. */
export interface OptionTable {
  /** How to call the role, such as `inmem server [OPTIONS]`. */
  readonly usage: string;
  /** The role's purpose, for `--help`. */
  readonly summary: string;
  /** The beginning of the options' environment variables, such as `INMEM_SERVER_`. Without it there are none. */
  readonly variablePrefix?: string;
  /** Whether the first positional argument ends the options. */
  readonly stopEarly?: true;
  /** Calls that show what the role can do. */
  readonly examples?: readonly Example[];
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
  server: ServerUrl;
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
  /** The values that are not defaults, as text with their sources, by the names of their options. */
  readonly given: ReadonlyMap<string, readonly GivenValue[]>;
}

/** One value of an option as text, with its source. */
export interface GivenValue {
  readonly text: string;
  /** The name of the source, such as `--addr`, `INMEM_SERVER_ADDR`, or a position in a file. */
  readonly source: string;
}

/** Returns the values of an option from one source; none if the source does not have the option. */
export type OptionSource = (name: string, option: Option) => readonly GivenValue[];

/** The sources of values beside the command line. */
export interface OtherSources {
  /** Returns an environment variable; that of the process if it is absent. */
  readonly environment?: (variable: string) => string | undefined;
  /** The values of the file of `--config`. */
  readonly file?: OptionSource;
}

/**
 * Parses the arguments of a role, and takes what they leave out from the environment, a file and the defaults.
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
export function parseOptions<const T extends OptionTable>(
  table: T,
  argv: readonly string[],
  { environment = readVariable, file = () => [] }: OtherSources = {},
): ParsedOptions<T> {
  const { typed, positional } = parseArguments(table, argv);
  const sources: OptionSource[] = [(name) => typed.get(name) ?? []];
  if (!typed.has("help")) sources.push(environmentSource(table, environment), file);
  const values: Record<string, unknown> = {};
  const given = new Map<string, readonly GivenValue[]>();
  for (const [name, option] of Object.entries(table.options)) {
    let found: readonly GivenValue[] = [];
    for (let i = 0; i < sources.length && found.length === 0; i++) found = sources[i]!(name, option);
    values[name] = valueOf(option, found);
    if (found.length > 0) given.set(name, found);
  }
  // The loop above has made exactly what the mapped type describes, which the compiler cannot infer.
  return { values: values as OptionValues<T>, positional, given };
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
  others?: OtherSources,
): OptionValues<T> | undefined {
  const { values, positional } = parseOptions(table, argv, others);
  if ("help" in values && values.help === true) {
    console.log(helpText(table).trimEnd());
    return undefined;
  }
  if (positional.length > 0) {
    throw new UsageError(`Cannot use "${positional[0]}": expected options only, --help lists them`);
  }
  return values;
}

/** Separates the options of a command line from the other arguments. */
function parseArguments(
  table: OptionTable,
  argv: readonly string[],
): { typed: Map<string, GivenValue[]>; positional: string[] } {
  const typed = new Map<string, GivenValue[]>();
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
    const word = argument.slice(0, equals < 0 ? undefined : equals).replace(/^--?/, "");
    const name = word === "h" && equals < 0 && isAlone(argv[index + 1]) ? "help" : nameOf(table, word);
    const option = Object.hasOwn(table.options, name) ? table.options[name] : undefined;
    if (option === undefined) {
      const isClient = table.options.addr?.kind === "server";
      const hint = isClient ? redisCliHint(word) : undefined;
      throw unknownOption(table, argument.slice(0, equals < 0 ? undefined : equals), hint);
    }
    const source = `--${name}`;
    if (option.kind === "flag") {
      // A flag may be repeated, and the last one counts.
      typed.set(name, [{ text: equals < 0 ? "yes" : argument.slice(equals + 1), source }]);
      continue;
    }
    const text = equals >= 0 ? argument.slice(equals + 1) : argv[++index];
    if (text === undefined || text === "" || (equals < 0 && looksLikeOption(text))) {
      throw new UsageError(`Cannot use ${source} without a value: expected ${source} ${valueNameOf(option)}`);
    }
    const earlier = typed.get(name);
    if (earlier === undefined) typed.set(name, [{ text, source }]);
    else earlier.push({ text, source });
  }
  return { typed, positional };
}

/** Returns the environment variable of an option, such as `INMEM_SERVER_MAX_MEMORY`; `undefined` if it has none. */
export function variableOf({ variablePrefix, options }: OptionTable, name: string): string | undefined {
  if (variablePrefix === undefined || options[name]?.onlyTyped) return undefined;
  return variablePrefix + name.toUpperCase().replaceAll("-", "_");
}

function environmentSource(table: OptionTable, read: (variable: string) => string | undefined): OptionSource {
  return (name, option) => {
    const source = variableOf(table, name);
    const text = source === undefined ? undefined : read(source);
    if (source === undefined || text === undefined || text === "") return [];
    const texts = option.repeated ? text.split(",").map((each) => each.trim()).filter((each) => each !== "") : [text];
    return texts.map((text) => ({ text, source }));
  };
}

function readVariable(variable: string): string | undefined {
  try {
    return Deno.env.get(variable);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotCapable) throw cause;
    throw new UsageError(`Cannot use ${variable}: expected UTF-8 text`, { cause });
  }
}

/** Returns the name of an option that was typed by its name or an alias. */
function nameOf({ options }: OptionTable, typed: string): string {
  const entry = Object.entries(options).find(([, option]) => option.aliases?.includes(typed));
  return entry?.[0] ?? (typed === "h" ? "help" : typed);
}

/** Returns whether `-h` has no value, so that it means help even where it is also the short form of an option. */
function isAlone(next: string | undefined): boolean {
  return next === undefined || looksLikeOption(next);
}

/** Returns whether an argument is an option. A dash alone or before a digit is not an option. */
function looksLikeOption(argument: string): boolean {
  return /^--?[A-Za-z]/.test(argument);
}

function valueOf(option: Option, given: readonly GivenValue[]): unknown {
  if (option.repeated) return given.map((each) => parseValue(option, each));
  const [first] = given;
  if (first === undefined) {
    if (option.kind === "flag") return false;
    return option.default === undefined ? undefined : parseValue(option, { text: option.default, source: "default" });
  }
  if (given.length > 1) throw new UsageError(`Cannot use ${first.source} ${given.length} times: expected it once`);
  return parseValue(option, first);
}

/**
 * Parses one value of an option.
 *
 * @throws {UsageError} naming the source when it is not what the option expects
 */
export function parseValue(option: Option, { text, source }: GivenValue): ValueOf<Option> {
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw new UsageError(`Cannot use ${source} "${text}": expected ${option.choices.join(" or ")}`);
  }
  try {
    switch (option.kind) {
      case "flag":
        return parseFlag(text, source);
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
      case "server":
        return parseServerUrl(text);
      case "text":
        return text;
    }
  } catch (error) {
    if (!(error instanceof UsageError) || option.kind === "flag") throw error;
    throw new UsageError(`${error.message} (${source})`, { cause: error });
  }
}

function parseFlag(text: string, source: string): boolean {
  const word = text.toLowerCase();
  if (["1", "true", "yes", "on"].includes(word)) return true;
  if (["0", "false", "no", "off"].includes(word)) return false;
  throw new UsageError(`Cannot use ${source} "${text}": expected yes or no, true or false, on or off, 1 or 0`);
}

function unknownOption(table: OptionTable, typed: string, hint: string | undefined): UsageError {
  const nearest = nearestOption(table, typed.replace(/^--?/, ""));
  const advice = hint ?? (nearest === undefined ? "expected one that --help lists" : `did you mean --${nearest}?`);
  return new UsageError(`Cannot use unknown option "${typed}": ${advice}`);
}

/** Returns the option whose name is nearest to a wrong one; `undefined` if none is near. */
export function nearestOption(table: OptionTable, name: string): string | undefined {
  const names = Object.keys(table.options);
  const nearest = names.map((other) => ({ other, distance: editDistance(name, other) }))
    .sort((left, right) => left.distance - right.distance)[0];
  // Up to half of the letters wrong is a typing error, such as two swapped letters; more is another word.
  const isNear = nearest !== undefined && nearest.distance <= Math.min(3, Math.floor(nearest.other.length / 2));
  return isNear ? nearest.other : undefined;
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

/** Returns a value of an option as the command line has it, such as `512mb` for 536870912. It is exact. */
export function formatOption(option: Option, value: string | number): string {
  if (typeof value === "string") return value;
  if (option.kind === "size") return formatSizeExactly(value);
  if (option.kind === "duration") return formatDuration(value);
  return option.kind === "percent" ? `${value}%` : String(value);
}

const VALUE_NAMES: Readonly<Record<OptionKind, string>> = {
  flag: "",
  text: "TEXT",
  count: "NUMBER",
  size: "SIZE",
  duration: "DURATION",
  percent: "PERCENT",
  address: "HOST:PORT",
  server: "SERVER",
};

/** Returns what the value of an option has to be, for an error. */
export function expectedValue(option: Option): string {
  if (option.kind === "flag") return "true or false";
  return option.choices?.map((each) => `"${each}"`).join(" or ") ?? EXPECTED[option.kind];
}

const EXPECTED: Readonly<Record<Exclude<OptionKind, "flag">, string>> = {
  text: "text",
  count: "a number",
  size: 'a size such as "512mb"',
  duration: 'a duration such as "30s"',
  percent: 'a percentage such as "100%"',
  address: 'text such as "127.0.0.1:9443"',
  server: 'text such as "127.0.0.1:9443" or "inmems://db.example"',
};

/** Returns the placeholder of an option's value; "" for a flag. */
export function valueNameOf(option: Option): string {
  return option.valueName ?? option.choices?.join("|") ?? VALUE_NAMES[option.kind];
}

/** The widest line of `--help`. */
const HELP_COLUMNS = 96;

/**
 * Returns the text of `--help`: usage, what the role does, and every option with its default, aligned and with a
 * newline at the end.
 */
export function helpText(table: OptionTable): string {
  const left = (name: string) => `  --${name} ${valueNameOf(table.options[name]!)}`.trimEnd();
  const indent = Math.max(...Object.keys(table.options).map((name) => left(name).length)) + 2;
  const row = (name: string) => {
    const lines = wrap(describeOption(table.options[name]!), HELP_COLUMNS - indent);
    return lines.map((line, index) => (index === 0 ? left(name) : "").padEnd(indent) + line);
  };
  const groups = optionGroups(table).flatMap(({ heading, names }) => [`${heading}:`, ...names.flatMap(row), ""]);
  const examples = (table.examples ?? []).flatMap(({ text, command }) => [`  # ${text}`, `  ${command}`]);
  return [
    ...["Usage: " + table.usage, "", ...wrap(table.summary, HELP_COLUMNS), "", ...groups],
    ...examples.length === 0 ? [] : ["Examples:", ...examples, ""],
    ...variablesNote(table),
  ].join("\n");
}

/** The heading of options without a group. */
const GENERAL = "Options";

/** Returns the names of options by their groups, in the order in which the table first has them. */
export function optionGroups(table: OptionTable): { heading: string; names: string[] }[] {
  const groups = Map.groupBy(Object.keys(table.options), (name) => table.options[name]!.group ?? GENERAL);
  return [...groups].map(([heading, names]) => ({ heading, names }));
}

/** Says, by an example, that options are environment variables too. */
function variablesNote(table: OptionTable): string[] {
  const name = Object.keys(table.options).find((each) => each.includes("-")) ?? Object.keys(table.options)[0]!;
  const variable = variableOf(table, name);
  if (variable === undefined) return [];
  return [...wrap(`Each option is an environment variable, too: ${variable} for --${name}.`, HELP_COLUMNS), ""];
}

/** Returns what an option does, with its default and its other sources. */
export function describeOption(option: Option): string {
  const notes: string[] = [];
  if (option.aliases !== undefined) notes.push(`also ${option.aliases.map(dashed).join(", ")}`);
  if (option.repeated) notes.push("may be repeated");
  if (option.environment !== undefined) notes.push(`or the environment variable ${option.environment}`);
  if (option.default !== undefined) notes.push(`default ${option.default}`);
  if (option.absent !== undefined) notes.push(`default: ${option.absent}`);
  return notes.length === 0 ? option.help : `${option.help} (${notes.join("; ")})`;
}

function dashed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

/** Returns a text in lines of at most `columns`, unless a word is longer. */
export function wrap(text: string, columns: number): string[] {
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
