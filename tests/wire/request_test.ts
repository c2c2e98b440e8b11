import { assert, assertEquals, assertFalse, assertStrictEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { READ_BUFFER_BATCH_BYTES } from "../../src/limits.ts";
import { Request } from "../../src/wire/request.ts";

/** Returns a request whose arguments are in one buffer with a byte between them, as after decoding. */
function requestOf(...words: readonly string[]): Request {
  const request = new Request();
  const bytes = encodeText("#" + words.join("#"));
  request.reset(bytes, words.length);
  let at = 1;
  words.forEach((word, index) => {
    const length = encodeText(word).length;
    request.starts[index] = at;
    request.lengths[index] = length;
    request.size += length;
    at += length + 1;
  });
  return request;
}

Deno.test("Request text() and view() return an argument", () => {
  const request = requestOf("set", "ключ", "");
  assertEquals(request.count, 3);
  assertEquals(request.text(0), "set");
  assertEquals(request.text(1), "ключ");
  assertEquals(request.text(2), "");
  assertEquals(request.view(1), encodeText("ключ"));
  assertEquals(request.view(2), new Uint8Array(0));
  assertEquals(request.start(1), 5);
  assertEquals(request.length(1), 8);
});

Deno.test("Request view() borrows the buffer instead of copying it", () => {
  const request = requestOf("get", "key");
  assertStrictEquals(request.view(1).buffer, request.bytes.buffer);
});

Deno.test("Request integer() returns a whole argument as a number, or NaN", () => {
  const request = requestOf("incrby", "-42", "4 2", "9007199254740993", "");
  assertEquals(request.integer(1), -42);
  assertEquals(request.integer(2), NaN);
  assertEquals(request.integer(3), NaN);
  assertEquals(request.integer(4), NaN);
});

Deno.test("Request is() compares a word without regard to case", () => {
  const request = requestOf("SeT", "nX");
  assert(request.is(0, "set"));
  assert(request.is(1, "nx"));
  assertFalse(request.is(1, "n"));
  assertFalse(request.is(1, "nxx"));
});

Deno.test("Request reset() keeps its arrays while they suffice, and grows them otherwise", () => {
  const request = new Request();
  const { starts, lengths } = request;
  request.reset(new Uint8Array(1), 16);
  assertStrictEquals(request.starts, starts);
  assertStrictEquals(request.lengths, lengths);
  for (const count of [17, 32, 33, 1000, 4097, 1024 * 1024]) {
    request.reset(new Uint8Array(1), count);
    assert(request.starts.length >= count && request.lengths.length >= count, `count ${count}`);
    assertEquals([request.count, request.size], [count, 0]);
  }
});

Deno.test("Request clear() releases a large buffer and large arrays, and keeps usual ones", () => {
  const request = requestOf("get", "key");
  const { starts, lengths, bytes, dataView } = request;
  request.clear();
  assertEquals([request.count, request.size], [0, 0]);
  assertStrictEquals(request.bytes, bytes);
  request.reset(bytes, 1);
  assertStrictEquals(request.dataView, dataView);
  request.reset(new Uint8Array(READ_BUFFER_BATCH_BYTES + 1), 1);
  assertEquals(request.dataView.byteLength, READ_BUFFER_BATCH_BYTES + 1);
  request.clear();
  assertEquals([request.bytes.length, request.dataView.byteLength], [0, 0]);
  assertStrictEquals(request.starts, starts);
  assertStrictEquals(request.lengths, lengths);
  request.reset(new Uint8Array(1), 100_000);
  request.clear();
  assertEquals([request.starts.length, request.lengths.length], [16, 16]);
});
