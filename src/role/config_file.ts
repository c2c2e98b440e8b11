/**
 * The file of `--config`: options of a role as one JSON object.
 *
 * ```json
 * { "addr": "10.0.0.1:9443", "max-memory": "4gb", "no-auth": true, "max-clients": 500 }
 * ```
 *
 * - A field has the name of the option. Its value is what the command line would have, as text or as a number; a flag
 *   is `true` or `false`, and an option that may be repeated is a list.
 * - Every field is checked, also one that the command line or the environment overrides.
 * - Comments, unknown fields, fields that are there twice, and `null` are refused. Each error has its line and column.
 * - Relative paths in it begin at the working folder, as on the command line.
 *
 * @module
 */

import { messageOf, StartError, UsageError } from "../errors.ts";
import { CONFIG_FILE_MAX_BYTES } from "../limits.ts";
import { type Field, JsonFault, type PlainValue, positionOf, readFields } from "./json_fields.ts";
import {
  expectedValue,
  type GivenValue,
  nearestOption,
  type Option,
  type OptionSource,
  type OptionTable,
  type OptionValues,
  parseOptionsOnly,
  parseValue,
} from "./options.ts";
import { readNamedFile } from "./private_file.ts";

/** The option that names the file, which the file itself cannot have. */
const CONFIG_OPTION = "config";

/** A table with the option that names the file. */
export type ConfigurableTable = OptionTable & { readonly options: { readonly config: Option & { kind: "text" } } };

/** The options of a role that has `--config`. */
export interface ConfiguredOptions<T extends OptionTable> {
  readonly values: OptionValues<T>;
  /** The file of `--config`, if there is one. */
  readonly path: string | undefined;
  /** Reads the file again, and returns the options with it. It throws as {@linkcode parseConfigured} does. */
  readonly reread: () => OptionValues<T>;
}

/**
 * Writes changed options into the file of `--config`, which keeps its other fields. The file is replaced as a whole.
 *
 * @param changed what to write, as the command line has it; `undefined` removes a field
 * @throws {UsageError} when the present content of the file is wrong
 * @throws the error of the file system; then the file is unchanged
 */
export async function rewriteConfigFile(
  path: string,
  table: OptionTable,
  changed: ReadonlyMap<string, string | undefined>,
): Promise<void> {
  const lines = new Map<string, string>();
  readConfigFile(path, table);
  for (const { name, isList, values } of readFields(readText(path))) {
    const texts = values.map(({ kind, text }) => kind === "text" ? JSON.stringify(text) : text);
    lines.set(name, isList ? `[${texts.join(", ")}]` : texts[0]!);
  }
  for (const [name, text] of changed) {
    if (text === undefined) lines.delete(name);
    else lines.set(name, table.options[name]!.kind === "count" ? text : JSON.stringify(text));
  }
  const body = [...lines].map(([name, value]) => `  ${JSON.stringify(name)}: ${value}`).join(",\n");
  await replaceFile(path, lines.size === 0 ? "{}\n" : `{\n${body}\n}\n`);
}

/**
 * Replaces a file, or the one that a link leads to, by one with the same mode. A crash leaves the old or the new one.
 */
async function replaceFile(path: string, text: string): Promise<void> {
  const target = await Deno.realPath(path);
  const { mode } = await Deno.stat(target);
  const temporary = `${target}.${crypto.randomUUID()}.tmp`;
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: (mode ?? 0o600) & 0o777 });
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    await file.sync();
    await Deno.rename(temporary, target);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw error;
  }
}

/**
 * Parses the arguments of a role that takes options only, with the environment and the file of `--config`. If they ask
 * for help, it is printed.
 *
 * @returns `undefined` when help was printed and nothing is left to do
 * @throws {UsageError} when an option or the file is wrong
 */
export function parseConfigured<const T extends ConfigurableTable>(
  table: T,
  argv: readonly string[],
): ConfiguredOptions<T> | undefined {
  const values = parseOptionsOnly(table, argv);
  if (values === undefined) return undefined;
  // The compiler cannot look up a field of a mapped type over a parameter.
  const path = (values as { config?: string }).config;
  if (path === undefined) return { values, path, reread: () => values };
  const reread = () => parseOptionsOnly(table, argv, { file: readConfigFile(path, table) })!;
  return { values: reread(), path, reread };
}

/**
 * Reads a file of options as a source of values.
 *
 * @throws {UsageError} when it cannot be read, or names what is wrong and where
 */
export function readConfigFile(path: string, table: OptionTable): OptionSource {
  const text = readText(path);
  const fail = (message: string, offset: number) => {
    const { line, column } = positionOf(text, offset);
    return new UsageError(`Cannot use the config file "${path}": line ${line}, column ${column}: ${message}`);
  };
  try {
    const given = new Map<string, readonly GivenValue[]>();
    for (const field of readFields(text)) given.set(field.name, checkField(table, field));
    return (name) => given.get(name) ?? [];
  } catch (error) {
    if (error instanceof JsonFault) throw fail(error.message, error.offset);
    throw error;
  }
}

function readText(path: string): string {
  try {
    const bytes = readNamedFile(path, "config file", CONFIG_FILE_MAX_BYTES);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof StartError) throw new UsageError(error.message, { cause: error });
    throw new UsageError(`Cannot use the config file "${path}": expected UTF-8 text`, { cause: error });
  }
}

/** Checks a field with the option of its name, and returns its values as the command line would have them. */
function checkField(table: OptionTable, { name, offset, isList, values }: Field): GivenValue[] {
  const option = Object.hasOwn(table.options, name) ? table.options[name] : undefined;
  if (option === undefined || option.onlyTyped || name === CONFIG_OPTION) {
    throw new JsonFault(unknownField(table, name, option), offset);
  }
  if (isList && !option.repeated) {
    throw new JsonFault(`expected "${name}" to be ${expectedValue(option)}, found a list`, values[0]?.offset ?? offset);
  }
  return values.map((value) => {
    const given = { text: value.text, source: `"${name}"` };
    if (!isOfKind(value, option)) {
      const found = value.kind === "text" ? JSON.stringify(value.text.slice(0, 40)) : value.text;
      throw new JsonFault(`expected "${name}" to be ${expectedValue(option)}, found ${found}`, value.offset);
    }
    try {
      parseValue(option, given);
    } catch (error) {
      throw new JsonFault(messageOf(error), value.offset);
    }
    return given;
  });
}

/** Returns whether JSON has the right kind of value for an option: text says everything but flags. */
function isOfKind({ kind, text }: PlainValue, option: Option): boolean {
  if (option.kind === "flag") return kind === "flag";
  if (kind === "text") return text !== "" && !text.includes("\0");
  return kind === "number" && ["count", "size", "duration", "percent"].includes(option.kind);
}

function unknownField(table: OptionTable, name: string, option: Option | undefined): string {
  if (option !== undefined) return `"${name}" cannot be in the file: it is an option of the command line`;
  const shown = JSON.stringify(name.slice(0, 40));
  // People write the name as in other files of JSON or with its dashes: maxMemory, max_memory, --max-memory.
  const spelled = name.slice(0, 40).replace(/^--?/, "").replace(/([a-z])([A-Z])/g, "$1-$2").replace(/[_ ]/g, "-");
  const nearest = nearestOption(table, spelled.toLowerCase());
  const advice = nearest === undefined ? "expected an option that --help lists" : `did you mean "${nearest}"?`;
  return `there is no option ${shown}: ${advice}`;
}
