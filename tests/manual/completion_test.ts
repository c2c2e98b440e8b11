/** Runs the completion scripts in the real shells. A test is left out where its shell is missing. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { programRoles } from "../../src/main.ts";
import { type Call, callsOf, commandWords } from "../../src/manual/calls.ts";
import { completionMain, completionScript, SHELLS } from "../../src/manual/completion.ts";
import { findProgram } from "../support/programs.ts";

const ROLES = await programRoles();
const CALLS = callsOf(ROLES);

/** The words before the cursor, the last of which is being typed. */
type Line = readonly string[];

/** Completes lines with a script, and returns the words for each. */
type Complete = (script: string, lines: readonly Line[]) => string[][];

/** How each shell is asked, with what it prints for each line, separated by lines of `---`. */
const COMPLETERS: Readonly<Record<typeof SHELLS[number], Complete>> = {
  bash: (script, lines) => {
    const calls = lines.map((line) => `COMP_WORDS=(${line.map(quote).join(" ")}); ask`);
    const ask =
      'ask() { COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMPREPLY=(); _inmem; printf "%s\\n" "${COMPREPLY[@]}" ---; }';
    return run(["bash", "--norc", "--noprofile"], [script, ask, ...calls].join("\n"));
  },
  // The functions of the completion system print what they are given: without a terminal there is no such system.
  zsh: (script, lines) => {
    const stubs = [
      "compdef() { : }; compset() { : }; _message() { : }",
      'compadd() { shift; print -rl -- "$@" }',
      "_files() { [[ $1 == -/ ]] && print -rl -- *(/) || print -rl -- * }",
      "_describe() {",
      "  local name entry",
      "  for name in $@; do",
      "    case $name in (-o|option|role|command|--) continue ;; esac",
      '    for entry in "${(@P)name}"; do print -r -- "${entry%%:*}"; done',
      "  done",
      "}",
    ];
    const calls = lines.map((line) => `words=(${line.map(quote).join(" ")}); CURRENT=$#words; _inmem; print -- ---`);
    return run(["zsh", "-f"], [...stubs, script, ...calls].join("\n"));
  },
  fish: (script, lines) => {
    const calls = lines.map((line) => `complete -C ${quote(line.join(" "))}; echo ---`);
    return run(["fish", "--no-config"], [script, ...calls].join("\n"));
  },
};

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function run(command: readonly string[], input: string): string[][] {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${folder}/here`);
    Deno.mkdirSync(`${folder}/here/a folder`);
    Deno.writeTextFileSync(`${folder}/here/a-file`, "");
    Deno.writeTextFileSync(`${folder}/input`, input);
    const { success, stdout, stderr } = new Deno.Command(command[0]!, {
      args: [...command.slice(1), `${folder}/input`],
      cwd: `${folder}/here`,
      env: { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, TERM: "dumb" },
      stdin: "null",
    }).outputSync();
    const errors = new TextDecoder().decode(stderr);
    assert(success && errors === "", errors);
    const parts = new TextDecoder().decode(stdout).split("---\n").slice(0, -1);
    return parts.map((part) => part.split("\n").filter((line) => line !== "").map((line) => line.split("\t")[0]!));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

for (const shell of SHELLS) {
  const options = { ignore: findProgram(shell) === undefined };
  const complete = (lines: readonly Line[]) => COMPLETERS[shell](completionScript(shell, ROLES), lines);

  /** Returns the words of a result that begin with what was typed, since zsh filters them itself. */
  const matching = (found: readonly string[], typed: string) => found.filter((each) => each.startsWith(typed)).sort();

  Deno.test(`${shell} completes each option of each call`, options, () => {
    const found = complete(CALLS.map(({ words }) => [...words, "--"]));
    CALLS.forEach(({ words, table }, index) => {
      const expected = Object.keys(table.options).map((name) => `--${name}`).sort();
      assertEquals(matching(found[index]!, "--"), expected, words.join(" "));
    });
  });

  Deno.test(`${shell} completes the values of options`, options, () => {
    const asked = CALLS.flatMap(({ words, table }: Call) => {
      return Object.entries(table.options).filter(([, { kind }]) => kind !== "flag").map(([name, option]) => {
        return { line: [...words, `--${name}`, ""], option };
      });
    });
    const found = complete(asked.map(({ line }) => line));
    asked.forEach(({ line, option }, index) => {
      const words = found[index]!.map((word) => word.replace(/\/$/, ""));
      if (option.choices !== undefined) assertEquals(words.toSorted(), option.choices.toSorted(), line.join(" "));
      else if (option.valueName === "FILE") assert(words.includes("a-file"), `${line.join(" ")}: ${words}`);
      else if (option.valueName === "FOLDER") assertEquals(words, ["a folder"], line.join(" "));
      else assertEquals(words, [], line.join(" "));
    });
  });

  Deno.test(`${shell} completes roles, subcommands and commands`, options, () => {
    const commands = commandWords().map(({ name }) => name);
    const cases: [line: Line, typed: string, expected: readonly string[]][] = [
      [["inmem", ""], "", [...ROLES.map(({ name }) => name), "help", "version"]],
      [["inmem", "se"], "se", ["server"]],
      [["inmem", "help", "pro"], "pro", ["proxy"]],
      [["inmem", "man", "pro"], "pro", ["proxy"]],
      [["inmem", "completion", ""], "", SHELLS],
      [["inmem", "completion", "bash", ""], "", []],
      [["inmem", "server", "x", "--fsync", ""], "", ["always", "everysec", "never"]],
      // fish knows options with two dashes only.
      [["inmem", "server", shell === "fish" ? "--fsync" : "-fsync", ""], "", ["always", "everysec", "never"]],
      [["inmem", "client", "--json", "conf"], "conf", ["config"]],
      [["inmem", "client", "--timeout", "5", ""], "", [...commands, "context"]],
      [["inmem", "client", "context", ""], "", ["add"]],
      [["inmem", "client", "--timeout", "5", "config", "re"], "re", ["resetstat", "rewrite"]],
      [["inmem", "client", "--json", "--", "config", "re"], "re", ["resetstat", "rewrite"]],
      [["inmem", "client", "set", "--"], "--", []],
      [["inmem", "client", "set", "key", ""], "", []],
      [["inmem", "client", "help", "getd"], "getd", ["getdel"]],
    ];
    const found = complete(cases.map(([line]) => line));
    cases.forEach(([line, typed, expected], index) => {
      assertEquals(matching(found[index]!, typed), [...expected].sort(), line.join(" "));
    });
    const [files] = complete([["inmem", "check", "a"]]);
    assert(files!.includes("a-file"), files!.join(" "));
  });
}

Deno.test("bash splits an option at its equals sign", { ignore: findProgram("bash") === undefined }, () => {
  const [all, some, command] = COMPLETERS.bash(completionScript("bash", ROLES), [
    ["inmem", "server", "--fsync", "="],
    ["inmem", "server", "--max-memory", "=", "1gb", "--fsync", "=", "al"],
    ["inmem", "client", "--timeout", "=", "5", "config", "g"],
  ]);
  assertEquals([all!.sort(), some, command], [["always", "everysec", "never"], ["always"], ["get"]]);
});

Deno.test("inmem completion refuses other shells", () => {
  for (const argv of [[], ["powershell"], ["bash", "zsh"], ["__proto__"]]) {
    assertThrows(() => completionMain(argv, ROLES), UsageError, "expected bash, zsh, fish");
  }
});
