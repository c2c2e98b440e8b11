import { assert, assertEquals, assertThrows } from "@std/assert";
import { parseSyntax, withoutTypes } from "../../src/catalog/command_syntax.ts";
import type { SyntaxArgument } from "../../src/catalog/command_syntax.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { AssertionError } from "../../src/errors.ts";

/** Returns an argument in one line: `[TOKEN name:type]`, `(a|b)`, `{a b}`, `+` for one or more. */
function shown({ name, type, token, isOptional, isMultiple, parts }: SyntaxArgument): string {
  let text = `${name}:${type}`;
  if (type === "pure-token") text = "";
  if (type === "oneof") text = `(${parts!.map(shown).join("|")})`;
  if (type === "block") text = `{${parts!.map(shown).join(" ")}}`;
  if (token !== undefined) text = `${token} ${text}`.trimEnd();
  if (isMultiple) text += "+";
  return isOptional ? `[${text}]` : text;
}

Deno.test("parseSyntax() parses words, tokens, brackets, choices and repetitions", () => {
  const cases: [string, string][] = [
    ["", ""],
    ["key", "key:key"],
    ["key [key …]", "key:key+"],
    ["key value [key value …]", "{key:key value:string}+"],
    ["key field value [field value …]", "key:key {field:string value:string}+"],
    ["key [key …] timeout:double", "key:key+ timeout:double"],
    ["[text]", "[text:string]"],
    ["[section …]", "[section:string+]"],
    [
      "key value [EX seconds:int | KEEPTTL] [NX | XX] [GET]",
      "key:key value:string [(EX seconds:integer|KEEPTTL)] [(NX|XX)] [GET]",
    ],
    [
      "cursor:int [MATCH pattern] [COUNT count:int]",
      "cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
    ],
    ["key [count:int [WITHVALUES]]", "key:key [{count:integer [WITHVALUES]}]"],
    ["source:key destination:key LEFT|RIGHT", "source:key destination:key (LEFT|RIGHT)"],
    ["[2|3 [AUTH user password]]", "[{(2:integer|3:integer) [AUTH {user:string password:string}]}]"],
    ["get pattern | set name value | reset", "(get pattern:pattern|set {name:string value:string}|reset)"],
    ["channels [pattern] | numpat", "(channels {[pattern:pattern]}|numpat)"],
  ];
  for (const [syntax, expected] of cases) assertEquals(parseSyntax(syntax).map(shown).join(" "), expected, syntax);
});

Deno.test("parseSyntax() refuses an unknown type", () => {
  assertThrows(() => parseSyntax("key seconds:integer"), AssertionError, "integer");
});

Deno.test("withoutTypes() returns a syntax for people", () => {
  assertEquals(withoutTypes("source:key [EX unix-seconds:int] LEFT|RIGHT"), "source [EX unix-seconds] LEFT|RIGHT");
});

Deno.test("parseSyntax() parses every command's arguments", () => {
  for (const { name, syntax, arguments: parts, arity, firstKey } of COMMANDS) {
    const text = parts.map(shown).join(" ");
    assertEquals(/undefined|[[(|] *[\])|]/.test(text), false, `${name}: ${text}`);
    assertEquals(firstKey > 0, text.includes(":key"), `${name}: ${text}`);
    // With a fixed number of arguments, a syntax has a word for each and no brackets.
    if (arity > 0) assert(parts.length === arity - 1 && !syntax.includes("["), `${name}: ${text}`);
  }
});
