import { assert, assertEquals } from "@std/assert";
import { Random } from "../../../bench/support/random.ts";
import { RespKeyWindow } from "../../../src/wire/resp/look_ahead.ts";
import { binaryBytes, binaryText, encodeRequest, guarded } from "../../support/resp_requests.ts";

function keysOf(window: RespKeyWindow, bytes: Uint8Array): string[] {
  return Array.from({ length: window.count }, (_, i) => {
    return binaryText(bytes.subarray(window.starts[i]!, window.starts[i]! + window.lengths[i]!));
  });
}

Deno.test("RespKeyWindow fill() finds the argument after the command in every complete request", () => {
  const long = "k".repeat(300);
  const requests = [["get", "a"], ["ping"], ["set", "key two", "v".repeat(70_000)], ["hget", long, "f"], ["GET", ""]];
  requests.push(["mset", ...Array(60).fill("x")]);
  const bytes = binaryBytes(`skipped${requests.map((items) => encodeRequest(...items)).join("")}`);
  const window = new RespKeyWindow(8);
  assertEquals(window.fill(bytes, 7, bytes.length), bytes.length);
  assertEquals(keysOf(window, bytes), ["a", "key two", long, "", "x"]);
});

Deno.test("RespKeyWindow fill() stops before an incomplete request, and when it is full", () => {
  const request = encodeRequest("get", "a");
  const bytes = binaryBytes(request + encodeRequest("get", "b") + encodeRequest("get", "c"));
  const window = new RespKeyWindow(8);
  for (let end = request.length * 2; end < bytes.length; end++) {
    assertEquals(window.fill(bytes, 0, end), request.length * 2);
    assertEquals(keysOf(window, bytes), ["a", "b"]);
  }
  assertEquals(window.fill(bytes, 0, 3), 0);
  assertEquals(window.count, 0);
  const small = new RespKeyWindow(1);
  const behind = small.fill(bytes, 0, bytes.length);
  assertEquals(keysOf(small, bytes), ["a"]);
  small.fill(bytes, behind, bytes.length);
  assertEquals(keysOf(small, bytes), ["b"]);
});

Deno.test("RespKeyWindow fill() stops before an unusual request, and keeps the found keys", () => {
  const usual = encodeRequest("get", "a");
  const many = encodeRequest(...Array(65).fill("x"));
  for (const unusual of ["get b\r\n", "*0\r\n", "*-1\r\n", "*x\r\n", "*2\r\n:1\r\n", "*1\r\n$-1\r\n", "\r\n", many]) {
    const bytes = binaryBytes(usual + unusual + usual);
    const window = new RespKeyWindow(8);
    assertEquals(window.fill(bytes, 0, bytes.length), usual.length, unusual);
    assertEquals(keysOf(window, bytes), ["a"]);
  }
});

Deno.test("RespKeyWindow fill() never reads beyond its input, regardless of its content", () => {
  const random = new Random(7);
  const window = new RespKeyWindow(8);
  const parts = [
    "*1\r\n",
    "*2\r\n",
    "*3\r\n",
    "$1\r\n",
    "$0\r\n",
    "$10\r\n",
    "$999999999\r\n",
    "\r\n",
    "x",
    "ab",
    "12",
    "*",
  ];
  for (let round = 0; round < 5_000; round++) {
    const text = Array.from({ length: random.below(20) }, () => random.pick(parts)).join("");
    const end = random.below(text.length + 1);
    const start = random.below(end + 1);
    const { bytes } = guarded(binaryBytes(text), start, end);
    const behind = window.fill(bytes, start, end);
    assert(behind >= start && behind <= end);
    for (let i = 0; i < window.count; i++) assert(window.starts[i]! + window.lengths[i]! + 2 <= behind);
  }
});
