/**
 * What the system and the TLS library say: whether a connection is gone, and why, in words for people.
 *
 * @module
 */

import { InmemError, messageOf } from "../errors.ts";

/** Why listening failed. */
export function listenReason(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "another program uses that port";
  if (error instanceof Deno.errors.AddrNotAvailable) return "that is not an address of this machine";
  if (error instanceof Deno.errors.PermissionDenied) return "the system does not permit that port";
  if (error instanceof Deno.errors.InvalidData) return `the certificate or its key is unusable: ${error.message}`;
  if (isLookupFailure(error)) return "that name has no address";
  return messageOf(error);
}

/** What certificate verification says, and what that means to a person. */
const CERTIFICATE_REASONS: readonly (readonly [RegExp, (host: string) => string])[] = [
  [/not valid for name|NotValidForName/, (host) => `its certificate is not for "${host}"`],
  [/UnknownIssuer|BadSignature/, () => "its certificate is not trusted: no authority given or built in has signed it"],
  [/CaUsedAsEndEntity/, () => "its certificate is not trusted: it is the one of an authority, not of a server"],
  [/not valid yet|NotValidYet/, () => "its certificate is not valid yet"],
  [/expired/i, () => "its certificate has expired"],
  [/invalid peer certificate/, () => "its certificate is not valid"],
  [/corrupt message|not speak TLS/, () => "it does not speak TLS"],
];

/** Why connecting or a handshake failed, in words for people. */
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

/** Whether an error of connecting says that this machine cannot reach such an address, as where there is no IPv6. */
export function lacksAddress(error: unknown): boolean {
  return error instanceof Deno.errors.AddrNotAvailable || errorCodeOf(error) === "EADDRNOTAVAIL";
}

/** Whether an error of connecting says that a peer's port, or its machine, is not there, or that it has cut us off. */
export function showsUnreachable(error: unknown): boolean {
  const { ConnectionRefused, ConnectionReset, ConnectionAborted, BrokenPipe, UnexpectedEof } = Deno.errors;
  const classes = [ConnectionRefused, ConnectionReset, ConnectionAborted, BrokenPipe, UnexpectedEof];
  if (classes.some((each) => error instanceof each)) return true;
  return ["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"].some((code) => errorCodeOf(error) === code);
}

/** Whether an error of connecting says that the peer is not who it should be, or speaks something else. */
export function showsStranger(error: unknown): boolean {
  const message = messageOf(error);
  return CERTIFICATE_REASONS.some(([pattern]) => pattern.test(message));
}

function isLookupFailure(error: unknown): boolean {
  return /failed to lookup address|ENOTFOUND|that name has no address/.test(messageOf(error));
}

/** The code of an error, such as `ECONNREFUSED`. */
export function errorCodeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatPeer(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}

/** Whether an exception means that the connection is gone, rather than that we have a bug. */
export function isDisconnection(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof InmemError) return false;
  // What the runtime has no class for, such as EHOSTUNREACH, is a plain error with the system's code.
  return error.name in Deno.errors || "code" in error;
}
