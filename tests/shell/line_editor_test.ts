/** Tests the line editor with a screen in place of the terminal: what it shows, and what it submits. */

import { assert, assertEquals, assertLess, assertStringIncludes } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import { KeyDecoder } from "../../src/shell/keys.ts";
import { DOWN, LEFT, PROMPT, Rig, RIGHT, typeRandomly, UP, wrapped } from "../support/line_editor_rig.ts";
import { Screen } from "../support/screen.ts";

Deno.test("LineEditor edits with the keys of Emacs and of terminals", () => {
  const rows: [keys: string, line: string][] = [
    ["get a", "get a"],
    [`et${"\x01"}g\x05 a`, "get a"],
    [`get b${LEFT}${LEFT}${LEFT}${RIGHT}X`, "getX b"],
    ["get b\x1b[H>\x1b[F<", ">get b<"],
    ["get b\x1bOH>\x1bOF<", ">get b<"],
    ["get b\x1b[1~>\x1b[4~<", ">get b<"],
    ["get b\x02\x02\x06X", "get Xb"],
    ["abc\x7f\x08", "a"],
    ["abc\x01\x1b[3~\x04", "c"],
    ["get b\x15set", "set"],
    ["get b\x01\x06\x06\x06\x0b", "get"],
    ['set "value one"Y\x17', 'set "value '],
    ["set one.two\x1b\x7f", "set one."],
    ["one two three\x1bb\x1bbX", "one Xtwo three"],
    ["one two\x01\x1bfX", "oneX two"],
    ["one two\x01\x1bd", " two"],
    [`one two\x1b[1;5D\x1b[1;5DX\x1b[1;5C\x1b[1;5CY`, "Xone twoY"],
    ["one two\x1b[1;3DX", "one Xtwo"],
    ["one two\x1b\x1b[DX", "one Xtwo"],
    ["one two\x1bOdX", "one Xtwo"],
    ["one two\x17\x01\x19 ", "two one "],
    ["one two\x17\x17\x19", "one two"],
    ["ab\x14", "ba"],
    ["one\x15two\x1f\x1f", "one"],
    ["日本語\x02\x7f", "日語"],
    ["e\u0301x\x02\x7fy", "yx"],
    ["a👩‍👩‍👧b\x02\x7f", "ab"],
    ["🇩🇪🇫🇷🇪🇸\x02\x7f", "🇩🇪🇪🇸"],
    // Keys without a meaning insert nothing.
    ["a\x1b[5~\x1b[15~\x1b[Z\x1b[?1;2c\x00\x1d\x1bxb", "ab"],
  ];
  for (const [keys, line] of rows) {
    assertEquals(new Rig().run(keys), [line], JSON.stringify(keys));
    // The result is the same when each byte is a separate read.
    const rig = new Rig();
    const decoder = new KeyDecoder();
    const all = [...encodeText(keys)].flatMap((byte) => decoder.decode(Uint8Array.of(byte)));
    for (const key of [...all, ...decoder.flush()]) rig.editor.take([key], 0);
    assertEquals(rig.run(""), [line], JSON.stringify(keys));
  }
});

Deno.test("LineEditor treats only carriage return and newline as the end of a line", () => {
  for (const character of ["\u2028", "\u2029", "\u0085", "\u200b", "\u00a0", "\ufeff", "\u3000"]) {
    const line = `echo a${character}flushall`;
    assertEquals(new Rig().run(line), [line]);
    assertEquals(new Rig().run(`\x1b[200~${line}\x1b[201~`), [line]);
  }
  // Vertical tab and form feed are keys when they are typed, and text when the terminal marks them as pasted.
  for (const character of ["\v", "\f", "\t", "\x1c", "\x1d", "\x1e", "\x00", "\x1b", "\x04"]) {
    const line = `echo a${character}flushall`;
    assertEquals(new Rig().run(`\x1b[200~${line}\x1b[201~`), [line]);
  }
  for (const end of ["\r", "\n", "\r\n"]) {
    const rig = new Rig();
    rig.type(`one${end}two${end}`);
    assertEquals(rig.taken, [["one"], ["two"]]);
  }
});

Deno.test("LineEditor shows characters that a terminal would obey or hide as text", () => {
  const rig = new Rig();
  rig.type("\x1b[200~a\u2028b\tc\x1bd\u202ee\u0085f\x7f\x1b[201~");
  assertEquals(rig.line, `${PROMPT}a<U+2028>b^Ic^[d<U+202E>e<U+0085>f^?`);
});

Deno.test("LineEditor keeps bytes that are not UTF-8", () => {
  const rig = new Rig();
  rig.type(Uint8Array.of(0x65, 0xe9, 0x20, 0xff, 0xc3));
  rig.type(Uint8Array.of(0xa9, 0x21));
  assertEquals(rig.line, `${PROMPT}e\\xe9 \\xff\\xc3\\xa9!`);
  assertEquals(rig.run(""), ["e\udce9 \udcff\udcc3\udca9!"]);
});

Deno.test("LineEditor shows pasted lines until Enter, and submits them together", () => {
  const rig = new Rig();
  rig.type("\x1b[200~set a 1\r\nset b 2\rflushall\n\x1b[201~");
  assertEquals(rig.taken, []);
  assertEquals(rig.screen.text, `${PROMPT}set a 1\nset b 2\nflushall`);
  assertEquals(rig.screen.cursor, { row: 3, column: 0 });
  // They can be edited.
  rig.type(`\x7f${UP}${"\x01"}X${DOWN}\x05!`);
  assertEquals(rig.screen.text, `${PROMPT}set a 1\nXset b 2\nflushall!`);
  rig.type("\r");
  assertEquals(rig.taken, [["set a 1", "Xset b 2", "flushall!"]]);
  // Only the first one stays on the screen. The others are shown when they run.
  assertEquals(rig.screen.text, `${PROMPT}set a 1\n${PROMPT.trimEnd()}`);
});

Deno.test("LineEditor accepts a paste in any parts", () => {
  const bytes = encodeText("\x1b[200~get é\r\nget 日\x1b[201~\x01X");
  for (let first = 1; first < bytes.length; first++) {
    const rig = new Rig();
    const decoder = new KeyDecoder();
    for (const part of [bytes.subarray(0, first), bytes.subarray(first)]) rig.editor.take(decoder.decode(part), 0);
    rig.editor.take(decoder.flush(), 0);
    assertEquals(rig.run(""), ["get é", "Xget 日"], `${first}`);
  }
});

Deno.test("LineEditor runs nothing of a paste that contains the mark at its end", () => {
  const content = "get a\n\x1b[201~\nflushall\r\x1b[201~\x1b[200~flushall\n\x1b[201~\x1b[200~b";
  const bytes = encodeText(`\x1b[200~${content}\x1b[201~\r`);
  // Two marks side by side may belong to two pastes, so they are left out.
  const lines = ["get a", "\x1b[201~", "flushall", "flushall", "b"];
  for (let first = 1; first < bytes.length; first++) {
    const rig = new Rig();
    const decoder = new KeyDecoder();
    for (const part of [bytes.subarray(0, first), bytes.subarray(first)]) rig.editor.take(decoder.decode(part), 0);
    assertEquals(rig.taken, [], `${first}`);
    assert(decoder.isUnfinished);
    // The text after the last mark is typed.
    rig.editor.take(decoder.flush(), 0);
    assertEquals(rig.taken, [lines], `${first}`);
  }
  // The bytes arrive one by one.
  const rig = new Rig();
  const decoder = new KeyDecoder();
  for (const byte of bytes) rig.editor.take(decoder.decode(Uint8Array.of(byte)), 0);
  rig.editor.take(decoder.flush(), 0);
  assertEquals(rig.taken, [lines]);
});

Deno.test("LineEditor drops a paste at Ctrl-C, and runs nothing of what follows", () => {
  const rig = new Rig();
  rig.type("\x1b[200~set a 1\rset b");
  rig.type("\x03");
  rig.type("flushall\rflushall\r");
  assertEquals(rig.taken, []);
  rig.type("\x1b[201~get a\r");
  assertEquals(rig.taken, [["get a"]]);
  // The mark at the end never arrives, so Ctrl-C is needed once more.
  rig.type("\x1b[200~set a 1\rset b");
  rig.type("\x03");
  rig.type("\x03");
  assertEquals(rig.run("get b"), ["get b"]);
});

Deno.test("LineEditor treats a tab within a read as text, and completes at the end of it", () => {
  const rig = new Rig();
  rig.type("get\ta\r");
  assertEquals(rig.taken, [["get\ta"]]);
  rig.type("hgeta\t");
  assertEquals(rig.run("h"), ["hgetall h"]);
});

Deno.test("LineEditor lists completions below the line and shows the line again", () => {
  const rig = new Rig();
  rig.type("ge\t");
  assertEquals(rig.line, `${PROMPT}get`);
  rig.type("\t");
  assertEquals(rig.screen.lines.slice(0, 3), [
    `${PROMPT}get`,
    "get       getdel    getex     getrange  getset",
    `${PROMPT}get`,
  ]);
  rig.type("r\t");
  assertEquals(rig.line.trimEnd(), `${PROMPT}getrange`);
  rig.type("\t");
  assertEquals(rig.screen.lines[3], "getrange key start end");
});

Deno.test("LineEditor moves through the history and keeps the line being typed", () => {
  const history = ["get c", "set b 1", "get a"];
  const rig = new Rig(history);
  rig.type(`get${UP}`);
  assertEquals(rig.line, `${PROMPT}get c`);
  rig.type(UP);
  assertEquals(rig.line, `${PROMPT}get a`);
  rig.type(UP);
  assertEquals(rig.line, `${PROMPT}get a`);
  rig.type(DOWN + DOWN);
  assertEquals(rig.line, `${PROMPT}get`);
  // From the beginning of the line every line is a match, and the line comes back with its cursor.
  rig.type(`x${LEFT}${"\x01"}${UP}${UP}`);
  assertEquals(rig.line, `${PROMPT}set b 1`);
  rig.type(DOWN + DOWN);
  assertEquals(rig.line, `${PROMPT}getx`);
  assertEquals(rig.screen.cursor.column, PROMPT.length);
  rig.type(DOWN + DOWN);
  assertEquals(rig.line, `${PROMPT}getx`);
  assertEquals(rig.run(""), ["getx"]);
});

Deno.test("LineEditor keeps changed lines of the history", () => {
  const rig = new Rig(["get b", "get a"]);
  rig.type(`new${"\x01"}${UP}2${"\x01"}${UP}`);
  assertEquals(rig.line, `${PROMPT}get a`);
  rig.type(DOWN);
  assertEquals(rig.line, `${PROMPT}get b2`);
  rig.type(DOWN);
  assertEquals(rig.line, `${PROMPT}new`);
  // The search for a replaced line of the history continues with the new text.
  rig.type(`\x15${UP}\x05\x15set${UP}`);
  assertEquals(rig.line, `${PROMPT}set`);
  assertEquals(rig.run(""), ["set"]);
});

Deno.test("LineEditor searches the history with Ctrl-R", () => {
  const lines = ["get c", "set greeting 1", "get greeting", "ping"];
  const found = (query: string, line: string) => `(reverse-search \`${query}\`) ${line}`;
  const rig = new Rig([...lines]);
  rig.type("typed\x12");
  assertEquals(rig.line, found("", "typed"));
  rig.type("g");
  rig.type("re");
  assertEquals(rig.line, found("gre", "set greeting 1"));
  rig.type("\x12");
  assertEquals(rig.line, found("gre", "get greeting"));
  rig.type("\x12");
  assertEquals(rig.line, "(failed reverse-search `gre`) get greeting");
  rig.type("\x13");
  assertEquals(rig.line, "(forward-search `gre`) set greeting 1");
  rig.type("\x07");
  assertEquals(rig.line, `${PROMPT}typed`);
  rig.type("\x12gre\x7f\x7fp");
  assertEquals(rig.line, "(failed reverse-search `gp`) set greeting 1".replace("set greeting 1", "get c"));
  rig.type("\x1b");
  assertEquals(rig.line, `${PROMPT}get c`);
  assertEquals(rig.run("\x05\x15"), [""]);
  assertEquals(new Rig([...lines]).run("\x12gre"), ["set greeting 1"]);
  assertEquals(new Rig([...lines]).run(`\x12gre\x12${RIGHT}X`), ["get gXreeting"]);
  assertEquals(new Rig([...lines]).run("\x12gre\x05!"), ["set greeting 1!"]);
  assertEquals(new Rig([...lines]).run("a\x12nothing\x1b\x1b[Cb"), ["ab"]);
  assertEquals(new Rig([...lines]).run(`typed\x12gre\x01${DOWN}${DOWN}`), ["typed"]);
  // Ctrl-R twice without a text searches for the last text again.
  assertEquals(new Rig([...lines]).run("\x12gre\x07\x12gre\x1b\x05\x15\x12\x12\x12"), ["get greeting"]);
  const dropped = new Rig([...lines]);
  dropped.type("\x12gre\x03");
  assertEquals(dropped.line.trimEnd(), PROMPT.trimEnd());
});

Deno.test("LineEditor leaves a dropped line on the screen, and ends at Ctrl-D on an empty one", () => {
  const rig = new Rig();
  rig.type(`get foo${LEFT}\x03`);
  rig.type("\x03");
  assertEquals(rig.screen.lines.slice(0, 3), [
    `${PROMPT}get foo^C`,
    `${PROMPT}^C ("exit" or Ctrl-D ends)`,
    PROMPT.trimEnd(),
  ]);
  rig.type("a\x04\x7f\x1a");
  rig.type("\x04");
  assertEquals(rig.events, ["suspend", "end"]);
  assertEquals(rig.screen.cursor, { row: 3, column: 0 });
});

Deno.test("LineEditor shows the text correctly after any key", () => typeRandomly({}));

Deno.test("LineEditor writes few bytes for a key, and no more than a screen for a paste", () => {
  const rig = new Rig();
  rig.type("set key value");
  rig.writtenCount = 0;
  rig.type("s");
  assertEquals(rig.writtenCount <= 4, true, `${rig.writtenCount}`);
  rig.writtenCount = 0;
  rig.type(`\x1b[200~${"y".repeat(100_000)}\x1b[201~`);
  assertLess(rig.writtenCount, 80 * 24 + 200);
  rig.writtenCount = 0;
  rig.type("x");
  assertLess(rig.writtenCount, 20);
});

Deno.test("LineEditor's work for a paste grows linearly", () => {
  for (const text of ["y", "日", "word ", "x\r", "e\u0301", "👩‍👩‍👧"]) {
    const rig = new Rig();
    const bytes = encodeText(text.repeat(Math.ceil(100_000 / encodeText(text).length)));
    const started = performance.now();
    rig.type("\x1b[200~");
    for (let at = 0; at < bytes.length; at += 4_095) rig.type(bytes.subarray(at, at + 4_095));
    rig.type("\x1b[201~");
    // It takes less than 0.1 s. Work for the whole line at each character took hours.
    assertLess(performance.now() - started, 20_000, text);
    assert(rig.editor.text.length > 10_000);
  }
});

Deno.test("LineEditor wraps the line again when the terminal has another width", () => {
  for (const [from, to] of [[80, 40], [40, 80], [80, 20], [20, 110]] as const) {
    const text = `set key ${"value ".repeat(20)}end`;
    const rig = new Rig([], from, 24);
    rig.type(text + LEFT.repeat(30));
    // The terminal itself wraps what it shows.
    const before = rig.editor.cursor + PROMPT.length;
    const screen = new Screen(to, 24);
    screen.write(PROMPT + text);
    const rows = wrapped(PROMPT + text, to);
    screen.write("\r" + `\x1b[A`.repeat(rows.length - 1 - Math.floor(before / to)));
    if (before % to > 0) screen.write(`\x1b[${before % to}C`);
    rig.screen = screen;
    rig.editor.resize();
    assertEquals(screen.text, wrapped(PROMPT + text, to).join("\n"));
    assertEquals(screen.cursor, { row: Math.floor(before / to), column: before % to });
    rig.type("X");
    assertStringIncludes(screen.text.replaceAll("\n", ""), "X");
  }
});

Deno.test("LineEditor notices another width itself, before the signal", () => {
  const text = "x".repeat(100);
  const rig = new Rig([], 40, 24);
  rig.type(text);
  const screen = new Screen(80, 24);
  screen.write(PROMPT + text);
  rig.screen = screen;
  rig.type("y");
  rig.editor.resize();
  assertEquals(screen.text, wrapped(`${PROMPT}${text}y`, 80).join("\n"));
});
