import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { UsageError } from "../../src/errors.ts";
import { EDITED_TEXT_MAX_CHARACTERS, REPEAT_MAX_COUNT } from "../../src/limits.ts";
import { StatementReader } from "../../src/shell/statement.ts";

/** Returns the words, the count and the line of the statement that some lines make. */
function read(...lines: string[]): [words: string[], repeatCount: number, line: string] | undefined {
  const reader = new StatementReader();
  const statements = lines.map((line) => reader.add(line));
  assertEquals(statements.slice(0, -1).filter((statement) => statement !== undefined), []);
  const last = statements.at(-1);
  return last && [last.words.map((word) => decodeText(word)), last.repeatCount, last.line];
}

Deno.test("StatementReader reads commands, counts, comments and questions", () => {
  const rows: [line: string, words: string[], repeatCount: number][] = [
    ["get a", ["get", "a"], 1],
    ["", [], 1],
    ["   ", [], 1],
    ["# set a 1", [], 1],
    ["  # it's \"open", [], 1],
    ["get #", ["get", "#"], 1],
    ["5 ping", ["ping"], 5],
    ["5", ["5"], 1],
    ["-5 ping", ["-5", "ping"], 1],
    [`${REPEAT_MAX_COUNT} ping`, ["ping"], REPEAT_MAX_COUNT],
    ["?", ["help"], 1],
    ["? get", ["help", "get"], 1],
    ["?get", ["help", "get"], 1],
    ["get ?", ["get", "?"], 1],
  ];
  for (const [line, words, repeatCount] of rows) assertEquals(read(line), [words, repeatCount, line], line);
  for (const line of ["0 ping", `${REPEAT_MAX_COUNT + 1} ping`, "99999999999999999999999 ping"]) {
    assertThrows(() => read(line), UsageError, "Cannot repeat a command");
  }
});

Deno.test("StatementReader joins lines while a quote is open", () => {
  assertEquals(read('set k "one', 'two"'), [["set", "k", "one\ntwo"], 1, String.raw`set k "one\ntwo"`]);
  assertEquals(read("set k 'one", "", "two'"), [["set", "k", "one\n\ntwo"], 1, String.raw`set k "one\n\ntwo"`]);
  // A comment within a quote is text, and so is a question mark.
  assertEquals(read('set k "', "# a", '?"')?.[0], ["set", "k", "\n# a\n?"]);
  assertEquals(read('set k "one')?.[0], undefined);
  assertEquals(read('2 set k "one', 'two"'), [["set", "k", "one\ntwo"], 2, String.raw`2 set k "one\ntwo"`]);
  // The line for the history means the same bytes.
  for (const text of ["a\nb", 'q"\n', "\\\n", "é\n\x1b[2J", "\n"]) {
    const escaped = text.replaceAll(/["\\]/g, "\\$&");
    const [words, , line] = read(...`set k "${escaped}"`.split("\n"))!;
    assertEquals(words[2], text);
    assertEquals(line.includes("\n"), false);
    assertEquals(read(line)![0][2], text);
  }
});

Deno.test("StatementReader drops what cannot be read, and starts again", () => {
  const reader = new StatementReader();
  assertEquals(reader.add('set k "one'), undefined);
  assertEquals(reader.isUnfinished, true);
  assertThrows(() => reader.add('two"three'), UsageError, "must end its argument");
  assertEquals(reader.isUnfinished, false);
  assertEquals(reader.add("get a")?.words.length, 2);
  reader.add("set k 'one");
  reader.drop();
  assertEquals(reader.add("get a")?.words, ["get", "a"].map(encodeText));
  // A statement is bounded.
  reader.add(`set k "${"x".repeat(EDITED_TEXT_MAX_CHARACTERS / 2)}`);
  assertThrows(() => reader.add("x".repeat(EDITED_TEXT_MAX_CHARACTERS / 2)), UsageError, "Cannot take more than");
  assertEquals(reader.isUnfinished, false);
});

Deno.test("StatementReader shows how to quote JSON", () => {
  const error = assertThrows(() => read('set k {"a": 1, "b": "x y"}'), UsageError);
  assertStringIncludes(error.message, "put JSON into single quotes");
  assertEquals(read(`set k '{"a": 1, "b": "x y"}'`)?.[0][2], '{"a": 1, "b": "x y"}');
});
