import { assertEquals } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { ESCAPE_KEY_DELAY_MS, TYPED_AHEAD_MAX_BYTES } from "../../src/limits.ts";
import type { Key } from "../../src/shell/keys.ts";
import { TerminalInput } from "../../src/shell/terminal_input.ts";
import { pause } from "../support/pause.ts";

/** An input whose keys are collected, and which is held after each line, as the shell does. */
class Rig {
  readonly events: string[] = [];
  readonly input: TerminalInput;
  /** Lines that the next Enter puts back, as the first line of a text of several lines does. */
  unread: string[] = [];

  constructor() {
    this.input = new TerminalInput({
      take: (keys, from) => this.#take(keys, from),
      interrupt: () => this.events.push("interrupt"),
      suspend: () => this.events.push("suspend"),
      overflow: () => this.events.push("overflow"),
    });
  }

  type(text: string): void {
    this.input.add(encodeText(text));
  }

  /** Returns what has happened since the last call. */
  next(): string[] {
    return this.events.splice(0);
  }

  #take(keys: readonly Key[], from: number): number {
    const { name, text } = keys[from]!;
    this.events.push(name === "text" ? text : name);
    if (name === "enter") {
      this.input.hold();
      this.input.unread(this.unread);
      this.unread = [];
    }
    return from + 1;
  }
}

Deno.test("TerminalInput passes a paste on line by line", () => {
  const rig = new Rig();
  rig.type("one\ntwo\r\nthree\rfo");
  assertEquals(rig.next(), ["one", "enter"]);
  rig.input.release();
  assertEquals(rig.next(), ["two", "enter"]);
  rig.type("ur\n");
  rig.input.release();
  assertEquals(rig.next(), ["three", "enter"]);
  rig.input.release();
  assertEquals(rig.next(), ["fo", "ur", "enter"]);
});

/** Waits until the input has noticed a pause: its timer fires before a longer one. */
async function escapeKeyDelay(): Promise<void> {
  await pause(ESCAPE_KEY_DELAY_MS + 1);
}

Deno.test("TerminalInput inserts lines before those that were typed ahead", async () => {
  const rig = new Rig();
  rig.unread = ["two", "three"];
  rig.type("\x1b[200~one\ntwo\nthree\x1b[201~\rfour\r");
  await escapeKeyDelay();
  assertEquals(rig.next(), ["one\ntwo\nthree", "enter"]);
  for (const line of ["two", "three", "four"]) {
    rig.input.release();
    assertEquals(rig.next(), [line, "enter"]);
  }
  rig.input.release();
  assertEquals(rig.next(), []);
});

Deno.test("TerminalInput waits for a pause before it accepts the mark at the end of a paste", async () => {
  const rig = new Rig();
  rig.type("\x1b[200~one\x1b[201~\r");
  rig.type("flushall\r\x1b[201~");
  rig.type("\r");
  await escapeKeyDelay();
  assertEquals(rig.next(), ["one", "\x1b[201~\nflushall\n", "enter"]);
  rig.input.release();
  rig.type("\x1b[200~two\x1b[201~");
  await escapeKeyDelay();
  rig.type("\r");
  assertEquals(rig.next(), ["two", "enter"]);
});

Deno.test("TerminalInput interrupts for Ctrl-C while held, and drops the keys before it", () => {
  const rig = new Rig();
  rig.unread = ["of the paste"];
  rig.type("one\ntwo\n");
  rig.type("three\n\x03four");
  assertEquals(rig.next(), ["one", "enter", "interrupt"]);
  rig.input.release();
  assertEquals(rig.next(), ["four"]);
  rig.type("\x03");
  assertEquals(rig.next(), ["ctrl-c"]);
});

Deno.test("TerminalInput interrupts for a Ctrl-C that was read together with the line before it", () => {
  const rig = new Rig();
  rig.type("one\ntwo\n\x03th");
  assertEquals(rig.next(), ["one", "enter", "interrupt"]);
  rig.input.release();
  assertEquals(rig.next(), ["th"]);
});

Deno.test("TerminalInput suspends for Ctrl-Z while held, and keeps the typed keys", () => {
  const rig = new Rig();
  rig.type("one\ntwo\x1a\n");
  assertEquals(rig.next(), ["one", "enter", "suspend"]);
  rig.input.release();
  assertEquals(rig.next(), ["two", "enter"]);
});

Deno.test("TerminalInput treats an Escape as a key when nothing follows it", async () => {
  const rig = new Rig();
  rig.type("\x1b");
  rig.type("[A");
  assertEquals(rig.next(), ["up"]);
  rig.type("\x1b");
  assertEquals(rig.next(), []);
  await escapeKeyDelay();
  assertEquals(rig.next(), ["escape"]);
  rig.type("\x1b");
  rig.input.end();
  assertEquals(rig.next(), ["escape"]);
});

Deno.test("TerminalInput bounds the keys that are typed ahead", () => {
  const rig = new Rig();
  rig.type("one\r");
  const chunk = new Uint8Array(1024 * 1024).fill(0x79);
  for (let bytes = 0; bytes <= TYPED_AHEAD_MAX_BYTES; bytes += chunk.length) rig.input.add(chunk);
  assertEquals(rig.next(), ["one", "enter", "overflow"]);
  rig.type("two");
  rig.input.release();
  assertEquals(rig.next(), ["two"]);
});

Deno.test("TerminalInput treats a tab that was typed while it was held as a key, and a pasted one as text", () => {
  const rig = new Rig();
  rig.type("one\r");
  rig.type("ge\t");
  rig.type("a\r");
  rig.type("get\tb\r");
  rig.next();
  rig.input.release();
  assertEquals(rig.next(), ["ge", "tab", "a", "enter"]);
  rig.input.release();
  assertEquals(rig.next(), ["get", "\t", "b", "enter"]);
});
