import { assertEquals } from "@std/assert";
import { decodeText, encodeText } from "../../src/bytes.ts";
import { TerminalInput } from "../../src/shell/terminal_input.ts";

/** An input whose pieces are collected, and which is held after each line, as the shell does. */
function makeInput(): { input: TerminalInput; pieces: string[]; interrupts: () => number } {
  const pieces: string[] = [];
  let interruptCount = 0;
  const input = new TerminalInput(() => interruptCount++);
  input.stream.on("data", (bytes: Uint8Array) => {
    const text = decodeText(bytes);
    pieces.push(text);
    if (/[\r\n]/.test(text)) input.hold();
  });
  return { input, pieces, interrupts: () => interruptCount };
}

Deno.test("TerminalInput hands a paste over line by line", () => {
  const { input, pieces } = makeInput();
  input.add(encodeText("one\ntwo\r\nthree\rfo"));
  assertEquals(pieces, ["one\n"]);
  input.release();
  assertEquals(pieces, ["one\n", "two\r\n"]);
  input.add(encodeText("ur\n"));
  input.release();
  input.release();
  assertEquals(pieces, ["one\n", "two\r\n", "three\r", "four\n"]);
  input.stream.destroy();
});

Deno.test("TerminalInput interrupts for Ctrl-C while held, and forgets what was typed before it", () => {
  const { input, pieces, interrupts } = makeInput();
  input.add(encodeText("one\ntwo\n"));
  input.add(encodeText("three\n\x03four"));
  assertEquals(interrupts(), 1);
  input.release();
  assertEquals(pieces, ["one\n", "four"]);
  input.add(encodeText("\x03"));
  assertEquals(interrupts(), 1);
  assertEquals(pieces, ["one\n", "four", "\x03"]);
  input.stream.destroy();
});

Deno.test("TerminalInput interrupts for a Ctrl-C that was read together with the line before it", () => {
  const { input, pieces, interrupts } = makeInput();
  input.add(encodeText("one\ntwo\n\x03th"));
  assertEquals([pieces, interrupts()], [["one\n"], 1]);
  input.release();
  assertEquals(pieces, ["one\n", "th"]);
  input.stream.destroy();
});
