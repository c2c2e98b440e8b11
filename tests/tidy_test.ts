/**
 * Style is executable: which files there are, how modules import each other, that examples run, and how comments are
 * worded. Each rule is tried on a small bad input first, since a rule that cannot fail is none.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { faultsOf, hasProse, proseFaults } from "./support/tidy/prose.ts";
import { FIXED_TEXTS } from "./support/tidy/prose_rules.ts";
import { listFiles } from "./support/tidy/files.ts";
import { scan } from "./support/tidy/source_text.ts";

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const FILES = listFiles(ROOT);

/** Returns the rules that a text breaks as if it were a file. */
function rulesBroken(text: string, file = "src/example.ts"): string[] {
  return faultsOf(file, text).map(({ rule }) => rule);
}

Deno.test("scan() finds comments with their lines, and joins line comments that follow each other", () => {
  const source = [
    "/** One. */",
    "const a = 1; // Two.",
    "// Three,",
    "// and more.",
    "/* Four. */ /**",
    " * Five.",
    " */",
  ].join("\n");
  assertEquals(scan(source).comments, [
    { kind: "doc", line: 1, text: " One. " },
    { kind: "line", line: 2, text: " Two." },
    { kind: "line", line: 3, text: " Three,\n and more." },
    { kind: "block", line: 5, text: " Four. " },
    { kind: "doc", line: 5, text: "\n Five.\n " },
  ]);
});

Deno.test("scan() tells texts from regular expressions, divisions and what is in templates", () => {
  const texts = (source: string) => {
    const { comments, literals } = scan(source);
    return [...comments, ...literals].map(({ text }) => text.trim());
  };
  assertEquals(texts(`const a = /["/]/.test(b) ? c / 2 : d! / 3; // e`), ["e"]);
  assertEquals(texts("return /'/.exec(a)"), []);
  assertEquals(texts("const a = (b + c) / 2 + '/* d */';"), ["/* d */"]);
  assertEquals(texts('const a = `b ${c({ d: "e" }) /* f */} // g`;'), ["f", "e", "b … // g"]);
  assertEquals(texts(`const a = "\\"// b"; // c`), ["c", `\\"// b`]);
});

Deno.test("proseFaults() asks for a subject in the first words of a doc comment", () => {
  for (
    const [rule, text] of [
      ["pronoun", "Those of the command."],
      ["pronoun", "All of it. One a server."],
      ["pronoun", "One of them, the first."],
      ["pronoun", "Such a request."],
      ["pronoun", "Its exchange."],
      ["pronoun", "The same, for a proxy."],
      ["pronoun", "Makes them."],
      ["fragment", "As {@linkcode of}, of a list."],
      ["fragment", "Told which keys are gone."],
      ["headless", "What a server knows."],
      ["see", "See limits.ts."],
      ["tells", "Tells the log of a call."],
      ["answers", "Answers the sum."],
    ]
  ) assert(rulesBroken(`/** ${text} */`).includes(rule!), text);
  for (
    const text of [
      "The subcommands of CONFIG, by name.",
      "Returns the number of keys, or 0.",
      "Whether a client waits.",
      "{@linkcode RespDecoder} for a proxy.",
      "`ping [text]` replies with the text.",
      "16 bits of a slot.",
      "Makes them equal.",
      "As in Redis, times have 64 bits.",
    ]
  ) assertEquals(rulesBroken(`/** ${text} */`), [], text);
  assertEquals(rulesBroken("/** What a test needs. */", "tests/example.ts"), [], "a row holds in its folders");
});

Deno.test("proseFaults() asks for whole sentences in a doc comment", () => {
  assertEquals(rulesBroken("/** the key */"), ["opening", "ending"]);
  assertEquals(rulesBroken("/** … beyond that there is one more. */"), ["opening"]);
  assertEquals(rulesBroken("/** Lines of the log, …  */"), ["ending"]);
  assertEquals(rulesBroken("/** `get key` */"), ["ending"]);
  assertEquals(rulesBroken("/**\n * One sentence\n *\n * Another one.\n */"), ["ending"]);
  assertEquals(rulesBroken("/** Two things: */"), ["ending"]);
  assertEquals(
    rulesBroken("/**\n * Two things:\n *\n * - one\n * - another\n *   that goes on\n *\n * An end.\n */"),
    [],
  );
  assertEquals(rulesBroken("/**\n * A drawing:\n *\n * ```text\n * behind\n * ```\n */"), []);
  assertEquals(rulesBroken("/** A sentence.\n *\n * @param key the key\n */"), []);
  assertEquals(rulesBroken("/** @throws {RangeError} when it is negative */"), []);
  assertEquals(rulesBroken("// the key"), [], "other comments may be of a few words");
});

Deno.test("proseFaults() names words that have a plainer one, over the ends of lines, and not in code", () => {
  assertEquals(faultsOf("src/a.ts", "\n// The keys\n// behind the cursor."), [{
    file: "src/a.ts",
    line: 3,
    rule: "behind",
    text: '"behind the cursor." → "after", "next", "following"',
  }]);
  assertEquals(rulesBroken("// It lets go\n// of all keys."), ["lets go"]);
  assertEquals(rulesBroken("// It falls behind; `behind` is {@linkcode behind}. A server behind a proxy."), []);
  assertEquals(rulesBroken("// It takes so many keys."), ["so many"]);
  assertEquals(rulesBroken("// It takes so many keys that it pauses."), []);
  assertEquals(rulesBroken("// This is no key."), ["is no"]);
  assertEquals(rulesBroken("// There is no key. It is no longer there."), []);
  assertEquals(rulesBroken("The keys behind it.\n\n```sh\nbehind\n```\n", "README.md"), ["behind"]);
});

Deno.test("proseFaults() reads messages in src/, and elsewhere the names of tests", () => {
  assertEquals(rulesBroken('fail("a key behind it");'), ["behind"]);
  assertEquals(rulesBroken('fail("behind");'), [], "one word is a name");
  assertEquals(rulesBroken('fail("more than 9 bytes wait behind this command");'), [], "clients know it");
  assertEquals(rulesBroken('fail("a key behind it");', "tests/a_test.ts"), []);
  assertEquals(rulesBroken('Deno.test("get() is behind it", () => {});', "tests/a_test.ts"), ["behind"]);
});

Deno.test("proseFaults() bounds lines of prose, but no code, tables and links", () => {
  const long = "word ".repeat(24);
  assertEquals(rulesBroken(`// ${long}.`), ["length"]);
  assertEquals(rulesBroken(`// ${long.slice(6)}.`), []);
  assertEquals(rulesBroken(`/**\n * A table:\n *\n * | ${long} |\n *\n * \`\`\`text\n * ${long}\n * \`\`\`\n */`), []);
  assertEquals(rulesBroken(`${long}.\n\n| ${long} |\n\n[${long}](https://example.com)\n`, "README.md"), ["length"]);
});

Deno.test("comments, messages and pages are plain sentences", () => {
  const faults = FILES.filter(hasProse).flatMap((file) =>
    proseFaults(ROOT + file).map(({ line, rule, text }) => `${file}:${line}: ${rule}: ${text}`)
  );
  assertEquals(faults.length, 0, `${faults.length} faults, such as:\n${faults.slice(0, 40).join("\n")}`);
});

Deno.test("FIXED_TEXTS are parts of messages that there are", () => {
  const texts = FILES.filter((file) => /^src\/.*\.ts$/.test(file)).flatMap((file) =>
    scan(Deno.readTextFileSync(ROOT + file)).literals.map(({ text }) => text)
  );
  assertEquals(FIXED_TEXTS.filter((fixed) => !texts.some((text) => text.includes(fixed))), []);
});
