import { assertEquals } from "@std/assert";
import { frameLength } from "../../../src/wire/native/frame.ts";
import { fromHex } from "../../support/hex.ts";

Deno.test("frameLength() reads the prefix big-endian", () => {
  assertEquals(frameLength(fromHex("ff 00 00 01 02"), 1), 0x102);
  assertEquals(frameLength(fromHex("ff ff ff ff"), 0), 0xffffffff);
});
