/**
 * The commands as data: their rows, and everything that follows from a row.
 *
 * This one table drives dispatch and the check of arity (`command/dispatch.ts` adds the functions), the proxy's
 * routing, the client's completion and `help`, and the page of all commands. Names that Redis has, too, have Redis's
 * meanings.
 *
 * @module
 */

import { parseInteger } from "../bytes.ts";
import { assert } from "../errors.ts";
import {
  ARGUMENTS_FEW_MAX_COUNT,
  ARGUMENTS_MAX_COUNT,
  ELEMENT_SIZE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
  WORD_SIZE_MAX_BYTES,
} from "../limits.ts";
import { type CallShape, callShapeOf, type ChannelPlaces } from "./call_shape.ts";
import { CHANNEL_ROWS } from "./channel.ts";
import { parseSyntax, type SyntaxArgument, withoutTypes } from "./command_syntax.ts";
import { CONNECTION_ROWS } from "./connection.ts";
import { HASH_ROWS } from "./hash.ts";
import { KEY_ROWS } from "./key.ts";
import { LIST_ROWS } from "./list.ts";
import type {
  AdminFacts,
  Creation,
  Group,
  KeyUse,
  ProxyRules,
  Routing,
  Row,
  Rows,
  Secret,
  TransactionRule,
  TransactionStep,
} from "./row.ts";
import { SERVER_ROWS } from "./server.ts";
import { SET_ROWS } from "./set.ts";
import { STRING_ROWS } from "./string.ts";
import { TRANSACTION_ROWS } from "./transaction.ts";

/** The version of Redis whose commands these are, for clients that ask. */
export const REDIS_VERSION = "7.0.15";

/** The protocol of a connection: 2 and 3 are versions of RESP, 0 is the native protocol. */
export type ProtocolVersion = 0 | 2 | 3;

/** One command. Counts and positions include the command's name, whose position is 0. */
export interface CommandSpecification {
  readonly name: string;
  /** The position of the command in {@linkcode COMMANDS}. */
  readonly position: number;
  /** Additional names with the same meaning. */
  readonly aliases: readonly string[];
  readonly group: Group;
  /** The number of arguments: exactly `arity`, or at least `-arity` if that is negative. */
  readonly arity: number;
  /** The most arguments of a call. */
  readonly argumentsMaxCount: number;
  /** The longest argument that is not a key, in bytes. Names of channels have other bounds. */
  readonly valueMaxBytes: number;
  /** The position of the first key; 0 for commands without keys. */
  readonly firstKey: number;
  /** The position of the last key; -1 for the last argument. */
  readonly lastKey: number;
  /** The distance between keys: 1, or 2 if there are values between them. */
  readonly keyStep: number;
  /** The position of the argument that is the number of keys; 0 if the keys end at `lastKey`. */
  readonly keyCountAt: number;
  /** The use of its keys: one for all keys, or one for each, the last of which is for all further keys. */
  readonly keyUses: readonly KeyUse[];
  /** The places of names of channels and patterns. */
  readonly channels: readonly ChannelPlaces[];
  /** Whether it may change data. */
  readonly writes: boolean;
  /** The fewest arguments with which it may change data: `ttl key` only reads. */
  readonly writesFromCount: number;
  /** Whether it may need memory, so that it is refused when the store is full. */
  readonly grows: boolean;
  /** The source of the deadline of keys that the command creates; `undefined` when it creates none. */
  readonly creates: Creation | undefined;
  /** The position of the key that may hold a new list afterwards; 0 if there is none. */
  readonly wakes: number;
  /** The names under which the command takes the same short time with any data. */
  readonly fastNames: readonly string[];
  /** Whether it may take long although its request is short. */
  readonly mayTakeLong: boolean;
  /** Whether it can hurt the server or other clients. */
  readonly dangerous: boolean;
  /** Whether it may run before authentication; `native` for only in the native protocol. */
  readonly open: boolean | "native";
  /** Whether it may run on a connection of RESP2 that listens to channels. */
  readonly listens: boolean;
  /** Whether it begins or ends subscriptions. */
  readonly subscription: "begins" | "ends" | undefined;
  /** The rule while the client queues a transaction. */
  readonly inTransaction: TransactionRule;
  /** The effect on the transaction of its client. */
  readonly transactionStep: TransactionStep | undefined;
  /** Whether argument 1 is the number of a database. */
  readonly selectsDatabase: boolean;
  /** Whether its reply and all later ones may be in another version of the protocol. */
  readonly changesProtocol: boolean;
  readonly secret: Secret;
  /** The parts that are logged of an administrator's command; `undefined` for other commands. */
  readonly admin: AdminFacts | undefined;
  readonly routing: Routing;
  /** The routings of subcommands that differ, by the names of the subcommands in lower case. */
  readonly subcommandRoutings: Readonly<Record<string, Routing>>;
  /** The rules in a proxy, besides the routing. */
  readonly proxy: ProxyRules;
  /**
   * The effect of the seconds in its last argument on the reply: with `timeout` they are its longest delay, without a
   * limit if they are 0; with `sleep` they are its delay.
   */
  readonly replyDelay: "none" | "timeout" | "sleep";
  /** Whether its reply is text in lines, for people; or the subcommands whose reply is. */
  readonly textReply: boolean | readonly string[];
  /** The names of the columns of a reply that is an array of rows; empty for other replies. */
  readonly columns: readonly string[];
  /** Whether it has subcommands, whose name is argument 1. */
  readonly hasSubcommands: boolean;
  /** The arguments as `help` shows them. */
  readonly syntax: string;
  /** The arguments as a tree. */
  readonly arguments: readonly SyntaxArgument[];
  /** The words that may follow the required arguments. */
  readonly options: readonly string[];
  /** The description of the command in a sentence or two. */
  readonly summary: string;
  /** The first version of Redis that has the command; `undefined` when Redis does not have it. */
  readonly since: string | undefined;
  /** The growth of its time with the data. */
  readonly complexity: string;
}

/** The properties of the commands of a group, unless their rows say otherwise. */
interface GroupFacts {
  readonly rows: Rows;
  readonly routing: Routing;
  /** The size of the longest argument that is not a key. */
  readonly valueMaxBytes: number;
  /** The most arguments of a command whose arguments may be repeated. */
  readonly argumentsMaxCount: number;
}

/** The properties of commands on the connection or the server, which take few arguments and only words. */
const OF_WORDS = {
  routing: "local",
  valueMaxBytes: WORD_SIZE_MAX_BYTES,
  argumentsMaxCount: ARGUMENTS_FEW_MAX_COUNT,
} as const;

/** The properties of commands on data, which take as many arguments as a request may have, and any bytes. */
const OF_DATA = {
  routing: "key",
  valueMaxBytes: VALUE_SIZE_MAX_BYTES,
  argumentsMaxCount: ARGUMENTS_MAX_COUNT,
} as const;

/** The groups, in the order in which `help` lists them. */
const GROUPS: Readonly<Record<Group, GroupFacts>> = {
  string: { ...OF_DATA, rows: STRING_ROWS },
  list: { ...OF_DATA, rows: LIST_ROWS, valueMaxBytes: ELEMENT_SIZE_MAX_BYTES },
  hash: { ...OF_DATA, rows: HASH_ROWS, valueMaxBytes: ELEMENT_SIZE_MAX_BYTES },
  set: { ...OF_DATA, rows: SET_ROWS, valueMaxBytes: ELEMENT_SIZE_MAX_BYTES },
  key: { ...OF_DATA, rows: KEY_ROWS },
  transaction: { ...OF_DATA, rows: TRANSACTION_ROWS, routing: "transaction" },
  channel: { ...OF_DATA, rows: CHANNEL_ROWS, routing: "channel" },
  connection: { ...OF_WORDS, rows: CONNECTION_ROWS },
  server: { ...OF_WORDS, rows: SERVER_ROWS },
};

/** Every command of inmem, by group. */
export const COMMANDS: readonly CommandSpecification[] = Object.entries(GROUPS).flatMap(([group, facts]) => {
  return Object.entries(facts.rows).map(([name, row]) => ({ group: group as Group, facts, name, row }));
}).map(({ group, facts, name, row }, position) => specify(group, facts, name, row, position));

/** Joins the row of a command with everything that follows from it. */
function specify(group: Group, facts: GroupFacts, name: string, row: Row, position: number): CommandSpecification {
  const args = parseSyntax(row.syntax);
  const shape = callShapeOf(args);
  const keyUses = row.keys === undefined ? [] : [row.keys].flat();
  const aliases = row.aliases ?? [];
  const routing = row.routing ?? facts.routing;
  const specification: CommandSpecification = {
    name,
    position,
    aliases,
    group,
    arity: row.arity ?? shape.arity,
    argumentsMaxCount: row.argumentsMaxCount ?? (shape.hasMany ? facts.argumentsMaxCount : ARGUMENTS_FEW_MAX_COUNT),
    valueMaxBytes: row.takesAnyText ? VALUE_SIZE_MAX_BYTES : facts.valueMaxBytes,
    firstKey: shape.firstKey,
    lastKey: shape.lastKey,
    keyStep: shape.keyStep,
    keyCountAt: shape.keyCountAt,
    keyUses,
    channels: shape.channels,
    writes: row.writes ?? keyUses.some((use) => !use.startsWith("RO")),
    writesFromCount: row.writesFromCount ?? 0,
    grows: row.grows ?? false,
    creates: row.creates,
    wakes: row.wakes ? shape.lastKey : 0,
    fastNames: row.fast === true ? [name, ...aliases] : row.fast || [],
    mayTakeLong: row.mayTakeLong ?? false,
    dangerous: row.dangerous ?? false,
    open: row.open ?? false,
    listens: row.listens ?? false,
    subscription: row.subscription,
    inTransaction: row.inTransaction ?? "queued",
    transactionStep: row.transactionStep,
    selectsDatabase: row.selectsDatabase ?? false,
    changesProtocol: row.changesProtocol ?? false,
    secret: row.secret ?? "none",
    admin: row.admin,
    routing,
    subcommandRoutings: row.subcommandRoutings ?? {},
    proxy: row.proxy ?? {},
    replyDelay: row.replyDelay ?? (routing === "wait" ? "timeout" : "none"),
    textReply: row.textReply ?? false,
    columns: row.columns ?? [],
    hasSubcommands: shape.hasSubcommands,
    syntax: withoutTypes(row.syntax),
    arguments: args,
    options: shape.options,
    summary: row.summary,
    since: row.since,
    complexity: row.complexity,
  };
  check(specification, row, shape);
  return specification;
}

/** Checks that a row does not contradict itself. If it does, that is a bug, and the program ends. */
function check(specification: CommandSpecification, row: Row, shape: CallShape): void {
  const { name, aliases, group, firstKey, lastKey, keyUses, writes, grows, open, creates, wakes, fastNames, routing } =
    specification;
  const holds = (is: boolean, what: string) => assert(is, `command "${name}": ${what}`);
  holds((firstKey > 0) === keyUses.length > 0, "its row says what it does with its keys, if it has any");
  const fixedCount = lastKey < 0 ? 2 : lastKey - firstKey + 1;
  holds(keyUses.length < 2 || keyUses.length === fixedCount, "each of its keys has a use");
  holds(row.writes === undefined || keyUses.length === 0, "whether it writes follows from what it does with its keys");
  holds(row.arity === undefined || row.arity !== shape.arity, "its arity follows from its syntax");
  holds(writes || !grows && creates === undefined && wakes === 0, "what grows, creates or wakes writes");
  holds(wakes >= 0, "the key that it wakes the clients of has a fixed position");
  holds(open === false || !writes, "what is open does not write");
  holds(fastNames.every((each) => each === name || aliases.includes(each)), "it is fast under names that it has");
  holds(routing !== "top" || specification.columns.length > 1, "rows that are ordered by a number have one");
  holds((group === "transaction") === (row.transactionStep !== undefined), "each command on transactions is a step");
}

/**
 * The places of a call's arguments in a buffer. Argument 0 is the command's name. `Request` implements this interface.
 */
export interface Call {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly starts: Int32Array;
  readonly lengths: Int32Array;
}

/**
 * Returns the index of the argument after the last key of a call; 0 if the command has no keys.
 *
 * A call that names a wrong number of keys has none: any server refuses it.
 */
export function keysEnd({ firstKey, lastKey, keyCountAt }: CommandSpecification, call: Call): number {
  const { count } = call;
  if (firstKey === 0) return 0;
  if (keyCountAt === 0) return Math.min(count, lastKey < 0 ? count + lastKey + 1 : lastKey + 1);
  if (keyCountAt >= count) return firstKey;
  const keysCount = parseInteger(call.bytes, call.starts[keyCountAt]!, call.lengths[keyCountAt]!);
  return keysCount > 0 && keysCount <= count - firstKey ? firstKey + keysCount : firstKey;
}

/**
 * Returns whether a command may be called with `count` arguments, including its name.
 *
 * @param arity the arity in its specification
 */
export function acceptsCount(arity: number, count: number): boolean {
  return arity >= 0 ? count === arity : count >= -arity;
}

/** Returns whether a command may change data when it is called with `count` arguments, including its name. */
export function mayWrite({ writes, writesFromCount }: CommandSpecification, count: number): boolean {
  return writes && count >= writesFromCount;
}
