import { assertEquals, assertThrows } from "@std/assert";
import { callShapeOf } from "../../src/catalog/call_shape.ts";
import { parseSyntax } from "../../src/catalog/command_syntax.ts";
import { AssertionError } from "../../src/errors.ts";

function shapeOf(syntax: string) {
  return callShapeOf(parseSyntax(syntax));
}

Deno.test("callShapeOf() counts the arguments of calls", () => {
  const cases: [string, number][] = [
    ["", 1],
    ["text", 2],
    ["[text]", -1],
    ["key value", 3],
    ["key LEFT|RIGHT", 3],
    ["key [key …]", -2],
    ["[section …]", -1],
    ["key value [key value …]", -3],
    ["key value [EX seconds:int | KEEPTTL] [GET]", -3],
    ["[user] password", -2],
    ["[ASYNC | SYNC]", -1],
    // Every command with subcommands has `help`, which takes no further arguments.
    ["encoding key | freq key", -2],
    ["id | setname name", -2],
    ["[count | info [name …]]", -1],
  ];
  for (const [syntax, arity] of cases) assertEquals(shapeOf(syntax).arity, arity, syntax);
});

Deno.test("callShapeOf() finds the keys of calls", () => {
  const cases: [string, [first: number, last: number, step: number, countAt?: number]][] = [
    ["text", [0, 0, 0]],
    ["key", [1, 1, 1]],
    ["key value [key value …]", [1, -1, 2]],
    ["key field value [field value …]", [1, 1, 1]],
    ["key [key …]", [1, -1, 1]],
    ["key [key …] timeout:double", [1, -2, 1]],
    ["source:key destination:key LEFT|RIGHT", [1, 2, 1]],
    ["destination:key key [key …]", [1, -1, 1]],
    ["numkeys:int key [key …] [LIMIT limit:int]", [2, -1, 1, 1]],
    ["integer:int key [key …]", [2, -1, 1]],
    ["encoding key | help", [2, 2, 1]],
    ["usage key [SAMPLES count:int] | stats", [2, 2, 1]],
    ["info [name …] | list", [0, 0, 0]],
  ];
  for (const [syntax, expected] of cases) {
    const { firstKey, lastKey, keyStep, keyCountAt } = shapeOf(syntax);
    const [first, last, step, countAt = 0] = expected;
    assertEquals([firstKey, lastKey, keyStep, keyCountAt], [first, last, step, countAt], syntax);
  }
  assertThrows(() => shapeOf("key value destination:key"), AssertionError, "keys follow each other");
  assertThrows(() => shapeOf("destination:key key value [key value …]"), AssertionError, "keys follow each other");
  assertThrows(() => shapeOf("usage key | move text key"), AssertionError, "subcommands");
});

Deno.test("callShapeOf() finds subcommands, options and repetitions", () => {
  assertEquals(shapeOf("id | setname name").hasSubcommands, true);
  assertEquals(shapeOf("[count | info [name …]]").hasSubcommands, true);
  assertEquals(shapeOf("[ASYNC | SYNC]").hasSubcommands, false);
  assertEquals(shapeOf("[2|3 [AUTH user password]]").hasSubcommands, false);
  assertEquals(shapeOf("key value [EX seconds:int | KEEPTTL] [GET]").options, ["EX", "KEEPTTL", "GET"]);
  assertEquals(shapeOf("key [count:int [WITHVALUES]]").options, ["WITHVALUES"]);
  // A required word is not an option.
  assertEquals(shapeOf("key BEFORE|AFTER pivot").options, []);
  assertEquals(shapeOf("id | kill …").hasMany, true);
  assertEquals(shapeOf("key [value]").hasMany, false);
});

Deno.test("callShapeOf() finds names of channels and patterns", () => {
  assertEquals(shapeOf("channel message").channels, [
    { subcommand: undefined, first: 1, isMany: false, isPattern: false },
  ]);
  assertEquals(shapeOf("[pattern …]").channels, [{ subcommand: undefined, first: 1, isMany: true, isPattern: true }]);
  assertEquals(shapeOf("channels [pattern] | numsub [channel …] | numpat").channels, [
    { subcommand: "channels", first: 2, isMany: false, isPattern: true },
    { subcommand: "numsub", first: 2, isMany: true, isPattern: false },
  ]);
});
