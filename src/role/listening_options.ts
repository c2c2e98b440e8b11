/**
 * The rules of listening, for the server and the proxy: what is safe by default, and what an option has to allow. They
 * hold for the port of clients and for that of `--metrics`, which shows names and values of keys.
 *
 * - TLS is required; `--plaintext` turns it off, on loopback addresses only.
 * - A password is required beyond loopback; `--no-auth` turns that off.
 * - The secrets of TLS are never written to a file, even if the environment asks for it.
 *
 * @module
 */

import { ANY_HOSTNAME, formatAddress, isLoopback } from "../address.ts";
import type { Address } from "../address.ts";
import { UsageError } from "../errors.ts";
import { holdsKey } from "./certificate_files.ts";
import { type CheckedKeyPair, defaultCertificates, loadKeyPair } from "./certs.ts";
import { refuseKeyLogging } from "./key_logging.ts";
import type { Logger } from "./logger.ts";
import { readPasswords } from "./password.ts";
import { type CertificateSource, Reloading } from "./reloading.ts";

/** The options that the server and the proxy share, as parsed. */
export interface ListeningOptions {
  readonly addr: Address;
  /** The address of the port for metrics and the page; without it there is none. */
  readonly metrics?: Address | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly "password-file": string | undefined;
  readonly "no-auth": boolean;
  readonly plaintext: boolean;
}

/** The meaning of the options. */
export interface ListeningSettings {
  readonly hostname: string;
  readonly port: number;
  /** The certificate in PEM; without it the role listens in plaintext. */
  readonly certificate: CheckedKeyPair | undefined;
  /** The passwords, of which clients have to send one; none are required when it is empty. */
  readonly password: readonly string[];
}

/** The sources of the settings, from which they are read again. */
export interface ListeningSources {
  readonly certificate: CertificateSource | undefined;
  readonly passwordPath: string | undefined;
  /** The warnings for the operator, one sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Checks the options and reads the files that they name. If no certificate is named, it makes a local one.
 *
 * @throws {UsageError} when the options contradict each other or are not safe
 * @throws {StartError} when a file cannot be used
 */
export async function resolveListening(
  options: ListeningOptions,
): Promise<{ settings: ListeningSettings; sources: ListeningSources }> {
  const { addr, metrics, cert, plaintext } = options;
  refuseKeyLogging();
  if (plaintext && cert !== undefined) throw new UsageError("Cannot use --cert with --plaintext: expected one of them");
  if (metrics !== undefined && overlap(addr, metrics)) {
    throw new UsageError(`Cannot use ${formatAddress(metrics)} for --addr and for --metrics: expected two ports`);
  }
  const exposed = exposedAddress(options);
  if (plaintext && exposed !== undefined) {
    throw new UsageError(
      `Cannot listen on ${formatAddress(exposed)} with --plaintext: expected a loopback address such as 127.0.0.1`,
    );
  }
  const files = keyPairFiles(options);
  const password = passwordsOf(options);
  const { certificate, source } = await readCertificates(files, plaintext);
  const warnings = [...certificate?.warnings ?? []];
  if (password.length === 0 && exposed !== undefined) {
    warnings.push(
      `Anybody who reaches ${
        formatAddress(exposed)
      } may read, change and delete all data: --no-auth was given for an ` +
        "address beyond loopback",
    );
  }
  return {
    settings: { hostname: addr.hostname, port: addr.port, certificate, password },
    sources: { certificate: source, passwordPath: options["password-file"], warnings },
  };
}

/** Returns whether only one socket can listen on both addresses. The system chooses different ports for 0. */
function overlap(one: Address, other: Address): boolean {
  const hostnames = [one.hostname, other.hostname];
  const isAny = hostnames.some((each) => each === ANY_HOSTNAME || each === "::");
  return one.port !== 0 && one.port === other.port && (isAny || hostnames[0] === hostnames[1]);
}

/** Returns the first address that other machines can reach; `undefined` when all are loopback addresses. */
function exposedAddress({ addr, metrics }: ListeningOptions): Address | undefined {
  return [addr, metrics].find((each) => each !== undefined && !isLoopback(each.hostname));
}

/** Returns the two files of a certificate. They are the same file when `--cert` alone names a file with both in it. */
function keyPairFiles({ cert, key }: ListeningOptions): { cert: string; key: string } | undefined {
  if (cert !== undefined && (key !== undefined || holdsKey(cert))) return { cert, key: key ?? cert };
  if (cert === undefined && key === undefined) return undefined;
  const reason = cert === undefined ? "" : `, and "${cert}" holds no private key`;
  throw new UsageError(
    `Cannot use --cert without --key, or --key without --cert: expected both or neither${reason}`,
  );
}

async function readCertificates(
  files: { cert: string; key: string } | undefined,
  plaintext: boolean,
): Promise<{ certificate?: CheckedKeyPair; source?: CertificateSource }> {
  if (files !== undefined) return { certificate: loadKeyPair(files.cert, files.key), source: files };
  if (plaintext) return {};
  const pair = await defaultCertificates();
  return { certificate: pair, source: pair.paths };
}

/** A role whose certificate and passwords can be replaced. */
export interface Reloadable {
  /** Serves new connections with another certificate. */
  replaceCertificate(certificate: { readonly cert: string; readonly key: string }): void;
  /** Accepts other passwords of clients from now on. */
  replacePasswords(passwords: readonly string[]): void;
}

/**
 * Follows the files that a role's settings were read from, and warns before its certificate expires.
 *
 * @returns the followed files; the role may add others, reloads them on a signal and closes them
 */
export function followListening(
  { certificate, password }: ListeningSettings,
  sources: ListeningSources,
  role: Reloadable,
  logger: Logger,
): Reloading {
  const reloading = new Reloading(logger);
  if (certificate !== undefined && sources.certificate !== undefined) {
    reloading.certificate(sources.certificate, certificate, (pair) => role.replaceCertificate(pair));
  }
  if (sources.passwordPath !== undefined) {
    reloading.passwords(sources.passwordPath, password, (changed) => role.replacePasswords(changed));
  }
  return reloading;
}

function passwordsOf(options: ListeningOptions): string[] {
  const exposed = exposedAddress(options);
  if (options["no-auth"]) {
    if (options["password-file"] === undefined) return [];
    throw new UsageError("Cannot use --password-file with --no-auth: expected one of them");
  }
  const passwords = readPasswords(options["password-file"]);
  if (passwords.length > 0 || exposed === undefined) return passwords;
  throw new UsageError(
    `Cannot listen on ${formatAddress(exposed)} without a password: expected --password-file FILE, INMEM_PASSWORD, ` +
      "or --no-auth to let everybody connect",
  );
}
