/**
 * How large requests may be, in either protocol.
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

/** How large a request may be. */
export interface RequestLimits {
  /** The most arguments of a request, the command's name included; at least 9, since fewer are not counted. */
  readonly argumentsMaxCount: number;
  /** The longest argument, in bytes; at least 99, since the length of a shorter one is not compared. */
  readonly bulkMaxBytes: number;
  /** The longest request, in bytes. */
  readonly requestMaxBytes: number;
  /** Why it may be no larger, for the message: empty, or something with a blank in front. */
  readonly reason: string;
}

/** What a client may send. */
export const REQUEST_LIMITS: RequestLimits = {
  argumentsMaxCount: ARGUMENTS_MAX_COUNT,
  bulkMaxBytes: VALUE_SIZE_MAX_BYTES,
  requestMaxBytes: FRAME_SIZE_MAX_BYTES,
  reason: "",
};

/** What a stranger may send, where there is a password. */
export const UNAUTHENTICATED_REQUEST_LIMITS: RequestLimits = {
  argumentsMaxCount: ARGUMENTS_UNAUTHENTICATED_MAX_COUNT,
  bulkMaxBytes: FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  requestMaxBytes: FRAME_SIZE_UNAUTHENTICATED_MAX_BYTES,
  reason: " before authentication",
};
