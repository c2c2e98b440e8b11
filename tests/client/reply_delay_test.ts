import { assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import type { Argument } from "../../src/client/client.ts";
import { commandOf, ReplyDelays } from "../../src/client/reply_delay.ts";

/** Returns how long the reply to one request may be delayed. */
function delayOf(...request: Argument[]): number {
  return new ReplyDelays().next(request, commandOf(request)!);
}

Deno.test("commandOf() finds commands by any name, in any case, as text and as bytes", () => {
  for (const { name, aliases } of COMMANDS) {
    for (const each of [name, ...aliases]) {
      for (const written of [each, each.toUpperCase(), encodeText(each), encodeText(each.toUpperCase())]) {
        assertEquals(commandOf([written])?.name, name);
      }
    }
  }
  for (const none of ["", "nosuch", "x".repeat(1000), 7, new Uint8Array(5000), encodeText("\xff")]) {
    assertEquals(commandOf([none]), undefined);
  }
  assertEquals(commandOf([]), undefined);
});

Deno.test("ReplyDelays takes the time to wait from the last argument, in all forms of numbers in C", () => {
  const times: [Argument, number][] = [
    ["15", 15_000],
    [encodeText("15"), 15_000],
    [15, 15_000],
    [15n, 15_000],
    ["0.5", 500],
    [".5", 500],
    ["5.", 5_000],
    ["1e1", 10_000],
    ["+2", 2_000],
    ["0x10", 16_000],
    ["0x1p4", Infinity],
    ["0", Infinity],
    ["0.0", Infinity],
    ["-0", Infinity],
    ["1e9", Infinity],
    ["2147483.648", Infinity],
    ["2147483.647", 2_147_483_647],
    // The server refuses these immediately.
    ["-1", 0],
    ["soon", 0],
    ["", 0],
    [" ", 0],
    ["1s", 0],
    ["nan", 0],
  ];
  for (const [time, expectedMs] of times) {
    assertEquals(delayOf("blpop", "a", "b", time), expectedMs, String(time));
    assertEquals(delayOf("BRPOP", "a", time), expectedMs, String(time));
    assertEquals(delayOf(encodeText("BlMove"), "a", "b", "LEFT", "LEFT", time), expectedMs, String(time));
    assertEquals(delayOf("brpoplpush", "a", "b", time), expectedMs, String(time));
  }
});

Deno.test("ReplyDelays adds nothing for other commands, nor if an argument is missing", () => {
  const waiting = ["blpop", "brpop", "blmove", "brpoplpush", "debug"];
  for (const { name, arity } of COMMANDS) {
    const request = [name, ...Array<string>(Math.max(2, Math.abs(arity))).fill("9")];
    if (!waiting.includes(name)) assertEquals(delayOf(...request), 0, name);
  }
  assertEquals(delayOf("blpop", "9"), 0);
  assertEquals(delayOf("blmove", "a", "b", "9"), 0);
  assertEquals(delayOf("debug", "sleep", "9"), 9_000);
  assertEquals(delayOf("debug", "sleep", "0"), 0);
});

Deno.test("ReplyDelays lets exec take as long as the queued commands hold the server", () => {
  const delays = new ReplyDelays();
  const next = (...request: Argument[]) => delays.next(request, commandOf(request)!);
  next("debug", "sleep", "100");
  next("multi");
  next("debug", "sleep", "2");
  next("blpop", "a", "60");
  next("MULTI");
  next("watch", "a");
  next("unwatch");
  next("debug", "sleep", "3");
  assertEquals(next("exec"), 5_000);
  assertEquals(next("exec"), 0);
  next("debug", "sleep", "100");
  assertEquals(next("exec"), 0);
  next("multi");
  next("debug", "sleep", "2");
  next("discard");
  assertEquals(next("exec"), 0);
});
