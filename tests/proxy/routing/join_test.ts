/** Tests joining the replies of several servers, in every dialect. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../../src/errors.ts";
import { STEP_BYTES } from "../../../src/limits.ts";
import type { Dialect } from "../../../src/proxy/backend/dialect.ts";
import type { ReplySteps } from "../../../src/proxy/client/own_replies.ts";
import { joinArrays, joinStatuses, joinSums, joinTop, joinValues } from "../../../src/proxy/routing/join.ts";
import type { JoinedPart } from "../../../src/proxy/routing/join.ts";
import type { Reply } from "../../../src/wire/reply.ts";
import { dialects, readIn, replyIn } from "../../support/dialects.ts";

function partsOf(dialect: Dialect, replies: readonly Uint8Array[]): JoinedPart[] {
  return replies.map((bytes) => ({ bytes, reader: dialect.values(bytes, 0, bytes.length) }));
}

function joined(dialect: Dialect, write: (reply: Reply) => void): unknown {
  return readIn(dialect, replyIn(dialect, write));
}

/** Runs all steps. */
function run(steps: ReplySteps): void {
  for (const _ of steps);
}

function texts(dialect: Dialect, ...items: (string | null)[]): Uint8Array {
  return replyIn(dialect, (reply) => {
    reply.array(items.length);
    for (const item of items) {
      if (item === null) reply.nil();
      else reply.text(item);
    }
  });
}

for (const [name, dialect] of dialects) {
  Deno.test(`joinSums() adds in ${name}, beyond 53 bits too`, () => {
    const replies = [1, 2 ** 53 - 1, 0, -1, 42].map((value) => replyIn(dialect, (reply) => reply.integer(value)));
    const sum = (chosen: Uint8Array[]) => joined(dialect, (reply) => run(joinSums(partsOf(dialect, chosen), reply)));
    assertEquals(sum(replies), 9007199254741033n);
    assertEquals(sum(replies.slice(2)), 41);
    assertThrows(() => sum([texts(dialect, "a")]), ProtocolError, "no integer");
    assertThrows(() => sum([replyIn(dialect, (reply) => reply.nil())]), ProtocolError, "no integer");
  });

  Deno.test(`joinArrays() concatenates arrays of any size in ${name}`, () => {
    for (const counts of [[0, 0], [0, 3, 1], [15, 1], [16, 20], [70_000, 1, 0]]) {
      const lists = counts.map((count, part) => Array.from({ length: count }, (_, i) => `${part}:${i}`));
      const replies = lists.map((list) => texts(dialect, ...list));
      assertEquals(joined(dialect, (reply) => run(joinArrays(partsOf(dialect, replies), reply))), lists.flat());
    }
  });

  Deno.test(`joinTop() returns the largest rows of all servers in ${name}`, () => {
    const rowsOf = (...rows: readonly [string, number, number][]) => {
      return replyIn(dialect, (reply) => {
        reply.array(rows.length);
        for (const [key, first, second] of rows) {
          reply.array(4);
          reply.text(key);
          reply.integer(first);
          reply.integer(second);
          reply.array(1);
          reply.text("nested");
        }
      });
    };
    const replies = [rowsOf(["a", 2 ** 40, 1], ["b", 5, 9]), rowsOf(), rowsOf(["c\r\n", 2 ** 41, 2], ["d", 0, -1])];
    const top = (count: number, column: number) => {
      const steps = (reply: Reply) => run(joinTop({ count, column })(partsOf(dialect, replies), reply));
      return (joined(dialect, steps) as unknown[][]).map(([key]) => key);
    };
    assertEquals(top(10, 1), ["c\r\n", "a", "b", "d"]);
    assertEquals(top(3, 2), ["b", "c\r\n", "a"]);
    assertEquals(top(0, 1), []);
    const wrong = partsOf(dialect, [texts(dialect, "a")]);
    assertThrows(() => joined(dialect, (reply) => run(joinTop({ count: 1, column: 1 })(wrong, reply))), ProtocolError);
  });

  Deno.test(`joinValues() returns items in the order of the keys in ${name}, of every form and length`, () => {
    const lengths = [0, 1, 31, 32, 255, 256, 65_535, 65_536];
    const first = texts(dialect, ...lengths.map((length) => "a\r\n".repeat(length).slice(0, length)), null);
    const integers = [0, -1, 200, -100, 60_000, 2 ** 31, 2 ** 40];
    const second = replyIn(dialect, (reply) => {
      reply.array(integers.length + 1);
      for (const integer of integers) reply.integer(integer);
      reply.status("word");
    });
    const partOf = Uint16Array.from([0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0]);
    const items = joined(
      dialect,
      (reply) => run(joinValues(partsOf(dialect, [first, second]), partOf, reply)),
    ) as unknown[];
    const firsts = items.filter((_, index) => partOf[index] === 0);
    const seconds = items.filter((_, index) => partOf[index] === 1);
    assertEquals(firsts.map((item) => typeof item === "string" ? item.length : item), [...lengths, null]);
    assertEquals(seconds, [...integers, "word"]);
  });

  Deno.test(`joinValues() and joinArrays() copy in short steps in ${name}, regardless of the values' number and length`, () => {
    const long = "x".repeat(STEP_BYTES * 2 + 1);
    const short = Array.from({ length: 5000 }, (_, i) => `${i}`);
    const bytes = [texts(dialect, long, ...short), texts(dialect, null, long)];
    const replies = () => partsOf(dialect, bytes);
    const partOf = Uint16Array.from([1, 0, 1, ...short.map(() => 0)]);
    const counting = (steps: ReplySteps, reply: Reply) => {
      let count = 0;
      for (let before = reply.size; !steps.next().done; count++) {
        assert(reply.size - before <= 2 * STEP_BYTES);
        before = reply.size;
      }
      assert(count >= 6, `${count} steps`);
    };
    const values = joined(dialect, (reply) => counting(joinValues(replies(), partOf, reply), reply));
    assertEquals(values, [null, long, long, ...short]);
    const arrays = joined(dialect, (reply) => {
      for (const _ of joinArrays(replies(), reply));
    });
    assertEquals(arrays, [long, ...short, null, long]);
  });

  Deno.test(`joinStatuses() returns OK in ${name}`, () => {
    assertEquals(joined(dialect, (reply) => run(joinStatuses([], reply))), "OK");
  });

  Deno.test(`ValueReader returns the position of a value's content in ${name}`, () => {
    const bytes = replyIn(dialect, (reply) => {
      reply.array(3);
      reply.text("abc");
      reply.status("word");
      reply.text("");
    });
    const reader = dialect.values(bytes, 0, bytes.length);
    assertEquals(reader.array(), 3);
    for (const expected of ["abc", "word", ""]) {
      const length = reader.skip();
      assertEquals(
        new TextDecoder().decode(bytes.subarray(reader.contentStart, reader.contentStart + length)),
        expected,
      );
    }
    assertEquals(reader.at, reader.end);
  });

  Deno.test(`ValueReader refuses in ${name} a length beyond its reply`, () => {
    const whole = texts(dialect, "abc", "x".repeat(300), null);
    // A native reply begins with six bytes, which were read before.
    for (let length = dialect.version === 0 ? 6 : 0; length < whole.length; length++) {
      assertThrows(() => {
        const reader = dialect.values(whole, 0, length);
        for (let count = reader.array(); count > 0; count--) reader.skip();
      }, ProtocolError);
    }
  });

  Deno.test(`Dialect distinguishes grants, refusals and nil in ${name}`, () => {
    const value = texts(dialect, "a");
    const refusal = replyIn(dialect, (reply) => reply.error("WRONGTYPE", "no such luck"));
    const nil = replyIn(dialect, (reply) => reply.nil());
    const nilArray = replyIn(dialect, (reply) => reply.nilArray());
    assertEquals([value, refusal, nil, nilArray].map((bytes) => dialect.grants(bytes, 0)), [true, false, true, true]);
    assertEquals([value, refusal, nil, nilArray].map((bytes) => dialect.isNil(bytes, 0)), [false, false, true, true]);
    const { code, message } = dialect.refusal(refusal, 0, refusal.length);
    assertEquals([code, message], ["WRONGTYPE", "no such luck"]);
  });

  Deno.test(`Dialect finds the end of replies in ${name}, in any pieces`, () => {
    const replies = [
      texts(dialect, "abc", "", "x".repeat(300), null),
      replyIn(dialect, (reply) => reply.ok()),
      replyIn(dialect, (reply) => reply.integer(-12)),
      replyIn(dialect, (reply) => reply.error("ERR", "no")),
      replyIn(dialect, (reply) => {
        reply.map(1);
        reply.text("a");
        reply.array(1);
        reply.double(0.5);
      }),
    ];
    for (let step = 1; step < 40; step += 3) {
      const measure = dialect.measure();
      for (const reply of replies) {
        // The buffer moves between two looks, as a connection's buffer does.
        for (let length = 0; length < reply.length; length += step) {
          const moved = new Uint8Array(length % 7 + length);
          moved.set(reply.subarray(0, length), length % 7);
          assertEquals(measure.size(moved, length % 7, moved.length), 0);
        }
        assertEquals(measure.size(reply, 0, reply.length), reply.length);
      }
    }
    assertThrows(() => dialect.measure().size(Uint8Array.of(0, 0, 0, 0, 0x0d, 0x0a), 0, 6), ProtocolError);
  });
}

Deno.test("Dialect of RESP3 joins types that RESP2 does not have", () => {
  const dialect = dialects[2]![1];
  const part = (text: string) => new TextEncoder().encode(text);
  const replies = [part("*4\r\n_\r\n,0.5\r\n#t\r\n=5\r\ntxt:a\r\n"), part("*1\r\n(123\r\n")];
  const partOf = Uint16Array.from([0, 0, 1, 0, 0]);
  const bytes = replyIn(dialect, (reply) => run(joinValues(partsOf(dialect, replies), partOf, reply)));
  assertEquals(new TextDecoder().decode(bytes), "*5\r\n_\r\n,0.5\r\n(123\r\n#t\r\n=5\r\ntxt:a\r\n");
  assert(dialect.grants(part("_\r\n"), 0) && !dialect.grants(part("!5\r\nERR a\r\n"), 0));
});
