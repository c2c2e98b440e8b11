import { assertEquals } from "@std/assert";
import { crc16, slotOf } from "../src/key_slot.ts";

const SLOTS = 16_384;

function slot(key: string): number {
  const bytes = new TextEncoder().encode(`<${key}>`);
  // Keys are in the middle of read buffers.
  return slotOf(bytes, 1, bytes.length - 2);
}

Deno.test("crc16() returns the check value of CRC-16/XMODEM", () => {
  const bytes = new TextEncoder().encode("123456789");
  assertEquals(crc16(bytes, 0, bytes.length), 0x31c3);
});

Deno.test("slotOf() agrees with Redis Cluster", () => {
  assertEquals(slot("foo"), 12182);
  assertEquals(slot("bar"), 5061);
  assertEquals(slot("hello"), 866);
  assertEquals(slot(""), 0);
});

Deno.test("slotOf() hashes the text in the first braces, if it is not empty", () => {
  assertEquals(slot("{user1000}.following"), slot("user1000"));
  assertEquals(slot("{user1000}.followers"), slot("user1000"));
  assertEquals(slot("foo{{bar}}zap"), slot("{bar"));
  assertEquals(slot("foo{bar}{zap}"), slot("bar"));
  assertEquals(slot("a}b{c}d"), slot("c"));
  const whole = (key: string) => {
    const bytes = new TextEncoder().encode(key);
    return crc16(bytes, 0, bytes.length) % SLOTS;
  };
  for (const key of ["{}", "foo{}{bar}", "{", "}", "{abc", "abc}", "{}}", "a{"]) assertEquals(slot(key), whole(key));
});
