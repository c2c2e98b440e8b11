/**
 * Tests of one command as the arguments of the client, where each byte and the exit status count. `main_test.ts` runs
 * the program.
 */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { encodeText } from "../../src/bytes.ts";
import type { Value } from "../../src/client/client.ts";
import { UsageError } from "../../src/errors.ts";
import { exactBytes, readInput, tryFile, writeWhole } from "../../src/shell/one_command.ts";

function sourceOf(bytes: Uint8Array, pieceBytes: number): { read(target: Uint8Array): Promise<number | null> } {
  let at = 0;
  return {
    read: (target) => {
      const piece = bytes.subarray(at, at + Math.min(pieceBytes, target.length));
      target.set(piece);
      at += piece.length;
      return Promise.resolve(piece.length === 0 ? null : piece.length);
    },
  };
}

Deno.test("readInput() returns each byte of its input, in pieces of any size, up to its bound", async () => {
  const bytes = crypto.getRandomValues(new Uint8Array(60_000));
  const long = new Uint8Array([...bytes, ...bytes, ...bytes, ...bytes]);
  for (const pieceBytes of [1000, 65_536, 10_000_000]) {
    assertEquals(await readInput(sourceOf(long, pieceBytes)), long);
    assertEquals(await readInput(sourceOf(long, pieceBytes), long.length), long);
    await assertRejects(() => readInput(sourceOf(long, pieceBytes), long.length - 1), UsageError, "239999 bytes");
  }
  assertEquals((await readInput(sourceOf(new Uint8Array(), 1))).length, 0);
  const broken = { read: () => Promise.reject(new Deno.errors.BadResource("it is closed")) };
  await assertRejects(() => readInput(broken), UsageError, "Cannot read standard input: it is closed");
});

Deno.test("exactBytes() adds nothing to a single value, and a newline to each of several", () => {
  const value = new Uint8Array([0, 10, 255, 10]);
  const cases: [reply: Value, bytes: Uint8Array][] = [
    [value, value],
    [null, new Uint8Array()],
    [new Uint8Array(), new Uint8Array()],
    ["OK", encodeText("OK")],
    [3, encodeText("3")],
    [2n ** 63n - 1n, encodeText("9223372036854775807")],
    [1.5, encodeText("1.5")],
    [[], new Uint8Array()],
    [[encodeText("a"), encodeText("")], encodeText("a\n\n")],
    [new Map([[encodeText("f"), encodeText("v")]]), encodeText("f\nv\n")],
  ];
  for (const [reply, bytes] of cases) assertEquals(exactBytes(reply, ["get", "x"]), bytes);
  assertEquals(exactBytes(encodeText("a:1\r\n"), ["info"]), encodeText("a:1\r\n"));
});

Deno.test("writeWhole() replaces a file as a whole, and keeps its mode and the links to it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "out");
    await tryFile(path);
    assertEquals([...Deno.readDirSync(folder)], []);
    await writeWhole(path, encodeText("one"));
    await Deno.chmod(path, 0o600);
    await Deno.symlink(path, join(folder, "link"));
    await tryFile(join(folder, "link"));
    await writeWhole(join(folder, "link"), encodeText("two"));
    assertEquals(await Deno.readTextFile(path), "two");
    assertEquals((await Deno.lstat(path)).mode! & 0o777, 0o600);
    assert((await Deno.lstat(join(folder, "link"))).isSymlink);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["link", "out"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("writeWhole() and tryFile() refuse what cannot be written with its reason, and change nothing", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const cases: [path: string, reason: string][] = [
      [folder, "it is a folder"],
      [join(folder, "none", "out"), "its folder does not exist"],
      [join(folder, "x".repeat(300)), "name too long"],
    ];
    for (const [path, reason] of cases) {
      for (const write of [tryFile, (path: string) => writeWhole(path, encodeText("x"))]) {
        const error = await assertRejects(() => write(path), UsageError);
        assert(error.message.startsWith(`Cannot write "${path}": `), error.message);
        assert(error.message.toLowerCase().includes(reason), error.message);
        assert(!error.message.includes("\n"));
      }
    }
    assertEquals([...Deno.readDirSync(folder)], []);
    await writeWhole("/dev/null", encodeText("x"));
    await assertRejects(() => writeWhole("/dev/full", encodeText("x")), UsageError, "redirect standard output");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
