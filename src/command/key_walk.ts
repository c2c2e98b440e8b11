/**
 * The walk of `keys` over all keys, in slices between which other clients' commands run.
 *
 * Keys are copied into the reply immediately, since references do not outlive a slice. The number of keys is filled in
 * at the end, when it is known. `Store.scan` ensures that a key which exists during the whole walk is found exactly
 * once, even if other keys are added, removed, evicted or flushed between slices.
 *
 * @module
 */

import type { Glob } from "../connection/glob.ts";
import type { Reply } from "../wire/reply.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeyCollector } from "./key_collector.ts";

/** The steps of the collector, each of about a nanosecond, that make one step of a slice. */
const STEPS_AT_ONCE = 100_000;

/**
 * Replies with the keys that match `glob`, or with all keys if it is `undefined`.
 *
 * @throws {ReplyError} when the reply gets too long
 */
export function* replyKeys(context: CommandContext, glob: Glob | undefined, reply: Reply): Steps {
  const collector = new KeyCollector(context.store, glob);
  reply.openArray();
  let count = 0;
  let cursor = 0;
  do {
    for (const stop = collector.steps + STEPS_AT_ONCE; collector.steps < stop;) {
      cursor = collector.collect(cursor);
      count += collector.count;
      collector.reply(reply);
      if (cursor === 0) break;
    }
    if (cursor !== 0) yield;
  } while (cursor !== 0);
  reply.closeArray(count);
}
