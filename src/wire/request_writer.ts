/**
 * Writes requests, in either protocol. The proxy makes its parts of a request with it.
 *
 * @module
 */

import type { Request } from "./request.ts";

/** Writes requests, one at a time, out of arguments of another one. */
export interface RequestWriter {
  /** The request is `[0, length)`. Valid until the next {@linkcode begin}; replaced when it grows. */
  readonly buffer: Uint8Array<ArrayBuffer>;
  readonly length: number;
  /** Begins a request of `count` arguments with the name of `request`. */
  begin(request: Request, count: number): void;
  /** Appends the arguments `first` to `last` of `request`. `first` is at least 1. */
  copy(request: Request, first: number, last: number): void;
  /**
   * Appends a part of argument `index` of `request`, of `maxBytes` of its content at most, from its byte `from` on.
   *
   * @returns where to go on; -1 when the argument is complete
   */
  copyPart(request: Request, index: number, from: number, maxBytes: number): number;
  /** Makes room for `size` more bytes at once, so that what was composed is not copied again. */
  reserve(size: number): void;
  /** Appends a safe integer in decimal. */
  integer(value: number): void;
  /** Appends text as UTF-8. */
  text(value: string): void;
  /** Completes the request. */
  end(): void;
}
