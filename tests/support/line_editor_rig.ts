/**
 * A line editor with a screen in place of the terminal, for tests.
 *
 * @module
 */

import { assert, assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { complete } from "../../src/shell/completion.ts";
import { KeyDecoder } from "../../src/shell/keys.ts";
import { type EditorOptions, LineEditor } from "../../src/shell/line_editor.ts";
import { columnsOf } from "../../src/terminal/typed_text.ts";
import { Screen } from "./screen.ts";

export const PROMPT = "host:1> ";
export const UP = "\x1b[A";
export const DOWN = "\x1b[B";
export const LEFT = "\x1b[D";
export const RIGHT = "\x1b[C";

/** The parts of an editor that only some tests have. */
export type Extras = Partial<Pick<EditorOptions, "complete" | "hint" | "colours">>;

/** An editor on a screen. Submitted lines become history, as in the shell. */
export class Rig {
  screen: Screen;
  readonly taken: string[][] = [];
  readonly events: string[] = [];
  readonly editor: LineEditor;
  writtenCount = 0;
  readonly #decoder = new KeyDecoder();

  constructor(history: string[] = [], columns = 80, rows = 24, extras: Extras = {}) {
    this.screen = new Screen(columns, rows);
    this.editor = new LineEditor({
      prompt: PROMPT,
      history: () => history,
      complete,
      write: (text) => {
        this.writtenCount += text.length;
        this.screen.write(text);
      },
      size: () => this.screen,
      takeLines: (lines) => {
        this.taken.push([...lines]);
        history.unshift(...lines);
      },
      end: () => this.events.push("end"),
      suspend: () => this.events.push("suspend"),
      ...extras,
    });
    this.editor.start();
  }

  /** Types bytes as one read of the terminal. Each submitted text is followed by a new prompt. */
  type(text: string | Uint8Array): void {
    const keys = this.#decoder.decode(typeof text === "string" ? encodeText(text) : text);
    const all = [...keys, ...this.#decoder.flush()];
    for (let at = 0; at < all.length;) {
      const count = this.taken.length;
      at = this.editor.take(all, at);
      if (this.taken.length > count) this.editor.start();
    }
  }

  /** Returns the row of the cursor. */
  get line(): string {
    return this.screen.lines[this.screen.cursor.row]!;
  }

  /** Types keys and Enter. Returns the submitted lines. */
  run(keys: string): string[] {
    this.type(keys);
    this.type("\r");
    return this.taken.at(-1)!;
  }
}

/** Returns the rows of a text on a screen, with each character by itself. */
export function wrapped(text: string, columns: number, isAll = true): string[] {
  const rows = [""];
  let used = 0;
  for (const character of text) {
    if (character === "\n") {
      // The cursor has a position after a full row.
      if (used >= columns) rows.push("");
      rows.push("");
      used = 0;
      continue;
    }
    const isWide = /[日本😀]/u.test(character);
    const width = character === "\u0301" ? 0 : isWide ? 2 : 1;
    if (used + width > columns) {
      rows.push("");
      used = 0;
    }
    rows[rows.length - 1] += character;
    used += width;
  }
  if (used >= columns && isAll) rows.push("");
  return rows.map((row) => row.trimEnd());
}

/** Types random keys and compares the screen, without the hints on it, with what it has to show. */
export function typeRandomly(extras: Extras): void {
  const random = new Random(14);
  const pieces = ["a", "word ", "日本", "😀", "e\u0301", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", "\n", "  "];
  const moves = [LEFT, RIGHT, "\x01", "\x05", "\x1bb", "\x1bf", UP, DOWN];
  const deletions = ["\x7f", "\x04", "\x17", "\x15", "\x0b", "\x1f", "\x19", "\x14"];
  for (const [columns, rows] of [[20, 5], [21, 10], [40, 24], [80, 4]] as const) {
    const rig = new Rig([], columns, rows, extras);
    for (let step = 0; step < 600; step++) {
      const kind = random.below(10);
      const choices = kind < 5 ? pieces : kind < 8 ? moves : deletions;
      const piece = choices[random.below(choices.length)]!;
      // Ctrl-D on an empty text would end.
      if (piece === "\x04") rig.type("a\x02");
      rig.type(kind < 5 ? `\x1b[200~${piece}\x1b[201~` : piece);
      const text = rig.editor.text;
      const all = wrapped(PROMPT + text, columns);
      const shown = rig.screen.plainLines;
      const context = `seed 14, ${columns} columns, step ${step}: ${JSON.stringify(text)}`;
      // The cursor is at the position of the next character, which may not fit the row before.
      const next = text[rig.editor.cursor] ?? "\n";
      const toCursor = PROMPT + text.slice(0, rig.editor.cursor);
      const before = next === "\n"
        ? wrapped(toCursor, columns)
        : wrapped(toCursor + [...text.slice(rig.editor.cursor)][0], columns, false);
      if (all.length <= rows) {
        // The text ends where nothing is below it.
        assertEquals(shown.join("\n").trimEnd().endsWith(all.join("\n").trimEnd()), true, context);
        const above = shown.join("\n").trimEnd().split("\n").length - all.join("\n").trimEnd().split("\n").length;
        assertEquals(rig.screen.cursor.row, above + before.length - 1, context);
      } else {
        const top = before.length - 1 - rig.screen.cursor.row;
        assertEquals(shown, all.slice(top, top + rows), context);
      }
      const isAtEnd = rig.editor.cursor === text.length;
      const room = columns - columnsOf(all.at(-1)!) - (text.match(/ *$/)![0].length) - 1;
      const hint = isAtEnd ? extras.hint?.(text) ?? "" : "";
      const seen = rig.screen.colouredLines.join("").trim();
      // The text may end with blanks, which the expected rows lack, and a hint that hardly fits is left out.
      const isCut = seen === "" ? columnsOf(hint) > room : hint.trimStart().startsWith(seen.replace(/ *…$/, ""));
      assert(hint === "" ? seen === "" : isCut || seen === hint.trim(), `${context}: ${seen}`);
    }
  }
}
