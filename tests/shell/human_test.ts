import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Value } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { SHOWN_VALUE_MAX_CHARACTERS } from "../../src/limits.ts";
import { HumanReplies, humanReply, PLAIN_LOOK, terminalLook } from "../../src/shell/human.ts";
import { tokenize } from "../../src/shell/tokenizer.ts";
import { Colours, NO_COLOURS } from "../../src/terminal/colours.ts";

const COLOURED = terminalLook(new Colours(true));
const PLAIN = terminalLook(NO_COLOURS);
const EVIL = encodeText("\x1b[31mred\x1b]0;title\x07\u202e\x9b");

/** Replies of each type, with bytes in them that a terminal would obey. */
const REPLIES: readonly Value[] = [
  null,
  "OK",
  "\x1b[31mstatus",
  true,
  3,
  1.5,
  10n ** 18n,
  EVIL,
  new ReplyError("ERR", "\x1b[31mno"),
  [],
  [EVIL, [EVIL, null], 3],
  new Map(),
  new Map<Value, Value>([[EVIL, EVIL], [EVIL, [EVIL]]]),
];

Deno.test("humanReply() differs from a plain reply only in colours", () => {
  for (const value of REPLIES) {
    for (const words of [["get"], ["keys"], ["info"], ["bigkeys"], ["nonsense"]]) {
      const plain = humanReply(words, value, 0, PLAIN);
      const coloured = humanReply(words, value, 0, COLOURED);
      // deno-lint-ignore no-control-regex
      assertEquals(coloured.replaceAll(/\x1b\[(0|[0-9]{1,2})m/g, ""), plain);
      // deno-lint-ignore no-control-regex
      assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/.test(plain), JSON.stringify(plain));
      assert(plain.endsWith("\n"));
    }
  }
  assertEquals(humanReply(["get"], null, 0, COLOURED), "\x1b[90m(nil)\x1b[0m\n");
  assertEquals(humanReply(["randomkey"], encodeText("k"), 0, COLOURED), '\x1b[36m"k"\x1b[0m\n');
});

Deno.test("humanReply() cuts values that are long as they are shown, and says so", () => {
  const values = ["a".repeat(10_000), "日".repeat(10_000), "😀".repeat(5_000), "\0".repeat(10_000), '"'.repeat(10_000)]
    .map(encodeText);
  values.push(new Uint8Array(10_000).fill(0xff), Uint8Array.from({ length: 10_000 }, (_, i) => i * 7 % 256));
  for (const value of values) {
    for (const reply of [value, [value, encodeText("short")], new Map([[encodeText("f"), value]])] as Value[]) {
      const text = humanReply(["get"], reply, 0, PLAIN);
      const [, shown, count] = /("(?:\\.|[^"\\])*") … (\d+) more bytes/.exec(text)!;
      assert(shown!.length <= SHOWN_VALUE_MAX_CHARACTERS + 2 && shown!.length > SHOWN_VALUE_MAX_CHARACTERS / 4);
      const begin = tokenize(encodeText(shown!))[0]!;
      assertEquals(begin, value.subarray(0, begin.length) as Uint8Array<ArrayBuffer>);
      assertEquals(begin.length + Number(count), value.length);
      assertStringIncludes(text, "\n(values are cut: inmem client COMMAND > FILE writes all of them)\n");
      assert(!new HumanReplies(PLAIN_LOOK).text(reply, "value").includes("more bytes"));
    }
  }
  const whole = encodeText("a".repeat(SHOWN_VALUE_MAX_CHARACTERS - 2));
  assertEquals(humanReply(["get"], whole, 0, PLAIN), `"${"a".repeat(SHOWN_VALUE_MAX_CHARACTERS - 2)}"\n`);
});

Deno.test("humanReply() counts long replies in the unit of the command, and times slow ones", () => {
  const items = Array.from({ length: 12 }, () => encodeText("x"));
  const rows: [command: string, value: Value, remark: string][] = [
    ["keys", items, "(12 keys, 0.03 s)"],
    ["LRANGE", items, "(12 elements, 0.03 s)"],
    ["smembers", items, "(12 members, 0.03 s)"],
    ["hkeys", items, "(12 fields, 0.03 s)"],
    ["hvals", items, "(12 values, 0.03 s)"],
    ["mget", items, "(12 values, 0.03 s)"],
    ["exec", items, "(12 items, 0.03 s)"],
    ["nonsense", items, "(12 items, 0.03 s)"],
    ["config", new Map(items.map((item, i) => [encodeText(`${i}`), item])), "(12 entries, 0.03 s)"],
  ];
  for (const [command, value, remark] of rows) {
    const lines = humanReply([command], value, 30, PLAIN).trimEnd().split("\n");
    assertEquals(lines.at(-1), remark);
    assertEquals(lines.length, 13);
  }
  assertEquals(humanReply(["keys"], items.slice(0, 2), 30, PLAIN), '1) "x"\n2) "x"\n');
  assertEquals(humanReply(["get"], encodeText("x"), 1_234, PLAIN), '"x"\n(1.23 s)\n');
});
