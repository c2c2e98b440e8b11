import { assertEquals, assertLess, assertThrows } from "@std/assert";
import { ProtocolError } from "../../../src/errors.ts";
import { NESTING_MAX_DEPTH } from "../../../src/limits.ts";
import { RespReplyScanner } from "../../../src/wire/resp/reply_scanner.ts";
import { decodeResp } from "../../support/resp_decoder.ts";
import { binaryBytes, guarded } from "../../support/resp_requests.ts";

const REPLIES = [
  "+OK\r\n",
  "+\r\n",
  "-ERR no\r\n",
  ":0\r\n",
  ":-42\r\n",
  "$0\r\n\r\n",
  "$5\r\nhello\r\n",
  "$11\r\n\r\n$5\r\n:1\r\n*\r\n",
  "$-1\r\n",
  "*-1\r\n",
  "*0\r\n",
  "*2\r\n:1\r\n$1\r\na\r\n",
  "*3\r\n*0\r\n*2\r\n+a\r\n*1\r\n$-1\r\n*-1\r\n",
  "_\r\n",
  ",3.14\r\n",
  ",inf\r\n",
  "#t\r\n",
  "(3492890328409238509324850943850943825024385\r\n",
  "!5\r\nERR x\r\n",
  "=7\r\ntxt:foo\r\n",
  "~2\r\n:1\r\n:2\r\n",
  ">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n",
  "%0\r\n",
  "%2\r\n+a\r\n:1\r\n+b\r\n%1\r\n+c\r\n*0\r\n",
  "|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n",
  "|0\r\n$1\r\nx\r\n",
  "*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n+first\r\n+second\r\n",
  "*1\r\n|1\r\n+a\r\n:1\r\n|1\r\n+b\r\n:2\r\n+value\r\n",
  `$1000\r\n${"x".repeat(1000)}\r\n`,
  `*100\r\n${"$3\r\nabc\r\n".repeat(100)}`,
  "*1\r\n".repeat(NESTING_MAX_DEPTH) + ":1\r\n",
  `+${"long ".repeat(100)}\r\n`,
];

/** Invalid replies, each in the shortest part that shows it. */
const REFUSED = [
  "x\r\n",
  "\r\n",
  "\0".repeat(30),
  "*?\r\n",
  "$?\r\n;1\r\na\r\n;0\r\n",
  "*1\r\n.\r\n",
  "$-2\r\n",
  "*-2\r\n",
  "%-1\r\n",
  "~-1\r\n",
  ">-1\r\n",
  "=-1\r\n",
  "|-1\r\n",
  "$\r\n",
  "$x\r\n",
  "$01\r\n",
  "$1 \r\n",
  `$${"1".repeat(40)}`,
  "*1073741824\r\n",
  "%536870912\r\n",
  "$1073741824\r\n",
  "*1000000000000\r\n",
  "$1\r\nab\r\n",
  "$1\r\naX\n",
  "$1\r\na\rX",
  "+OK\rX",
  ":1\r\r\n",
  "*1\r\n".repeat(NESTING_MAX_DEPTH + 1),
  "*2\r\n:1\r\n?\r\n",
];

/** Returns the size of the reply, as found by a scanner that gets the bytes up to each of `ends`, in moving buffers. */
function scan(scanner: RespReplyScanner, text: string, ends: readonly number[]): number {
  for (const [index, end] of ends.entries()) {
    const offset = index % 3;
    const { bytes } = guarded(binaryBytes("\r\n\r".slice(0, offset) + text), offset, offset + end);
    const size = scanner.size(bytes, offset, offset + end);
    if (size > 0) return size;
    assertEquals(scanner.needed === 0 || scanner.needed > end, true);
  }
  return 0;
}

function everywhere(text: string): number[] {
  return Array.from({ length: text.length + 1 }, (_, i) => i);
}

Deno.test("RespReplyScanner size() finds the end of a reply of any type, at any cut, and waits before", () => {
  const scanner = new RespReplyScanner();
  for (const reply of REPLIES) {
    // The decoder of the tests agrees that this is one reply.
    assertEquals(decodeResp(binaryBytes(reply)).next, reply.length);
    const all = `${reply}:7\r\n`;
    assertEquals(scan(scanner, all, [all.length]), reply.length, reply);
    assertEquals(scan(scanner, all, everywhere(all)), reply.length, reply);
    for (let cut = 0; cut < reply.length; cut++) {
      assertEquals(scan(scanner, all, [cut, all.length]), reply.length, `${reply} cut at ${cut}`);
      assertEquals(scan(new RespReplyScanner(), reply, [cut]), 0, `${reply} up to ${cut}`);
    }
  }
});

Deno.test("RespReplyScanner size() finds one reply after another", () => {
  const bytes = binaryBytes(REPLIES.join(""));
  for (const step of [1, 2, 3, 7, 50, bytes.length]) {
    const scanner = new RespReplyScanner();
    const found: number[] = [];
    let start = 0;
    for (let end = step; found.length < REPLIES.length; end = Math.min(end + step, bytes.length)) {
      for (let size; (size = scanner.size(bytes, start, end)) > 0; start += size) found.push(size);
    }
    assertEquals(found, REPLIES.map(({ length }) => length));
    assertEquals(scanner.size(bytes, start, bytes.length), 0);
  }
});

Deno.test("RespReplyScanner size() refuses an invalid reply, at any cut", () => {
  for (const text of REFUSED) {
    for (const ends of [[text.length], everywhere(text)]) {
      assertThrows(() => scan(new RespReplyScanner(), text, ends), ProtocolError, "Cannot read a reply", text);
    }
  }
});

Deno.test("RespReplyScanner size() refuses a reply of any content beyond its bound, as soon as the size is known", () => {
  const kinds = ["$989\r\n" + "x".repeat(989) + "\r\n", "*200\r\n" + ":10\r\n".repeat(199), "+" + "x".repeat(999)];
  kinds.push("|1\r\n+a\r\n:1\r\n".repeat(100));
  for (const kind of kinds) {
    const ends = everywhere(kind);
    const scanner = new RespReplyScanner(1000);
    if (kind.startsWith("$")) assertEquals(scan(scanner, kind, ends), kind.length);
    const larger = kind.replace("$989", "$995");
    assertThrows(() => scan(scanner, larger + "\r".repeat(10), everywhere(`${larger}12`)), ProtocolError, "1000");
  }
  assertThrows(() => scan(new RespReplyScanner(1000), "$1001\r\n", [7]), ProtocolError, "1000");
  assertThrows(() => scan(new RespReplyScanner(1000), "*1001\r\n", [7]), ProtocolError, "1000");
});

Deno.test("RespReplyScanner needed is the known size of a reply", () => {
  const scanner = new RespReplyScanner();
  assertEquals(scan(scanner, "$1000\r\nx", [8]), 0);
  assertEquals(scanner.needed, 1009);
  assertEquals(scan(scanner, `$1000\r\n${"x".repeat(1000)}\r\n`, [1009]), 1009);
  assertEquals(scanner.needed, 0);
});

Deno.test("RespReplyScanner size() takes time in proportion to the input, also in small pieces", () => {
  const replies = [
    `$20000\r\n${"x".repeat(20_000)}\r\n`,
    `*4000\r\n${":1\r\n".repeat(4_000)}`,
    `+${"x".repeat(20_000)}\r\n`,
  ];
  replies.push(`*2\r\n${`%1000\r\n${"$2\r\nxx\r\n$1\r\ny\r\n".repeat(1000)}`.repeat(2)}`);
  for (const reply of replies) {
    const { bytes, reads } = guarded(binaryBytes(reply), 0, reply.length);
    const scanner = new RespReplyScanner();
    let size = 0;
    for (let end = 0; size === 0; end++) size = scanner.size(bytes, 0, end);
    assertEquals(size, reply.length);
    assertLess(reads(), reply.length * 8, reply.slice(0, 10));
  }
});

Deno.test("RespReplyScanner drop() discards the first part of a reply, and still finds its end", () => {
  for (const reply of REPLIES.filter((each) => each.length > 20)) {
    for (const pieceBytes of [1, 3, 7, 64]) {
      const scanner = new RespReplyScanner();
      const bytes = binaryBytes(reply + "+next\r\n");
      let start = 0;
      let end = 0;
      let mostKept = 0;
      for (let size = 0; size === 0;) {
        end = Math.min(bytes.length, end + pieceBytes);
        size = scanner.size(bytes, start, end);
        if (size === 0) {
          start += scanner.drop(bytes, start, end);
          mostKept = Math.max(mostKept, end - start);
        } else {
          assertEquals(start + size, reply.length, `${reply} in pieces of ${pieceBytes}`);
        }
      }
      if (!reply.startsWith("+")) assertLess(mostKept, 64, "no more than a line is kept");
      assertEquals(scanner.size(bytes, reply.length, bytes.length), bytes.length - reply.length);
    }
  }
});
