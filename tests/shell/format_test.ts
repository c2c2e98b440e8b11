import { assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import type { Value } from "../../src/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { formatError, formatReply, quote } from "../../src/shell/format.ts";
import type { Format } from "../../src/shell/format.ts";

const a = encodeText("a");
const binary = new Uint8Array([0xff, 0x00, 0x41]);

function shown(value: Value, format: Format, command?: string): string {
  return decodeText(formatReply(value, format, command));
}

Deno.test("formatReply() for people", () => {
  const cases: [Value, string][] = [
    [null, "(nil)"],
    ["OK", "OK"],
    [3, "(integer) 3"],
    [2n ** 60n, "(integer) 1152921504606846976"],
    [1.5, "(double) 1.5"],
    [true, "(true)"],
    [encodeText('say "hi"\n'), '"say \\"hi\\"\\n"'],
    [encodeText("日本語 é 👍"), '"日本語 é 👍"'],
    [binary, '"\\xff\\x00A"'],
    [encodeText("\x1b[2J"), '"\\x1b[2J"'],
    [[], "(empty array)"],
    [new Map(), "(empty hash)"],
    [[a, null, 3], '1) "a"\n2) (nil)\n3) (integer) 3'],
    [[encodeText("0"), [a, a]], '1) "0"\n2) 1) "a"\n   2) "a"'],
    [new Map([[a, binary], [encodeText("b"), a]]), '1) "a" => "\\xff\\x00A"\n2) "b" => "a"'],
  ];
  for (const [value, expected] of cases) assertEquals(shown(value, "human"), expected + "\n");
});

Deno.test("formatReply() for people aligns the numbers of long lists", () => {
  const lines = shown(Array.from({ length: 10 }, () => a), "human").split("\n");
  assertEquals(lines[0], ' 1) "a"');
  assertEquals(lines[9], '10) "a"');
});

Deno.test("formatReply() for people shows info as lines, without what a terminal would obey", () => {
  assertEquals(shown(encodeText("# Server\r\na:1\r\n\x1b[0m\r\n"), "human", "info"), "# Server\na:1\n\ufffd[0m\n");
});

Deno.test("formatReply() raw is exact", () => {
  assertEquals([...formatReply(binary, "raw")], [0xff, 0x00, 0x41, 0x0a]);
  const cases: [Value, string][] = [
    [null, "\n"],
    ["OK", "OK\n"],
    [3, "3\n"],
    [[], ""],
    [[a, null, 3], "a\n\n3\n"],
    [[encodeText("0"), [a, a]], "0\na\na\n"],
    [new Map([[a, a]]), "a\na\n"],
  ];
  for (const [value, expected] of cases) assertEquals(shown(value, "raw"), expected);
});

Deno.test("formatReply() as JSON", () => {
  const cases: [Value, string][] = [
    [null, "null"],
    ["OK", '"OK"'],
    [3, "3"],
    [2n ** 63n - 1n, "9223372036854775807"],
    [encodeText('"\n'), '"\\"\\n"'],
    [binary, '{"base64":"/wBB"}'],
    [[a, null], '["a",null]'],
    [new Map([[encodeText("__proto__"), a]]), '{"__proto__":"a"}'],
    [new Map([[binary, a]]), '{"pairs":[[{"base64":"/wBB"},"a"]]}'],
    [new Map(), "{}"],
  ];
  for (const [value, expected] of cases) {
    assertEquals(shown(value, "json"), expected + "\n");
    JSON.parse(expected);
  }
});

Deno.test("formatError() in each format", () => {
  const error = new ReplyError("WRONGTYPE", 'not for "x"\x1b');
  assertEquals(formatError(error, "human"), '(error) WRONGTYPE not for "x"\\x1b\n');
  assertEquals(formatError(error, "raw"), 'WRONGTYPE not for "x"\\x1b\n');
  assertEquals(JSON.parse(formatError(error, "json")), { error: { code: "WRONGTYPE", message: 'not for "x"\x1b' } });
});

Deno.test("quote() escapes what changes the direction of text, and keeps joiners", () => {
  assertEquals(quote(encodeText("a\u202eb")), '"a\\xe2\\x80\\xaeb"');
  assertEquals(quote(encodeText("👩\u200d💻")), '"👩\u200d💻"');
});
