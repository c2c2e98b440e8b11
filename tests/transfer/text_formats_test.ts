/** JSON lines and CSV: what their readers accept and refuse, and that writers and readers agree on every byte. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { CsvWriter } from "../../src/transfer/csv_writer.ts";
import { InputError, type ValueType } from "../../src/transfer/entry_reader.ts";
import { JsonLinesWriter } from "../../src/transfer/json_lines_writer.ts";
import type { ExportedPart, KeyWriter } from "../../src/transfer/key_writer.ts";
import { amountOf } from "../support/amount.ts";
import { type Entry, readEntries, textReader } from "../support/rdb_entries.ts";
import { bytesOf } from "../support/rdb_writer.ts";

type Format = "jsonl" | "csv";

async function read(format: Format, input: string | Uint8Array, partBytes?: number): Promise<unknown[]> {
  const bytes = typeof input === "string" ? encodeText(input) : input;
  return await readEntries(textReader(format, bytes, partBytes));
}

/** Reads an input whole, and cut at each place. */
async function readAnyway(format: Format, input: string | Uint8Array): Promise<unknown[]> {
  const entries = await read(format, input);
  for (const partBytes of [1, 2, 3, 7]) assertEquals(await read(format, input, partBytes), entries);
  return entries;
}

function string(key: string, value: string, rest: Partial<Entry> = {}): Entry {
  return { key, type: "string", value, ...rest };
}

Deno.test("JSON lines may have every type, blanks, and no newline at the end", async () => {
  const lines = [
    '{"key":"a","value":"1"}',
    "",
    '  {"value":"\\u00e4","type":"string","key":{"base64":"/w=="},"expiresAt":5}  \r',
    '{"key":"l","type":"list","value":["x",{"base64":"AP8="}]}',
    '{"key":"s","type":"set","value":[]}',
    '{"key":"h","type":"hash","value":{"__proto__":"p","base64":"b","1":"one"}}',
    '{"key":"h2","type":"hash","value":{"pairs":[[{"base64":"/w=="},"v"],["pairs","w"]]}}',
    '{"key":"h3","type":"hash","value":{"pairs":"a field"}}',
    '{"key":"m","type":"list","value":["1"],"more":true}',
    '{"key":"m","type":"list","value":[],"continued":true,"more":true}',
    '{"key":"m","type":"list","value":["2","3"],"continued":true}',
    '{"key":"ms","value":"a","more":true,"expiresAt":7}',
    '{"key":"ms","value":"b","continued":true}',
  ];
  const entries = await readAnyway("jsonl", lines.join("\n"));
  assertEquals(entries, [
    string("a", "1"),
    string("\xff", "\xc3\xa4", { deadlineMs: 5 }),
    { key: "l", type: "list", value: ["x", "\x00\xff"] },
    { key: "s", type: "set", value: [] },
    { key: "h", type: "hash", value: Object.fromEntries([["1", "one"], ["__proto__", "p"], ["base64", "b"]]) },
    { key: "h2", type: "hash", value: { "\xff": "v", pairs: "w" } },
    { key: "h3", type: "hash", value: { pairs: "a field" } },
    { key: "m", type: "list", value: ["1", "2", "3"] },
    { key: "ms", type: "string", value: ["a", "b"], deadlineMs: 7 },
  ]);
  assertEquals(await read("jsonl", ""), []);
});

Deno.test("JSON lines that cannot be used are refused with their numbers", async () => {
  const refused: [line: string, problem: string][] = [
    ["{", "not JSON"],
    ["[1]", "not an object"],
    ["null", "not an object"],
    ['{"value":"v"}', "the key is missing"],
    ['{"key":"k"}', "the value is missing"],
    ['{"key":"k","value":1.0}', 'the value is 1: expected a text, such as "1"'],
    ['{"key":7,"value":"v"}', 'the key is 7: expected a text, such as "7"'],
    ['{"key":"k","value":null}', "the value is null"],
    ['{"key":"k","value":"\\ud800"}', "half of a character"],
    ['{"key":"k","value":{"base64":"?"}}', "not base64"],
    ['{"key":"k","value":"v","ttl":1}', 'field "ttl" is unknown'],
    ['{"key":"k","value":"v","type":"zset"}', 'its type is "zset"'],
    ['{"key":"k","value":"v","type":"list"}', "not an array"],
    ['{"key":"k","value":["v"],"type":"hash"}', "not an object"],
    ['{"key":"k","value":{"pairs":[["a"]]},"type":"hash"}', "not [field, value]"],
    ['{"key":"k","value":["v",1],"type":"set"}', "a value is 1"],
    ['{"key":"k","value":"v","expiresAt":1.5}', '"expiresAt" is 1.5'],
    ['{"key":"k","value":"v","ttlMs":"1"}', '"ttlMs" is "1"'],
    ['{"key":"k","value":"v","ttlMs":1,"expiresAt":1}', '"expiresAt" and "ttlMs"'],
    ['{"key":"k","value":"v","more":1}', '"more" is 1'],
    ['{"key":"k","value":"v","continued":true}', "continues no value"],
    ['{"key":"k","value":"v","more":true}', "the input has ended"],
    ['{"key":"k","value":"v","more":true}\n{"key":"j","value":"v"}', 'does not continue key "k"'],
    ['{"key":"k","value":"v","more":true}\n{"key":"j","value":"v","continued":true}', 'does not continue key "k"'],
    [`{"key":"${"k".repeat(32 * 1024 + 1)}","value":"v"}`, "the key has 32769 bytes"],
    [`{"key":"k","type":"set","value":["${"m".repeat(32 * 1024 + 1)}"]}`, "the value has 32769 bytes"],
  ];
  for (const [line, problem] of refused) {
    const error = await assertRejects(
      () => read("jsonl", `{"key":"before","value":""}\n\n${line}`),
      InputError,
      problem,
    );
    assert(/\(test, line [34]\)$/.test(error.message), error.message);
  }
  const invalid = bytesOf('{"key":"k","value":"\xff"}\n');
  await assertRejects(() => read("jsonl", invalid), InputError, "not UTF-8");
});

Deno.test("CSV may have its columns in any order, quotes, and both ends of lines", async () => {
  const text =
    '\ufeffvalue,key,type,field,expires_at\r\n1,a,,,\r\n\r\n"x, ""y""\nz",b,string,,12\n"","",,,\nv,h,hash,f,99\n' +
    '"w",h,hash,"",99\ne1,l,list,,\ne2,l,list,,\nm,l,set,,\n a\rb ,c,,,';
  const bytes = encodeText(text);
  assertEquals(await readAnyway("csv", bytes), [
    string("a", "1"),
    string("b", 'x, "y"\nz', { deadlineMs: 12 }),
    string("", ""),
    { key: "h", type: "hash", value: { f: "v", "": "w" }, deadlineMs: 99 },
    { key: "l", type: "list", value: ["e1", "e2"] },
    { key: "l", type: "set", value: ["m"] },
    string("c", " a\rb "),
  ]);
  assertEquals(await readAnyway("csv", "key,value"), []);
  assertEquals(await readAnyway("csv", 'key,value\na,"b"'), [string("a", "b")]);
});

Deno.test("CSV with a broken quote, or with other rows than its first one announces, is refused", async () => {
  const refused: [text: string, line: number, problem: string][] = [
    ["", 1, "the input is empty"],
    ["key", 1, 'column "value" is missing'],
    ["key,value,color", 1, 'column "color" is unknown'],
    ["key,value,key", 1, 'column "key" is there twice'],
    ['key,value\na,"b\nc,d\n', 2, "field 2 (value) begins with a quote that is never closed"],
    ['key,value\na,"b"c\n', 2, "field 2 (value) goes on after its quote"],
    ['key,value\na,b"c\n', 2, "field 2 (value) has a quote"],
    ['key,value\n"a\nb",c\nd"e,f', 4, "field 1 (key) has a quote"],
    ["key,value\na\n", 2, "it has 1 fields, and the first row has 2"],
    ["key,value\n\na,b,c\n", 3, "it has 3 fields"],
    ["key,value,type\na,b,zset\n", 2, 'its type is "zset"'],
    ["key,value,field\na,b,f\n", 2, "it has a field, and its type is string"],
    ["key,value,expires_at\na,b,soon\n", 2, 'its expires_at is "soon"'],
    ["key,value,ttl_ms\na,b,-1\n", 2, 'its ttl_ms is "-1"'],
    ["key,value,ttl_ms,expires_at\na,b,1,1\n", 2, "it has expires_at and ttl_ms"],
    [`key,value\n${"k".repeat(40_000)},b\n`, 2, "the key has 40000 bytes"],
  ];
  for (const [text, line, problem] of refused) {
    for (const partBytes of [1, Infinity]) {
      const error = await assertRejects(() => read("csv", text, partBytes), InputError, problem);
      assert(error.message.endsWith(`(test, line ${line})`), error.message);
    }
  }
});

Deno.test("what the writers write is read as the same bytes", async () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const alphabet = [
    ...'ab",\n\r\0 \t:{}[]\\',
    "\xff",
    "\xc3\xa4",
    "\xe2\x80\xae",
    "\xef\xbb\xbf",
    "true",
    "\xf0\x9f\x98\x80",
  ];
  const data = () => Array.from({ length: random(6) }, () => alphabet[random(alphabet.length)]!).join("");
  const types: readonly ValueType[] = ["string", "list", "set", "hash"];
  const writers: [Format, KeyWriter][] = [["jsonl", new JsonLinesWriter()], ["csv", new CsvWriter()]];
  for (let round = amountOf("TEXT_FORMAT_ROUNDS", 60, 3_000); round > 0; round--) {
    const keys = Array.from({ length: 12 }, (_, index) => {
      const type = types[random(types.length)]!;
      const count = type === "string" ? 1 : 1 + random(4);
      const parts = Array.from({ length: count }, (_, i) => ({ field: `${data()}${i}`, value: data() }));
      return { key: `${data()}${index}`, type, deadlineMs: random(2) === 0 ? undefined : random(2 ** 31), parts };
    });
    const expected = keys.map(({ key, type, deadlineMs, parts }): Entry => {
      const values = parts.map(({ value }) => value);
      const pairs = Object.fromEntries(parts.map(({ field, value }) => [field, value]));
      const value = type === "string" ? values[0]! : type === "hash" ? pairs : values;
      return { key, type, value, ...deadlineMs === undefined ? {} : { deadlineMs } };
    });
    for (const [format, writer] of writers) {
      const chunks = [encodeText(writer.header)];
      for (const { key, type, deadlineMs, parts } of keys) {
        const encoded = parts.map(({ field, value }): ExportedPart => {
          return { ...type === "hash" ? { field: bytesOf(field) } : {}, value: bytesOf(value) };
        });
        chunks.push(
          writer.format({ key: bytesOf(key), type, deadlineMs }, encoded, true, true).slice() as Uint8Array<
            ArrayBuffer
          >,
        );
      }
      const file = new Uint8Array(await new Blob(chunks).arrayBuffer());
      assertEquals(await read(format, file, 1 + random(40)), expected, decodeText(file));
      if (format === "jsonl") assertEquals(/[^\n -~\u00a0-\u1fff\ud800-\udfff]/.exec(decodeText(file)), null);
    }
  }
});

Deno.test("damaged text files are refused or read as other data, but never fail", async () => {
  const samples: [Format, string][] = [
    [
      "jsonl",
      '{"key":"l","type":"list","value":["a","b"],"more":true}\n{"key":"l","type":"list","value":["c"],"continued":true}\n{"key":"h","type":"hash","value":{"f":"v"},"expiresAt":99}\n',
    ],
    ["csv", 'key,type,expires_at,field,value\nl,list,,,a\nl,list,,,"b ""q"""\nh,hash,99,f,"v\nw"\n'],
  ];
  for (const [format, text] of samples) {
    const bytes = encodeText(text);
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of [0x22, 0x0a, 0x2c, 0x7b, 0xff, 0x00]) {
        const damaged = bytes.slice();
        damaged[at] = byte;
        const result = await read(format, damaged).catch((error) => error);
        assert(Array.isArray(result) || result instanceof InputError, `${at} ${byte}: ${result}`);
      }
      const prefix = await read(format, bytes.subarray(0, at), 1 + at % 5).catch((error) => error);
      assert(Array.isArray(prefix) || prefix instanceof InputError, `${at}: ${prefix}`);
    }
  }
});
