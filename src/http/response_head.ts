/**
 * The first bytes of a response: its status and its headers.
 *
 * Every response has headers that make browsers cautious. Nothing may be loaded from elsewhere, no script and no style
 * runs that is not a file of this server, no page may frame this one, and nothing is kept in a cache unless a route
 * says so.
 *
 * @module
 */

import { reasonOf } from "./message.ts";

/** The headers that every response has unless its route replaces them. */
const SAFE_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/** Returns the head of a response, with the empty line at its end. */
export function formatHead(
  status: number,
  headers: Readonly<Record<string, string>>,
  keepsAlive: boolean,
): string {
  const all = {
    date: new Date().toUTCString(),
    ...SAFE_HEADERS,
    ...headers,
    connection: keepsAlive ? "keep-alive" : "close",
  };
  let text = `HTTP/1.1 ${status} ${reasonOf(status)}\r\n`;
  for (const [name, value] of Object.entries(all)) {
    // A value with a line break would end the header, and what follows would become headers or a body.
    if (/[^\t\x20-\x7e]/.test(value)) throw new TypeError(`The header "${name}" has a character that is not allowed`);
    text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}
