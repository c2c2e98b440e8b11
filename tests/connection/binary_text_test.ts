import { assertEquals } from "@std/assert";
import { threadTimeMs } from "../../bench/support/processor_time.ts";
import { binaryBytes, binaryText } from "../../src/connection/binary_text.ts";

Deno.test("binaryText() returns one character for each byte, at any length", () => {
  for (const length of [0, 1, 7, 8, 9, 63, 64, 65, 256, 8191, 8192, 8193, 16_384, 100_000]) {
    const bytes = Uint8Array.from({ length: length + 5 }, (_, i) => i * 7);
    const text = binaryText(bytes, 3, length);
    assertEquals(text.length, length);
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== bytes[3 + i]) throw new Error(`byte ${i} of ${length}`);
    assertEquals(binaryBytes(text), bytes.slice(3, 3 + length));
  }
});

Deno.test("binaryText() takes time in proportion to the length", () => {
  const bytes = new Uint8Array(60_000_000).fill(0x6e);
  const beginMs = threadTimeMs();
  // A look-up flattens a text that is a tree.
  assertEquals(new Map([["n", 1]]).get(binaryText(bytes, 0, bytes.length)), undefined);
  const tookMs = threadTimeMs() - beginMs;
  // Built one character at a time, it took 12 s; now it takes 0.3 s of CPU time.
  if (tookMs > 4_000) throw new Error(`${tookMs} ms`);
});
