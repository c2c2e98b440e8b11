/**
 * Style is executable: which files there are, how modules import each other, that examples run, and how comments are
 * worded. Each rule is tried on a small bad input first, since a rule that cannot fail is none.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { systemTest } from "./support/launcher.ts";
import { findCycles, readImports, ROOT } from "./support/module_graph.ts";
import { type Example, ExampleModules, examplesIn, markFaults } from "./support/tidy/examples.ts";
import { listFiles, strayFiles } from "./support/tidy/files.ts";
import { longFileFaults } from "./support/tidy/long_files.ts";
import { faultsOf, hasProse, proseFaults } from "./support/tidy/prose.ts";
import { FIXED_TEXTS } from "./support/tidy/prose_rules.ts";
import { scan } from "./support/tidy/source_text.ts";
import { wrapComments } from "./support/tidy/wrap.ts";

/** The files of the repository, by their paths. */
const FILES = listFiles(ROOT);
/** The modules among the files. */
const MODULES = FILES.filter((file) => /^(?:src|tests|bench|cluster)\/.*\.ts$/.test(file));

/** How many examples may be marked as not run, since they need something such as another package. */
const NOT_RUN_MAX_COUNT = 3;

function read(file: string): string {
  return Deno.readTextFileSync(ROOT + file);
}

/** Returns the rules that a text breaks as if it were a file. */
function rulesBroken(text: string, file = "src/example.ts"): string[] {
  return faultsOf(file, text).map(({ rule }) => rule);
}

Deno.test("strayFiles() allows the files of the root and of each folder, and no other", () => {
  assertEquals(
    strayFiles([
      ".ci/run",
      ".github/CONTRIBUTING.md",
      ".gitignore",
      "Dockerfile",
      "README.md",
      "certs/.gitignore",
      "cluster/docker/servers.json",
      "src/import_map.json",
      "src/wire/PROTOCOL.md",
      "tests/support/native_client.py",
    ]),
    [],
  );
  for (const stray of ["extra", "docs/a.md", "package.json", "src/a.js", "src/a", "certs/ca.pem", "bench/a.inmem"]) {
    assertEquals(strayFiles([stray]).length, 1, stray);
  }
});

Deno.test("listFiles() finds the same files with git and without", async () => {
  const folder = `${await Deno.makeTempDir({ prefix: "inmem-files-" })}/`;
  try {
    for (const name of ["src/data", "cluster/data"]) Deno.mkdirSync(folder + name, { recursive: true });
    const files = [
      "a.log",
      "inmem",
      "extra",
      "src/inmem",
      "src/data/a.ts",
      "cluster/a.ts",
      "cluster/data/b.ts",
      "cluster/c",
    ];
    for (const name of files) Deno.writeTextFileSync(folder + name, "");
    Deno.writeTextFileSync(`${folder}.gitignore`, "# What is made.\n/inmem\n*.log\n");
    Deno.writeTextFileSync(`${folder}cluster/.gitignore`, "*\n!.gitignore\n!*.ts\n");
    const expected = [".gitignore", "cluster/.gitignore", "cluster/a.ts", "extra", "src/data/a.ts", "src/inmem"];
    assertEquals(listFiles(folder), expected);
    // Where there is no git, the same is asked twice.
    await new Deno.Command("git", { args: ["init"], cwd: folder }).output().catch(() => {});
    assertEquals(listFiles(folder), expected);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the repository has the files that it may have", () => {
  assert(FILES.includes("src/mod.ts"), "the list is of this repository");
  assertEquals(strayFiles(FILES), []);
});

Deno.test("findCycles() finds the shortest way back to a module, and one for each set of modules", () => {
  const edgesOf = (...pairs: string[]) => pairs.map((pair) => ({ from: pair[0]!, to: pair[1]! }));
  assertEquals(findCycles(edgesOf("ab", "bc", "ac")), []);
  assertEquals(findCycles(edgesOf("aa", "ab")), [["a", "a"]]);
  assertEquals(findCycles(edgesOf("bc", "cd", "db", "ab", "da", "xy", "yx")), [["a", "b", "c", "d", "a"], [
    "x",
    "y",
    "x",
  ]]);
  assertEquals(findCycles(edgesOf("ab", "bc", "ca", "ba")), [["a", "b", "a"]]);
});

Deno.test("modules import each other in no cycle, type-only imports included", async () => {
  const edges = await readImports(MODULES);
  assert(edges.length > MODULES.length, `expected a graph, found ${edges.length} imports`);
  assertEquals(findCycles(edges).map((cycle) => cycle.join(" imports ")), []);
});

Deno.test("longFileFaults() asks for a reason, and for no more than are needed", () => {
  const lengths = new Map([["a.ts", 500], ["b.ts", 501]]);
  assertEquals(longFileFaults(lengths, { "b.ts": "One idea: it draws all of it." }), []);
  assertEquals(longFileFaults(lengths, {}).length, 1);
  assertEquals(longFileFaults(lengths, { "b.ts": "long" }).length, 1);
  assertEquals(
    longFileFaults(lengths, { "a.ts": "It is short.", "b.ts": "It is long.", "c.ts": "It is gone." }).length,
    2,
  );
});

Deno.test("modules of more than 500 lines are listed with a reason", () => {
  const lengths = new Map(MODULES.map((file) => [file, read(file).split("\n").length - 1]));
  assertEquals(longFileFaults(lengths), []);
});

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
  for (const call of ["Deno.test(", "systemTest(", "await test.step(", "testCommands(\n  "]) {
    assertEquals(rulesBroken(`${call}"get() is behind it", () => {});`, "tests/a_test.ts"), ["behind"], call);
  }
});

Deno.test("proseFaults() bounds lines of prose, but no code, tables and links", () => {
  const long = "word ".repeat(24);
  assertEquals(rulesBroken(`// ${long}.`), ["length"]);
  assertEquals(rulesBroken(`// ${long.slice(6)}.`), []);
  assertEquals(rulesBroken(`/**\n * A table:\n *\n * | ${long} |\n *\n * \`\`\`text\n * ${long}\n * \`\`\`\n */`), []);
  assertEquals(rulesBroken(`${long}.\n\n| ${long} |\n\n[${long}](https://example.com)\n`, "README.md"), ["length"]);
});

Deno.test("wrapComments() fills paragraphs whose lines are too long, and leaves everything else", () => {
  const long = "word ".repeat(30).trim();
  const filled = (prefix: string, first: number) =>
    `${prefix}${"word ".repeat(first).trim()}\n${prefix}${"word ".repeat(30 - first).trim()}`;
  assertEquals(wrapComments(`  // ${long}\n  f();`), `${filled("  // ", 23)}\n  f();`);
  assertEquals(wrapComments(`/** ${long} */`), `/**\n${filled(" * ", 23)}\n */`);
  assertEquals(wrapComments(`/**\n * ${long}\n *\n * - ${long}\n * @param a b\n */`).split("\n"), [
    "/**",
    ...filled(" * ", 23).split("\n"),
    " *",
    ` * - ${"word ".repeat(23).trim()}`,
    ` *   ${"word ".repeat(7).trim()}`,
    " * @param a b",
    " */",
  ]);
  const spaced = `\`${"code ".repeat(22)}\``;
  assertEquals(wrapComments(`// word ${spaced} word`), `// word ${spaced}\n// word`, "code is not broken");
  for (const kept of [`f(); // ${long}`, `/**\n * | ${long} |\n */`, `/**\n * \`\`\`\n * ${long}\n * \`\`\`\n */`]) {
    assertEquals(wrapComments(kept), kept);
  }
});

Deno.test("comments, messages and pages are plain sentences", () => {
  const faults = FILES.filter(hasProse).flatMap((file) =>
    proseFaults(ROOT + file).map(({ line, rule, text }) => `${file}:${line}: ${rule}: ${text}`)
  );
  assertEquals(faults.length, 0, `${faults.length} faults, such as:\n${faults.slice(0, 40).join("\n")}`);
});

Deno.test("FIXED_TEXTS are parts of messages that there are", () => {
  const texts = FILES.filter((file) => /^src\/.*\.ts$/.test(file)).flatMap((file) =>
    scan(read(file)).literals.map(({ text }) => text)
  );
  assertEquals(FIXED_TEXTS.filter((fixed) => !texts.some((text) => text.includes(fixed))), []);
});

Deno.test("examplesIn() finds blocks of TypeScript in doc comments and pages, with their lines", () => {
  const block = "```ts\nf();\n```";
  assertEquals(examplesIn("README.md", `# A\n\n${block}\n\n\`\`\`sh\nls\n\`\`\`\n`), [
    { file: "README.md", line: 4, code: "f();\n", mark: "" },
  ]);
  const source =
    "\n/**\n * A sentence.\n *\n * @example\n * ```ts no-run\n * f();\n * ```\n */\n// ```ts\n// g();\n// ```\n";
  assertEquals(examplesIn("src/a.ts", source), [{ file: "src/a.ts", line: 7, code: "f();\n", mark: "no-run" }]);
});

Deno.test("markFaults() refuses other marks than no-run, and an @example without a block", () => {
  assertEquals(markFaults("README.md", "```ts no-run\n```\n\n```ts\n```\n"), []);
  assertEquals(markFaults("README.md", "```ts ignore\n```\n").length, 1);
  assertEquals(markFaults("src/a.ts", "/**\n * @example\n * f();\n */").length, 1);
  assertEquals(markFaults("src/a.ts", "/**\n * @example\n * ```ts\n * f();\n * ```\n */"), []);
});

/** Runs `use` with modules of examples in a folder, and removes it. */
async function withExamples(
  examples: readonly Example[],
  use: (modules: ExampleModules) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-examples-" });
  try {
    await use(new ExampleModules(folder, examples));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function exampleOf(code: string, line: number): Example {
  return { file: "src/bytes.ts", line, code, mark: "" };
}

systemTest("examples of the documentation have types, run, and show what they say", async (launcher, test) => {
  const files = FILES.filter((file) => file.endsWith(".md") || /^src\/.*\.ts$/.test(file));
  assertEquals(files.flatMap((file) => markFaults(file, read(file))), []);
  const examples = files.flatMap((file) => examplesIn(file, read(file)));
  const runnable = examples.filter(({ mark }) => mark === "");
  assert(runnable.length > 10, `expected examples, found ${runnable.length}`);
  assert(examples.length - runnable.length <= NOT_RUN_MAX_COUNT, "too many examples are marked no-run");
  const state = launcher.newFolder("state");
  const words = ["server", "--addr", "127.0.0.1:0", "--no-persist"];
  const server = launcher.start("server", words, { XDG_STATE_HOME: state });

  // The compiler takes seconds to start, so that it starts once for what is right and what is not.
  await test.step("they have types, unlike one that is wrong", async () => {
    const wrong = exampleOf('import { encodeText } from "./bytes.ts";\nencodeText(1);\n', 40);
    await withExamples([...runnable, wrong], async (modules) => {
      const [known, ...others] = (await modules.check()).sort((one) => one.includes("src/bytes.ts:41:12") ? -1 : 1);
      assertEquals(others, []);
      assertStringIncludes(known ?? "", "Argument of type 'number' is not assignable");
    });
  });

  await test.step("they run", async () => {
    // Two of them set a key that neither finds there: each begins with an empty store.
    const library = 'import { connect } from "./mod.ts";\nawait using client = await connect();\n';
    const own = exampleOf(
      `${library}console.log(await client.text.get("x"), await client.set("x", 1)); // null true\n`,
      1,
    );
    await withExamples([...runnable, own, { ...own, line: 2 }], async (modules) => {
      assertEquals(await modules.run(await server.address(), state), "");
    });
  });

  await test.step("what fails in them is found", async () => {
    const wrong = [
      'import { connect } from "@inmem/inmem";\nawait using client = await connect();\n' +
      'console.log(await client.text.get("x")); // "y"\n',
      'import { assertEquals } from "@std/assert";\nassertEquals(1, 2);\n',
      "console.assert(false);\n",
      'void Promise.reject(new Error("alone"));\nawait new Promise((resolve) => setTimeout(resolve));\n',
    ];
    await withExamples(wrong.map((code, index) => exampleOf(code, index + 1)), async (modules) => {
      const failures = await modules.run(await server.address(), state);
      for (const each of ["ts:1: expected", "ts:2: AssertionError", "ts:3: console.assert()", "ts:4: it leaves"]) {
        assertStringIncludes(failures, each);
      }
    });
  });
});
