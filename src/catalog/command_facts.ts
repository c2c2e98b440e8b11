/**
 * The facts that `command info` adds to the specification of a command: flags, categories, tips and uses of keys, in
 * the words of Redis, whose clients and tools read them. All of them follow from the specification.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { CommandIndex } from "./command_index.ts";
import type { Group, Routing } from "./row.ts";
import { COMMANDS } from "./specification.ts";
import type { CommandSpecification } from "./specification.ts";

/** A command under one of its names. */
export interface NamedCommand {
  readonly name: string;
  readonly specification: CommandSpecification;
}

/** Every command under each of its names. */
export const NAMED_COMMANDS: readonly NamedCommand[] = COMMANDS.flatMap((specification) => {
  return [specification.name, ...specification.aliases].map((name) => ({ name, specification }));
});

const index = new CommandIndex();

/** Returns the command with this name, in any case. */
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
  set: "set",
  key: "generic",
  transaction: "transactions",
  channel: "pubsub",
  connection: "connection",
  server: "server",
};

/** The categories of the groups. Commands on the server have none. */
const CATEGORIES: Readonly<Record<Group, string | undefined>> = {
  string: "string",
  list: "list",
  hash: "hash",
  set: "set",
  key: "keyspace",
  transaction: "transaction",
  channel: "pubsub",
  connection: "connection",
  server: undefined,
};

/** Returns whether a command is for the administrator of the server. */
function isForAdmin({ admin, group }: CommandSpecification): boolean {
  return admin !== undefined && group === "server";
}

/** The groups whose commands work on keys and their values. */
const ABOUT_DATA: Readonly<Record<Group, boolean>> = {
  string: true,
  list: true,
  hash: true,
  set: true,
  key: true,
  transaction: false,
  channel: false,
  connection: false,
  server: false,
};

/** Returns the flags of a command. */
export function flagsOf({ name, specification }: NamedCommand): string[] {
  const { writes, grows, group, routing, open, keyCountAt } = specification;
  const flags: string[] = [];
  if (writes) flags.push("write");
  else if (ABOUT_DATA[group]) flags.push("readonly");
  if (grows) flags.push("denyoom");
  if (isForAdmin(specification)) flags.push("admin");
  if (group === "channel") flags.push("pubsub");
  if (routing === "wait") flags.push("blocking");
  if (keyCountAt > 0) flags.push("movablekeys");
  if (specification.fastNames.includes(name)) flags.push("fast");
  // Redis's clients read this, so commands that are open only in the native protocol do not count.
  if (open === true) flags.push("no_auth");
  return flags;
}

/** Returns the categories of a command, without the `@`. */
export function categoriesOf({ name, specification }: NamedCommand): string[] {
  const { writes, group, routing } = specification;
  const categories: string[] = [];
  if (group === "key") categories.push("keyspace");
  if (ABOUT_DATA[group]) categories.push(writes ? "write" : "read");
  const own = CATEGORIES[group];
  const isLast = group === "connection" || group === "transaction";
  if (own !== undefined && group !== "key" && !isLast) categories.push(own);
  if (isForAdmin(specification)) categories.push("admin");
  categories.push(specification.fastNames.includes(name) ? "fast" : "slow");
  if (routing === "wait") categories.push("blocking");
  if (specification.dangerous || isForAdmin(specification)) categories.push("dangerous");
  if (own !== undefined && isLast) categories.push(own);
  return categories;
}

const TIPS: Readonly<Partial<Record<Routing, readonly string[]>>> = {
  sum: ["request_policy:multi_shard", "response_policy:agg_sum"],
  values: ["request_policy:multi_shard"],
  pairs: ["request_policy:multi_shard", "response_policy:all_succeeded"],
  total: ["request_policy:all_shards", "response_policy:agg_sum"],
  merge: ["request_policy:all_shards", "nondeterministic_output_order"],
  top: ["request_policy:all_shards", "response_policy:special"],
  every: ["request_policy:all_shards", "response_policy:all_succeeded"],
  any: ["request_policy:all_shards", "nondeterministic_output"],
  scan: ["nondeterministic_output", "request_policy:special"],
};

/** Returns how clients should distribute requests over servers and join the replies, unless one key decides that. */
export function tipsOf({ specification: { routing } }: NamedCommand): readonly string[] {
  return TIPS[routing] ?? [];
}

/** Returns how a command uses its keys: once for all of them, or for the first one and for the others. */
export function keyUsesOf({ specification: { keyUses } }: NamedCommand): readonly (readonly string[])[] {
  return keyUses.map((use) => use.split(" "));
}
