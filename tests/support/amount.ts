/**
 * Determines how much the tests do. `deno task test` runs in a few minutes on a small machine. Longer work is left to
 * `deno task test:long`, in one of two ways:
 *
 * - A fuzzer, a storm or a test of large data has a short form and a long one: {@linkcode amountOf}.
 * - A test that cannot be made short runs in the long form only: {@linkcode longOnly}.
 *
 * `deno task test:long` runs the files that import this module, which it finds itself. CI runs both tasks.
 *
 * @module
 */

/** Whether the tests run in their long forms: the environment variable `LONG_TESTS` is 1. */
export const isLong = Deno.env.get("LONG_TESTS") === "1";

/**
 * The options of a test that takes more than a second or two of processor time and has no short form. All tests run
 * against a binary that `INMEM_BIN` names.
 */
export const longOnly: { readonly ignore: boolean } = { ignore: !isLong && !Deno.env.has("INMEM_BIN") };

/**
 * Returns how much a test does: the value of an environment variable, or else of the short or the long form.
 *
 * @param variable the name of the variable, which includes the unit
 */
export function amountOf(variable: string, short: number, long: number): number {
  const given = Deno.env.get(variable);
  return given === undefined ? (isLong ? long : short) : Number(given);
}
