/**
 * Runs the lines of standard input, and shows on a terminal how far it is.
 *
 * | standard error | standard output | shows |
 * |---|---|---|
 * | a terminal | a file or a pipe, or nothing by `--quiet` | a progress line, and at the end a summary |
 * | a terminal | the same terminal | the replies, which show it themselves |
 * | a file or a pipe | any | nothing besides errors, since a script may read them |
 *
 * @module
 */

import type { ConnectionSettings } from "../client/client.ts";
import type { Sink } from "../terminal/output.ts";
import { formatCount, ProgressLine } from "../terminal/progress.ts";
import { type PipedCounts, type PipedOptions, PipedRun } from "./piped.ts";

/** The file that standard input is, on every system that has one. */
const STANDARD_INPUT = "/dev/stdin";

/**
 * Runs the lines of standard input as `runPiped` does.
 *
 * @throws what {@linkcode PipedRun.run} throws
 */
export async function pipeStandardInput(settings: ConnectionSettings, options: PipedOptions): Promise<number> {
  const input = Deno.stdin.readable;
  const isShown = Deno.stderr.isTerminal() && (options.quiet === true || !Deno.stdout.isTerminal());
  if (!isShown) {
    return await new PipedRun(settings, { output: Deno.stdout, errors: Deno.stderr }, options).run(input);
  }
  const begunMs = performance.now();
  const total = inputSize();
  const errors: Sink = {
    async write(source) {
      await progress.hide();
      return await Deno.stderr.write(source);
    },
  };
  const listen: PipedOptions["listen"] = async (words) => {
    await progress.end();
    return await options.listen(words);
  };
  const run = new PipedRun(settings, { output: Deno.stdout, errors }, { ...options, listen });
  const progress = new ProgressLine({
    label: "run",
    unit: "commands",
    read: () => ({
      done: run.counts.replies,
      used: run.counts.bytes,
      total,
      remark: run.counts.refused === 0 ? undefined : `${formatCount(run.counts.refused)} refused`,
    }),
  });
  try {
    return await run.run(input);
  } finally {
    await progress.end();
    console.error(summary(run.counts, performance.now() - begunMs));
  }
}

/** Returns the size of standard input in bytes; `undefined` when it is a pipe or a terminal. */
function inputSize(): number | undefined {
  try {
    const { isFile, size } = Deno.statSync(STANDARD_INPUT);
    return isFile ? size : undefined;
  } catch {
    // The system has no such file.
    return undefined;
  }
}

/** Returns what a run has done, on one line. */
export function summary({ replies, refused }: PipedCounts, elapsedMs: number): string {
  const seconds = elapsedMs / 1000;
  const rate = formatCount(replies / Math.max(seconds, 0.001));
  return `${formatCount(replies)} commands, ${formatCount(refused)} refused, ${seconds.toFixed(1)} s, ${rate}/s`;
}
