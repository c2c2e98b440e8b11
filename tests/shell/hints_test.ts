import { assertEquals } from "@std/assert";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { HINTED_LINE_MAX_CHARACTERS } from "../../src/limits.ts";
import { hintFor } from "../../src/shell/hints.ts";

Deno.test("hintFor() shows the syntax of every command after each of its names", () => {
  for (const { name, aliases, syntax } of COMMANDS) {
    // `quit` is the client's own, too, with the same syntax.
    for (const each of [name, name.toUpperCase(), ...aliases]) {
      assertEquals(hintFor(each), syntax === "" ? "" : ` ${syntax}`);
      assertEquals(hintFor(`${each} `), syntax);
    }
  }
});

Deno.test("hintFor() shows what is still to come", () => {
  const rows: [line: string, hint: string][] = [
    ["", ""],
    ["   ", ""],
    ["nonsense", ""],
    ["nonsense a", ""],
    ["hgeta", "ll"],
    ["HGETA", "LL"],
    ["hge", ""],
    ["set fo", " value [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [NX | XX] [GET]"],
    ["set a b ", "[EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [NX | XX] [GET]"],
    ["set a b k", "eepttl"],
    ["set a b K", "EEPTTL"],
    ["set a b e", ""],
    ["set a b ex", " seconds [NX | XX] [GET]"],
    ["set a b ex 5 z", ""],
    ["config rese", "tstat"],
    ["config rese", "tstat"],
    ['set "a b" ', "value [EX seconds | PX ms | EXAT unix-seconds | PXAT unix-ms | KEEPTTL] [NX | XX] [GET]"],
    ["set 'it\\'s' v ex ", "seconds [NX | XX] [GET]"],
    ['set "a b', ""],
    ["set 'a b", ""],
    ['set "a\\" ', ""],
    ["5 get ", "key"],
    ["# get ", ""],
    ["get a\nget ", ""],
    ["help", " [command | @group]"],
    ["help ", "[command | @group]"],
    ["help get ", ""],
    [`set ${"x".repeat(HINTED_LINE_MAX_CHARACTERS)}`, ""],
  ];
  for (const [line, hint] of rows) assertEquals(hintFor(line), hint, JSON.stringify(line));
});
