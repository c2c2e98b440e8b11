/**
 * Interprets the errors of the system and of the TLS library: whether a connection is gone, and a readable reason.
 *
 * @module
 */

import { InmemError, messageOf } from "../errors.ts";

/** Returns a readable reason why listening failed. */
export function listenReason(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "another program uses that port";
  if (error instanceof Deno.errors.AddrNotAvailable) return "that is not an address of this machine";
  if (error instanceof Deno.errors.PermissionDenied) return "the system does not permit that port";
  if (error instanceof Deno.errors.InvalidData) return `the certificate or its key is unusable: ${error.message}`;
  if (isLookupFailure(error)) return "that name has no address";
  return messageOf(error);
}

/** The messages of certificate verification, as patterns, with a readable reason for each. */
const CERTIFICATE_REASONS: readonly (readonly [RegExp, (host: string) => string])[] = [
  [/not valid for name|NotValidForName/, (host) => `its certificate is not for "${host}"`],
  [/UnknownIssuer|BadSignature/, () => "its certificate is not trusted: no authority given or built in has signed it"],
  [/CaUsedAsEndEntity/, () => "its certificate is not trusted: it is the one of an authority, not of a server"],
  [/not valid yet|NotValidYet/, () => "its certificate is not valid yet"],
  [/expired/i, () => "its certificate has expired"],
  [/invalid peer certificate/, () => "its certificate is not valid"],
  [/corrupt message|not speak TLS/, () => "it does not speak TLS"],
];

/** Returns a readable reason why connecting or a handshake failed. */
export function connectReason(error: unknown, host: string): string {
  const message = messageOf(error);
  for (const [pattern, reason] of CERTIFICATE_REASONS) {
    if (pattern.test(message)) return `${reason(host)} (${message})`;
  }
  const code = errorCodeOf(error);
  if (error instanceof Deno.errors.ConnectionRefused || code === "ECONNREFUSED") return "nobody listens there";
  if (code === "ENETUNREACH" || code === "EHOSTUNREACH") return "that host is unreachable";
  if (lacksAddress(error)) return "this machine has no address to connect from";
  if (isLookupFailure(error)) return "that name has no address";
  if (error instanceof Deno.errors.UnexpectedEof) return "it closed the connection";
  if (error instanceof Deno.errors.ConnectionReset) return "it reset the connection";
  return message;
}

/** Returns whether an error means that this machine has no address of that family, such as no IPv6 address. */
export function lacksAddress(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable || errorCodeOf(error) === "EADDRNOTAVAIL";
}

/**
 * Returns whether an error means that the peer's port or machine cannot be reached, or that it closed the connection.
 */
export function showsUnreachable(error: unknown): boolean {
  const { ConnectionRefused, ConnectionReset, ConnectionAborted, BrokenPipe, UnexpectedEof } = Deno.errors;
  const classes = [ConnectionRefused, ConnectionReset, ConnectionAborted, BrokenPipe, UnexpectedEof];
  if (classes.some((each) => error instanceof each)) return true;
  return ["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"].some((code) => errorCodeOf(error) === code);
}

/** Returns whether an error means that the peer is another server than expected, or does not speak TLS. */
export function showsStranger(error: unknown): boolean {
  const message = messageOf(error);
  return CERTIFICATE_REASONS.some(([pattern]) => pattern.test(message));
}

function isLookupFailure(error: unknown): boolean {
  return /failed to lookup address|ENOTFOUND|that name has no address/.test(messageOf(error));
}

/** Returns the code of an error, such as `ECONNREFUSED`; `undefined` when it has none. */
export function errorCodeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** Returns `host:port`, with brackets around an IPv6 address. */
export function formatPeer(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Returns whether an exception means that the connection is gone, rather than a bug in this program. */
export function isDisconnection(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof InmemError) return false;
  // Errors without a class in the runtime, such as EHOSTUNREACH, are plain errors with the system's code.
  return error.name in Deno.errors || "code" in error;
}
