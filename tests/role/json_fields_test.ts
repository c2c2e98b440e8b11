import { assert, assertEquals, assertThrows } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { type Field, JsonFault, positionOf, readFields } from "../../src/role/json_fields.ts";

Deno.test("readFields() returns plain values with their positions", () => {
  const text =
    '\r\n{ "a": "x\\n\\u00e9", "b" :-1.5e3,\n\t"__proto__": true, "": null, "l": ["y", 2, false], "e": [] }\n';
  const fields = readFields(text);
  assertEquals(fields.map(({ name }) => name), ["a", "b", "__proto__", "", "l", "e"]);
  assertEquals(fields.map(({ values }) => values.map(({ text }) => text)), [
    ["x\né"],
    ["-1.5e3"],
    ["true"],
    ["null"],
    ["y", "2", "false"],
    [],
  ]);
  assertEquals(fields.flatMap(({ values }) => values.map(({ kind }) => kind)), [
    ...["text", "number", "flag", "null"],
    ...["text", "number", "flag"],
  ]);
  assertEquals(fields.map(({ isList }) => isList), [false, false, false, false, true, true]);
  for (const { offset, values } of fields) {
    assertEquals(text[offset], '"');
    for (const each of values) assert(/["\w-]/.test(text[each.offset]!));
  }
  assertEquals(positionOf(text, fields[1]!.offset), { line: 2, column: 21 });
  assertEquals(positionOf(text, fields[2]!.offset), { line: 3, column: 2 });
  assertEquals(readFields("{}"), []);
});

Deno.test("readFields() says what is wrong, and where", () => {
  const cases: [text: string, message: string, offset: number][] = [
    ["", "the text ends too early, expected an object in braces", 0],
    ["[]", 'expected an object in braces, such as {"name": "value"}, found "["', 0],
    ["null", 'expected an object in braces, such as {"name": "value"}, found "null"', 0],
    ['{"a":1', 'the text ends too early, expected "," or "}"', 6],
    ['{"a', "the text in quotes does not end on its line, or has a wrong escape", 1],
    ['{"a": "x\ny"}', "the text in quotes does not end on its line", 6],
    ['{"a": "\\x"}', "the text in quotes does not end on its line, or has a wrong escape", 6],
    ['{"a": 1,}', 'expected no "," before "}"', 7],
    ['{"a": [1,]}', 'expected no "," before "]"', 8],
    ['{"a": 1} x', 'expected nothing after the object, found "x"', 9],
    ['{"a": 1}{', "expected nothing after the object", 8],
    ['{// no\n"a": 1}', "comments are not allowed in JSON", 1],
    ['{"a": 1 # no\n}', "comments are not allowed in JSON", 8],
    ["{'a': 1}", "expected double quotes instead of '", 1],
    ["{a: 1}", 'expected a field in double quotes, or }, found "a": text needs double quotes', 1],
    ['{"a": 64mb}', 'expected a value, found "64mb": text needs double quotes', 6],
    ['{"a": truely}', 'expected a value, found "truely"', 6],
    ['{"a": 01}', 'expected a value, found "01"', 6],
    ['{"a": {"b": 1}}', 'expected text, a number, true or false, found "{"', 6],
    ['{"a": [[1]]}', 'expected text, a number, true or false, found "["', 7],
    ['{"a": 1, "a": 2}', 'the field "a" is there twice, first on line 1', 9],
    ['{"a" 1}', 'expected ":" after the name of the field, found "1"', 5],
    ["{1: 1}", 'expected the name of a field in double quotes, found "1"', 1],
    ['{"a": 1 "b": 2}', 'expected "," or "}", found "b"', 8],
    ['{"a": 1;"b": 2}', 'expected "," or "}", found ";"', 7],
  ];
  for (const [text, message, offset] of cases) {
    const error = assertThrows(() => readFields(text), JsonFault);
    assert(error.message.startsWith(message), `${text}: ${error.message}`);
    assertEquals(error.offset, offset, text);
  }
});

Deno.test("readFields() accepts what JSON.parse accepts, and finds the same values", () => {
  const seed = pickSeed();
  console.log(`SEED=${seed}`);
  const random = new Random(seed);
  const valid = '{"a": "x\\"\\\\\\u00e9", "b": -1.5e3, "c": true, "d": [1, "y", null], "e": [] }';
  const pieces = [..."{}[]:,\"\\ \n\t/'0-1.eE+aut", "true", "null", "\u0000", "\ud800", "é"];
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    let text = valid;
    for (let count = random.below(4); count > 0; count--) {
      const at = random.below(text.length + 1);
      text = text.slice(0, at) + (random.below(3) > 0 ? pieces[random.below(pieces.length)] : "") +
        text.slice(at + random.below(3));
    }
    const parsed = parse(text);
    if (parsed !== undefined) accepted++;
    assertEquals(read(text)?.toSorted(), parsed?.toSorted(), JSON.stringify(text));
  }
  assert(accepted > 1_000, `expected many valid texts, found ${accepted}`);

  /** Returns the plain fields; `undefined` for text that is not JSON, and for JSON of another form. */
  function parse(text: string): [string, unknown][] | undefined {
    try {
      const names: string[] = [];
      const value: unknown = JSON.parse(text, function (name, value) {
        if (typeof value === "object" && value !== null && name !== "" && !Array.isArray(value)) throw new Error();
        return value;
      });
      if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
      const entries = Object.entries(value);
      if (entries.some(([, each]) => Array.isArray(each) && each.some((item) => typeof item === "object" && item))) {
        return undefined;
      }
      if (entries.some(([, each]) => typeof each === "object" && each !== null && !Array.isArray(each))) {
        return undefined;
      }
      // A field that is there twice is refused, which JSON.parse cannot tell.
      for (const [, name] of text.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)) names.push(JSON.parse(`"${name}"`));
      return new Set(names).size === names.length ? entries : undefined;
    } catch {
      return undefined;
    }
  }

  function read(text: string): [string, unknown][] | undefined {
    try {
      return readFields(text).map(({ name, isList, values }: Field) => {
        const plain = values.map(({ kind, text }) => kind === "text" ? text : JSON.parse(text) as unknown);
        return [name, isList ? plain : plain[0]];
      });
    } catch (error) {
      if (error instanceof JsonFault) return undefined;
      throw error;
    }
  }
});
