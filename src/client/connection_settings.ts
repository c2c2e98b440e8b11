/**
 * Turns the options of a connection into what opens it: the address, the certificates, the passwords.
 *
 * This is separate from the client with its many methods, for programs that send one command only and have to start
 * fast, and for those that speak a protocol themselves.
 *
 * @module
 */

import { formatAddress, isLoopback, parseAddress, parseHost, parseServerAddress } from "../address.ts";
import { UsageError } from "../errors.ts";
import { REQUEST_TIMEOUT_DEFAULT_MS } from "../limits.ts";
import { connect as connectSocket } from "../net/connector.ts";
import type { Socket } from "../net/socket.ts";
import type { Key } from "./sender.ts";

/** The part of the client's options that is about one socket; `client.ts` explains each. */
export interface DialOptions {
  readonly addr?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly caFile?: string;
  readonly caCerts?: readonly string[];
  readonly insecure?: boolean;
  readonly plaintext?: boolean;
}

/** The client's options; `client.ts` explains each. */
export interface SettingsOptions extends DialOptions {
  readonly password?: Key | readonly Key[];
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/**
 * How to open a connection, made by {@linkcode connectionSettings}.
 *
 * @ignore
 */
export interface ConnectionSettings {
  /** `host:port`, for messages. */
  address: string;
  /** Opens the connection, which the caller owns from then on. The signal cancels the attempt. */
  open: (signal: AbortSignal) => Promise<Socket>;
  /** The passwords: the first is sent before all requests, and the next one if it is refused. */
  passwords: readonly Key[];
  /** How long a request may take; `Infinity` for no limit. */
  timeoutMs: number;
  signal: AbortSignal | undefined;
}

/**
 * Checks options, and reads the certificates that they name. It does not connect.
 *
 * @ignore It is for the parts of inmem that speak the protocol themselves.
 * @throws {UsageError} when the address or the file of certificates is unusable
 * @throws {RangeError} when `timeoutMs` is negative
 */
export async function connectionSettings(options: SettingsOptions = {}): Promise<ConnectionSettings> {
  const { signal, timeoutMs = REQUEST_TIMEOUT_DEFAULT_MS } = options;
  if (!(timeoutMs >= 0)) throw new RangeError(`Cannot use ${timeoutMs} as "timeoutMs": expected 0 or more`);
  signal?.throwIfAborted();
  const { address, open } = await dialerOf(options);
  return {
    address,
    open,
    passwords: passwordsOf(options.password),
    timeoutMs: timeoutMs === 0 ? Infinity : timeoutMs,
    signal,
  };
}

/** Opens connections to one server. */
export interface Dialer {
  /** `host:port`. */
  readonly address: string;
  /** Connects and verifies the certificate, but sends nothing. The caller closes the socket. */
  readonly open: (signal?: AbortSignal) => Promise<Socket>;
}

/**
 * Returns what opens connections by these options, for callers that speak a protocol themselves. The certificates are
 * read once.
 *
 * @throws {UsageError} when the address or the file of certificates is unusable
 */
export async function dialerOf(options: DialOptions): Promise<Dialer> {
  const { hostname, port } = addressOf(options);
  const { insecure = false, plaintext = false } = options;
  if (plaintext && !isLoopback(hostname)) {
    throw new UsageError(`Cannot talk to "${hostname}" without TLS: expected a loopback address`);
  }
  const caCerts = plaintext || insecure ? [] : await certificatesOf(options, hostname);
  return {
    address: formatAddress({ hostname, port }),
    open: (signal) => connectSocket({ hostname, port, caCerts, insecure, plaintext, signal }),
  };
}

function addressOf({ addr, hostname, port, insecure }: DialOptions): { hostname: string; port: number } {
  if (addr !== undefined && (hostname !== undefined || port !== undefined)) {
    throw new TypeError('Cannot connect: expected "addr", or "hostname" and "port", not both');
  }
  const base = parseAddress(addr ?? DEFAULT_ADDRESS);
  const address = { hostname: hostname === undefined ? base.hostname : parseHost(hostname), port: port ?? base.port };
  if (!Number.isInteger(address.port) || address.port < 1 || address.port > 65535) {
    throw new UsageError(`Cannot connect to port "${address.port}": expected 1 to 65535`);
  }
  // A server that listens on every address is reached on this machine by a loopback address.
  if (address.hostname === "0.0.0.0") address.hostname = "127.0.0.1";
  if (address.hostname === "::") address.hostname = "::1";
  // Without a certificate to verify, even an address with a zone is allowed.
  return insecure ? address : parseServerAddress(formatAddress(address));
}

/** The address on which a server listens by default. */
const DEFAULT_ADDRESS = "127.0.0.1:9443";

async function certificatesOf(options: DialOptions, hostname: string): Promise<string[]> {
  const certificates = [...options.caCerts ?? []];
  // The module is imported only if necessary, because it makes the platform load its cryptography.
  const { readAuthorities, readDefaultAuthority } = await import("../role/certificate_files.ts");
  if (options.caFile !== undefined) certificates.push(readAuthorities(options.caFile, "certificates").cert);
  const authority = certificates.length === 0 && isLoopback(hostname) ? readDefaultAuthority() : undefined;
  return authority === undefined ? certificates : [authority];
}

function passwordsOf(password: SettingsOptions["password"] = []): readonly Key[] {
  return typeof password === "string" || password instanceof Uint8Array ? [password] : password;
}
