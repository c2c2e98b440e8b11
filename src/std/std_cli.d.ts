/**
 * Types of `@std/cli/parse-args` 1.x. Its npm package contains no types.
 *
 * They are narrower than the original on purpose: the names of options are literal types, so that reading an option
 * that was never declared does not compile, and dotted (nested) names are not supported.
 */

/** The declaration of the options for `parseArgs`. */
export interface ParseOptions<
  Flag extends string = never,
  Text extends string = never,
  Many extends string = never,
  Default extends string = never,
> {
  /** Collects the arguments after `--` under that name instead of `_`. */
  "--"?: boolean;
  /** Aliases of options: `{ help: "h" }`. */
  alias?: Readonly<Record<string, string | readonly string[]>>;
  /** Options without a value; absent ones are false. */
  boolean?: readonly Flag[];
  /** Options whose value is text, never a number. `"_"` has the same effect on the positional arguments. */
  string?: readonly Text[];
  /** Options that may be given several times. */
  collect?: readonly Many[];
  /** Options that `--no-NAME` turns off. */
  negatable?: readonly string[];
  /** Values of options that are not given. */
  default?: Readonly<Record<Default, unknown>>;
  /** Stops at the first positional argument; the rest is left in `_`. */
  stopEarly?: boolean;
  /** Called for each undeclared option, and each positional argument (then without `key`); false leaves it out. */
  unknown?: (argument: string, key?: string, value?: unknown) => unknown;
}

/** The result of `parseArgs`. */
export type Args<
  Flag extends string = never,
  Text extends string = never,
  Many extends string = never,
  Default extends string = never,
> =
  & { [Name in Exclude<Flag, Many>]: boolean }
  & { [Name in Extract<Flag, Many>]: boolean[] }
  & { [Name in Exclude<Text, Many | Default | "_">]?: string }
  & { [Name in Exclude<Extract<Text, Default>, Many>]: string }
  & { [Name in Extract<Text, Many>]: string[] }
  & { [Name in Exclude<Many, Flag | Text>]?: unknown[] }
  & { _: "_" extends Text ? string[] : (string | number)[]; "--"?: string[] };

/** Parses command line arguments such as `Deno.args`. */
export function parseArgs<
  const Flag extends string = never,
  const Text extends string = never,
  const Many extends string = never,
  const Default extends string = never,
>(args: readonly string[], options?: ParseOptions<Flag, Text, Many, Default>): Args<Flag, Text, Many, Default>;
