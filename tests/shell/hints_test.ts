import { assert, assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { HINTED_LINE_MAX_CHARACTERS } from "../../src/limits.ts";
import { complete, inColumns } from "../../src/shell/completion.ts";
import { hintFor } from "../../src/shell/hints.ts";
import { columnsOf } from "../../src/terminal/typed_text.ts";

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

Deno.test("hintFor() and complete() take any line, and never invent a word", () => {
  const seed = pickSeed();
  const random = new Random(seed);
  const pick = <T>(items: readonly T[]) => items[random.below(items.length)]!;
  const names = COMMANDS.map(({ name }) => name);
  const words = [
    ...[
      "EX",
      "px",
      "match",
      "COUNT",
      "LEFT",
      "nx",
      "help",
      "@string",
      "7",
      "0",
      "-1",
      "k",
      "日本",
      "\x1b[2J",
      "\u202e",
    ],
    ...[
      '"',
      "'",
      '"a',
      "'a b",
      '"a"',
      'a"b',
      "\\",
      '"\\',
      "#",
      "?",
      "*",
      "\udcff",
      "\t",
      "config",
      "get",
      "set",
      "--watch",
    ],
  ];
  for (let round = 0; round < 3_000; round++) {
    const line = Array.from({ length: random.below(7) }, (_, i) => i === 0 ? pick(names) : pick([...words, ...names]))
      .join(pick([" ", "  "])) + pick(["", " "]);
    const context = `seed ${seed}: ${JSON.stringify(line)}`;
    const hint = hintFor(line);
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x1f\x7f-\x9f\u202e]/.test(hint), context);
    const { words: found, last } = complete(line);
    assert(line.endsWith(last), context);
    for (const word of found) assert(word.toLowerCase().startsWith(last.toLowerCase()), `${context}: ${word}`);
    if (found.length === 0) continue;
    const columns = pick([20, 40, 80, 200]);
    for (const row of inColumns(found, columns).split("\r\n")) assert(columnsOf(row) < columns, context);
  }
});
