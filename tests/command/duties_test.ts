/**
 * Checks the effects on other keys and clients that the rows of the catalog declare. Every command is tried on a store
 * without its keys, and on stores whose first key holds a value of each type.
 */

import { assert, assertEquals } from "@std/assert";
import type { SyntaxArgument } from "../../src/catalog/command_syntax.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { CommandSpecification } from "../../src/catalog/specification.ts";
import { SharedState } from "../../src/command/shared_state.ts";
import { LONG_ARGUMENTS_COUNT, LONG_VALUE_BYTES } from "../../src/limits.ts";
import { makeStore, MemoryClient } from "../support/memory_client.ts";

const DEFAULT_TTL_MS = 60_000;

/** The commands that create a value of the first key, or of the second one, before the command. None has a TTL. */
const VALUES: readonly (readonly string[])[] = [
  [],
  ["set", "k1", "1"],
  ["rpush", "k1", "v", "w"],
  ["hset", "k1", "v", "1"],
  ["sadd", "k1", "v", "w"],
  ["sadd", "k2", "v", "w"],
];

/** The forms of a call: a short one, one of many arguments, and one with a long value. The last two run in steps. */
const FORMS = ["short", "many", "long"] as const;
type Form = typeof FORMS[number];

/** Returns a call with the arguments of a command's syntax. Its keys are `k1`, `k2` and so on. */
function callOf({ name, arguments: parts, group }: CommandSpecification, form: Form): string[] {
  const words = [name];
  let keysCount = 0;
  const add = ({ type, token, parts, isOptional, isMultiple }: SyntaxArgument): void => {
    if (isOptional) return;
    if (token !== undefined) words.push(token);
    const times = isMultiple && form === "many" ? LONG_ARGUMENTS_COUNT + 1 : 1;
    for (let i = 0; i < times; i++) {
      if (type === "key") words.push(`k${++keysCount}`);
      else if (type === "integer" || type === "double") words.push("1");
      else if (type === "oneof") add(parts![0]!);
      else if (type === "block") parts!.forEach(add);
      else if (type !== "pure-token") {
        words.push(form === "long" && group === "string" ? "1".repeat(LONG_VALUE_BYTES + 1) : "v");
      }
    }
  };
  parts.forEach(add);
  return words;
}

/** Returns the keys of a call. */
function keysOf(
  { name, firstKey, lastKey, keyStep, keyCountAt }: CommandSpecification,
  call: readonly string[],
): string[] {
  assert(keyCountAt === 0, `${name} writes`);
  const keys: string[] = [];
  const last = lastKey < 0 ? call.length + lastKey : lastKey;
  for (let i = firstKey; i <= last; i += keyStep) keys.push(call[i]!);
  return keys;
}

/** One run of a command with other clients of the same store. */
interface Trial {
  readonly specification: CommandSpecification;
  readonly keys: readonly string[];
  /** A client whose new keys get no TTL. */
  readonly other: MemoryClient;
  makeClient(): MemoryClient;
  /** Runs the command. If it waits, a push serves it. */
  run(): Promise<void>;
}

/** Tries every command that writes keys, in all forms and with all values of its first key. */
async function tryAll(attempt: (trial: Trial) => void | Promise<void>): Promise<void> {
  const store = makeStore();
  for (const specification of COMMANDS) {
    if (!specification.writes || specification.firstKey === 0) continue;
    const calls = new Map(FORMS.map((form) => callOf(specification, form)).map((call) => [call.join(" "), call]));
    for (const call of calls.values()) {
      for (const value of VALUES) {
        // The push that serves a command which waits would leave a list if its second key holds something else.
        if (specification.routing === "wait" && value[1] === "k2") continue;
        const shared = new SharedState(store);
        const makeClient = (defaultTtlMs = 0) => new MemoryClient({ store, shared, defaultTtlMs });
        const other = makeClient();
        other.call("flushall");
        if (value.length > 0) other.call(...value);
        await attempt({
          specification,
          keys: keysOf(specification, call),
          other,
          makeClient,
          run: async () => {
            const client = makeClient(DEFAULT_TTL_MS);
            const replied = client.wait(...call);
            if (client.client.waiter !== undefined) other.call("rpush", "k1", "v");
            await replied;
            assertEquals(client.bugs, [], specification.name);
          },
        });
      }
    }
  }
}

/** Returns the names of the commands whose rows fit. */
function namesOf(fits: (specification: CommandSpecification) => boolean): string[] {
  return COMMANDS.filter(fits).map(({ name }) => name).sort();
}

Deno.test("commands give new keys the deadlines that their rows declare", async () => {
  const creating = new Set<string>();
  await tryAll(async ({ specification: { name, creates }, keys, other, run }) => {
    const before = new Set(keys.filter((key) => other.call("exists", key) === 1));
    await run();
    for (const key of keys) {
      // The push that serves a waiting command also creates a key, which no longer exists then.
      if (before.has(key) || other.call("exists", key) === 0) continue;
      creating.add(name);
      const leftMs = other.call("pttl", key) as number;
      if (creates === "default") assertEquals(leftMs, DEFAULT_TTL_MS, `${name}, ${key}`);
      else if (creates === "given") assert(leftMs > 0 && leftMs < DEFAULT_TTL_MS, `${name}, ${key}: ${leftMs}`);
      else if (creates === "kept") assertEquals(leftMs, -1, `${name}, ${key}`);
    }
  });
  assertEquals([...creating].sort(), namesOf(({ creates }) => creates !== undefined));
});

Deno.test("commands serve the clients that wait for a list that they create, as their rows declare", async () => {
  const waking = new Set<string>();
  await tryAll(async ({ specification: { name }, keys, other, makeClient, run }) => {
    // A command with two keys takes something from the first one.
    const key = keys[keys.length > 1 && keys.length < 3 ? 1 : 0]!;
    if (other.text("type", key) === "list") return;
    const waiter = makeClient();
    const replied = waiter.wait("blpop", key, "0");
    // A wait for a key of another type is refused.
    if (waiter.client.waiter === undefined) return void await replied;
    await run();
    if (waiter.client.waiter === undefined) waking.add(name);
    assert(waiter.client.waiter === undefined || other.text("type", key) !== "list", `${name} serves no client`);
    waiter.client.waiter?.expire();
    await replied;
  });
  const waits = namesOf(({ routing }) => routing === "wait");
  // Waiting commands that only take an element are served by the push.
  assertEquals(
    [...waking].filter((name) => !waits.includes(name)).sort(),
    namesOf(({ wakes, routing }) => {
      return wakes !== 0 && routing !== "wait";
    }),
  );
});

Deno.test("commands prevent transactions whose watched keys they have changed", async () => {
  await tryAll(async ({ specification: { name }, keys, other, makeClient, run }) => {
    const shown = (key: string) => {
      const read: Record<string, string[]> = {
        string: ["get", key],
        list: ["lrange", key, "0", "-1"],
        hash: ["hgetall", key],
        set: ["smembers", key],
      };
      const type = other.text("type", key) as string;
      return JSON.stringify([type in read ? other.text(...read[type]!) : "", other.text("pexpiretime", key)]);
    };
    const watchers = [...new Set(keys)].slice(0, 3).map((key) => {
      const client = makeClient();
      client.call("watch", key);
      return { key, client, before: shown(key) };
    });
    await run();
    for (const { key, client, before } of watchers) {
      const hasChanged = shown(key) !== before;
      client.call("multi");
      client.call("ping");
      const result = client.text("exec");
      if (hasChanged) assertEquals(result, null, `${name} has changed ${key}`);
    }
  });
});
