import { assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { readLines } from "../../src/shell/lines.ts";

async function linesOf(...chunks: string[]): Promise<string[]> {
  const found: string[] = [];
  for await (const lines of readLines(ReadableStream.from(chunks.map(encodeText)))) {
    found.push(...lines.map((line) => decodeText(line)));
  }
  return found;
}

Deno.test("readLines() joins lines that chunks have split", async () => {
  assertEquals(await linesOf("a\nb", "c\n", "\nd", "", "e\n"), ["a", "bc", "", "de"]);
});

Deno.test("readLines() yields the text after the last newline", async () => {
  assertEquals(await linesOf("a\nb"), ["a", "b"]);
  assertEquals(await linesOf("a\n"), ["a"]);
  assertEquals(await linesOf(), []);
});

Deno.test("readLines() removes the byte order mark of a file, and no other", async () => {
  assertEquals(await linesOf("\ufeffa\n\ufeffb"), ["a", "\ufeffb"]);
  assertEquals(await linesOf("\ufeffa"), ["a"]);
  assertEquals(await linesOf("\n\ufeffa"), ["", "\ufeffa"]);
  assertEquals(await linesOf("\ufeff"), [""]);
});
