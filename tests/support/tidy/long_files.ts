/**
 * The modules of more than {@linkcode LINES_MAX_COUNT} lines, each with the reason why it is one module.
 *
 * @module
 */

/** Longest module that needs no reason, in lines. */
export const LINES_MAX_COUNT = 500;

/** A sentence for each module that is longer, by its path. */
export const LONG_FILES: Readonly<Record<string, string>> = {
  "src/limits.ts": "It is one table of bounds, each with the reason for its value.",
  "src/log/append_log.ts":
    "One state machine decides what is written, synced, refused and held, by the same few fields.",
  "src/role/option_tables.ts": "It is one table of options for each role, each with its help.",
  "src/route/pool.ts": "One state machine, drawn in its header, decides which connection a request takes.",
  "src/server/persistence.ts": "One state machine takes a server's log and snapshots from its start to its end.",
  "src/server/session.ts":
    "It is one connection: the loop that runs requests, and the ways in which the loop waits or ends.",
  "src/store/value/set.ts": "It is one data structure whose methods share a cursor.",
  "src/store/value/set_leaves.ts": "It is one data structure, whose operations share the form of a leaf.",
  "src/store/value/list.ts": "It is one data structure whose methods share a cursor.",
  "tests/conformance/corpus/sets.ts": "It is one list of scenarios, for one group of commands.",
  "tests/conformance/corpus/strings.ts": "It is one list of scenarios, for one group of commands.",
  "tests/log/append_log_test.ts": "It tests one state machine, and its tests share what drives the machine.",
  "tests/log/recover_test.ts":
    "It tests one function with every kind of damage, and its tests share what makes the files.",
  "tests/proxy/proxy_test.ts": "It tests the proxy as a whole, and its tests share the servers that they start.",
  "tests/route/pool_test.ts": "It tests one state machine, and its tests share the backend that they play.",
  "tests/server/server_test.ts": "It tests the server as a whole, and its tests share how they start one.",
  "tests/support/acknowledged_load.ts": "It is one load: its operations, and what each of them may have left.",
  "tests/support/model_store.ts": "It is the model of the whole store, a method for each of the store's.",
  "tests/support/simulated_files.ts": "It is the model of one file system, a method for each of its calls.",
  "tests/wire/native/reply_writer_test.ts": "It tests one class, once for each kind of value and each way to cut it.",
};

/**
 * Returns a sentence for each module that is too long and not listed, and for each that is listed without need or
 * reason.
 *
 * @param lengths how many lines each module has, by its path
 */
export function longFileFaults(
  lengths: ReadonlyMap<string, number>,
  reasons: Readonly<Record<string, string>> = LONG_FILES,
): string[] {
  const faults: string[] = [];
  for (const [path, count] of lengths) {
    if (count > LINES_MAX_COUNT && reasons[path] === undefined) {
      faults.push(`${path} has ${count} lines, more than ${LINES_MAX_COUNT}: split it, or list it with a reason`);
    }
  }
  for (const [path, reason] of Object.entries(reasons)) {
    const count = lengths.get(path) ?? 0;
    if (count <= LINES_MAX_COUNT) faults.push(`${path} has ${count} lines: remove it from the list`);
    if (!/^[A-Z`].*[a-z].*\.$/.test(reason) || !reason.includes(" ")) faults.push(`${path}: the reason is no sentence`);
  }
  return faults;
}
