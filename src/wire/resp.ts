/**
 * Requests in RESP.
 *
 * @module
 */

import type { Request } from "./request.ts";

/** How large a request may be. */
export interface RespLimits {
  /** Most arguments, the command's name included. */
  readonly argumentsMaxCount: number;
  /** Longest argument. */
  readonly bulkMaxBytes: number;
  /** Longest request in all. */
  readonly requestMaxBytes: number;
}

/** Reads requests one after another out of a connection's buffer, in place; keeps where it got to in one that is not whole. */
export class RespDecoder {
  /** Bytes that the request under way is known to need in all, for making room at once; 0 when unknown. */
  needed = 0;
  /** Blank bytes in front of the request that is not whole. The caller drops them: the next call begins behind them. */
  passed = 0;
  /** After an error: where the next request begins. Nobody knows: -1. */
  readonly behind = -1;

  /**
   * Reads the request at `bytes[start, end)` into `request`, which borrows `bytes`.
   *
   * @returns the position behind it; -1 while it is not whole
   * @throws {ProtocolError}
   */
  decode(_bytes: Uint8Array, _start: number, _end: number, _request: Request, _limits: RespLimits): number {
    return -1;
  }
}
