/**
 * `inmem client context`: lists, adds and removes contexts. It runs without a connection.
 *
 * ```text
 * inmem client context                       lists them, with their addresses
 * inmem client context add prod SERVER …     stores the server and the options after it
 * inmem client context remove prod
 * ```
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { type Option, parseOptions, parseValue } from "../role/options.ts";
import { parseServerUrl } from "../role/server_url.ts";
import { formatTable } from "../role/text_table.ts";
import { type ContextFields, Contexts, contextTable } from "../target/contexts.ts";
import { printable } from "../terminal/printable_text.ts";
import { type Format, toJson } from "./format.ts";
import { resolve } from "@std/path";

/** The options whose values are paths, which are stored from the root on. */
const PATHS: readonly string[] = ["ca", "password-file"];

/**
 * Runs one command on contexts.
 *
 * @param args the words after `context`
 * @param folder the folder of the files that inmem makes for this user
 * @returns the text to print
 * @throws {UsageError} when the words are not such a command, or a file cannot be used
 */
export function contextText(args: readonly string[], folder: string, format: Format): string {
  const contexts = new Contexts(folder);
  const [verb = "list", name, ...others] = args;
  if (verb === "list" && name === undefined) return listText(contexts, format);
  if (verb === "add" && name !== undefined) return addText(contexts, name, others);
  if (verb === "remove" && name !== undefined && others.length === 0) {
    contexts.remove(name);
    return done(`Removed context "${name}".`);
  }
  throw new UsageError(
    `Cannot run ${JSON.stringify(["context", ...args].join(" ").slice(0, 100))}: expected context list, ` +
      "context add NAME SERVER [OPTIONS] or context remove NAME",
  );
}

function listText(contexts: Contexts, format: Format): string {
  const rows = contexts.names().map((name) => ({ name, fields: fieldsOrProblem(contexts, name) }));
  if (format === "json") {
    return toJson({ contexts: rows.map(({ name, fields }) => ({ name, ...fields })) }) + "\n";
  }
  if (rows.length === 0) return done('There are no contexts; "inmem client context add NAME SERVER" adds one.');
  const cells = rows.map(({ name, fields: { addr = "", ...others } }) => {
    return [name, String(addr), Object.entries(others).map(([field, value]) => `${field}=${value}`).join(" ")];
  });
  return printable(formatTable([["name", "server", "options"], ...cells])) + "\n";
}

/** Returns the fields of a context as the file has them, or the reason why it cannot be used. */
function fieldsOrProblem(contexts: Contexts, name: string): ContextFields {
  try {
    const source = contexts.read(name);
    const fields: Record<string, string> = {};
    for (const [field, option] of Object.entries(contextTable.options)) {
      const [given] = source(field, option);
      if (given !== undefined) fields[field] = given.text;
    }
    return fields;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { problem: error.message };
  }
}

function addText(contexts: Contexts, name: string, args: readonly string[]): string {
  const { positional, given } = parseOptions(contextTable, args, { environment: () => undefined });
  const servers = [...positional, ...given.get("addr")?.map(({ text }) => text) ?? []];
  const [addr = ""] = servers;
  if (servers.length !== 1) {
    throw new UsageError(`Cannot add context "${name}": expected one server, as in: context add ${name} rediss://host`);
  }
  if (parseServerUrl(addr).password !== undefined) {
    throw new UsageError(
      `Cannot add context "${name}": a context has no password; name a file of mode 0600 with --password-file`,
    );
  }
  const fields: Record<string, string | boolean> = { addr };
  for (const [field, [value]] of given) {
    if (field === "addr") continue;
    const option: Option = contextTable.options[field as keyof typeof contextTable.options]!;
    if (option.kind === "flag") fields[field] = parseValue(option, value!) === true;
    else fields[field] = PATHS.includes(field) ? resolve(value!.text) : value!.text;
  }
  const isReplaced = contexts.store(name, fields);
  return done(`${isReplaced ? "Replaced" : "Added"} context "${name}" for ${addr}.`);
}

function done(sentence: string): string {
  return printable(sentence) + "\n";
}
