/**
 * The walk of `keys` over all keys, in slices that other clients' commands run between.
 *
 * What is found is copied into the reply at once, since references do not outlive a slice; how many keys there are is
 * known at the end, and filled in then. `Store.scan` sees to it that a key which is there all the time is answered exactly
 * once, whatever is added, removed or evicted between slices, and even when all is flushed. In a transaction, which nothing
 * may come between, it is one slice.
 *
 * @module
 */

import type { Reply } from "../wire/reply.ts";
import type { CommandContext } from "./context.ts";
import type { Glob } from "./glob.ts";
import { KeyCollector } from "./key_collector.ts";

/** The collector's steps, of about a nanosecond each, that are one step of a slice. */
const STEPS_AT_ONCE = 100_000;

/**
 * Answers the keys that match `glob`, or all when there is none.
 *
 * @returns a promise when that takes more than one slice
 * @throws {ReplyError} when the reply gets too long
 */
export function replyKeys(
  context: CommandContext,
  glob: Glob | undefined,
  reply: Reply,
): void | Promise<void> {
  const walk = new KeyWalk(context, glob, reply);
  reply.openArray();
  if (context.client.executing) { while (!walk.step()); }
  else if (!context.slice(walk.step)) return finish(context, walk, reply);
  reply.closeArray(walk.count);
}

async function finish(context: CommandContext, walk: KeyWalk, reply: Reply): Promise<void> {
  do await context.pause(); while (!context.slice(walk.step));
  reply.closeArray(walk.count);
}

/** Where one `keys` has got to. */
class KeyWalk {
  /** Keys answered. */
  count = 0;
  readonly #collector: KeyCollector;
  readonly #reply: Reply;
  #cursor = 0;

  constructor(context: CommandContext, glob: Glob | undefined, reply: Reply) {
    this.#collector = new KeyCollector(context.store, glob);
    this.#reply = reply;
  }

  /** Goes on for about a tenth of a millisecond; whether the end was reached. */
  readonly step = (): boolean => {
    const collector = this.#collector;
    const stop = collector.steps + STEPS_AT_ONCE;
    do {
      this.#cursor = collector.collect(this.#cursor);
      this.count += collector.count;
      collector.reply(this.#reply);
    } while (this.#cursor !== 0 && collector.steps < stop);
    return this.#cursor === 0;
  };
}
