import { assertEquals } from "@std/assert";
import { Random } from "../../../bench/support/random.ts";
import { decodeText } from "../../../src/bytes.ts";
import type { Argument } from "../../../src/wire/request_writer.ts";
import { NativeRequestWriter } from "../../../src/wire/native/request_writer.ts";
import { NativeKeyWindow } from "../../../src/wire/native/look_ahead.ts";

function encode(...requests: readonly Argument[][]): Uint8Array {
  const writer = new NativeRequestWriter();
  for (const request of requests) writer.add(request);
  return writer.take();
}

function keysOf(window: NativeKeyWindow, bytes: Uint8Array): string[] {
  return Array.from({ length: window.count }, (_, i) => decodeText(bytes, window.starts[i]!, window.lengths[i]!));
}

Deno.test("NativeKeyWindow fill() finds the argument after the command in every complete frame", () => {
  const long = "k".repeat(300);
  const bytes = encode(["get", "a"], ["ping"], ["set", "key two", "v".repeat(70_000)], ["hget", long, "f"], [
    "GET",
    "",
  ]);
  const window = new NativeKeyWindow(8);
  assertEquals(window.fill(bytes, 0, bytes.length), bytes.length);
  assertEquals(keysOf(window, bytes), ["a", "key two", long, ""]);
});

Deno.test("NativeKeyWindow fill() stops before an incomplete frame, and when it is full", () => {
  const first = encode(["get", "a"], ["get", "b"]);
  const bytes = encode(["get", "a"], ["get", "b"], ["get", "c"]);
  const window = new NativeKeyWindow(8);
  assertEquals(window.fill(bytes, 0, bytes.length - 1), first.length);
  assertEquals(keysOf(window, bytes), ["a", "b"]);
  assertEquals(window.fill(bytes, 0, 3), 0);
  assertEquals(window.count, 0);
  const small = new NativeKeyWindow(1);
  const behind = small.fill(bytes, 0, bytes.length);
  assertEquals(keysOf(small, bytes), ["a"]);
  small.fill(bytes, behind, bytes.length);
  assertEquals(keysOf(small, bytes), ["b"]);
});

Deno.test("NativeKeyWindow fill() never reads beyond its input, regardless of its content", () => {
  const random = new Random(7);
  const window = new NativeKeyWindow(8);
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: random.below(60) }, () => random.below(256));
    // The frames are short, so that many are complete.
    for (let at = 0; at + 4 <= bytes.length; at += 4 + bytes[at + 3]!) {
      bytes.set([0, 0, 0, random.below(20)], at);
      if (at + 4 < bytes.length && random.below(2) === 0) bytes[at + 4] = 0x90 + random.below(16);
    }
    const end = random.below(bytes.length + 1);
    const behind = window.fill(bytes, 0, end);
    assertEquals(behind <= end, true);
    for (let i = 0; i < window.count; i++) {
      assertEquals(window.lengths[i]! >= 0 && window.starts[i]! + window.lengths[i]! <= behind, true);
    }
  }
});
