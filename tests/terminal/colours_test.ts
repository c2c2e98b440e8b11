import { assertEquals, assertMatch } from "@std/assert";
import { COLOUR_CHOICES, Colours, coloursFor, NO_COLOURS } from "../../src/terminal/colours.ts";

const STYLES = ["faint", "error", "warning", "good", "name", "kind", "strong"] as const;

/** Runs a function with these variables; `undefined` removes one. */
function withVariables(values: Record<string, string | undefined>, run: () => void): void {
  const before = Object.keys(values).map((name): [string, string | undefined] => [name, Deno.env.get(name)]);
  const set = ([name, value]: [string, string | undefined]) => {
    if (value === undefined) Deno.env.delete(name);
    else Deno.env.set(name, value);
  };
  Object.entries(values).forEach(set);
  try {
    run();
  } finally {
    before.forEach(set);
  }
}

Deno.test("Colours paint() puts a text between a colour and its end, or leaves it alone", () => {
  for (const style of STYLES) {
    // deno-lint-ignore no-control-regex
    assertMatch(new Colours(true).paint(style, "text"), /^\x1b\[[0-9]+mtext\x1b\[0m$/);
    assertEquals(new Colours(true).paint(style, ""), "");
    assertEquals(NO_COLOURS.paint(style, "text"), "text");
  }
  assertEquals(new Set(STYLES.map((style) => new Colours(true).paint(style, "x"))).size, STYLES.length);
});

Deno.test("coloursFor() follows --color, then NO_COLOR and the type of the terminal", () => {
  const rows: [variables: Record<string, string | undefined>, isTerminal: boolean, areOn: boolean][] = [
    [{ NO_COLOR: undefined, TERM: "xterm" }, true, true],
    [{ NO_COLOR: undefined, TERM: "xterm" }, false, false],
    [{ NO_COLOR: undefined, TERM: undefined }, true, true],
    [{ NO_COLOR: undefined, TERM: "dumb" }, true, false],
    [{ NO_COLOR: "1", TERM: "xterm" }, true, false],
    [{ NO_COLOR: "0", TERM: "xterm" }, true, false],
    [{ NO_COLOR: "", TERM: "xterm" }, true, true],
  ];
  for (const [variables, isTerminal, areOn] of rows) {
    withVariables(variables, () => {
      assertEquals(coloursFor(isTerminal).areOn, areOn, JSON.stringify(variables));
      for (const choice of COLOUR_CHOICES) {
        const expected = choice === "auto" ? areOn : choice === "always";
        assertEquals(coloursFor(isTerminal, choice).areOn, expected, `${choice} ${JSON.stringify(variables)}`);
      }
    });
  }
});
