import { assert, assertEquals } from "@std/assert";
import { exceedsScreen, Pager, rowsOf } from "../../src/shell/pager.ts";
import { KeyDecoder } from "../../src/shell/keys.ts";
import { Colours, NO_COLOURS } from "../../src/terminal/colours.ts";
import { columnsOf } from "../../src/terminal/typed_text.ts";
import { encodeText } from "../../src/bytes.ts";
import { Screen } from "../support/screen.ts";

/** A pager on a screen of ten rows. */
class Rig {
  screen: Screen;
  readonly pager: Pager;
  readonly events: string[] = [];

  constructor(text: string, columns = 80, colours = NO_COLOURS) {
    this.screen = new Screen(columns, 10);
    this.pager = new Pager(text, {
      colours,
      write: (part) => this.screen.write(part),
      size: () => this.screen,
      suspend: () => this.events.push("suspend"),
      end: () => this.events.push("end"),
    });
    this.pager.start();
  }

  /** Types keys as one read of the terminal. Returns how many were not taken. */
  type(text: string): number {
    const decoder = new KeyDecoder();
    const keys = [...decoder.decode(encodeText(text)), ...decoder.flush()];
    return keys.length - this.pager.take(keys, 0);
  }

  get rows(): string[] {
    return this.screen.text.split("\n");
  }
}

const LINES = Array.from({ length: 100 }, (_, i) => `line ${i}`);
const TEXT = LINES.join("\n") + "\n";

Deno.test("Pager shows a page, and then as much as the keys say", () => {
  const steps: [keys: string, shown: number][] = [
    ["", 9],
    [" ", 18],
    ["\r", 19],
    ["\x1b[B", 20],
    ["j", 21],
    ["  ", 39],
    ["\x1b[6~", 48],
    ["xyz", 48],
    ["\x1b[5~", 48],
  ];
  const rig = new Rig(TEXT);
  for (const [keys, shown] of steps) {
    assertEquals(rig.type(keys), 0);
    assertEquals(rig.rows.slice(0, -1), LINES.slice(0, shown), JSON.stringify(keys));
    assert(/^-- \d+ % -- Space/.test(rig.rows.at(-1)!));
  }
  rig.type("a");
  assertEquals(rig.rows, LINES);
  assertEquals(rig.events, ["end"]);
});

Deno.test("Pager ends at the keys that people try, and leaves later keys", () => {
  for (const key of ["q", "Q", "\x03", "\x04", "\x1b"]) {
    const rig = new Rig(TEXT);
    rig.type(key);
    assertEquals(rig.rows, LINES.slice(0, 9), JSON.stringify(key));
    assertEquals(rig.events, ["end"]);
    assertEquals(rig.type("a\r"), 2);
    assertEquals(rig.events, ["end"]);
  }
  const rig = new Rig(TEXT);
  rig.type("\x1a");
  assertEquals(rig.events, ["suspend"]);
  rig.pager.resume();
  assertEquals(rig.rows.length, 10);
  // A narrower terminal has wrapped the line at the bottom.
  const narrow = new Rig(TEXT);
  const screen = new Screen(30, 10);
  screen.write([...LINES.slice(0, 5), narrow.rows.at(-1)!].join("\r\n"));
  narrow.screen = screen;
  narrow.pager.resize();
  assertEquals(narrow.rows.slice(0, -1), LINES.slice(0, 5));
  assert(/^-- \d+ % -- Space.*…$/.test(narrow.rows.at(-1)!));
  // The last page needs no key.
  const short = new Rig(LINES.slice(0, 12).join("\n") + "\n");
  short.type(" ");
  assertEquals(short.events, ["end"]);
});

Deno.test("Pager divides lines that are longer than the screen, with their colours", () => {
  const colours = new Colours(true);
  for (const columns of [20, 21, 40]) {
    for (const word of ["x", "日本", "e\u0301", "😀"]) {
      const line = `1) ${colours.paint("name", word.repeat(500))} end`;
      const rows = rowsOf(line, columns);
      // deno-lint-ignore no-control-regex
      const plain = rows.map((row) => row.replaceAll(/\x1b\[[0-9]*m/g, ""));
      assertEquals(plain.join(""), `1) ${word.repeat(500)} end`);
      for (const row of plain) assert(columnsOf(row) <= columns);
      // Each row by itself begins and ends its colours.
      // deno-lint-ignore no-control-regex
      for (const row of rows) assert(/^([^\x1b]|\x1b\[36m[^\x1b]*\x1b\[0m)*$/.test(row), JSON.stringify(row));
      const rig = new Rig(line + "\n", columns, colours);
      assertEquals(rig.screen.lines.slice(0, 9).join(""), plain.slice(0, 9).join("").trimEnd());
      assertEquals(rig.events, []);
      const percent = Number(/-- (\d+) %/.exec(rig.screen.lines.at(-1)!)![1]);
      assert(Math.abs(percent - 900 / rows.length) < 5, `${percent} % of ${rows.length} rows`);
    }
  }
});

Deno.test("exceedsScreen() counts rows, not lines", () => {
  const size = { columns: 20, rows: 5 };
  assertEquals(exceedsScreen("", size), false);
  assertEquals(exceedsScreen("a\n".repeat(4), size), false);
  assertEquals(exceedsScreen("a\n".repeat(5), size), true);
  assertEquals(exceedsScreen("x".repeat(81) + "\n", size), true);
  assertEquals(exceedsScreen("日".repeat(30) + "\n", size), false);
  assertEquals(exceedsScreen("日".repeat(41) + "\n", size), true);
  assertEquals(exceedsScreen("x".repeat(10_000_000), size), true);
});
