/**
 * The grammar of `--addr` of client tools: the address of a server with or without its port, or a URL.
 *
 * ```text
 * target    host | host ":" port | ":" port | port | url
 * url       scheme "://" [[user] ":" password "@"] host [":" port] ["/" ["0"]]
 * scheme    inmems | rediss | valkeys      TLS
 *           inmem  | redis  | valkey       no TLS, to loopback addresses only
 * ```
 *
 * The host and the port are as in `address.ts`. User and password may have percent-escapes. A port alone is one of this
 * machine. A query, a fragment and a database other than 0 are refused, since the user means something by them.
 *
 * Redis's schemes mean the same as ours: one port speaks both protocols. No message repeats a password.
 *
 * @module
 */

import { type Address, parseAddress } from "../address.ts";
import { UsageError } from "../errors.ts";

/** A server or proxy, as the user has named it. */
export interface ServerUrl extends Address {
  /** Whether the scheme requires TLS (`false`) or no TLS (`true`); `undefined` without a scheme. */
  readonly plaintext: boolean | undefined;
  /** The name of the user in the URL; `undefined` when there is none. */
  readonly user: string | undefined;
  /** The password in the URL; `undefined` when there is none. */
  readonly password: string | undefined;
}

const SCHEMES: ReadonlyMap<string, { plaintext: boolean }> = new Map([
  ["inmems", { plaintext: false }],
  ["inmem", { plaintext: true }],
  ["rediss", { plaintext: false }],
  ["redis", { plaintext: true }],
  ["valkeys", { plaintext: false }],
  ["valkey", { plaintext: true }],
]);

/** The port where none is given. */
const PORT_DEFAULT = 9443;
const LOOPBACK = "127.0.0.1";
const QUOTED_MAX_LENGTH = 100;

/**
 * Parses the address of a server or a URL.
 *
 * @throws {UsageError} when it is not valid; the message says what was expected
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseServerUrl } from "./server_url.ts";
 *
 * const url = parseServerUrl("rediss://:p%40ss@cache.example");
 * assertEquals(url, { hostname: "cache.example", port: 9443, plaintext: false, user: undefined, password: "p@ss" });
 * ```
 */
export function parseServerUrl(text: string): ServerUrl {
  const match = /^([^:/?#@\[\]]*):\/\/(.*)$/s.exec(text);
  if (match === null) {
    return { ...parseHostAndPort(text, text), plaintext: undefined, user: undefined, password: undefined };
  }
  const [, scheme = "", rest = ""] = match;
  const known = SCHEMES.get(scheme.toLowerCase());
  const shown = withoutPassword(text);
  if (known === undefined) {
    throw new UsageError(
      `Cannot use the URL ${quote(shown)}: expected inmems:// or rediss:// for TLS, inmem:// or redis:// without`,
    );
  }
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  checkPath(end < 0 ? "" : rest.slice(end), shown);
  const at = authority.lastIndexOf("@");
  const place = authority.slice(at + 1);
  if (place === "" || place.startsWith(":")) throw new UsageError(`Cannot use the URL ${quote(shown)}: it has no host`);
  return {
    ...parseHostAndPort(place, shown),
    ...known,
    ...parseCredentials(authority.slice(0, Math.max(at, 0)), shown),
  };
}

/**
 * Returns a text for a message: without user and password, if it is a URL with one. In `rediss://word@host` the word
 * may be either, and a password may have characters that should have been escaped.
 */
export function withoutPassword(text: string): string {
  return text.replace(/^([^:/?#@]*:\/\/).*@/s, "$1***@");
}

/** Adds the default port where none is given. */
function parseHostAndPort(place: string, shown: string): Address {
  if (/^[0-9]+$/.test(place)) return checked(`${LOOPBACK}:${place}`, shown);
  const isWithoutPort = place !== "" && (/^\[[^\[\]]*\]$/.test(place) || !/[:\[\]]/.test(place));
  if (!isWithoutPort && place.split(":").length > 2 && !place.startsWith("[")) {
    throw new UsageError(`Cannot parse address ${quote(shown)}: expected brackets around an IPv6 address, as in [::1]`);
  }
  return checked(isWithoutPort ? `${place}:${PORT_DEFAULT}` : place, shown);
}

function checked(text: string, shown: string): Address {
  const { hostname, port } = parseAddress(text);
  if (port === 0) throw new UsageError(`Cannot parse port "0" of ${quote(shown)}: expected 1 to 65535`);
  return { hostname, port };
}

function checkPath(path: string, shown: string): void {
  if (/[?#]/.test(path)) {
    throw new UsageError(
      `Cannot use the URL ${quote(shown)}: expected no "?" and "#"; write %3F and %23 in a password`,
    );
  }
  if (!/^\/?0*$/.test(path)) {
    throw new UsageError(`Cannot use the URL ${quote(shown)}: expected no path but /0, since there is one database`);
  }
}

function parseCredentials(text: string, shown: string): { user: string | undefined; password: string | undefined } {
  if (text === "") return { user: undefined, password: undefined };
  const colon = text.indexOf(":");
  if (colon < 0) {
    throw new UsageError(`Cannot use the URL ${quote(shown)}: expected USER:PASSWORD or :PASSWORD before the "@"`);
  }
  try {
    const user = decodeURIComponent(text.slice(0, colon));
    const password = decodeURIComponent(text.slice(colon + 1));
    return { user: user === "" ? undefined : user, password: password === "" ? undefined : password };
  } catch {
    throw new UsageError(
      `Cannot use the URL ${quote(shown)}: expected two hexadecimal digits after each "%", and UTF-8; "%25" is "%"`,
    );
  }
}

/** Quotes a text for an error message: escapes characters that would break the line, and truncates a long text. */
function quote(text: string): string {
  return JSON.stringify(text.length <= QUOTED_MAX_LENGTH ? text : `${text.slice(0, QUOTED_MAX_LENGTH)}…`);
}
