import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { CommandSpecification } from "../../src/catalog/specification.ts";
import { complete } from "../../src/shell/completion.ts";
import { expectedNext, restOf } from "../../src/shell/syntax_guide.ts";

Deno.test("complete() offers names of commands in any case", () => {
  assertEquals(complete("hg"), { words: ["hget ", "hgetall "], last: "hg" });
  assertEquals(complete("HGETA"), { words: ["hgetall "], last: "HGETA" });
  assertEquals(complete("nonsense"), { words: [], last: "nonsense" });
  assert(complete("").words.length > COMMANDS.length);
});

Deno.test("complete() offers topics of help", () => {
  assertEquals(complete("help @h"), { words: ["@hash "], last: "@h" });
  assertEquals(complete("help @p"), { words: ["@prompt "], last: "@p" });
  assertEquals(complete("help lind"), { words: ["lindex "], last: "lind" });
});

Deno.test("complete() offers options after the required arguments", () => {
  assertEquals(complete("set key value k"), { words: ["KEEPTTL "], last: "k" });
  assertEquals(complete("scan 0 M"), { words: ["MATCH "], last: "M" });
  assertEquals(complete("set k"), { words: [], last: "k", names: { kind: "key" } });
});

Deno.test("complete() shows the syntax if there is nothing to complete", () => {
  const names = { kind: "key", type: "hash" } as const;
  assertEquals(complete("hset "), { words: [], last: "", names, hint: "hset key field value [field value …]" });
});

Deno.test("complete() offers every word of every command's syntax where it may come", () => {
  for (const command of COMMANDS) {
    for (const name of [command.name, ...command.aliases]) {
      for (const line of grown(command)) {
        const [begin, word] = [line.slice(0, -1).join(" "), line.at(-1)!];
        for (const begun of [word.slice(0, 1), word, word.toLowerCase(), word.toUpperCase()]) {
          const { words, last } = complete(`${name} ${begin}${begin === "" ? "" : " "}${begun}`);
          assert(words.includes(`${word} `), `${name} ${begin} ${begun}: ${words}`);
          assertEquals(last, begun);
        }
      }
    }
  }
});

/** Returns calls of a command, each of which ends with a word that means itself. */
function grown(command: CommandSpecification, words: readonly string[] = []): string[][] {
  const expected = expectedNext(restOf(command, words)!);
  const ends = expected.flatMap(({ word }) => word === undefined ? [] : [[...words, word]]);
  if (words.length > 4) return ends;
  const hasValue = expected.some(({ value }) => value !== undefined);
  return [
    ...ends,
    ...(hasValue ? grown(command, [...words, "1"]) : []),
    ...ends.flatMap((each) => grown(command, each)),
  ];
}

Deno.test("complete() names the source of every key, channel and setting", () => {
  for (const { name, group, firstKey, keyCountAt } of COMMANDS) {
    if (firstKey !== 1 && group !== "channel" || keyCountAt > 0) continue;
    const { names } = complete(`${name} `);
    if (firstKey === 1) assertEquals(names?.kind, "key", name);
    else if (name !== "pubsub") assertEquals(names?.kind, "channel", name);
  }
  assertEquals(complete("config get ").names, { kind: "setting" });
  assertEquals(complete("config set max").names, { kind: "setting" });
  assertEquals(complete("config set maxmemory ").names, undefined);
  assertEquals(complete("get k ").names, undefined);
  assertEquals(complete("lpush ").names, { kind: "key", type: "list" });
});

Deno.test("complete() offers types and names of commands as arguments", () => {
  assertEquals(complete("scan 0 type h").words, ["hash "]);
  assertEquals(complete("command docs geta").words, []);
  assertEquals(complete("command docs getr").words, ["getrange "]);
  assertEquals(complete("5 hgeta").words, ["hgetall "]);
  assertEquals(complete("cluster --w").words, ["--watch "]);
  assertEquals(complete("clear ").words, []);
});
