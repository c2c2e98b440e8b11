/**
 * `config` shows and changes the settings of the server. Every function exported here is the command of its name.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { messageOf, ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { Configuration } from "./configuration.ts";
import type { ConnectionContext } from "./context.ts";
import { Glob } from "./glob.ts";
import { inSlices } from "./in_slices.ts";
import { syntaxError } from "./integer_argument.ts";
import { runSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/** The subcommands of `config`, by name. */
export const CONFIG_SUBCOMMANDS: Subcommands = {
  get: {
    arity: -3,
    run: get,
    help: ["GET <pattern>", "Return parameters matching the glob-like <pattern> and their values."],
  },
  set: { arity: -4, run: set, help: ["SET <directive> <value>", "Set the configuration <directive> to <value>."] },
  resetstat: { arity: 2, run: resetStatistics, help: ["RESETSTAT", "Reset statistics reported by the INFO command."] },
  rewrite: { arity: 2, run: rewrite, help: ["REWRITE", "Rewrite the configuration file."] },
};

/** The number of patterns that are searched for between two looks at the clock. A short one takes 10 µs. */
const PATTERNS_PER_STEP_COUNT = 4;

/** `config get pattern [pattern …] | set name value [name value …] | resetstat | rewrite` shows or changes settings. */
export function config(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  return runSubcommand(CONFIG_SUBCOMMANDS, context, request, reply);
}

function get(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  const { configuration } = context.shared;
  // As in Redis, a name that is not a pattern is returned as it was written in the request.
  const found = new Map<string, string>();
  let i = 2;
  const finding = inSlices(context, () => {
    for (const stop = Math.min(request.count, i + PATTERNS_PER_STEP_COUNT); i < stop; i++) find(request.text(i));
    return i === request.count;
  });
  if (finding !== undefined) return finding.then(write);
  write();

  function find(pattern: string): void {
    const lower = pattern.toLowerCase();
    if (Object.hasOwn(configuration, lower)) {
      if (!found.has(lower)) found.set(lower, pattern);
      return;
    }
    const glob = new Glob(encodeText(lower));
    for (const name of Object.keys(configuration)) {
      const bytes = encodeText(name);
      if (!found.has(name) && glob.matches(bytes, 0, bytes.length)) found.set(name, name);
    }
  }

  function write(): void {
    reply.map(found.size);
    for (const [name, given] of found) {
      reply.text(given);
      reply.text(configuration[name]!.get());
    }
  }
}

/** Changes all settings or none. */
function set({ shared: { configuration } }: ConnectionContext, request: Request, reply: Reply): void {
  if (request.count % 2 === 1) throw syntaxError();
  const changes: [name: string, value: string][] = [];
  for (let i = 2; i < request.count; i += 2) {
    const name = request.text(i).toLowerCase();
    if (!Object.hasOwn(configuration, name)) {
      throw new ReplyError("ERR", `Unknown option or number of arguments for CONFIG SET - '${request.text(i)}'`);
    }
    if (changes.some(([other]) => other === name)) throw failure(name, "duplicate parameter");
    if (configuration[name]!.set === undefined) throw failure(name, "can't set immutable config");
    changes.push([name, request.text(i + 1)]);
  }
  const before: [name: string, value: string][] = [];
  for (const [name, value] of changes) {
    before.unshift([name, configuration[name]!.get()]);
    const problem = configuration[name]!.set!(value);
    if (problem === undefined) continue;
    for (const [name, value] of before) configuration[name]!.set!(value);
    throw failure(name, problem);
  }
  reply.ok();
}

function failure(name: string, reason: string): ReplyError {
  return new ReplyError("ERR", `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`);
}

function resetStatistics(context: ConnectionContext, _request: Request, reply: Reply): void {
  context.role.resetStatistics();
  reply.ok();
}

/** Writes what was changed into the file of `--config`. The replies are Redis's. */
function rewrite({ role }: ConnectionContext, _request: Request, reply: Reply): Promise<void> {
  if (role.rewriteConfig === undefined) throw new ReplyError("ERR", "The server is running without a config file");
  return role.rewriteConfig().then(() => reply.ok(), (error) => {
    throw new ReplyError("ERR", `Rewriting config file: ${messageOf(error)}`);
  });
}

/**
 * Returns whether a request is a `config set` of what a proxy has for itself, such as the limits of its clients.
 *
 * @throws {ReplyError} when it also sets what the proxy changes on all servers
 */
export function setsOwn(configuration: Configuration, { name }: { readonly name: string }, request: Request): boolean {
  if (name !== "config" || !request.is(1, "set")) return false;
  let own: string | undefined;
  let isShared = false;
  for (let i = 2; i < request.count; i += 2) {
    const name = request.text(i).toLowerCase();
    if (!Object.hasOwn(configuration, name)) continue;
    if (configuration[name]!.isOwn) own ??= name;
    else isShared = true;
  }
  if (own !== undefined && isShared) throw failure(own, "it changes only the proxy, so set it separately");
  return own !== undefined;
}
