/**
 * What `command info` tells of each command beside its specification: flags, categories and how it uses its keys, in the
 * words of Redis, whose clients and tools read them.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { CommandIndex } from "./command_index.ts";
import { COMMANDS } from "./specification.ts";
import type { CommandSpecification, Group, Routing } from "./specification.ts";

/** A command by one of its names. */
export interface NamedCommand {
  readonly name: string;
  readonly specification: CommandSpecification;
}

/** Every command by each of its names. */
export const NAMED_COMMANDS: readonly NamedCommand[] = COMMANDS.flatMap((specification) => {
  return [specification.name, ...specification.aliases].map((name) => ({ name, specification }));
});

const index = new CommandIndex();

/** The command that `name` names, whatever its case. */
export function commandNamed(name: string): NamedCommand | undefined {
  const bytes = encodeText(name);
  const position = index.find(bytes, 0, bytes.length);
  return position === -1 ? undefined : { name: name.toLowerCase(), specification: COMMANDS[position]! };
}

/** Redis's names of the groups. */
export const GROUP_NAMES: Readonly<Record<Group, string>> = {
  string: "string",
  list: "list",
  hash: "hash",
  key: "generic",
  transaction: "transactions",
  channel: "pubsub",
  connection: "connection",
  server: "server",
};

/** The groups' categories; a server's command has none. */
const CATEGORIES: Readonly<Record<Group, string | undefined>> = {
  string: "string",
  list: "list",
  hash: "hash",
  key: "keyspace",
  transaction: "transaction",
  channel: "pubsub",
  connection: "connection",
  server: undefined,
};

/** Commands that take the same short time whatever the data. */
const FAST: ReadonlySet<string> = new Set(
  ("get setnx getset getex mget getdel strlen append incr decr incrby decrby incrbyfloat " +
    "lpush rpush lpushx rpushx lpop rpop llen hset hmset hsetnx hget hmget hdel hlen hexists hstrlen hincrby " +
    "hincrbyfloat unlink exists touch type ttl pttl expire pexpire expireat pexpireat expiretime pexpiretime persist " +
    "renamenx size dbsize multi discard watch unwatch publish ping echo auth hello select reset quit swapdb time " +
    "lastsave")
    .split(" "),
);

/** Commands for whoever runs the server. */
const ADMIN: ReadonlySet<string> = new Set(
  COMMANDS.filter(({ admin, group }) => admin !== undefined && group === "server").map(({ name }) => name),
);
/** Commands that can hurt: the server, or other clients. */
const DANGEROUS: ReadonlySet<string> = new Set([...ADMIN, "keys", "info", "swapdb", "flush", "flushall", "flushdb"]);

/** Whether a command is about keys and what they hold. */
function isAboutData({ group }: CommandSpecification): boolean {
  return group === "string" || group === "list" || group === "hash" || group === "key";
}

/** The command's flags. */
export function flagsOf({ name, specification }: NamedCommand): string[] {
  const { writes, grows, group, routing, open } = specification;
  const flags: string[] = [];
  if (writes) flags.push("write");
  else if (isAboutData(specification)) flags.push("readonly");
  if (grows) flags.push("denyoom");
  if (ADMIN.has(name)) flags.push("admin");
  if (group === "channel") flags.push("pubsub");
  if (routing === "wait") flags.push("blocking");
  if (FAST.has(name)) flags.push("fast");
  // Clients of Redis are who reads this: what is open to others only does not count.
  if (open === true) flags.push("no_auth");
  return flags;
}

/** The categories a command is in, without the `@`. */
export function categoriesOf({ name, specification }: NamedCommand): string[] {
  const { writes, group, routing } = specification;
  const categories: string[] = [];
  if (group === "key") categories.push("keyspace");
  if (isAboutData(specification)) categories.push(writes ? "write" : "read");
  const own = CATEGORIES[group];
  const isLast = group === "connection" || group === "transaction";
  if (own !== undefined && group !== "key" && !isLast) categories.push(own);
  if (ADMIN.has(name)) categories.push("admin");
  categories.push(FAST.has(name) ? "fast" : "slow");
  if (routing === "wait") categories.push("blocking");
  if (DANGEROUS.has(name)) categories.push("dangerous");
  if (own !== undefined && isLast) categories.push(own);
  return categories;
}

const TIPS: Readonly<Partial<Record<Routing, readonly string[]>>> = {
  sum: ["request_policy:multi_shard", "response_policy:agg_sum"],
  values: ["request_policy:multi_shard"],
  pairs: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  total: ["request_policy:all_shards", "response_policy:agg_sum"],
  merge: ["request_policy:all_shards", "nondeterministic_output_order"],
  every: ["request_policy:all_shards", "response_policy:all_succeeded"],
  any: ["request_policy:all_shards", "nondeterministic_output"],
  scan: ["nondeterministic_output", "request_policy:special"],
};

/** How requests and replies are to be spread over servers, as far as it is not by one key. */
export function tipsOf({ specification: { routing } }: NamedCommand): readonly string[] {
  return TIPS[routing] ?? [];
}

/** How commands use their keys, where it is not `RO access` or `RW update`. Two keys have a use each. */
const KEY_USES: Readonly<Record<string, string>> = {
  "RW access update": "set getset getex incr decr incrby decrby incrbyfloat hincrby hincrbyfloat",
  "OW insert": "setnx msetnx",
  "OW update": "setex psetex mset",
  "RW insert": "append lpush rpush lpushx rpushx linsert hsetnx",
  "RW access delete": "getdel lpop rpop blpop brpop",
  "RW delete": "lrem ltrim hdel",
  "RM delete": "remove",
  "RO": "strlen llen hlen hexists hstrlen exists touch type object memory watch",
  "RW access delete, RW insert": "lmove rpoplpush blmove brpoplpush",
  "RW access delete, OW update": "rename",
  "RW access delete, OW insert": "renamenx",
  "RO access, OW update": "copy",
};

const keyUses = new Map(
  Object.entries(KEY_USES).flatMap(([uses, names]) => {
    return names.split(" ").map((name) => [name, uses.split(", ").map((use) => use.split(" "))] as const);
  }),
);

/** How a command uses its keys: once for all of them, or for each of two. */
export function keyUsesOf({ specification: { name, writes } }: NamedCommand): readonly (readonly string[])[] {
  return keyUses.get(name) ?? [writes ? ["RW", "update"] : ["RO", "access"]];
}
