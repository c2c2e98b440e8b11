/**
 * The run id of a server or proxy: 40 random hex digits that are new with each start, as Redis's `run_id`.
 *
 * An address does not identify a server: one server has several (names, IPv4 and IPv6), and an address may lead to
 * another server tomorrow.
 *
 * @module
 */

const RUN_ID_BYTES = 20;

/** Returns a random run id. */
export function makeRunId(): string {
  return crypto.getRandomValues(new Uint8Array(RUN_ID_BYTES)).toHex();
}
