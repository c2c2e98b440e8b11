import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { complete } from "../../src/shell/completion.ts";

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
  assertEquals(complete("set k"), { words: [], last: "k" });
});

Deno.test("complete() shows the syntax if there is nothing to complete", () => {
  assertEquals(complete("hset "), { words: [], last: "", hint: "hset key field value [field value …]" });
});
