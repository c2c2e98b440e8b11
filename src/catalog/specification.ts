/**
 * The commands as data: names, arity, keys, routing and help, without the code that runs them.
 *
 * One table drives dispatch and the check of arity (`command/dispatch.ts` adds the code), the proxy's routing, the client's
 * completion and `help`, and README's list of commands. Meanings are those of Redis where Redis has the name.
 *
 * @module
 */

import {
  ARGUMENTS_FEW_MAX_COUNT,
  ARGUMENTS_MAX_COUNT,
  BLOCKING_KEYS_MAX_COUNT,
  ELEMENT_SIZE_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
  WATCHED_KEYS_MAX_COUNT,
  WORD_SIZE_MAX_BYTES,
} from "../limits.ts";

/** The version of Redis whose commands these are, for clients that ask. */
export const REDIS_VERSION = "7.0.15";

/** What a connection speaks: 2 and 3 are versions of RESP, 0 is the native protocol. */
export type ProtocolVersion = 0 | 2 | 3;

/** What a command works on; `help` lists by it. */
export type Group = "string" | "list" | "hash" | "key" | "transaction" | "channel" | "connection" | "server";

/**
 * What the proxy does with a command.
 *
 * | routing | to which servers | answer |
 * |---|---|---|
 * | `key` | the owner of its key; where there is none (`object help`), any | that server's, untouched |
 * | `together` | the owner of its keys, which have to share a slot | that server's, untouched |
 * | `sum` | owners of its keys, each with its own keys | the sum of the integers |
 * | `values` | owners of its keys, each with its own keys | the values in the order asked |
 * | `pairs` | owners of its keys, each with its own pairs | `OK` |
 * | `total` | all | the sum of the integers |
 * | `merge` | all | the arrays one behind another |
 * | `every` | all | `OK` |
 * | `any` | one by chance, the others if that one has nothing | that server's |
 * | `scan` | one after another | a cursor that names server and position |
 * | `local` | none: the proxy answers | its own |
 * | `wait` | the owner of its keys, which have to share a slot | that server's; others' requests must not wait behind it |
 * | `transaction` | the owner of all keys until `exec`, which have to share a slot | that server's |
 * | `channel` | where channels are | messages too |
 */
export type Routing =
  | "key"
  | "together"
  | "sum"
  | "values"
  | "pairs"
  | "total"
  | "merge"
  | "every"
  | "any"
  | "scan"
  | "local"
  | "wait"
  | "transaction"
  | "channel";

/**
 * Which arguments of a command are a secret, so that the client does not remember the line.
 *
 * | secret | which |
 * |---|---|
 * | `arguments` | every one |
 * | `words` | what follows the word AUTH |
 * | `settings` | values of settings whose names tell of passwords |
 * | `command` | those of the command that the arguments are |
 */
export type Secret = "none" | "arguments" | "words" | "settings" | "command";

/** One command. Positions count from the command's name, which is 0. */
export interface CommandSpecification {
  readonly name: string;
  /** Further names with the same meaning. */
  readonly aliases: readonly string[];
  readonly group: Group;
  /** Arguments, the name included: exactly `arity`, or at least `-arity` when negative. */
  readonly arity: number;
  /** Most arguments, the name included. */
  readonly argumentsMaxCount: number;
  /** Longest argument that is no key. Names of channels have bounds of their own. */
  readonly valueMaxBytes: number;
  /** Position of the first key; 0 for commands without. */
  readonly firstKey: number;
  /** Position of the last key; -1 for the last argument. */
  readonly lastKey: number;
  /** Distance between keys: 1, or 2 where values stand between them. */
  readonly keyStep: number;
  /** Whether it may change data. */
  readonly writes: boolean;
  /** The fewest arguments with which it may, the name included: `ttl key` only reads. */
  readonly writesFromCount: number;
  /** Whether it may need memory, so that it is refused when the store is full. */
  readonly grows: boolean;
  /** Whether it may run before authentication: `native` for in that protocol only. */
  readonly open: boolean | "native";
  /** Whether it may run on a connection of RESP2 that listens to channels. */
  readonly listens: boolean;
  /** Whether it runs at once although a transaction was begun. */
  readonly unqueued: boolean;
  /** Whether it is refused in a transaction, since it waits for something else than the store. */
  readonly unqueueable: boolean;
  readonly secret: Secret;
  /** Whether it is one of an administrator, which are logged; `undefined` when it is not. */
  readonly admin: AdminFacts | undefined;
  readonly routing: Routing;
  /**
   * What the seconds in its last argument mean for the reply: `timeout` delays it by that time at most, or for ever
   * when they are 0; `sleep` delays it by that time.
   */
  readonly replyDelay: "none" | "timeout" | "sleep";
  /** Whether its reply is text in lines, for people: `true`, or the subcommands whose reply is. */
  readonly textReply: boolean | readonly string[];
  /** Its arguments, as `help` shows them. */
  readonly syntax: string;
  /** One sentence. */
  readonly summary: string;
}

/** What is logged of a command of an administrator. */
export interface AdminFacts {
  /** Its subcommands that count; all calls do without it. */
  readonly subcommands?: readonly string[];
  /** How many arguments behind the name are logged. Later ones may be secret, or may not be text. */
  readonly shownCount: number;
}

interface Row {
  admin?: AdminFacts;
  argumentsMaxCount?: number;
  aliases?: readonly string[];
  keys?: readonly [first: number, last: number, step: number];
  writes?: boolean;
  writesFromCount?: number;
  grows?: boolean;
  open?: boolean | "native";
  listens?: boolean;
  unqueued?: boolean;
  unqueueable?: boolean;
  secret?: Secret;
  routing?: Routing;
  replyDelay?: "sleep";
  textReply?: true | readonly string[];
}

/** Groups whose commands have no keys, unless their rows say otherwise. */
const WITHOUT_KEYS: readonly Group[] = ["transaction", "channel", "connection", "server"];
/** Commands that take any text, although their group takes words. */
const PASSING_ON: readonly string[] = ["ping", "echo", "command"];
/** The routing of a group's commands, unless their rows say otherwise. */
const ROUTING_BY_GROUP: Readonly<Record<Group, Routing>> = {
  string: "key",
  list: "key",
  hash: "key",
  key: "key",
  transaction: "transaction",
  channel: "channel",
  connection: "local",
  server: "local",
};

function command(
  group: Group,
  name: string,
  arity: number,
  syntax: string,
  summary: string,
  row: Row = {},
): CommandSpecification {
  const [firstKey, lastKey, keyStep] = row.keys ?? (WITHOUT_KEYS.includes(group) ? [0, 0, 0] : [1, 1, 1]);
  return {
    name,
    aliases: row.aliases ?? [],
    group,
    arity,
    argumentsMaxCount: row.argumentsMaxCount ?? mostArguments(group, syntax),
    valueMaxBytes: mostBytes(group, name),
    firstKey,
    lastKey,
    keyStep,
    writes: row.writes ?? false,
    writesFromCount: row.writesFromCount ?? 0,
    grows: row.grows ?? false,
    open: row.open ?? false,
    listens: row.listens ?? false,
    unqueued: row.unqueued ?? false,
    unqueueable: row.unqueueable ?? false,
    secret: row.secret ?? "none",
    admin: row.admin,
    routing: row.routing ?? ROUTING_BY_GROUP[group],
    replyDelay: row.replyDelay ?? (row.routing === "wait" ? "timeout" : "none"),
    textReply: row.textReply ?? false,
    syntax,
    summary,
  };
}

/** Commands on data whose syntax says `…` take as many arguments as a request may have. */
function mostArguments(group: Group, syntax: string): number {
  const isMany = syntax.includes("…") && group !== "connection" && group !== "server";
  return isMany ? ARGUMENTS_MAX_COUNT : ARGUMENTS_FEW_MAX_COUNT;
}

/** Commands on the connection or the server take nothing but words, unless they pass on what they are told. */
function mostBytes(group: Group, name: string): number {
  if (group === "list" || group === "hash") return ELEMENT_SIZE_MAX_BYTES;
  if (group !== "connection" && group !== "server") return VALUE_SIZE_MAX_BYTES;
  return PASSING_ON.includes(name) ? VALUE_SIZE_MAX_BYTES : WORD_SIZE_MAX_BYTES;
}

/**
 * Returns the index of the argument that follows the last key of a call; 0 when the command has no keys.
 *
 * @param count of the call's arguments, the name included
 */
export function keysEnd({ firstKey, lastKey }: CommandSpecification, count: number): number {
  if (firstKey === 0) return 0;
  return Math.min(count, lastKey < 0 ? count + lastKey + 1 : lastKey + 1);
}

const NO_KEYS = [0, 0, 0] as const;
const ALL_KEYS = [1, -1, 1] as const;
const PAIRS = [1, -1, 2] as const;
const TWO_KEYS = [1, 2, 1] as const;
/** The key of a subcommand. */
const SECOND = [2, 2, 1] as const;
const GROWS = { writes: true, grows: true };
const WRITES = { writes: true };

/** Every command of inmem, by group. */
export const COMMANDS: readonly CommandSpecification[] = [
  command("string", "get", 2, "key", "The value of a string, or nil."),
  command(
    "string",
    "set",
    -3,
    "key value [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [NX | XX] [GET]",
    "Sets a string, whatever the key held. NX: only if absent. XX: only if present. GET: answers the old value.",
    GROWS,
  ),
  command("string", "setnx", 3, "key value", "Sets a string if the key is absent; answers 1, or 0.", GROWS),
  command("string", "setex", 4, "key seconds value", "Sets a string with a TTL.", GROWS),
  command("string", "psetex", 4, "key ms value", "Sets a string with a TTL in milliseconds.", GROWS),
  command("string", "getset", 3, "key value", "Sets a string, and answers the old value, or nil.", GROWS),
  command(
    "string",
    "getex",
    -2,
    "key [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | PERSIST]",
    "The value of a string, whose TTL is set or taken away.",
    { writes: true, writesFromCount: 3 },
  ),
  command("string", "mget", -2, "key [key …]", "The values of several strings; nil for what is absent or no string.", {
    keys: ALL_KEYS,
    routing: "values",
  }),
  command("string", "mset", -3, "key value [key value …]", "Sets several strings.", {
    ...GROWS,
    keys: PAIRS,
    routing: "pairs",
  }),
  command(
    "string",
    "msetnx",
    -3,
    "key value [key value …]",
    "Sets several strings if none is there; answers 1, or 0.",
    {
      ...GROWS,
      keys: PAIRS,
      routing: "together",
    },
  ),
  command("string", "getdel", 2, "key", "The value of a string, which is removed.", WRITES),
  command("string", "strlen", 2, "key", "The length of a string in bytes; 0 when absent."),
  command("string", "getrange", 4, "key start end", "The bytes from start to end, both included; -1 is the last.", {
    aliases: ["substr"],
  }),
  command(
    "string",
    "setrange",
    4,
    "key offset value",
    "Overwrites a string from an offset on; answers its length.",
    GROWS,
  ),
  command("string", "append", 3, "key value", "Appends to a string, or sets it; answers its length in bytes.", GROWS),
  command("string", "incr", 2, "key", "Adds 1 to a number, or sets it to 1; answers the sum.", GROWS),
  command("string", "decr", 2, "key", "Subtracts 1 from a number, or sets it to -1; answers the difference.", GROWS),
  command("string", "incrby", 3, "key integer", "Adds to a number, or sets it; answers the sum.", GROWS),
  command("string", "decrby", 3, "key integer", "Subtracts from a number; answers the difference.", GROWS),
  command("string", "incrbyfloat", 3, "key number", "Adds to a number with a fraction; answers the sum.", GROWS),

  command("list", "lpush", -3, "key element [element …]", "Puts elements at the head; answers the length.", GROWS),
  command("list", "rpush", -3, "key element [element …]", "Puts elements at the tail; answers the length.", GROWS),
  command("list", "lpushx", -3, "key element [element …]", "As `lpush`, if the list is there; else answers 0.", GROWS),
  command("list", "rpushx", -3, "key element [element …]", "As `rpush`, if the list is there; else answers 0.", GROWS),
  command("list", "lpop", -2, "key [count]", "Takes one element, or up to `count`, from the head.", WRITES),
  command("list", "rpop", -2, "key [count]", "Takes one element, or up to `count`, from the tail.", WRITES),
  command("list", "lset", 4, "key index element", "Replaces an element; -1 is the last.", GROWS),
  command("list", "lget", 3, "key index", "The element at an index, or nil; -1 is the last.", { aliases: ["lindex"] }),
  command("list", "lrange", 4, "key start stop", "The elements from start to stop, both included; -1 is the last."),
  command("list", "llen", 2, "key", "The number of elements; 0 when absent."),
  command(
    "list",
    "linsert",
    5,
    "key BEFORE|AFTER pivot element",
    "Puts an element beside another; answers the length, or -1 when that is not there.",
    GROWS,
  ),
  command("list", "lrem", 4, "key count element", "Removes elements that are equal; answers how many.", WRITES),
  command("list", "ltrim", 4, "key start stop", "Removes all but the elements from start to stop.", WRITES),
  command(
    "list",
    "lpos",
    -3,
    "key element [RANK rank] [COUNT count] [MAXLEN length]",
    "The index of an element, or of several.",
  ),
  command(
    "list",
    "lmove",
    5,
    "source destination LEFT|RIGHT LEFT|RIGHT",
    "Moves an element from one end of a list to one end of another, and answers it.",
    { ...GROWS, keys: TWO_KEYS, routing: "together" },
  ),
  command("list", "rpoplpush", 3, "source destination", "As `lmove` from the tail to the head.", {
    ...GROWS,
    keys: TWO_KEYS,
    routing: "together",
  }),
  command("list", "blpop", -3, "key [key …] timeout", "As `lpop` on the first list that has one; waits, in seconds.", {
    ...WRITES,
    keys: [1, -2, 1],
    argumentsMaxCount: BLOCKING_KEYS_MAX_COUNT + 2,
    routing: "wait",
  }),
  command("list", "brpop", -3, "key [key …] timeout", "As `rpop` on the first list that has one; waits, in seconds.", {
    ...WRITES,
    keys: [1, -2, 1],
    argumentsMaxCount: BLOCKING_KEYS_MAX_COUNT + 2,
    routing: "wait",
  }),
  command(
    "list",
    "blmove",
    6,
    "source destination LEFT|RIGHT LEFT|RIGHT timeout",
    "As `lmove`; waits for an element, in seconds.",
    { ...GROWS, keys: [1, 2, 1], routing: "wait" },
  ),
  command("list", "brpoplpush", 4, "source destination timeout", "As `rpoplpush`; waits for an element, in seconds.", {
    ...GROWS,
    keys: [1, 2, 1],
    routing: "wait",
  }),

  command(
    "hash",
    "hset",
    -4,
    "key field value [field value …]",
    "Sets fields; answers how many of them are new.",
    GROWS,
  ),
  command("hash", "hmset", -4, "key field value [field value …]", "As `hset`; answers OK.", GROWS),
  command("hash", "hsetnx", 4, "key field value", "Sets a field if it is absent; answers 1, or 0.", GROWS),
  command("hash", "hget", 3, "key field", "The value of a field, or nil."),
  command("hash", "hmget", -3, "key field [field …]", "The values of several fields; nil for what is absent."),
  command("hash", "hdel", -3, "key field [field …]", "Removes fields; answers how many there were.", WRITES),
  command("hash", "hgetall", 2, "key", "All fields with their values."),
  command("hash", "hlen", 2, "key", "The number of fields; 0 when absent."),
  command("hash", "hexists", 3, "key field", "1 if the field is there, else 0."),
  command("hash", "hstrlen", 3, "key field", "The length of a field's value in bytes; 0 when absent."),
  command("hash", "hkeys", 2, "key", "All fields."),
  command("hash", "hvals", 2, "key", "All values."),
  command(
    "hash",
    "hincrby",
    4,
    "key field integer",
    "Adds to the number in a field, or sets it; answers the sum.",
    GROWS,
  ),
  command(
    "hash",
    "hincrbyfloat",
    4,
    "key field number",
    "Adds to the number with a fraction in a field; answers the sum.",
    GROWS,
  ),
  command(
    "hash",
    "hrandfield",
    -2,
    "key [count [WITHVALUES]]",
    "Fields at random: all different, or when `count` is negative that many of any.",
  ),
  command(
    "hash",
    "hscan",
    -3,
    "key cursor [MATCH pattern] [COUNT count]",
    "Some fields with values and the cursor to go on with; begin with 0, until it is 0 again.",
  ),

  command("key", "remove", -2, "key [key …]", "Removes keys; answers how many there were.", {
    ...WRITES,
    aliases: ["del", "unlink"],
    keys: ALL_KEYS,
    routing: "sum",
  }),
  command("key", "exists", -2, "key [key …]", "How many of the keys are there; one named twice counts twice.", {
    keys: ALL_KEYS,
    routing: "sum",
  }),
  command("key", "touch", -2, "key [key …]", "As `exists`, and makes the keys the most recently used.", {
    keys: ALL_KEYS,
    routing: "sum",
  }),
  command("key", "rename", 3, "key newkey", "Gives a value another key, whatever that held.", {
    ...GROWS,
    keys: TWO_KEYS,
    routing: "together",
  }),
  command("key", "renamenx", 3, "key newkey", "As `rename`, if the other key is absent; answers 1, or 0.", {
    ...GROWS,
    keys: TWO_KEYS,
    routing: "together",
  }),
  command("key", "copy", -3, "source destination [DB 0] [REPLACE]", "Copies a value; answers 1, or 0.", {
    ...GROWS,
    keys: TWO_KEYS,
    routing: "together",
  }),
  command("key", "type", 2, "key", "string, list, hash or none."),
  command(
    "key",
    "ttl",
    -2,
    "key [seconds]",
    "The seconds a key has left (-1: no TTL, -2: no key), or sets them, which have to be positive.",
    { writes: true, writesFromCount: 3 },
  ),
  command("key", "pttl", 2, "key", "The milliseconds a key has left; -1: no TTL, -2: no key."),
  command(
    "key",
    "expire",
    -3,
    "key seconds [NX | XX | GT | LT]",
    "Lets a key end after a time. NX: only without a TTL. XX: only with one. GT: only later. LT: only earlier.",
    WRITES,
  ),
  command("key", "pexpire", -3, "key ms [NX | XX | GT | LT]", "As `expire`, in milliseconds.", WRITES),
  command("key", "expireat", -3, "key unix-seconds [NX | XX | GT | LT]", "Lets a key end at a moment.", WRITES),
  command("key", "pexpireat", -3, "key unix-ms [NX | XX | GT | LT]", "As `expireat`, in milliseconds.", WRITES),
  command("key", "expiretime", 2, "key", "The moment a key ends, in seconds since 1970; -1: never, -2: no key."),
  command("key", "pexpiretime", 2, "key", "The moment a key ends, in milliseconds since 1970; -1: never, -2: no key."),
  command("key", "persist", 2, "key", "Takes a key's TTL away; answers 1, or 0 if it had none.", WRITES),
  command("key", "keys", 2, "pattern", "All keys that match a glob pattern: * ? [a-z] \\", {
    keys: NO_KEYS,
    routing: "merge",
  }),
  command(
    "key",
    "scan",
    -2,
    "cursor [MATCH pattern] [COUNT count] [TYPE type]",
    "Some keys and the cursor to go on with; begin with 0, until it is 0 again.",
    { keys: NO_KEYS, routing: "scan" },
  ),
  command(
    "key",
    "flushslots",
    3,
    "cursor bitmap",
    "Removes some keys of the slots in a bitmap; answers the cursor to go on with, as scan does, and how many.",
    { keys: NO_KEYS, writes: true, routing: "local", admin: { shownCount: 0 } },
  ),
  command("key", "size", 1, "", "The number of keys.", { aliases: ["dbsize"], keys: NO_KEYS, routing: "total" }),
  command("key", "randomkey", 1, "", "Some key, or nil.", { keys: NO_KEYS, routing: "any" }),
  command(
    "key",
    "object",
    -2,
    "encoding key | freq key | idletime key | refcount key",
    "How a value is kept, in the words of Redis.",
    { keys: SECOND },
  ),
  command(
    "key",
    "memory",
    -2,
    "usage key [SAMPLES count] | stats | doctor | malloc-stats | purge",
    "What a value takes in bytes, or all of them.",
    { keys: SECOND, textReply: ["doctor"] },
  ),
  command("key", "flush", -1, "[ASYNC | SYNC]", "Removes all keys.", {
    ...WRITES,
    aliases: ["flushall", "flushdb"],
    keys: NO_KEYS,
    admin: { shownCount: 1 },
    routing: "every",
  }),

  command("transaction", "multi", 1, "", "Begins a transaction: commands are queued until `exec`.", { unqueued: true }),
  command(
    "transaction",
    "exec",
    1,
    "",
    "Runs what was queued, all at once; answers nil if a watched key has changed.",
    {
      unqueued: true,
    },
  ),
  command("transaction", "discard", 1, "", "Forgets what was queued.", { unqueued: true }),
  command(
    "transaction",
    "watch",
    -2,
    "key [key …]",
    "Lets `exec` run nothing if one of these keys changes until then.",
    {
      argumentsMaxCount: WATCHED_KEYS_MAX_COUNT + 1,
      keys: ALL_KEYS,
      unqueued: true,
    },
  ),
  command("transaction", "unwatch", 1, "", "Watches no key any more."),

  command("channel", "subscribe", -2, "channel [channel …]", "Listens to channels. Needs RESP.", { listens: true }),
  command("channel", "unsubscribe", -1, "[channel …]", "Listens to these channels no more, or to none.", {
    listens: true,
  }),
  command("channel", "psubscribe", -2, "pattern [pattern …]", "Listens to the channels that match. Needs RESP.", {
    listens: true,
  }),
  command("channel", "punsubscribe", -1, "[pattern …]", "Listens to what matches these no more, or to no pattern.", {
    listens: true,
  }),
  command("channel", "publish", 3, "channel message", "Sends to all who listen; answers how many they are."),
  command("channel", "pubsub", -2, "channels [pattern] | numsub [channel …] | numpat", "What is listened to."),

  command("connection", "ping", -1, "[text]", "PONG, or the text.", { open: "native", listens: true }),
  command("connection", "echo", 2, "text", "The text."),
  command("connection", "auth", -2, "[user] password", "Authenticates this connection; the only user is `default`.", {
    open: true,
    secret: "arguments",
  }),
  command(
    "connection",
    "hello",
    -1,
    "[2|3 [AUTH user password] [SETNAME name]]",
    "Chooses the version of RESP, and answers what this server is.",
    { open: true, secret: "words" },
  ),
  command(
    "connection",
    "client",
    -2,
    "id | getname | setname name | setinfo option value | list … | info | kill … | unblock id | no-evict … | no-touch …",
    "What the server knows of its connections; `client help` tells more.",
    { textReply: ["info", "list"], admin: { subcommands: ["kill", "unblock"], shownCount: 16 } },
  ),
  command("connection", "select", 2, "index", "Chooses database 0, the only one; any other index ends the connection."),
  command("connection", "reset", 1, "", "Makes the connection what it was at first.", {
    open: true,
    listens: true,
    unqueued: true,
  }),
  command("connection", "quit", -1, "", "Ends the connection.", { open: true, listens: true, unqueued: true }),

  command(
    "server",
    "info",
    -1,
    "[section …]",
    "Facts about the server: server clients memory persistence stats replication keyspace.",
    { textReply: true },
  ),
  command("server", "config", -2, "get pattern | set name value | resetstat", "Settings, read and set.", {
    secret: "settings",
    // Of what is set, the name alone: its value may be a secret.
    admin: { subcommands: ["set", "resetstat", "rewrite"], shownCount: 2 },
  }),
  command("server", "swapdb", 3, "index index", "Swaps databases, of which there is one."),
  command("server", "time", 1, "", "The time: seconds since 1970, and microseconds."),
  command(
    "server",
    "command",
    -1,
    "[count | info [name …] | docs [name …] | list … | getkeys command … | getkeysandflags command …]",
    "What commands there are.",
    { secret: "command" },
  ),
  command(
    "server",
    "debug",
    -2,
    "sleep seconds",
    "For tests of clients: holds the whole server, where --enable-debug-command allows it.",
    { replyDelay: "sleep", admin: { shownCount: 2 } },
  ),
  command(
    "server",
    "save",
    -1,
    "[path]",
    "Writes a snapshot to disk, or to a file of its own, and answers when it is there.",
    {
      routing: "every",
      unqueueable: true,
      admin: { shownCount: 1 },
    },
  ),
  command("server", "bgsave", -1, "[SCHEDULE]", "Begins a snapshot, which goes on beside commands.", {
    routing: "every",
    admin: { shownCount: 1 },
  }),
  command("server", "bgrewriteaof", 1, "", "The same: a snapshot takes the place of the log behind it.", {
    routing: "every",
    admin: { shownCount: 0 },
  }),
  command("server", "lastsave", 1, "", "When the last snapshot was taken, in seconds since 1970.", { routing: "any" }),
];

/**
 * Whether a command may be called with `count` arguments, its name included.
 *
 * @param arity as in its specification
 */
export function acceptsCount(arity: number, count: number): boolean {
  return arity >= 0 ? count === arity : count >= -arity;
}

/** Whether a command may change data when it is called with `count` arguments, its name included. */
export function mayWrite({ writes, writesFromCount }: CommandSpecification, count: number): boolean {
  return writes && count >= writesFromCount;
}
