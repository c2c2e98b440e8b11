/**
 * `host:port` as people write it: the one grammar for every address in an option, a call of the library or a list of
 * servers.
 *
 * ```text
 * address   host ":" port        for listening also ":" port, which is every address of this machine
 * host      name | IPv4 | "[" IPv6 "]"
 * name      labels of letters, digits, "-" and "_", joined by "."; a "." at the end is allowed
 * IPv4      four numbers from 0 to 255 in decimal, without leading zeros
 * port      1 to 65535; for listening also 0, which lets the system choose
 * ```
 *
 * A host means the same here as to a connection, or it is refused:
 *
 * - C libraries accept `127.1`, `0x7f.1` and `2130706433` as IPv4 addresses, and some read leading zeros as octal. A
 *   name whose last label is a number is therefore refused, as in browsers (the URL Standard, "ends in a number").
 * - A label neither begins nor ends with "-" (RFC 1123), which TLS would refuse as well.
 * - The underscore is not allowed in host names, but container engines use it in theirs.
 * - A zone (`fe80::1%eth0`) is for listening only: TLS cannot verify such an address, and without a zone the system
 *   cannot connect to a link-local one.
 *
 * Every address has one canonical spelling: names in lower case, IPv6 as in RFC 5952, IPv4 inside of IPv6
 * (`::ffff:127.0.0.1`) as IPv4, the port without leading zeros. A "." at the end of a name is kept, since it means that
 * no search domain is tried; {@linkcode sameServerKey} leaves it out.
 *
 * Names are not looked up here. Each connection looks its name up again, so that a name may move.
 *
 * @module
 */

import { UsageError } from "./errors.ts";

/** An address to listen on or to connect to. */
export interface Address {
  /** An IP address without brackets, or a name, in its canonical spelling. */
  readonly hostname: string;
  /** The port, from 0 to 65535. 0 lets the system choose one for listening. */
  readonly port: number;
}

/** The hostname that `:port` means: every address of this machine. */
export const ANY_HOSTNAME = "0.0.0.0";

const NAME_MAX_LENGTH = 253;
const QUOTED_MAX_LENGTH = 100;

/**
 * Parses an address to listen on: `host:port`, `[ipv6]:port` or `:port`.
 *
 * @throws {UsageError} when the address is not valid; the message says what was expected
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { parseAddress } from "./address.ts";
 *
 * assertEquals(parseAddress("[0:0::1]:09443"), { hostname: "::1", port: 9443 });
 * assertEquals(parseAddress(":9443"), { hostname: "0.0.0.0", port: 9443 });
 * ```
 */
export function parseAddress(text: string): Address {
  const match = /^(?:\[([^\[\]]*)\]|([^:\[\]]*)):([^:]*)$/.exec(text);
  if (match === null) {
    throw new UsageError(`Cannot parse address ${quote(text)}: expected host:port, :port or [ipv6]:port`);
  }
  const [, bracketed, plain = "", portText = ""] = match;
  return { hostname: parseHostname(bracketed, plain, text), port: parsePort(portText, text, 0) };
}

/**
 * Parses the address of a server, like {@linkcode parseAddress}, and checks that it is possible to connect to it.
 *
 * @throws {UsageError} when the address is not valid; the message says what was expected
 */
export function parseServerAddress(text: string): Address {
  const match = /^(\[[^\[\]]*\]|[^:\[\]]+):([^:]*)$/.exec(text);
  if (match === null) throw new UsageError(`Cannot parse address ${quote(text)}: expected host:port or [ipv6]:port`);
  parsePort(match[2]!, text, 1);
  const address = parseAddress(text);
  const problem = destinationProblem(address.hostname);
  if (problem !== "") throw new UsageError(`Cannot connect to address ${quote(text)}: ${problem}`);
  return address;
}

/**
 * Returns the canonical spelling of a host without a port and brackets.
 *
 * @throws {UsageError} when the host is not valid; the message says what was expected
 */
export function parseHost(text: string): string {
  const address = canonicalIpv6(text);
  if (address !== undefined) return address;
  if (!isHostname(text)) throw new UsageError(`Cannot use host ${quote(text)}: expected a name or an IP address`);
  return text.toLowerCase();
}

function parseHostname(bracketed: string | undefined, plain: string, text: string): string {
  if (bracketed !== undefined) {
    const address = canonicalIpv6(bracketed);
    if (address !== undefined) return address;
    throw new UsageError(`Cannot parse address ${quote(text)}: expected an IPv6 address between the brackets`);
  }
  if (plain === "") return ANY_HOSTNAME;
  if (!isHostname(plain)) {
    throw new UsageError(`Cannot parse address ${quote(text)}: ${quote(plain)} is not a host name`);
  }
  return plain.toLowerCase();
}

function parsePort(portText: string, text: string, min: 0 | 1): number {
  const port = Number(portText);
  if (!/^[0-9]{1,5}$/.test(portText) || port > 65535 || port < min) {
    throw new UsageError(`Cannot parse port ${quote(portText)} of ${quote(text)}: expected ${min} to 65535`);
  }
  return port;
}

/** Quotes a text for an error message: escapes characters that would break the line, and truncates a long text. */
function quote(text: string): string {
  return JSON.stringify(text.length <= QUOTED_MAX_LENGTH ? text : `${text.slice(0, QUOTED_MAX_LENGTH)}…`);
}

/** Returns why no connection to a host in its canonical spelling is possible; empty when one is. */
function destinationProblem(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "it means every address of a machine: expected one of them";
  if (host.includes("%")) return "it has a zone, which no certificate can be for: expected an address without one";
  if (/^fe[89ab][0-9a-f]:/.test(host)) return "a link-local address needs a zone, which no certificate can be for";
  const first = isIpv4(host) ? Number(host.split(".")[0]) : -1;
  if (first >= 224 && first < 240 || /^ff[0-9a-f]{2}:/.test(host)) return "it is an address of a group of machines";
  if (host === "255.255.255.255") return "it is the address of all machines";
  return "";
}

/** Formats an address as {@linkcode parseAddress} reads it. */
export function formatAddress(address: Pick<Address, "hostname" | "port">): string {
  const { hostname, port } = address;
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Returns a key that is equal for all spellings of a server's address. Two addresses with one key are one server. */
export function sameServerKey({ hostname, port }: Address): string {
  return formatAddress({ hostname: hostname.replace(/\.$/, ""), port });
}

/** Returns whether only this machine can reach `hostname`: 127.0.0.0/8, ::1 and the name localhost (RFC 6761). */
export function isLoopback(hostname: string): boolean {
  const host = (canonicalIpv6(hostname) ?? hostname).toLowerCase().replace(/\.$/, "");
  if (host === "localhost" || host.endsWith(".localhost") || host === "::1") return true;
  return isIpv4(host) && host.startsWith("127.");
}

/** Returns whether `host` is an IPv4 or IPv6 address rather than a name. */
export function isIpAddress(host: string): boolean {
  return isIpv4(host) || canonicalIpv6(host) !== undefined;
}

/**
 * Returns whether `host` has the form of a DNS name or an IPv4 address. A host that ends in a number has to be an
 * address.
 */
export function isHostname(host: string): boolean {
  const labels = host.toLowerCase().split(".");
  if (labels.length > 1 && labels.at(-1) === "") labels.pop();
  // If the last label is a number, even 0x7f, systems take the host for an IPv4 address or refuse it.
  if (/^(?:[0-9]+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) return isIpv4(host);
  return labels.join(".").length <= NAME_MAX_LENGTH && labels.every(isLabel);
}

function isLabel(label: string): boolean {
  return /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label);
}

function isIpv4(host: string): boolean {
  return /^(?:(?:0|[1-9][0-9]{0,2})(?:\.(?!$)|$)){4}$/.test(host) &&
    host.split(".").every((part) => Number(part) <= 255);
}

/**
 * Returns the canonical spelling of an IPv6 address. An IPv4 address inside of one is returned as that address.
 *
 * @returns `undefined` when `host` is not an IPv6 address
 */
export function canonicalIpv6(host: string): string | undefined {
  const [address = "", ...zone] = host.split("%");
  if (zone.length > 1 || (zone.length === 1 && !/^[A-Za-z0-9_.-]{1,15}$/.test(zone[0]!))) return undefined;
  if (!address.includes(":") || !/^[0-9a-f:.]+$/i.test(address)) return undefined;
  // A URL's host may be an IPv6 address in brackets, so the platform's URL parser can parse it.
  const parsed = URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1);
  if (parsed === undefined) return undefined;
  if (zone.length === 1) return `${parsed}%${zone[0]}`;
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(parsed);
  if (mapped === null) return parsed;
  const [high, low] = [parseInt(mapped[1]!, 16), parseInt(mapped[2]!, 16)];
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}
