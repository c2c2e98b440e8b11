/**
 * The walk of `keys` over all keys, in slices that other clients' commands run between.
 *
 * What is found is copied into the reply at once, since references do not outlive a slice; how many keys there are is
 * known at the end, and filled in then. `Store.scan` sees to it that a key which is there all the time is answered exactly
 * once, whatever is added, removed or evicted between slices, and even when all is flushed.
 *
 * @module
 */

import type { Glob } from "../connection/glob.ts";
import type { Reply } from "../wire/reply.ts";
import type { CommandContext, Steps } from "./context.ts";
import { KeyCollector } from "./key_collector.ts";

/** The collector's steps, of about a nanosecond each, that are one step of a slice. */
const STEPS_AT_ONCE = 100_000;

/**
 * Replies with the keys that match `glob`, or all when there is none.
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
