/**
 * The options of a tool that connects to a server, with those of a context.
 *
 * ```text
 * --context prod       the command line > the context > other variables of the environment > defaults
 * INMEM_ADDR=h         the command line > the environment > defaults
 * INMEM_CONTEXT=prod   the command line > the environment > the context > defaults
 * none of these        as with INMEM_CONTEXT=default, if there is a context of that name
 * ```
 *
 * A context is used as a whole or not at all: the address that one names is never joined with the certificates of
 * another. So `--addr` or `INMEM_ADDR` turns off a context that was not typed, and `--context` turns off the
 * environment's options of the target, except for `INMEM_PASSWORD`.
 *
 * @module
 */

import { formatAddress } from "../address.ts";
import { UsageError } from "../errors.ts";
import { type OptionTable, type ParsedOptions, parseOptions, variableOf } from "../role/options.ts";
import { parseServerUrl } from "../role/server_url.ts";
import { stateFolder } from "../role/state_folder.ts";
import { targetOptions } from "../role/target_options.ts";

/** The host of `--port` without `--host`. */
const LOOPBACK = "127.0.0.1";

/** A table that has the options of the target. */
export type TargetTable = OptionTable & { readonly options: typeof targetOptions };

/** The environment and the state folder, which tests replace. */
export interface TargetPlace {
  /** Returns an environment variable. */
  readonly environment?: (variable: string) => string | undefined;
  /** The folder of the files that inmem makes for this user; `undefined` when there is none. */
  readonly folder?: string;
}

/**
 * Parses the arguments of a tool like `parseOptions`, and adds the options of a context.
 *
 * @throws {UsageError} with one line that says what was expected
 */
export async function parseTargetOptions<const T extends TargetTable>(
  table: T,
  argv: readonly string[],
  { environment, folder = ownFolder() }: TargetPlace = {},
): Promise<ParsedOptions<T>> {
  const plain = withHostAndPort(parseOptions(table, argv, { environment }));
  // The compiler does not look up a field of a mapped type over a parameter.
  const { context, help } = plain.values as { context?: string; help?: boolean };
  if (help) return plain;
  const typed = context === undefined ? undefined : typedContext(table, argv);
  if (typed === undefined && plain.given.has("addr")) return plain;
  const name = typed ?? context ?? await defaultContext(folder);
  if (name === undefined) return plain;
  if (folder === undefined) throw new UsageError(`Cannot use context "${name}": HOME and XDG_STATE_HOME are not set`);
  const { Contexts } = await import("./contexts.ts");
  const file = new Contexts(folder).read(name);
  if (typed === undefined) return parseOptions(table, argv, { environment, file });
  const masked = new Set(Object.keys(targetOptions).map((option) => variableOf(table, option)));
  const read = environment ?? ((variable: string) => Deno.env.get(variable));
  return parseOptions(table, argv, { environment: (name) => masked.has(name) ? undefined : read(name), file });
}

/** Makes one address of `--host` and `--port`. */
function withHostAndPort<T extends TargetTable>(parsed: ParsedOptions<T>): ParsedOptions<T> {
  const { given } = parsed;
  if (!given.has("host") && !given.has("port")) return parsed;
  if (given.get("addr")?.[0]?.source === "--addr" || given.get("context")?.[0]?.source === "--context") {
    throw new UsageError("Cannot use --host and --port together with --addr or --context: expected one way");
  }
  const { host = LOOPBACK, port } = parsed.values as { host?: string; port?: number };
  const shown = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
  if (/^[0-9]+$/.test(host)) throw new UsageError(`Cannot use host "${host}": expected a name or an IP address`);
  const addr = parseServerUrl(port === undefined ? shown : `${shown}:${port}`);
  const source = given.has("host") ? "--host" : "--port";
  return {
    ...parsed,
    values: { ...parsed.values, addr },
    given: new Map([...given, ["addr", [{ text: formatAddress(addr), source }]]]),
  };
}

/** Returns the context of the command line. */
function typedContext(table: TargetTable, argv: readonly string[]): string | undefined {
  const { values, given } = parseOptions(table, argv, { environment: () => undefined });
  if (values.context !== undefined && given.has("addr")) {
    throw new UsageError("Cannot use --context together with --addr: expected one of them");
  }
  return values.context;
}

/** Returns the name of the context for when nothing is named, if there is one. */
async function defaultContext(folder: string | undefined): Promise<string | undefined> {
  if (folder === undefined) return undefined;
  try {
    // The module of contexts is imported only if there are any, for the start of each call.
    Deno.statSync(`${folder}/contexts`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
  }
  const { Contexts, DEFAULT_CONTEXT } = await import("./contexts.ts");
  return new Contexts(folder).has(DEFAULT_CONTEXT) ? DEFAULT_CONTEXT : undefined;
}

function ownFolder(): string | undefined {
  try {
    return stateFolder();
  } catch {
    return undefined;
  }
}
