import { assert, assertEquals, assertThrows, fail } from "@std/assert";
import { CommandIndex } from "../../src/catalog/command_index.ts";
import { acceptsCount, COMMANDS } from "../../src/catalog/specification.ts";
import type { CommandSpecification } from "../../src/catalog/specification.ts";
import { MEMORY_SUBCOMMANDS, OBJECT_SUBCOMMANDS } from "../../src/command/object.ts";
import { CONNECTION_SUBCOMMANDS } from "../../src/connection/commands.ts";
import { AssertionError } from "../../src/errors.ts";
import { NativeReply } from "../../src/wire/native/reply_writer.ts";
import { MemoryClient } from "../support/memory_client.ts";

const encoder = new TextEncoder();
const allNames = COMMANDS.flatMap(({ name, aliases }) => [name, ...aliases]);

function find(index: CommandIndex, name: string | Uint8Array): number {
  const bytes = typeof name === "string" ? encoder.encode(name) : name;
  // Letters around the name must not matter.
  const around = new Uint8Array(bytes.length + 16).fill(0x78);
  around.set(bytes, 8);
  return index.find(around, 8, bytes.length);
}

Deno.test("COMMANDS lists every command once, with consistent facts", () => {
  assertEquals(new Set(allNames).size, allNames.length);
  for (
    const { name, arity, firstKey, lastKey, keyStep, keyCountAt, writes, grows, open, routing, summary } of COMMANDS
  ) {
    assert(arity !== 0, name);
    assert(!grows || writes, `${name}: what grows writes`);
    assert(!open || !writes, `${name}: what is open must not write`);
    assertEquals(firstKey === 0, keyStep === 0, name);
    const routedByKey = ["key", "together", "sum", "values", "pairs", "wait"].includes(routing) || name === "watch";
    assertEquals(firstKey > 0, routedByKey, name);
    assertEquals(lastKey > firstKey, lastKey === 2 && ["together", "wait"].includes(routing), name);
    assert(lastKey < 0 || lastKey >= firstKey, name);
    // The least number of arguments includes a key. Commands with subcommands are an exception: `help` has none.
    assert(firstKey === 2 && keyCountAt === 0 ? arity === -2 : Math.abs(arity) > firstKey, name);
    assert(keyCountAt === 0 || keyCountAt === firstKey - 1 && lastKey === -1 && routing === "together", name);
    assert(/^\S.+\S$/.test(summary), name);
  }
});

Deno.test("CommandIndex find() finds names and aliases in any case", () => {
  const index = new CommandIndex();
  COMMANDS.forEach(({ name, aliases }, position) => {
    for (const each of [name, ...aliases]) {
      assertEquals(find(index, each), position, each);
      assertEquals(find(index, each.toUpperCase()), position, each);
      assertEquals(find(index, each[0]!.toUpperCase() + each.slice(1)), position, each);
    }
  });
});

Deno.test("CommandIndex find() does not find similar names", () => {
  const index = new CommandIndex();
  const known = new Set(allNames);
  for (const name of allNames) {
    const similar = [name + "x", "x" + name, name.slice(1), name.slice(0, -1), " " + name, name + "\0", "\0" + name];
    for (const each of similar) {
      if (!known.has(each)) assertEquals(find(index, each), -1, JSON.stringify(each));
    }
    const bytes = encoder.encode(name);
    for (let i = 0; i < bytes.length; i++) {
      for (let byte = 0; byte < 256; byte++) {
        const changed = Uint8Array.from(bytes);
        changed[i] = byte;
        const text = String.fromCharCode(...changed).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
        if (find(index, changed) !== -1 !== known.has(text)) fail(JSON.stringify(text));
      }
    }
  }
  for (const name of ["", "\0", " ", "x".repeat(100_000), "get ".repeat(5)]) assertEquals(find(index, name), -1);
});

Deno.test("CommandIndex find() distinguishes long names by all their letters", () => {
  const template = COMMANDS[0]!;
  const names = ["incrbyfloat", "decrbyfloat", "byfloat", "rbyfloat", "crbyfloat"];
  const commands: CommandSpecification[] = names.map((name) => ({ ...template, name, aliases: [] }));
  const index = new CommandIndex(commands);
  names.forEach((name, position) => {
    assertEquals(find(index, name), position, name);
    assertEquals(find(index, name.toUpperCase()), position, name);
  });
  for (const name of ["xncrbyfloat", "incrbyfloax", "yfloat", "xrbyfloat", "xcrbyfloat"]) {
    assertEquals(find(index, name), -1, name);
  }
  assertThrows(() => new CommandIndex([{ ...template, name: "with-dash" }]), AssertionError);
});

Deno.test("acceptsCount() distinguishes exact counts from lowest ones", () => {
  const get = COMMANDS.find(({ name }) => name === "get")!;
  const mget = COMMANDS.find(({ name }) => name === "mget")!;
  assertEquals([1, 2, 3].map((count) => acceptsCount(get.arity, count)), [false, true, false]);
  assertEquals([1, 2, 3, 1000].map((count) => acceptsCount(mget.arity, count)), [false, true, true, true]);
});

Deno.test("COMMANDS mark the commands whose replies the last argument delays", () => {
  for (const { name, routing, replyDelay, syntax } of COMMANDS) {
    assertEquals(replyDelay === "timeout", routing === "wait", name);
    assertEquals(replyDelay === "timeout", / timeout$/.test(syntax), name);
    assertEquals(replyDelay === "sleep", name === "debug", name);
  }
});

/** Records whether a reply is written as text for people. */
class NotingReply extends NativeReply {
  isText = false;

  override verbatim(text: string): void {
    this.isText = true;
    super.verbatim(text);
  }
}

Deno.test("COMMANDS mark the commands whose replies are text in lines", async () => {
  const subcommands: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
    Object.entries({ ...CONNECTION_SUBCOMMANDS, memory: MEMORY_SUBCOMMANDS, object: OBJECT_SUBCOMMANDS })
      .map(([name, each]) => [name, [...Object.keys(each), "help"]]),
  );
  for (const { name, arity, textReply, replyDelay } of COMMANDS) {
    for (const subcommand of subcommands[name] ?? [undefined]) {
      const expected = typeof textReply === "boolean" ? textReply : textReply.includes(subcommand ?? "");
      const first = subcommand === undefined ? [] : [subcommand];
      const leastCount = Math.abs(arity) - 1 - first.length;
      // Calls have the fewest arguments or some more, since some commands refuse one or the other.
      const texts = await Promise.all([0, 1, 2].map(async (moreCount) => {
        const reply = new NotingReply();
        const client = new MemoryClient({ reply, memoryLimitBytes: 2 * 1024 * 1024 });
        client.call("set", "1", "1");
        // `latency graph 1` draws this.
        client.shared.instruments.latency.record("1", 1, 0);
        const others = Array<string>(Math.max(0, leastCount + moreCount)).fill("1");
        if (replyDelay === "timeout") others[others.length - 1] = "0.001";
        await client.wait(name, ...first, ...others);
        return reply.isText;
      }));
      assertEquals(texts.includes(true), expected, `${name} ${subcommand ?? ""}`);
    }
  }
});
