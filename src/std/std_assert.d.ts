/** Types of the part of `@std/assert` 1.x that inmem's tests use. Its npm package contains no types. */

// deno-lint-ignore no-explicit-any -- a constructor of any signature; unknown[] would refuse most of them
type AnyConstructor<Instance> = abstract new (...args: any[]) => Instance;

/** The error that every failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

/** Returns whether two values are deeply equal, like `assertEquals`. */
export function equal(a: unknown, b: unknown): boolean;
/** Throws unless `expr` is truthy. */
export function assert(expr: unknown, msg?: string): asserts expr;
/** Throws unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg?: string): asserts expr is false | null | undefined | 0 | "";
/** Throws unless the two are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
/** Throws if the two are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
/** Throws unless the two are the same, by `Object.is`. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;
/** Throws if the two are the same, by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
/** Throws unless the two are closer than `tolerance` (default: 1e-7 of `expected`). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void;
/** Throws unless `actual` holds each of `expected`. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void;
/** Throws if `actual` is null or undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
/** Throws unless `actual > expected`. */
export function assertGreater<T extends number | bigint | string>(actual: T, expected: T, msg?: string): void;
/** Throws unless `actual >= expected`. */
export function assertGreaterOrEqual<T extends number | bigint | string>(actual: T, expected: T, msg?: string): void;
/** Throws unless `actual < expected`. */
export function assertLess<T extends number | bigint | string>(actual: T, expected: T, msg?: string): void;
/** Throws unless `actual <= expected`. */
export function assertLessOrEqual<T extends number | bigint | string>(actual: T, expected: T, msg?: string): void;
/** Throws unless `actual` is an instance. */
export function assertInstanceOf<T>(
  actual: unknown,
  expectedType: AnyConstructor<T>,
  msg?: string,
): asserts actual is T;
/** Throws if `actual` is an instance. */
export function assertNotInstanceOf<A, T>(
  actual: A,
  unexpectedType: AnyConstructor<T>,
  msg?: string,
): asserts actual is Exclude<A, T>;
/** Throws unless `error` is an error of the class whose message matches. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: AnyConstructor<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E;
/** Throws unless the text matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
/** Throws if the text matches. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
/** Throws unless `actual` has all that `expected` has, deeply. */
export function assertObjectMatch(
  actual: object,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;
/** Throws unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
/** Throws unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Throws unless `fn` throws an error of the class, whose message includes the text; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: AnyConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): E;
/** Rejects unless the promise of `fn` rejects; resolves to what it rejected with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Rejects unless the promise of `fn` rejects with an error of the class, whose message includes the text. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: AnyConstructor<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
/** Throws. */
export function fail(msg?: string): never;
/** Throws: this place cannot be reached. */
export function unreachable(msg?: string): never;
