/**
 * The version of inmem, which only deno.json defines.
 *
 * @module
 */

import configuration from "../../deno.json" with { type: "json" };

/** The version of inmem, such as `0.1.0`. */
export const VERSION: string = configuration.version;
