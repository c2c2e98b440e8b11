/**
 * How much a test does. Fuzzers, storms and large data have a short form, which every run of the tests has time for, and a
 * long one: `deno task test:long` runs the tests that {@linkcode amountOf} gives their amounts in their long forms.
 *
 * @module
 */

/** Whether the tests run in their long forms: the environment variable `LONG_TESTS` is 1. */
export const isLong = Deno.env.get("LONG_TESTS") === "1";

/**
 * How much a test does of something: as much as an environment variable says, or else as its short or its long form does.
 *
 * @param variable its name, which says the unit
 */
export function amountOf(variable: string, short: number, long: number): number {
  const given = Deno.env.get(variable);
  return given === undefined ? (isLong ? long : short) : Number(given);
}
