/**
 * Runs the live tools for the main module, which imports this one only when a tool is asked for.
 *
 * @module
 */

import type { Client } from "../../client/client.ts";
import type { Target } from "../../target/connect.ts";
import type { Colours } from "../../terminal/colours.ts";
import { watchCluster } from "../cluster.ts";
import type { Format } from "../format.ts";
import { listen } from "./listen.ts";
import type { LiveView } from "./live_view.ts";
import type { Words } from "./live_words.ts";
import { sourceOf } from "./message_source.ts";
import { runLive } from "./run_live.ts";

/** How a tool writes. */
export interface LiveStyle {
  readonly format: Format;
  readonly colours: Colours;
}

/** Runs `subscribe`, `psubscribe` or `monitor`. Returns the exit status. */
export async function runListening(target: Target, words: Words, style: LiveStyle): Promise<number> {
  const source = await sourceOf(target);
  return await runEndless((view) => listen(source, words, view), style);
}

/** Runs `cluster --watch`. Returns the exit status. */
export async function runWatching(client: Client, words: Words, style: LiveStyle): Promise<number> {
  return await runEndless((view) => watchCluster(client, words, view), style);
}

async function runEndless(run: (view: LiveView) => Promise<void>, style: LiveStyle): Promise<number> {
  return await runLive({
    isEndless: true,
    run: async (view) => {
      await run(view);
      return 0;
    },
  }, style);
}
