import { assert, assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import type { Value } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { formatError, formatReply, refusalsIn, toJson } from "../../src/shell/format.ts";
import { type ReplyShape, shapeOf } from "../../src/shell/human.ts";
import type { Format } from "../../src/shell/format.ts";

const a = encodeText("a");
const binary = new Uint8Array([0xff, 0x00, 0x41]);

function shown(value: Value, format: Format, shape?: ReplyShape): string {
  return decodeText(formatReply(value, format, shape));
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
  assertEquals(shown(encodeText("# Server\r\na:1\r\n\x1b[0m\r\n"), "human", "lines"), "# Server\na:1\n\ufffd[0m\n");
});

Deno.test("formatReply() shows text in lines as lines, with any line ends", () => {
  const cases: [string, string, string][] = [
    ["a:1\r\nb:2\r\n", "a:1\nb:2\n", "a:1\r\nb:2\r\n"],
    ["id=1\nid=2\n", "id=1\nid=2\n", "id=1\nid=2\n"],
    ["id=1", "id=1\n", "id=1\n"],
    ["", "(no lines)\n", ""],
    ["a\u2028b\x9b1m\u202e\n", "a\ufffdb\ufffd1m\ufffd\n", "a\u2028b\x9b1m\u202e\n"],
  ];
  for (const [text, human, raw] of cases) {
    assertEquals(shown(encodeText(text), "human", "lines"), human);
    assertEquals(shown(encodeText(text), "raw", "lines"), raw);
    assertEquals(JSON.parse(shown(encodeText(text), "json", "lines")), text);
  }
  // An error reply, or a status such as QUEUED, is not text in lines.
  assertEquals(shown("QUEUED", "human", "lines"), "QUEUED\n");
  assertEquals(shown("QUEUED", "raw", "lines"), "QUEUED\n");
});

Deno.test("formatReply() for people shows rows as a table", () => {
  const rows: Value = [
    [encodeText("queue"), 14_184_065, 1_000_000, encodeText("list")],
    [binary, 7, 1, encodeText("string")],
    [encodeText("a\x1b[0m b"), 2n ** 60n, 1, encodeText("\x1b")],
  ];
  const columns = ["key", "bytes_in_all", "elements", "type"];
  assertEquals(
    shown(rows, "human", columns),
    [
      "       bytes in all  elements  type    key",
      '           14184065   1000000  list    "queue"',
      '                  7         1  string  "\\xff\\x00A"',
      '1152921504606846976         1  \\x1b    "a\\x1b[0m b"',
      "",
    ].join("\n"),
  );
  assertEquals(shown(rows, "json", columns), shown(rows, "json"));
  assertEquals(shown(rows, "raw", columns), shown(rows, "raw"));
  assertEquals(shown([], "human", columns), "(empty array)\n");
  // Queued in a transaction, or a server that replies in another form.
  assertEquals(shown("QUEUED", "human", columns), "QUEUED\n");
  assertEquals(shown([1, [2]], "human", columns), shown([1, [2]], "human"));
  assertEquals(shown([[], [a]], "human", columns).split("\n").length, 4);
});

Deno.test("shapeOf() follows the command table, for commands and subcommands", () => {
  assertEquals(shapeOf(["HOTKEYS", "5"]), ["key", "requests_per_second"]);
  const lines = ["info", "INFO server", "client list", "Client LIST", "client list type normal", "client info"];
  for (const line of [...lines, "memory doctor"]) {
    assertEquals(shapeOf(line.split(" ")), "lines", line);
    assertEquals(shapeOf(line.split(" ").map(encodeText)), "lines", line);
  }
  for (const line of ["get info", "client", "client id", "client lists", "memory stats", "client getname", "", "no"]) {
    assertEquals(shapeOf(line.split(" ")), "value", line);
  }
});

const transaction: Value = ["OK", new ReplyError("WRONGTYPE", "wrong\x1b kind"), [a, null], null, new Map([[a, 1]])];

Deno.test("formatReply() shows the replies of exec, including error replies", () => {
  const human = [
    "1) OK",
    "2) (error) WRONGTYPE wrong\\x1b kind",
    '3) 1) "a"',
    "   2) (nil)",
    "4) (nil)",
    '5) 1) "a" => (integer) 1',
  ];
  assertEquals(shown(transaction, "human"), human.join("\n") + "\n");
  assertEquals(shown(transaction, "raw"), "OK\n\na\n\n\na\n1\n");
  const refusal = '{"error":{"code":"WRONGTYPE","message":"wrong\\u001b kind"}}';
  assertEquals(shown(transaction, "json"), `["OK",${refusal},["a",null],null,{"a":1}]\n`);
  assertEquals(refusalsIn(transaction).map(({ place, error }) => [place, error.code]), [[2, "WRONGTYPE"]]);
  for (const none of [null, [], ["OK"], "OK", new Map()]) assertEquals(refusalsIn(none), []);
});

Deno.test("formatReply() shows 100,000 replies of one exec", () => {
  const many: Value = Array.from({ length: 100_000 }, (_, index) => index % 2 === 0 ? [a, null] : "OK");
  assertEquals(shown(many, "human").split("\n").length, 150_001);
  assertEquals(shown(many, "raw").split("\n").length, 150_001);
  assertEquals((JSON.parse(shown(many, "json")) as unknown[]).length, 100_000);
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

Deno.test("JSON of any text contains nothing that a terminal obeys or hides, and means the same", () => {
  // The text has every character of the planes in use, and code points that are not characters.
  const hidden = /(?![\u200c\u200d])[\p{C}\p{Zl}\p{Zp}]/u;
  let text = "";
  for (let code = 0; code < 0x20000; code++) text += String.fromCodePoint(code);
  text += "\u{e0001}\u{e0067}\u{f0000}\u{10ffff}";
  for (const value of [text, { [text]: [text] }, [...text.slice(0, 0x3000)]]) {
    const json = toJson(value);
    assertEquals(hidden.exec(json), null);
    assert(JSON.stringify(JSON.parse(json)) === JSON.stringify(value), "the same value");
  }
  assertEquals(
    toJson("a\u202eb\x9b\x7f\u2028\ufeff\u{e0067}"),
    '"a\\u202eb\\u009b\\u007f\\u2028\\ufeff\\udb40\\udc67"',
  );
  // Visible characters are not escaped.
  assertEquals(toJson("é 日本語 👩\u200d💻"), '"é 日本語 👩\u200d💻"');
});

Deno.test("JSON is safe in every part of a reply and of an error reply", () => {
  const evil = "x\x9b31m\u202e\u2066\u2028";
  const safe = "x\\u009b31m\\u202e\\u2066\\u2028";
  const bytes = encodeText(evil);
  const refusal = new ReplyError("ERR", evil);
  assertEquals(shown(bytes, "json"), `"${safe}"\n`);
  assertEquals(shown(evil, "json"), `"${safe}"\n`);
  assertEquals(shown([bytes, [bytes]], "json"), `["${safe}",["${safe}"]]\n`);
  assertEquals(shown(new Map([[bytes, bytes]]), "json"), `{"${safe}":"${safe}"}\n`);
  assertEquals(shown(new Map<Value, Value>([[bytes, bytes], [binary, bytes]]), "json").includes(evil), false);
  assertEquals(shown([refusal], "json"), `[{"error":{"code":"ERR","message":"${safe}"}}]\n`);
  assertEquals(formatError(refusal, "json"), `{"error":{"code":"ERR","message":"${safe}"}}\n`);
});

Deno.test("formatError() keeps question marks, and leaves no blank at the end", () => {
  const unknown = new ReplyError("ERR", "unknown command 'x', with args beginning with: ");
  assertEquals(formatError(unknown, "human"), "(error) ERR unknown command 'x', with args beginning with:\n");
  assertEquals(formatError(unknown, "raw"), "ERR unknown command 'x', with args beginning with:\n");
  assertEquals(JSON.parse(formatError(unknown, "json")).error.message, unknown.message);
  assertEquals(formatError(new ReplyError("ERR", "Sure? Yes?"), "raw"), "ERR Sure? Yes?\n");
});

Deno.test("formatError() in each format", () => {
  const error = new ReplyError("WRONGTYPE", 'not for "x"\x1b');
  assertEquals(formatError(error, "human"), '(error) WRONGTYPE not for "x"\\x1b\n');
  assertEquals(formatError(error, "raw"), 'WRONGTYPE not for "x"\\x1b\n');
  assertEquals(JSON.parse(formatError(error, "json")), { error: { code: "WRONGTYPE", message: 'not for "x"\x1b' } });
});
