import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS } from "../../src/command/specification.ts";
import { complete } from "../../src/shell/completion.ts";
import { GROUPS, helpText } from "../../src/shell/help.ts";

Deno.test("complete() offers names of commands, whatever their case", () => {
  assertEquals(complete("hg"), [["hget ", "hgetall "], "hg"]);
  assertEquals(complete("HGETA"), [["hgetall "], "HGETA"]);
  assertEquals(complete("nonsense"), [[], "nonsense"]);
  assert(complete("")[0].length > COMMANDS.length);
});

Deno.test("complete() offers topics of help", () => {
  assertEquals(complete("help @h"), [["@hash "], "@h"]);
  assertEquals(complete("help lind"), [["lindex "], "lind"]);
});

Deno.test("complete() offers options once the required arguments are there", () => {
  assertEquals(complete("set key value k"), [["KEEPTTL "], "k"]);
  assertEquals(complete("scan 0 M"), [["MATCH "], "M"]);
  assertEquals(complete("set k"), [[], "k"]);
});

Deno.test("complete() shows the syntax where there is nothing to complete", () => {
  assertEquals(complete("hset "), [["hset key field value [field value …]", " "], ""]);
});

Deno.test("helpText() explains every command and lists every group", () => {
  const overview = helpText()!;
  for (const { name, group, summary, aliases } of COMMANDS) {
    assertStringIncludes(overview, name);
    // The client has a `quit` of its own.
    const shown = name === "quit" ? "Ends the client" : summary;
    for (const each of [name, name.toUpperCase(), ...aliases]) assertStringIncludes(helpText(each)!, shown);
    assertStringIncludes(helpText(`@${group}`)!, summary);
  }
  for (const group of GROUPS) assertStringIncludes(overview, `@${group}`);
  assertStringIncludes(helpText("exit")!, "Ends the client");
  assertEquals(helpText("nonsense"), undefined);
  assertEquals(helpText("@nonsense"), undefined);
});
