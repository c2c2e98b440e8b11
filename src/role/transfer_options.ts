/**
 * The options of `inmem import` and `inmem export`.
 *
 * @module
 */

import type { Option, OptionTable } from "./options.ts";
import { targetOptions } from "./target_options.ts";

const help = { kind: "flag", onlyTyped: true, help: "print this text" } as const satisfies Option;

/** The options of `inmem import`. */
export const importOptions = {
  usage: "inmem import FILE|- [OPTIONS]",
  variablePrefix: "INMEM_",
  summary:
    "Imports the keys of an RDB file of Redis or Valkey, of JSON lines or of CSV. A file is verified first, so " +
    "that a damaged one changes nothing; what comes through a pipe (-) is imported while it is read. " +
    "Exit status: 0 done, 1 refused by the server or key exists, 2 wrong usage or input, 3 no connection.",
  options: {
    format: {
      kind: "text",
      choices: ["rdb", "jsonl", "csv"],
      help: "the format of the file",
      absent: "by the name of the file, or its first bytes",
    },
    replace: {
      kind: "flag",
      help: "overwrite keys that exist, also those of earlier lines of the file, so the rows of a key in CSV must " +
        "follow each other; without it, a key that exists ends the import",
    },
    "skip-existing": { kind: "flag", help: "leave keys that exist as they are" },
    "skip-unsupported": {
      kind: "flag",
      help: "leave out and count what inmem does not have, such as sorted sets; without it, nothing is imported",
    },
    "drop-field-ttl": {
      kind: "flag",
      help: "import hashes whose fields have deadlines without these deadlines",
    },
    db: {
      kind: "text",
      valueName: "NUMBER|all",
      help: "the database of an RDB file with several",
      absent: "the only one that has keys",
    },
    "dry-run": { kind: "flag", help: "verify the file and count its keys, but import nothing" },
    ...targetOptions,
    help,
  },
} as const satisfies OptionTable;

/** The options of `inmem export`. */
export const exportOptions = {
  usage: "inmem export [OPTIONS]",
  variablePrefix: "INMEM_",
  summary:
    "Writes all keys with their values and deadlines, in JSON lines or CSV, to standard output or a file. Keys " +
    "that change meanwhile may be missing or new. " +
    "Exit status: 0 done, 1 refused by the server, 2 wrong usage or output, 3 no connection.",
  options: {
    format: {
      kind: "text",
      choices: ["jsonl", "csv"],
      help: "the format",
      absent: "by the name of --out, otherwise jsonl",
    },
    match: { kind: "text", valueName: "PATTERN", help: "only keys that match the pattern, as in scan" },
    type: { kind: "text", choices: ["string", "list", "set", "hash"], help: "only keys of this type" },
    out: {
      kind: "text",
      valueName: "FILE",
      help: "the file to write, which must not exist",
      absent: "standard output",
    },
    ...targetOptions,
    help,
  },
} as const satisfies OptionTable;
