/**
 * The live tool that the options of `inmem client` choose, such as `--stat`.
 *
 * @module
 */

import { UsageError } from "../../errors.ts";
import type { liveOptions } from "../../role/live_options.ts";
import type { OptionValues } from "../../role/options.ts";

/** The values of {@linkcode liveOptions}, in the values of any table that spreads them. */
export type LiveValues = OptionValues<{ usage: ""; summary: ""; options: typeof liveOptions }>;

/** The tools, by the names of their options, with the options that each may have. */
const MODES = {
  stat: ["interval", "duration"],
  latency: ["interval", "duration"],
  "latency-history": ["interval", "duration"],
  scan: ["pattern", "type", "count", "interval"],
  "big-keys": ["pattern", "type", "count", "interval", "top"],
  "mem-keys": ["pattern", "type", "count", "interval", "top"],
  "hot-keys": ["interval", "duration", "top"],
} as const satisfies Readonly<Record<string, readonly (keyof LiveValues)[]>>;

/** The name of a tool. */
export type LiveMode = keyof typeof MODES;

/**
 * Returns the tool that the options choose; `undefined` when they choose none.
 *
 * @param words the command after the options
 * @throws {UsageError} when the options contradict each other
 */
export function liveModeOf(values: LiveValues, words: readonly string[]): LiveMode | undefined {
  const chosen = (Object.keys(MODES) as LiveMode[]).filter((name) => values[name]);
  const [mode, other] = chosen;
  if (other !== undefined) throw new UsageError(`Cannot use --${mode} and --${other} together: expected one of them`);
  for (const name of ["pattern", "type", "count", "interval", "duration", "top"] as const) {
    if (values[name] === undefined || (mode !== undefined && includes(MODES[mode], name))) continue;
    const modes = (Object.keys(MODES) as LiveMode[]).filter((other) => includes(MODES[other], name));
    const expected = modes.map((other) => `--${other}`).join(", ");
    throw new UsageError(
      `Cannot use --${name} ${mode === undefined ? "alone" : `with --${mode}`}: expected one of ${expected}`,
    );
  }
  const takesCommand = mode === undefined || mode === "latency" || mode === "latency-history";
  if (!takesCommand && words.length > 0) {
    throw new UsageError(`Cannot use "${words[0]}" with --${mode}: expected no command`);
  }
  return mode;
}

function includes(names: readonly string[], name: string): boolean {
  return names.includes(name);
}
