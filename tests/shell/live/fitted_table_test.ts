import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { columnsOf, cutEnd, cutMiddle } from "../../../src/shell/live/columns.ts";
import { type Column, fittedTable } from "../../../src/shell/live/fitted_table.ts";
import { Colours, NO_COLOURS } from "../../../src/terminal/colours.ts";

const COLUMNS: readonly Column[] = [
  { heading: "server", importance: 3, align: "left", elastic: true },
  { heading: "state", importance: 2, align: "right" },
  { heading: "errors", importance: 0, align: "right" },
  { heading: "keys", importance: 1, align: "right" },
];

const ROWS = [
  ["cache1.example.org:9443", "up", "0", "12"].map((text) => ({ text })),
  ["日本.example:9443", "down", "3", "1234567"].map((text) => ({ text })),
];

Deno.test("a table has all columns where there is room, aligned by the columns of a terminal", () => {
  const lines = fittedTable(COLUMNS, ROWS, Infinity, NO_COLOURS);
  assertEquals(lines, [
    "server                   state  errors     keys",
    "cache1.example.org:9443     up       0       12",
    "日本.example:9443         down       3  1234567",
  ]);
  assertEquals(fittedTable(COLUMNS, ROWS, columnsOf(lines[1]!), NO_COLOURS), lines);
});

Deno.test("a table leaves out the least important columns, and cuts the elastic one", () => {
  assertEquals(fittedTable(COLUMNS, ROWS, 40, NO_COLOURS), [
    "server            state  errors     keys",
    "cache1.e…rg:9443     up       0       12",
    "日本.exa…le:9443   down       3  1234567",
  ]);
  assertEquals(fittedTable(COLUMNS, ROWS, 31, NO_COLOURS), [
    "server           state     keys",
    "cache1.…rg:9443     up       12",
    "日本.ex…le:9443   down  1234567",
  ]);
  assertEquals(fittedTable(COLUMNS, ROWS, 20, NO_COLOURS), [
    "server         state",
    "cache1…g:9443     up",
    "日本.e…e:9443   down",
  ]);
});

Deno.test("no line of a table is wider than the terminal, and colours do not change that", () => {
  const styled = ROWS.map((row) => row.map((cell) => ({ ...cell, style: "error" as const })));
  for (let width = 1; width < 60; width++) {
    const lines = fittedTable(COLUMNS, styled, width, NO_COLOURS);
    for (const line of lines) assertLessOrEqual(columnsOf(line), width, `${width} columns: ${line}`);
    const coloured = fittedTable(COLUMNS, styled, width, new Colours(true)).join("\n");
    assert(coloured.includes("\x1b["));
    // deno-lint-ignore no-control-regex
    assertEquals(coloured.replaceAll(/\x1b\[\d*m/g, ""), lines.join("\n"));
  }
});

Deno.test("text is cut at its end or in its middle, by the columns of its characters", () => {
  assertEquals(["日本語", "a日本", "abc"].map((text) => cutEnd(text, 4)), ["日…", "a日…", "abc"]);
  assertEquals(cutEnd("abcdef", 0), "");
  assertEquals(cutMiddle("server1.example:9443", 12), "server…:9443");
  assertEquals(cutMiddle("abcdef", 2), "a…");
  for (const text of ["abcdefghij", "日本語日本語", "e\u0301e\u0301e\u0301e\u0301e\u0301e\u0301"]) {
    for (let columns = 1; columns < 12; columns++) {
      assertLessOrEqual(columnsOf(cutMiddle(text, columns)), columns);
      assertLessOrEqual(columnsOf(cutEnd(text, columns)), columns);
    }
  }
});
