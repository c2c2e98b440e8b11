/**
 * The version of inmem, which deno.json alone says.
 *
 * @module
 */

import configuration from "../../deno.json" with { type: "json" };

/** The version, such as `0.1.0`. */
export const VERSION: string = configuration.version;
