import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { EXAMPLES } from "../../src/catalog/examples.ts";
import { COMMANDS } from "../../src/catalog/specification.ts";
import { GROUPS, helpText, LOCAL_COMMANDS } from "../../src/shell/help.ts";

const WIDTHS = [20, 21, 25, 38, 39, 40, 60, 80, 110, 200];

/** Returns the text on one line. */
function joined(text: string | undefined): string {
  return text!.replace(/\s+/g, " ");
}

Deno.test("helpText() explains every command by each of its names, and lists every group", () => {
  const overview = joined(helpText());
  for (const { name, group, summary, aliases } of COMMANDS) {
    assertStringIncludes(overview, aliases.length === 0 ? ` ${name} ` : ` ${name} (${aliases.join(", ")}) `);
    // The client has its own `quit`.
    const shown = name === "quit" ? "Ends the client" : summary;
    for (const each of [name, name.toUpperCase(), ...aliases]) {
      assertStringIncludes(joined(helpText(each)), shown);
      if (aliases.length > 0) assertStringIncludes(joined(helpText(each)), `also called: ${aliases.join(", ")}`);
    }
    assertStringIncludes(joined(helpText(`@${group}`)), summary);
  }
  for (const group of GROUPS) assertStringIncludes(overview, `@${group}`);
  assertStringIncludes(helpText("exit")!, "Ends the client");
  assertMatch(helpText("del")!, /^remove key /);
  assertEquals(helpText("nonsense"), undefined);
  assertEquals(helpText("@nonsense"), undefined);
});

Deno.test("helpText() includes the names that people look for", () => {
  const overview = joined(helpText());
  for (const names of ["remove (del, unlink)", "size (dbsize)", "flush (flushall, flushdb)", "lget (lindex)"]) {
    assertStringIncludes(overview, names);
  }
});

Deno.test("helpText() explains keys, pasting and the history", () => {
  const text = joined(helpText("@prompt"));
  for (const word of ["Ctrl-R", "Up", "Tab", "Paste", "bracketed paste", "password", "Ctrl-Z"]) {
    assertStringIncludes(text, word);
  }
});

Deno.test("helpText() breaks lines at blanks, and fits every width", () => {
  const topics = [
    "",
    "@prompt",
    ...GROUPS.map((group) => `@${group}`),
    ...COMMANDS.map(({ name }) => name),
    ...LOCAL_COMMANDS.map(({ name }) => name),
  ];
  for (const topic of topics) {
    const words = joined(helpText(topic, 1_000)).trim();
    for (const width of WIDTHS) {
      const text = helpText(topic, width)!;
      assertEquals(joined(text).trim(), words, `${topic} at ${width} columns`);
      for (const line of text.split("\n")) {
        // A word that is longer than a line is not broken.
        assert(line.length < width || !line.trim().includes(" "), `${topic} at ${width} columns: "${line}"`);
        assertEquals(line, line.trimEnd());
      }
    }
  }
});

Deno.test("helpText() sets no line wider than is readable", () => {
  for (const line of helpText("", 200)!.split("\n")) assert(line.length <= 120, line);
});

Deno.test("helpText() explains every word in capitals of every command, and shows an example", () => {
  for (const { name, syntax } of COMMANDS) {
    const text = joined(helpText(name));
    const explanations = text.slice(text.indexOf(syntax) + syntax.length);
    // The client has its own `quit`.
    if (name === "quit") continue;
    for (const [word] of syntax.matchAll(/\b[A-Z]{2,}\b/g)) {
      assertMatch(explanations, new RegExp(`\\b${word}\\b[a-z0 -]* [A-Z][a-z]+ .*\\.`), `${name} ${word}`);
    }
    assertStringIncludes(text, "example: ");
    assertStringIncludes(text, joined(EXAMPLES[name]!.join(" ")));
  }
});
