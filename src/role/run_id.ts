/**
 * What tells one running server or proxy from all others: 40 hex digits, drawn anew with each start, as Redis's `run_id`.
 *
 * An address does not: one server has several (names, IPv4 and IPv6), and an address may lead to another server tomorrow.
 *
 * @module
 */

const RUN_ID_BYTES = 20;

/** Draws a run id. */
export function makeRunId(): string {
  return crypto.getRandomValues(new Uint8Array(RUN_ID_BYTES)).toHex();
}
