/**
 * Checks, without redis-server, the table of writes that change nothing but count as a change for clients that watch
 * the key.
 */

import { assertEquals } from "@std/assert";
import { SharedState } from "../../src/command/shared_state.ts";
import { WATCH_MATRIX, WATCHED, wordsOf } from "../conformance/watch_matrix.ts";
import { testCommands } from "../support/test_commands.ts";

testCommands("exec runs nothing after a write to a watched key that Redis counts as a change", (makeClient) => {
  const other = makeClient();
  const { store } = other;
  const shared = new SharedState(store);
  const [writer, watcher] = [makeClient({ store, shared }), makeClient({ store, shared })];
  for (const [key, command, aborts] of WATCH_MATRIX) {
    writer.call("flushall");
    for (const each of WATCHED) writer.call(...wordsOf(each));
    watcher.call("watch", key);
    writer.run(wordsOf(command));
    watcher.call("multi");
    watcher.call("ping");
    assertEquals(watcher.text("exec"), aborts ? null : [[0, "PONG"]], `watch ${key}, ${command}`);
  }
});
