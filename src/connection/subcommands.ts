/**
 * Commands that have commands of their own, such as `client list`: found by name, checked, run; `help` lists them.
 *
 * They are seldom called, so nothing here is made to be fast.
 *
 * @module
 */

import { decodeText } from "../bytes.ts";
import type { Call } from "../catalog/call.ts";
import { acceptsCount } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";

/** One of them. Positions count from the command's name, as in its specification. */
export interface Subcommand<Context> {
  /** Arguments, both names included: exactly `arity`, or at least `-arity` when negative. */
  readonly arity: number;
  readonly run: (context: Context, request: Request, reply: Reply) => void | Promise<void>;
  /** Its arguments, and what it does in lines, as `help` shows them. */
  readonly help: readonly [syntax: string, ...summary: string[]];
}

/** The arity of `help`, which every such command has. */
const HELP_ARITY = 2;

/** All of one command, by name in lower case. */
export type Subcommands<Context = ConnectionContext> = Readonly<Record<string, Subcommand<Context>>>;

/** The refusal of a subcommand that does not exist, or not with so many arguments. */
export function unknownSubcommand(call: Call): ReplyError {
  const [name, subcommand] = names(call);
  return new ReplyError("ERR", `unknown subcommand '${subcommand}'. Try ${name.toUpperCase()} HELP.`);
}

function names({ bytes, starts, lengths }: Call): [name: string, subcommand: string] {
  const text = (index: number) => decodeText(bytes, starts[index]!, Math.min(128, lengths[index]!));
  return [text(0).toLowerCase(), text(1)];
}

/**
 * The subcommand that argument 1 names.
 *
 * @returns its name, or `help`
 * @throws {ReplyError} when there is none, or it takes another number of arguments
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
 * Runs the subcommand that argument 1 names.
 *
 * @throws {ReplyError} when there is none, or it takes another number of arguments
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
