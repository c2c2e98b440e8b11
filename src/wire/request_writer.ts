/**
 * Writes requests, in either protocol: those of a client, and the parts into which the proxy divides a request.
 *
 * @module
 */

import type { Request } from "./request.ts";

/** An argument of a request: text is sent as UTF-8, a number in decimal. */
export type Argument = string | Uint8Array | number | bigint;

/** Writes requests into a buffer. */
export interface RequestWriter {
  /** The buffer, which is filled up to {@linkcode length}. It is replaced when it grows. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  /** The number of bytes that are written. */
  readonly length: number;
  /** Appends a whole request. */
  add(request: readonly Argument[]): void;
  /** Discards what is written, and begins a request of `count` arguments with the name of `request`. */
  begin(request: Request, count: number): void;
  /** Appends the arguments `first` to `last` of `request`. `first` is at least 1. */
  copy(request: Request, first: number, last: number): void;
  /**
   * Appends a part of argument `index` of `request`: from its byte `from` on, at most `maxBytes` of its content.
   *
   * @returns where the next part begins; -1 when the argument is complete
   */
  copyPart(request: Request, index: number, from: number, maxBytes: number): number;
  /** Makes room for `size` more bytes, so that what is written is copied only once. */
  reserve(size: number): void;
  /** Appends a safe integer in decimal as an argument. */
  integer(value: number): void;
  /** Appends text as an argument. */
  text(value: string): void;
  /** Completes the request that {@linkcode begin} has begun. */
  end(): void;
}
