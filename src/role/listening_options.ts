/**
 * The rules for whoever listens, the server and the proxy alike: what is safe by default, and what has to be said.
 *
 * - TLS, unless `--plaintext` says otherwise, and that on loopback addresses only.
 * - Beyond loopback a password, unless `--no-auth` says otherwise.
 * - No secrets of TLS in a file, whatever the environment says.
 *
 * @module
 */

import { formatAddress, isLoopback } from "../address.ts";
import type { Address } from "../address.ts";
import { defaultCertificates, loadKeyPair } from "./certs.ts";
import { UsageError } from "../errors.ts";
import { refuseKeyLogging } from "./key_logging.ts";
import { readPassword } from "./password.ts";

/** Options that the server and the proxy share, as parsed. */
export interface ListeningOptions {
  readonly addr: Address;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly "password-file": string | undefined;
  readonly "no-auth": boolean;
  readonly plaintext: boolean;
}

/** What the options mean. */
export interface ListeningSettings {
  readonly hostname: string;
  readonly port: number;
  /** In PEM; without it plaintext is spoken. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
  /** What clients have to give; without it nothing. */
  readonly password: string | undefined;
  /** What an operator should know, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Checks the options and reads the files that they name. Makes a local certificate when none is named.
 *
 * @throws {UsageError} when the options contradict each other or are not safe
 * @throws {StartError} when a file cannot be used
 */
export async function resolveListening(options: ListeningOptions): Promise<ListeningSettings> {
  const { addr, cert, key, plaintext } = options;
  refuseKeyLogging();
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("Cannot use --cert without --key, or --key without --cert: expected both or neither");
  }
  if (plaintext && cert !== undefined) throw new UsageError("Cannot use --cert with --plaintext: expected one of them");
  if (plaintext && !isLoopback(addr.hostname)) {
    throw new UsageError(
      `Cannot listen on ${formatAddress(addr)} with --plaintext: expected a loopback address such as 127.0.0.1`,
    );
  }
  const password = passwordOf(options);
  const warnings: string[] = [];
  if (password === undefined && !isLoopback(addr.hostname)) {
    warnings.push(
      `Anybody who reaches ${
        formatAddress(addr)
      } may read, change and delete all data: --no-auth was given for an address ` +
        "beyond loopback",
    );
  }
  let certificate: ListeningSettings["certificate"];
  if (cert !== undefined && key !== undefined) {
    const pair = loadKeyPair(cert, key);
    certificate = { cert: pair.cert, key: pair.key };
    warnings.push(...pair.warnings);
  } else if (!plaintext) {
    const pair = await defaultCertificates();
    certificate = { cert: pair.cert, key: pair.key };
  }
  return { hostname: addr.hostname, port: addr.port, certificate, password, warnings };
}

function passwordOf(options: ListeningOptions): string | undefined {
  const { addr } = options;
  if (options["no-auth"]) {
    if (options["password-file"] === undefined) return undefined;
    throw new UsageError("Cannot use --password-file with --no-auth: expected one of them");
  }
  const password = readPassword(options["password-file"]);
  if (password !== undefined || isLoopback(addr.hostname)) return password;
  throw new UsageError(
    `Cannot listen on ${formatAddress(addr)} without a password: expected --password-file FILE, INMEM_PASSWORD, ` +
      "or --no-auth to let everybody in",
  );
}
