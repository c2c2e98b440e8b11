/**
 * The program: its first argument names the role, which does the rest.
 *
 * Each role is imported when it is requested, so that the client does not load the server. Only this module reads
 * `Deno.args` and calls `Deno.exit`.
 *
 * @module
 */

import { InmemError, UsageError } from "./errors.ts";
import { editDistance, type OptionTable } from "./role/options.ts";
import type { ProgramRole } from "./manual/calls.ts";
import { VERSION } from "./role/version.ts";

/** The main function of a role. It returns the exit status, or nothing for 0. */
type Main = (argv: readonly string[]) => Promise<number | void>;

/** One role of the program. */
export interface Role {
  /** The purpose of the role, for the list of roles. */
  readonly summary: string;
  /** Imports the role. */
  readonly load: () => Promise<Main>;
  /** Imports the options of the role and of its subcommands, for pages, completion and the manual. */
  readonly tables: () => Promise<readonly OptionTable[]>;
}

/** The roles by name, in the order of the pages. */
export const ROLES: Readonly<Record<string, Role>> = {
  server: {
    summary: "holds data",
    load: async () => (await import("./server/main.ts")).serverMain,
    tables: async () => [(await import("./role/option_tables.ts")).serverOptions],
  },
  proxy: {
    summary: "spreads keys over servers",
    load: async () => (await import("./proxy/main.ts")).proxyMain,
    tables: async () => {
      const { proxyOptions, proxyPlanOptions } = await import("./role/option_tables.ts");
      return [proxyOptions, proxyPlanOptions];
    },
  },
  client: {
    summary: "talks to a server or a proxy",
    load: async () => (await import("./shell/main.ts")).clientMain,
    tables: async () => {
      const { clientOptions } = await import("./role/option_tables.ts");
      return [clientOptions, (await import("./target/contexts.ts")).contextTable];
    },
  },
  bench: {
    summary: "loads a server and measures it",
    load: async () => (await import("./load/bench/main.ts")).benchMain,
    tables: async () => [(await import("./role/bench_options.ts")).benchOptions],
  },
  export: {
    summary: "writes keys to JSON lines or CSV",
    load: async () => (await import("./transfer/export.ts")).exportMain,
    tables: async () => [(await import("./role/transfer_options.ts")).exportOptions],
  },
  import: {
    summary: "imports keys from RDB files, JSON lines or CSV",
    load: async () => (await import("./transfer/import.ts")).importMain,
    tables: async () => [(await import("./role/transfer_options.ts")).importOptions],
  },
  check: {
    summary: "verifies data on disk",
    load: async () => (await import("./offline/check.ts")).checkMain,
    tables: async () => [(await import("./role/option_tables.ts")).checkOptions],
  },
  restore: {
    summary: "puts a snapshot into a data folder",
    load: async () => (await import("./offline/restore.ts")).restoreMain,
    tables: async () => [(await import("./role/option_tables.ts")).restoreOptions],
  },
  certs: {
    summary: "makes a local authority and a server certificate",
    load: async () => (await import("./role/certs.ts")).certsMain,
    tables: async () => [(await import("./role/option_tables.ts")).certsOptions],
  },
  completion: {
    summary: "prints a completion script for a shell",
    load: async () => {
      const { completionMain } = await import("./manual/completion.ts");
      return async (argv) => completionMain(argv, await programRoles());
    },
    tables: async () => [(await import("./manual/options.ts")).completionOptions],
  },
  man: {
    summary: "prints a page of the manual",
    load: async () => {
      const { manMain } = await import("./manual/man_page.ts");
      return async (argv) => manMain(argv, await programRoles());
    },
    tables: async () => [(await import("./manual/options.ts")).manOptions],
  },
};

const NAMES = Object.keys(ROLES);

/** Returns the roles with their tables of options. */
export async function programRoles(): Promise<ProgramRole[]> {
  const roles: ProgramRole[] = [];
  for (const [name, { summary, tables }] of Object.entries(ROLES)) {
    roles.push({ name, summary, tables: await tables() });
  }
  return roles;
}

function helpText(): string {
  const lines = Object.entries(ROLES).map(([name, { summary }]) => `  inmem ${name.padEnd(10)} ${summary}`);
  return [
    `inmem ${VERSION}, an in-memory database`,
    "",
    ...lines,
    "",
    "inmem ROLE --help lists the options of a role. Begin with:",
    "",
    "  inmem server                     in one terminal",
    "  inmem client set greeting hello  in another",
    "",
  ].join("\n");
}

/** Runs what the arguments request, and returns the exit status. */
async function run(argv: readonly string[]): Promise<number> {
  const [word = "help", ...rest] = argv;
  const role = roleOf(word);
  if (/^(version|--?version|-v|-V)$/.test(word) || (role && /^(--?version|-V)$/.test(rest[0] ?? ""))) {
    console.log(`inmem ${VERSION}`);
    return 0;
  }
  if (role) return await (await role.load())(rest) ?? 0;
  if (!/^(help|--?help|-h)$/.test(word)) throw unknownRole(word);
  const [topic] = rest;
  if (topic === undefined) {
    console.log(helpText().trimEnd());
    return 0;
  }
  const explained = roleOf(topic);
  if (!explained) throw unknownRole(topic);
  return await (await explained.load())(["--help"]) ?? 0;
}

function roleOf(word: string): Role | undefined {
  return Object.hasOwn(ROLES, word) ? ROLES[word] : undefined;
}

function unknownRole(word: string): UsageError {
  const near = NAMES.find((name) => editDistance(word, name) <= 2);
  const advice = near ? `did you mean "inmem ${near}"?` : `expected ${NAMES.join(", ")} or help`;
  return new UsageError(`Cannot run "${word}": ${advice}`);
}

/** Prints why a role ended, on one line, and returns the exit status. */
function explain(error: unknown): number {
  if (error instanceof InmemError && error.code !== "ASSERTION") {
    console.error(`inmem: ${error.message.replace(/\s*[\r\n]+\s*/g, " ")}`);
    return error instanceof UsageError ? 2 : 1;
  }
  console.error("inmem: A bug of inmem; please report it:", error);
  return 1;
}

if (import.meta.main) Deno.exit(await run(Deno.args).catch(explain));
