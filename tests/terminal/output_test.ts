import { assertEquals, assertLessOrEqual } from "@std/assert";
import { decodeText } from "../../src/bytes.ts";
import { OUTPUT_WRITE_MAX_BYTES } from "../../src/limits.ts";
import { Output } from "../../src/terminal/output.ts";

Deno.test("Output discard() drops unwritten bytes, and later ones are written", async () => {
  const written: string[] = [];
  const release: (() => void)[] = [];
  const output = new Output({
    write(source) {
      assertLessOrEqual(source.length, OUTPUT_WRITE_MAX_BYTES);
      written.push(decodeText(source));
      return new Promise((resolve) => release.push(() => resolve(source.length)));
    },
  });
  /** Lets writes continue, one after another, until all is written. */
  const finish = async () => {
    let isDone = false;
    output.flushed().then(() => isDone = true);
    for (; !isDone; await Promise.resolve()) release.shift()?.();
  };
  output.add("x".repeat(10 * OUTPUT_WRITE_MAX_BYTES));
  while (written.length === 0) await Promise.resolve();
  output.add("queued");
  output.discard();
  output.add("after");
  await finish();
  assertEquals(written, ["x".repeat(OUTPUT_WRITE_MAX_BYTES), "after"]);
  // Later bytes are not dropped when nothing was being written.
  output.discard();
  output.add("last");
  await finish();
  assertEquals(written.at(-1), "last");
});
