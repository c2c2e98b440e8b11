/**
 * The common parts of the scripts of `bench/`: their options, `--help`, `--json`, and how they end.
 *
 * A script is a row of its parts; {@linkcode runScript} does the rest:
 *
 * ```ts ignore
 * const SCRIPT: Script<Options, Report> = { help: HELP, values: ["rounds"], read, measure, format };
 *
 * if (import.meta.main) Deno.exitCode = await runScript(SCRIPT, Deno.args);
 * ```
 *
 * @module
 */

import { parseArgs } from "@std/cli/parse-args";
import { messageOf, UsageError } from "../../src/errors.ts";

/** The signals that end a script, and first the servers that it has started. */
const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** A script that measures something. */
export interface Script<Options, Report> {
  /** The text of `--help`. */
  readonly help: string;
  /** The names of the options with a value. */
  readonly values: readonly string[];
  /** The names of the options without a value, besides `--json` and `--help`. */
  readonly flags?: readonly string[];
  /** Reads the options. It throws a `UsageError` for an invalid value. */
  readonly read: (words: ScriptWords) => Options;
  /** Measures, and ends early with the signal's reason when the signal is aborted. */
  readonly measure: (options: Options, signal: AbortSignal) => Report | Promise<Report>;
  /** Formats the report for people; `--json` prints it unchanged. */
  readonly format: (report: Report) => string;
}

/** The limits of a number. */
export interface NumberLimits {
  readonly min: number;
  readonly max: number;
  /** Whether the number must be an integer. */
  readonly integer?: boolean;
}

/** The options as they were given. */
export class ScriptWords {
  constructor(private readonly words: Readonly<Record<string, unknown>>) {}

  /** Returns whether an option without a value was given. */
  has(name: string): boolean {
    return this.words[name] === true;
  }

  /** Returns the text of an option, if it was given. */
  text(name: string): string | undefined {
    const value = this.words[name];
    return typeof value === "string" ? value : undefined;
  }

  /**
   * Returns the number that an option gives.
   *
   * @throws {UsageError} when it is not a number, or not within the limits
   */
  number(name: string, ifAbsent: number, { min, max, integer = false }: NumberLimits): number {
    const text = this.text(name);
    if (text === undefined) return ifAbsent;
    const value = text.trim() === "" ? NaN : Number(text);
    if (value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
    const kind = integer ? "an integer" : "a number";
    throw new UsageError(`Cannot use "${text}" as --${name}: expected ${kind} from ${min} to ${max}`);
  }

  /**
   * Returns the words of an option, which commas separate, in the order of the possible ones; all of them unless it was
   * given.
   *
   * @throws {UsageError} when it contains another word
   */
  some<Word extends string>(name: string, from: readonly Word[]): readonly Word[] {
    const text = this.text(name);
    if (text === undefined) return from;
    const words = new Set(text.split(","));
    const unknown = [...words].find((word) => !from.some((each) => each === word));
    if (unknown !== undefined) {
      throw new UsageError(`Cannot use "${unknown}" in --${name}: expected some of ${from.join(", ")}`);
    }
    return from.filter((word) => words.has(word));
  }

  /**
   * Returns the one word of an option, if it was given.
   *
   * @throws {UsageError} when it is not one of the possible words
   */
  one<Word extends string>(name: string, from: readonly Word[]): Word | undefined {
    const text = this.text(name);
    const found = from.find((word) => word === text);
    if (found !== text) throw new UsageError(`Cannot use "${text}" as --${name}: expected ${from.join(", ")}`);
    return found;
  }
}

/**
 * Runs a script until it ends. Its signal is aborted when the process gets a signal to stop.
 *
 * @returns its exit status: 2 when it was called wrongly, 1 when it failed or was interrupted
 */
export async function runScript<Options, Report>(
  script: Script<Options, Report>,
  args: readonly string[],
): Promise<number> {
  const aborter = new AbortController();
  const interrupt = () => aborter.abort(new Error("Interrupted"));
  for (const name of STOP_SIGNALS) Deno.addSignalListener(name, interrupt);
  try {
    const words = parseArgs(args, {
      string: script.values,
      boolean: ["json", "help", ...script.flags ?? []],
      unknown: refuseUnknown,
    });
    if (words.help) {
      console.log(script.help);
      return 0;
    }
    const report = await script.measure(script.read(new ScriptWords(words)), aborter.signal);
    console.log(words.json ? JSON.stringify(report, null, 2) : script.format(report));
    return 0;
  } catch (error) {
    console.error(messageOf(aborter.signal.aborted ? aborter.signal.reason : error));
    return error instanceof UsageError ? 2 : 1;
  } finally {
    for (const name of STOP_SIGNALS) Deno.removeSignalListener(name, interrupt);
  }
}

function refuseUnknown(argument: string): never {
  throw new UsageError(`Cannot understand "${argument}": --help lists the options`);
}

/**
 * Resolves after a time. Scripts wait with this, so that a signal ends them immediately.
 *
 * @throws the signal's reason, as soon as it is aborted
 */
export async function delay(timeMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  function abort(): void {
    reject(signal.reason);
  }
  const timer = setTimeout(resolve, timeMs);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}
