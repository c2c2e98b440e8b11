/**
 * The largest requests that are accepted, in either protocol.
 *
 * @module
 */

import {
  ARGUMENTS_MAX_COUNT,
  ARGUMENTS_UNAUTHENTICATED_MAX_COUNT,
  FRAME_SIZE_MAX_BYTES,
  FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  VALUE_SIZE_MAX_BYTES,
} from "../limits.ts";

/** The bounds of a request. */
export interface RequestLimits {
  /** The most arguments of a request, the command's name included; at least 9, since fewer are not counted. */
  readonly argumentsMaxCount: number;
  /** The longest argument, in bytes; at least 99, since the length of a shorter one is not compared. */
  readonly bulkMaxBytes: number;
  /** The longest request, in bytes. */
  readonly requestMaxBytes: number;
  /** The reason for the bounds, which ends an error message: empty, or text that begins with a blank. */
  readonly reason: string;
}

/** The bounds of the requests of a client. */
export const REQUEST_LIMITS: RequestLimits = {
  argumentsMaxCount: ARGUMENTS_MAX_COUNT,
  bulkMaxBytes: VALUE_SIZE_MAX_BYTES,
  requestMaxBytes: FRAME_SIZE_MAX_BYTES,
  reason: "",
};

/** The bounds of the requests of a client that has not given the password yet. */
export const UNAUTHENTICATED_REQUEST_LIMITS: RequestLimits = {
  argumentsMaxCount: ARGUMENTS_UNAUTHENTICATED_MAX_COUNT,
  bulkMaxBytes: FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  requestMaxBytes: FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  reason: " before authentication",
};
