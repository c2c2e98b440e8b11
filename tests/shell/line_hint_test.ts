/** Tests the hints of the line editor, and completions that arrive later. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Completion } from "../../src/shell/completion.ts";
import { hintFor } from "../../src/shell/hints.ts";
import { Colours } from "../../src/terminal/colours.ts";
import { type Extras, LEFT, PROMPT, Rig, typeRandomly } from "../support/line_editor_rig.ts";

Deno.test("LineEditor shows the text and its hint correctly after any key", () => {
  const colours = new Colours(true);
  // The hint changes with each text, is wide or long or what the text may continue with, or there is none.
  const hints = ["a", "word ", "日本語 hint", "yyyyyyyy", "", "x".repeat(300), " [key …] timeout"];
  typeRandomly({ colours, hint: (text) => hints[text.length % hints.length]! });
  // Without colours a hint would look like typed text.
  const rig = new Rig([], 80, 24, { colours: new Colours(false), hint: () => "hint" });
  rig.type("get ");
  assertEquals(rig.line, `${PROMPT}get`);
});

Deno.test("LineEditor leaves no hint on the screen, in the text or in the history", () => {
  const withHints: Extras = { colours: new Colours(true), hint: hintFor };
  for (const end of ["\r", "\x03", "\x1b[200~ v\x1b[201~\r"]) {
    const rig = new Rig([], 80, 24, withHints);
    rig.type("set k");
    assertStringIncludes(rig.line, "set k value [EX seconds");
    rig.type(end);
    assertEquals(rig.screen.colouredLines.filter((line) => line !== ""), []);
    assertEquals(rig.taken, end === "\x03" ? [] : [[end === "\r" ? "set k" : "set k v"]]);
    rig.type("set\x1b[A");
    assertEquals(rig.editor.text, end === "\x03" ? "set" : rig.taken[0]![0]);
  }
  const rig = new Rig([], 80, 24, withHints);
  rig.type("get ");
  rig.editor.pause();
  assertEquals(rig.screen.text, `${PROMPT}get`);
  rig.editor.resume();
  assertEquals(rig.line, `${PROMPT}get key`);
  // The cursor within the text, and a search, have no hint.
  rig.type(LEFT);
  assertEquals(rig.line, `${PROMPT}get`);
  rig.type("\x05\x12");
  assertEquals(rig.line, "(reverse-search ``) get");
  rig.type("\x07\t");
  assertEquals(rig.screen.text, `${PROMPT}get\n${PROMPT}get\nget key\n${PROMPT}get key`);
});

Deno.test("LineEditor applies words that arrive later, unless the text has changed", async () => {
  const rows: [keys: string, line: string][] = [["", "get user:1 "], ["x", "get usx"], [LEFT, "get us"], ["\x15", ""]];
  for (const [keys, line] of rows) {
    const { promise, resolve } = Promise.withResolvers<Completion>();
    let count = 0;
    const rig = new Rig([], 80, 24, {
      complete() {
        count++;
        return promise;
      },
    });
    rig.type("get us");
    rig.type("\t");
    // Another Tab waits for the same words.
    rig.type("\t");
    assertEquals(count, 1);
    rig.type(keys);
    resolve({ words: ["user:1 "], last: "us" });
    await promise;
    assertEquals(rig.editor.text, line, JSON.stringify(keys));
    assertEquals(rig.line.trimEnd(), `${PROMPT}${line}`.trimEnd());
  }
  // A completion that never arrives holds up no other one.
  const patient = new Rig([], 80, 24, {
    complete: (line) => line.endsWith(" ") ? new Promise(() => {}) : { words: ["get "], last: line },
  });
  patient.type("get ");
  patient.type("\t");
  patient.type("\x15ge");
  patient.type("\t");
  assertEquals(patient.editor.text, "get ");
  // A text that was submitted meanwhile does not come back.
  const { promise, resolve } = Promise.withResolvers<Completion>();
  const rig = new Rig([], 80, 24, { complete: () => promise });
  rig.type("get us");
  rig.type("\t");
  rig.type("\r");
  resolve({ words: ["user:1 "], last: "us" });
  await promise;
  assertEquals(rig.editor.text, "");
  assertEquals(rig.taken, [["get us"]]);
});
