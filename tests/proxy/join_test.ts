import { assert, assertEquals, assertThrows } from "@std/assert";
import { ProtocolError } from "../../src/errors.ts";
import { grants, joinArrays, JoinedReply, joinSums, joinValues, ValueReader } from "../../src/proxy/join.ts";
import { decodeReply, FRAME_PREFIX_BYTES } from "../../src/wire/frame.ts";
import type { Value } from "../../src/wire/frame.ts";
import { NativeReply } from "../../src/wire/reply.ts";

/** The frame of a reply that consists of what `write` says. */
function frame(write: (reply: NativeReply) => void): Uint8Array {
  const reply = new NativeReply();
  reply.begin();
  write(reply);
  reply.end();
  return reply.contents().slice();
}

function joined(write: (reply: JoinedReply) => void): Value {
  const reply = new JoinedReply();
  reply.begin();
  write(reply);
  reply.end();
  return decodeReply(reply.buffer, FRAME_PREFIX_BYTES, reply.length) as Value;
}

const texts = (...items: (string | null)[]) =>
  frame((reply) => {
    reply.array(items.length);
    for (const item of items) {
      if (item === null) reply.nil();
      else reply.text(item);
    }
  });

const asTexts = (value: Value) =>
  (value as (Uint8Array | null)[]).map((item) => item === null ? null : new TextDecoder().decode(item));

Deno.test("joinSums() adds up, beyond 53 bits too", () => {
  const frames = [1, 2 ** 53 - 1, 0, 41].map((value) => frame((reply) => reply.integer(value)));
  assertEquals(joined((reply) => joinSums(frames, reply)), 9007199254741033n);
  assertEquals(joined((reply) => joinSums(frames.slice(2), reply)), 41);
  assertThrows(() => joined((reply) => joinSums([texts("a")], reply)), ProtocolError);
});

Deno.test("joinArrays() puts arrays of any size one behind another", () => {
  for (const counts of [[0, 0], [0, 3, 1], [15, 1], [16, 20], [70_000, 1, 0]]) {
    const lists = counts.map((count, part) => Array.from({ length: count }, (_, i) => `${part}:${i}`));
    const value = joined((reply) => joinArrays(lists.map((list) => texts(...list)), reply));
    assertEquals(asTexts(value), lists.flat());
  }
});

Deno.test("joinValues() takes items in the order asked, of every form and length", () => {
  const lengths = [0, 1, 31, 32, 255, 256, 65_535, 65_536];
  const first = texts(...lengths.map((length) => "a".repeat(length)), null);
  const second = frame((reply) => {
    reply.array(8);
    for (const integer of [0, -1, 200, -100, 60_000, 2 ** 31, 2 ** 40]) reply.integer(integer);
    reply.status("word");
  });
  const partOf = Uint16Array.from([0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0]);
  const value = joined((reply) => joinValues([first, second], partOf, reply)) as Value[];
  const firsts = value.filter((_, index) => partOf[index] === 0);
  const seconds = value.filter((_, index) => partOf[index] === 1);
  assertEquals(firsts.map((item) => item instanceof Uint8Array ? item.length : item), [...lengths, null]);
  assertEquals(seconds, [0, -1, 200, -100, 60_000, 2 ** 31, 2 ** 40, "word"]);
});

Deno.test("ValueReader refuses what goes beyond its frame", () => {
  const whole = texts("abc", "x".repeat(300));
  for (let length = FRAME_PREFIX_BYTES + 2; length < whole.length; length++) {
    assertThrows(() => {
      const reader = new ValueReader(whole, 0, length);
      for (let count = reader.array(); count > 0; count--) reader.skip();
    }, ProtocolError);
  }
});

Deno.test("grants() tells a value from a refusal", () => {
  assert(grants(texts("a"), 0));
  assert(!grants(frame((reply) => reply.error("ERR", "no")), 0));
});
