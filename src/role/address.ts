/**
 * `host:port` as people write it.
 *
 * ```text
 * 127.0.0.1:9443   [::1]:9443   cache.example:9443   :9443 (every address of this machine)
 * ```
 *
 * Names are not looked up here: a connection does that each time, so that a name may move.
 *
 * @module
 */

import { UsageError } from "../errors.ts";

/** Where to listen or to connect to. */
export interface Address {
  /** An IP address without brackets, or a name in lower case. */
  readonly hostname: string;
  /** 0 to 65535; 0 lets the system choose, for listening. */
  readonly port: number;
}

/** The hostname that `:port` means: every address of this machine. */
export const ANY_HOSTNAME = "0.0.0.0";

/**
 * Parses `host:port`, `[ipv6]:port` or `:port`.
 *
 * @throws {UsageError} that says what was expected
 *
 * @example
 * ```ts ignore
 * parseAddress("[::1]:9443"); // { hostname: "::1", port: 9443 }
 * ```
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([^\[\]]*)\]|([^:\[\]]*)):([^:]*)$/.exec(text);
  if (match === null) {
    throw new UsageError(`Cannot parse address "${text}": expected host:port, :port or [ipv6]:port`);
  }
  const [, bracketed, plain = "", portText = ""] = match;
  return { hostname: parseHostname(bracketed, plain, text), port: parsePort(portText, text) };
}

function parseHostname(bracketed: string | undefined, plain: string, text: string): string {
  if (bracketed !== undefined) {
    if (!isIpv6(bracketed)) {
      throw new UsageError(`Cannot parse address "${text}": expected an IPv6 address between the brackets`);
    }
    return bracketed.toLowerCase();
  }
  if (plain === "") return ANY_HOSTNAME;
  if (!isHostname(plain)) throw new UsageError(`Cannot parse address "${text}": "${plain}" is not a host name`);
  return plain.toLowerCase();
}

function parsePort(portText: string, text: string): number {
  const port = Number(portText);
  if (!/^[0-9]{1,5}$/.test(portText) || port > 65535) {
    throw new UsageError(`Cannot parse port "${portText}" of "${text}": expected 0 to 65535`);
  }
  return port;
}

/** Writes an address as {@linkcode parseAddress} reads it. */
export function formatAddress(address: Pick<Address, "hostname" | "port">): string {
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether only this machine can reach `hostname`: 127.0.0.0/8, ::1 and the name localhost (RFC 6761). */
export function isLoopback(hostname: string): boolean {
  const host = hostname.toLowerCase();
  if (host === "localhost" || host.endsWith(".localhost")) return true;
  const mapped = host.startsWith("::ffff:") ? host.slice("::ffff:".length) : host;
  if (isIpv4(mapped)) return mapped.startsWith("127.");
  return isIpv6(host) && /^[0:]*:0*1$/.test(host);
}

/** Whether `host` is an IPv4 or IPv6 address rather than a name. */
export function isIpAddress(host: string): boolean {
  return isIpv4(host) || isIpv6(host);
}

/** Whether `host` has the form of a DNS name or an IPv4 address. Of digits and dots alone, it has to be an address. */
export function isHostname(host: string): boolean {
  if (/^[0-9.]+$/.test(host)) return isIpv4(host);
  // The underscore is in no host name, but container engines allow it in theirs.
  return host.length <= 253 && /^(?!-)[a-z0-9_-]{1,63}(\.(?!-)[a-z0-9_-]{1,63})*\.?$/i.test(host);
}

function isIpv4(host: string): boolean {
  return /^[0-9]{1,3}(\.[0-9]{1,3}){3}$/.test(host) && host.split(".").every((part) => Number(part) <= 255);
}

function isIpv6(host: string): boolean {
  const [address = "", ...zone] = host.split("%");
  if (zone.length > 1 || zone[0] === "" || !address.includes(":")) return false;
  // A URL's host is an IPv6 address in brackets, and this is the platform's parser for it.
  return /^[0-9a-f:.]+$/i.test(address) && URL.canParse(`http://[${address}]/`);
}
