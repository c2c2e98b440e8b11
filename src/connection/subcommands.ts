/**
 * Finds, checks and runs subcommands, such as `client list`. Each command with subcommands also has `help`, which lists
 * them.
 *
 * They are rarely called, so this code is not optimized.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Call } from "../catalog/specification.ts";
import { acceptsCount } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";

/** One subcommand. Positions count from the command's name, as in its specification. */
export interface Subcommand<Context> {
  /** The number of arguments with both names: exactly `arity`, or at least `-arity` if that is negative. */
  readonly arity: number;
  readonly run: (context: Context, request: Request, reply: Reply) => void | Promise<void>;
  /** The syntax of the arguments and the lines of the description, as `help` shows them. */
  readonly help: readonly [syntax: string, ...summary: string[]];
}

/** The arity of `help`, which every command with subcommands has. */
const HELP_ARITY = 2;

/** The subcommands of one command, by name in lower case. */
export type Subcommands<Context = ConnectionContext> = Readonly<Record<string, Subcommand<Context>>>;

/** Returns the error for a subcommand that does not exist, or not with this number of arguments. */
export function unknownSubcommand(call: Call): ReplyError {
  const [name, subcommand] = names(call);
  return new ReplyError("ERR", `unknown subcommand '${subcommand}'. Try ${name.toUpperCase()} HELP.`);
}

function names({ bytes, starts, lengths }: Call): [name: string, subcommand: string] {
  const text = (index: number) => decodeText(bytes, starts[index]!, Math.min(128, lengths[index]!));
  return [text(0).toLowerCase(), text(1)];
}

/**
 * Returns the name of the subcommand in argument 1, which may be `help`.
 *
 * @throws {ReplyError} when it does not exist, or the number of arguments is wrong
 */
export function findSubcommand(subcommands: Subcommands<never>, call: Call): string {
  const [name, given] = names(call);
  const wanted = given.toLowerCase();
  const isHelp = wanted === "help";
  if (!isHelp && !Object.hasOwn(subcommands, wanted)) throw unknownSubcommand(call);
  if (!acceptsCount(isHelp ? HELP_ARITY : subcommands[wanted]!.arity, call.count)) {
    throw new ReplyError("ERR", `wrong number of arguments for '${name}|${wanted}' command`);
  }
  return wanted;
}

/**
 * Runs the subcommand in argument 1.
 *
 * @throws {ReplyError} when it does not exist, or the number of arguments is wrong
 */
export function runSubcommand<Context>(
  subcommands: Subcommands<Context>,
  context: Context,
  request: Request,
  reply: Reply,
): void | Promise<void> {
  const wanted = findSubcommand(subcommands, request);
  if (wanted === "help") replyHelp(names(request)[0], subcommands, reply);
  else return subcommands[wanted]!.run(context, request, reply);
}

function replyHelp(name: string, subcommands: Subcommands<never>, reply: Reply): void {
  const upper = name.toUpperCase();
  const lines = [`${upper} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const { help: [syntax, ...summary] } of Object.values(subcommands)) {
    lines.push(syntax, ...summary.map((line) => `    ${line}`));
  }
  lines.push("HELP", "    Prints this help.");
  reply.array(lines.length);
  for (const line of lines) reply.status(line);
}
