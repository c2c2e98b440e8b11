/**
 * How much a test does. `deno task test` runs in a few minutes on a small machine, so whatever takes long is left to
 * `deno task test:long`, in one of two ways:
 *
 * - A fuzzer, a storm or a test of large data has a short form and a long one: {@linkcode amountOf}.
 * - A test that cannot be made short runs in the long form only: {@linkcode longOnly}.
 *
 * `deno task test:long` runs the files that import this module; it finds them by themselves. CI runs both tasks.
 *
 * @module
 */

/** Whether the tests run in their long forms: the environment variable `LONG_TESTS` is 1. */
export const isLong = Deno.env.get("LONG_TESTS") === "1";

/**
 * The options of a test that takes more than a second or two of processor time and has no short form. A binary, which
 * `INMEM_BIN` names, is tested by all tests.
 */
export const longOnly: { readonly ignore: boolean } = { ignore: !isLong && !Deno.env.has("INMEM_BIN") };

/**
 * Returns how much a test does of something: as much as an environment variable says, or else as much as the short or the
 * long form of the test does.
 *
 * @param variable its name, which says the unit
 */
export function amountOf(variable: string, short: number, long: number): number {
  const given = Deno.env.get(variable);
  return given === undefined ? (isLong ? long : short) : Number(given);
}
