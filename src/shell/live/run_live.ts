/**
 * Runs a live tool as the only work of this process, until it ends, a signal arrives or the output fails.
 *
 * | ends by | exit status |
 * |---|---|
 * | itself | 0, and the caller reports an error |
 * | Ctrl-C, and the tool never ends itself, such as `monitor` | 0, since that is how it ends |
 * | Ctrl-C, and the tool was not done, such as `--scan` | 130 |
 * | `SIGTERM`, `SIGHUP` | 143, 129 |
 * | the reader of the output, as in `\| head` | 0 |
 *
 * A tool that is stopped still writes its summary. The output has a second to take it, and a second signal ends the
 * process without it.
 *
 * @module
 */

import { OUTPUT_END_MAX_MS } from "../../limits.ts";
import { listenForSignal } from "../../operating_system.ts";
import type { Colours } from "../../terminal/colours.ts";
import { Output } from "../../terminal/output.ts";
import type { Format } from "../format.ts";
import { LiveView } from "./live_view.ts";

const SIGNALS = [["SIGINT", 2], ["SIGTERM", 15], ["SIGHUP", 1]] as const;
const CTRL_C = 2;

/** A tool, and whether it runs until it is stopped. */
export interface LiveTool {
  /** Whether the tool never ends itself, so that Ctrl-C is the way to end it. */
  readonly isEndless: boolean;
  /** Runs the tool until its end, or until the view's `stop` is aborted. */
  readonly run: (view: LiveView) => Promise<unknown>;
}

/**
 * Runs a tool on standard output.
 *
 * @returns the exit status
 * @throws {OutputError} when the output cannot be written, unless its reader has just read enough
 */
export async function runLive(
  { isEndless, run }: LiveTool,
  { format, colours }: { readonly format: Format; readonly colours: Colours },
): Promise<number> {
  const output = new Output(Deno.stdout);
  const stopping = new AbortController();
  const view = new LiveView({ output, format, colours, isTerminal: Deno.stdout.isTerminal(), stop: stopping.signal });
  let signalNumber = 0;
  const unlisten = SIGNALS.map(([signal, number]) => {
    return listenForSignal(signal, () => {
      if (signalNumber !== 0) Deno.exit(128 + number);
      signalNumber = number;
      if (number === CTRL_C && view.isTerminal) view.frames.hideInterrupt();
      stopping.abort();
    });
  });
  // The terminal was used by others while this process was stopped.
  unlisten.push(listenForSignal("SIGCONT", () => view.frames.leave()));
  try {
    await run(view);
  } finally {
    await flush(output, stopping.signal);
    for (const end of unlisten) end();
  }
  if (output.failure !== undefined) throw output.failure;
  const isDone = signalNumber === 0 || (signalNumber === CTRL_C && isEndless);
  return isDone ? 0 : 128 + signalNumber;
}

/** Waits for the output: as long as it takes, but for a limited time once the tool was stopped. */
async function flush(output: Output, stop: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  let timer: number | undefined;
  const limit = () => timer = setTimeout(resolve, OUTPUT_END_MAX_MS);
  if (stop.aborted) limit();
  else stop.addEventListener("abort", limit, { once: true });
  await Promise.race([output.flushed(), promise]);
  stop.removeEventListener("abort", limit);
  clearTimeout(timer);
}
