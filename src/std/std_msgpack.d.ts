/** Types of the part of `@std/msgpack` 1.x that inmem uses. Its npm package contains no types. */

/** A MessagePack value in TypeScript. */
export type ValueType =
  | number
  | bigint
  | string
  | boolean
  | null
  | Uint8Array
  | readonly ValueType[]
  | ValueMap;

/** A MessagePack map. Keys decode as strings and numbers only. */
export interface ValueMap {
  [index: string | number]: ValueType;
}

/**
 * Encodes one value. Strings become `str`, `Uint8Array` becomes `bin`.
 *
 * @throws {Error} if the value cannot be represented
 */
export function encode(object: ValueType): Uint8Array<ArrayBuffer>;

/**
 * Decodes exactly one value. `bin` values are views into `data`.
 *
 * @throws {EvalError} if `data` ends early, or goes on after the value
 */
export function decode(data: Uint8Array): ValueType;
