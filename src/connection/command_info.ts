/**
 * `command` describes all commands to clients and tools. Every function exported here is the command of its name.
 *
 * A command is listed under each of its names, so that a tool that looks for Redis's name finds it. Subcommands are not
 * listed separately: they are among the arguments of `object` in `command docs`.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import {
  categoriesOf,
  commandNamed,
  flagsOf,
  GROUP_NAMES,
  keyUsesOf,
  NAMED_COMMANDS,
  tipsOf,
} from "../catalog/command_facts.ts";
import type { NamedCommand } from "../catalog/command_facts.ts";
import type { SyntaxArgument } from "../catalog/command_syntax.ts";
import { acceptsCount, keysEnd } from "../catalog/specification.ts";
import type { CommandSpecification } from "../catalog/specification.ts";
import { ReplyError } from "../errors.ts";
import type { Reply } from "../wire/reply.ts";
import type { Request } from "../wire/request.ts";
import type { ConnectionContext } from "./context.ts";
import { Glob } from "./glob.ts";
import { syntaxError } from "./integer_argument.ts";
import { runSubcommand } from "./subcommands.ts";
import type { Subcommands } from "./subcommands.ts";

/** The subcommands of `command`, by name. */
export const COMMAND_SUBCOMMANDS: Subcommands = {
  count: { arity: 2, run: count, help: ["COUNT", "Return the total number of commands in this server."] },
  list: {
    arity: -2,
    run: list,
    help: ["LIST [FILTERBY MODULE|ACLCAT|PATTERN <value>]", "Return a list of all commands in this server."],
  },
  info: {
    arity: -2,
    run: info,
    help: [
      "INFO [<command-name> ...]",
      "Return details about multiple commands.",
      "If no command names are given, details for all commands are returned.",
    ],
  },
  docs: {
    arity: -2,
    run: docs,
    help: [
      "DOCS [<command-name> ...]",
      "Return documentation details about multiple commands.",
      "If no command names are given, documentation details for all",
      "commands are returned.",
    ],
  },
  getkeys: { arity: -4, run: getKeys, help: ["GETKEYS <full-command>", "Return the keys from a full command."] },
  getkeysandflags: {
    arity: -4,
    run: getKeysAndFlags,
    help: ["GETKEYSANDFLAGS <full-command>", "Return the keys and the access flags from a full command."],
  },
};

/** `command [count | list | info [name …] | docs [name …] | getkeys … | getkeysandflags …]` describes commands. */
export function command(context: ConnectionContext, request: Request, reply: Reply): void | Promise<void> {
  if (request.count === 1) replyInfos(NAMED_COMMANDS, reply);
  else return runSubcommand(COMMAND_SUBCOMMANDS, context, request, reply);
}

function count(_context: ConnectionContext, _request: Request, reply: Reply): void {
  reply.integer(NAMED_COMMANDS.length);
}

function list(_context: ConnectionContext, request: Request, reply: Reply): void {
  const names = listed(request);
  reply.array(names.length);
  for (const { name } of names) reply.text(name);
}

function listed(request: Request): readonly NamedCommand[] {
  if (request.count === 2) return NAMED_COMMANDS;
  if (request.count !== 5 || !request.is(2, "filterby")) throw syntaxError();
  if (request.is(3, "module")) return [];
  if (request.is(3, "aclcat")) {
    const category = request.text(4).toLowerCase();
    return NAMED_COMMANDS.filter((each) => categoriesOf(each).includes(category));
  }
  if (!request.is(3, "pattern")) throw syntaxError();
  const glob = new Glob(encodeText(request.text(4).toLowerCase()));
  return NAMED_COMMANDS.filter(({ name }) => {
    const bytes = encodeText(name);
    return glob.matches(bytes, 0, bytes.length);
  });
}

function info(_context: ConnectionContext, request: Request, reply: Reply): void {
  replyInfos(request.count === 2 ? NAMED_COMMANDS : namedFrom(request, 2), reply);
}

/** Returns the commands with the names in arguments `from` and on. */
function namedFrom(request: Request, from: number): (NamedCommand | undefined)[] {
  return Array.from({ length: request.count - from }, (_, i) => commandNamed(request.text(from + i)));
}

function replyInfos(commands: readonly (NamedCommand | undefined)[], reply: Reply): void {
  reply.array(commands.length);
  for (const each of commands) {
    if (each === undefined) reply.nil();
    else replyInfo(each, reply);
  }
}

function replyInfo(each: NamedCommand, reply: Reply): void {
  const { name, specification: { arity, firstKey, lastKey, keyStep, keyCountAt } } = each;
  const isFixed = keyCountAt === 0;
  reply.array(10);
  reply.text(name);
  reply.integer(arity);
  replyWords(flagsOf(each), reply);
  // Positions that depend on the call are zeros.
  reply.integer(isFixed ? firstKey : 0);
  reply.integer(isFixed ? lastKey : 0);
  reply.integer(isFixed ? keyStep : 0);
  replyWords(categoriesOf(each).map((category) => `@${category}`), reply);
  const tips = tipsOf(each);
  reply.set(tips.length);
  for (const tip of tips) reply.text(tip);
  replyKeySpecifications(each, reply);
  reply.set(0);
}

function replyWords(words: readonly string[], reply: Reply): void {
  reply.set(words.length);
  for (const word of words) reply.status(word);
}

/** Replies with the positions of the keys and how they are used: all in the same way, or each in its own. */
function replyKeySpecifications(each: NamedCommand, reply: Reply): void {
  const { firstKey, lastKey, keyStep, keyCountAt } = each.specification;
  if (firstKey === 0) return reply.set(0);
  const uses = keyUsesOf(each);
  reply.set(uses.length);
  uses.forEach((use, i) => {
    reply.map(3);
    reply.text("flags");
    replyWords(use, reply);
    reply.text("begin_search");
    replyTyped("index", { index: (keyCountAt || firstKey) + i }, reply);
    reply.text("find_keys");
    if (keyCountAt > 0) {
      replyTyped("keynum", { keynumidx: 0, firstkey: firstKey - keyCountAt, keystep: keyStep }, reply);
      return;
    }
    const isOne = uses.length > 1 && (i === 0 || lastKey > 0);
    const last = isOne ? 0 : lastKey < 0 ? lastKey : lastKey - firstKey;
    replyTyped("range", { lastkey: last, keystep: keyStep, limit: 0 }, reply);
  });
}

function replyTyped(type: string, specification: Readonly<Record<string, number>>, reply: Reply): void {
  reply.map(2);
  reply.text("type");
  reply.text(type);
  reply.text("spec");
  const entries = Object.entries(specification);
  reply.map(entries.length);
  for (const [name, value] of entries) {
    reply.text(name);
    reply.integer(value);
  }
}

function docs(_context: ConnectionContext, request: Request, reply: Reply): void {
  const named = request.count === 2 ? NAMED_COMMANDS : namedFrom(request, 2).filter((each) => each !== undefined);
  reply.map(named.length);
  for (const { name, specification: { summary, group, arguments: syntaxArguments } } of named) {
    reply.text(name);
    reply.map(syntaxArguments.length === 0 ? 2 : 3);
    reply.text("summary");
    reply.text(summary);
    reply.text("group");
    reply.text(GROUP_NAMES[group]);
    if (syntaxArguments.length === 0) continue;
    reply.text("arguments");
    replyArguments(syntaxArguments, reply);
  }
}

/**
 * Replies with arguments, and with the arguments that they consist of.
 *
 * @param areChoices whether the arguments are alternatives, instead of following each other
 */
function replyArguments(parts: readonly SyntaxArgument[], reply: Reply, areChoices = false): void {
  let keyIndex = 0;
  reply.array(parts.length);
  for (const { name, type, token, isOptional, isMultiple, parts: inner } of parts) {
    const flags = [isOptional ? "optional" : "", isMultiple ? "multiple" : ""].filter((flag) => flag !== "");
    const isKey = type === "key";
    reply.map(2 + [isKey, token !== undefined, flags.length > 0, inner !== undefined].filter(Boolean).length);
    reply.text("name");
    reply.text(name);
    reply.text("type");
    // Redis has no type for the name of a channel.
    reply.text(type === "channel" ? "string" : type);
    if (isKey) {
      reply.text("key_spec_index");
      reply.integer(areChoices ? 0 : keyIndex++);
    }
    if (token !== undefined) {
      reply.text("token");
      reply.text(token);
    }
    if (flags.length > 0) {
      reply.text("flags");
      replyWords(flags, reply);
    }
    if (inner !== undefined) {
      reply.text("arguments");
      replyArguments(inner, reply, type === "oneof");
    }
  }
}

function getKeys(_context: ConnectionContext, request: Request, reply: Reply): void {
  const positions = keyPositions(request, calledCommand(request).specification);
  reply.array(positions.length);
  for (const position of positions) replyArgument(request, position, reply);
}

function getKeysAndFlags(_context: ConnectionContext, request: Request, reply: Reply): void {
  const called = calledCommand(request);
  const positions = keyPositions(request, called.specification);
  const uses = keyUsesOf(called);
  reply.array(positions.length);
  positions.forEach((position, i) => {
    reply.array(2);
    replyArgument(request, position, reply);
    replyWords(uses[Math.min(i, uses.length - 1)]!, reply);
  });
}

function replyArgument({ bytes, starts, lengths }: Request, position: number, reply: Reply): void {
  reply.bytes(bytes, starts[position]!, lengths[position]!);
}

/** The position at which the call begins that `getkeys` examines. */
const CALL_POSITION = 2;

/**
 * Returns the command of the call from argument 2 on.
 *
 * @throws {ReplyError} when it does not exist
 */
function calledCommand(request: Request): NamedCommand {
  const called = commandNamed(request.text(CALL_POSITION));
  if (called === undefined) throw new ReplyError("ERR", "Invalid command specified");
  return called;
}

/**
 * Returns the positions of the keys in the call from argument 2 on.
 *
 * @throws {ReplyError} when it has none, or its number of arguments or of keys is wrong
 */
function keyPositions(request: Request, specification: CommandSpecification): number[] {
  const { arity, firstKey, keyStep, keyCountAt } = specification;
  const { bytes } = request;
  const [starts, lengths] = [request.starts, request.lengths].map((places) => places.subarray(CALL_POSITION));
  const call = { bytes, count: request.count - CALL_POSITION, starts: starts!, lengths: lengths! };
  if (firstKey === 0) throw new ReplyError("ERR", "The command has no key arguments");
  if (!acceptsCount(arity, call.count)) {
    throw new ReplyError("ERR", "Invalid number of arguments specified for command");
  }
  const end = keysEnd(specification, call);
  const positions: number[] = [];
  for (let i = firstKey; i < end; i += keyStep) positions.push(CALL_POSITION + i);
  if (positions.length > 0) return positions;
  throw new ReplyError(
    "ERR",
    keyCountAt > 0 ? "Invalid arguments specified for command" : "The command has no key arguments",
  );
}
