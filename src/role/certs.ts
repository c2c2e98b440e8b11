/**
 * Certificates: the role `inmem certs`, and the certificates that a first start makes for itself.
 *
 * ```text
 * DIR/ca.pem      the local authority; what clients trust          0644
 * DIR/ca.key      signs server certificates                        0600
 * DIR/server.pem  for localhost, 127.0.0.1, ::1 and other hosts    0644
 * DIR/server.key                                                   0600
 * DIR/.lock       held while the others change
 * ```
 *
 * An authority is only replaced on request: clients that trust it would no longer connect, and its key cannot be
 * recovered. If one of its two files is missing, no certificate is made; an existing server pair is used as it is, with
 * a warning. Every file appears whole, by rename. Both files of a pair are written before the first of them appears.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import type { X509Certificate } from "node:crypto";
import { canonicalIpv6, isHostname, isIpAddress } from "../address.ts";
import { fileReason, messageOf, StartError, UsageError } from "../errors.ts";
import { CERTIFICATE_RENEW_DAYS } from "../limits.ts";
import { expiryOf, type KeyPair, readCertificate, readKey, readKeyPair } from "./certificate_files.ts";
import { certsOptions } from "./option_tables.ts";
import { helpText, parseOptions } from "./options.ts";
import { type CertificatePaths, certificatePaths, stateFolder } from "./state_folder.ts";

export { readDefaultAuthority } from "./certificate_files.ts";
export { type CertificatePaths, certificatePaths, stateFolder } from "./state_folder.ts";

/** The hosts of every server certificate. */
const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "::1"];
const DAY_MS = 86_400_000;

/** The result of {@linkcode makeCertificates}. */
export interface MadeCertificates {
  readonly paths: CertificatePaths;
  /** Whether the authority is new; otherwise the existing one was used. */
  readonly isAuthorityNew: boolean;
  /** The hosts of the server certificate. */
  readonly hosts: readonly string[];
  /** When the server certificate expires, in ms since 1970. */
  readonly validUntilMs: number;
}

/** A server's certificate chain and key, checked. */
export interface CheckedKeyPair extends KeyPair {
  /** When the certificate expires, in ms since 1970. */
  readonly expiresMs: number;
  /** When the local authority that signed it expires; `undefined` when it is missing or another one signed it. */
  readonly authorityExpiresMs?: number | undefined;
  /** The warnings for the operator besides the expiry, one sentence each; empty when all is well. */
  readonly warnings: readonly string[];
}

/**
 * Makes a server certificate in `folder`, and an authority to sign it unless there is one.
 *
 * @param folder is created with mode 0700 if it does not exist
 * @param hosts DNS names and IP addresses beside the loopback ones
 * @param options `replaceAuthority` makes a new authority although there is one; no client trusts the new one yet
 * @throws {UsageError} when a host is neither a name nor an address
 * @throws {StartError} when the folder cannot be written, or the existing authority cannot be used
 */
export async function makeCertificates(
  folder: string,
  hosts: readonly string[],
  options: { replaceAuthority?: boolean; nowMs?: number } = {},
): Promise<MadeCertificates> {
  const wanted = [...new Set([...LOOPBACK_HOSTS, ...hosts.map(checkHost)])];
  using _lock = await lockFolder(folder);
  return await makeLocked(folder, wanted, options.replaceAuthority ?? false, options.nowMs ?? Date.now());
}

function checkHost(host: string): string {
  if (host.includes("%")) {
    throw new UsageError(`Cannot make a certificate for "${host}": expected an address without a zone`);
  }
  if (isIpAddress(host)) return canonicalIpv6(host) ?? host;
  if (!isHostname(host.replace(/^\*\./, ""))) {
    throw new UsageError(`Cannot make a certificate for "${host}": expected a host name or an IP address`);
  }
  // Certificates name hosts without a "." at the end, and a client that uses one compares without it.
  return host.toLowerCase().replace(/\.$/, "");
}

async function makeLocked(
  folder: string,
  hosts: readonly string[],
  replaceAuthority: boolean,
  nowMs: number,
): Promise<MadeCertificates> {
  const paths = certificatePaths(folder);
  const { makeAuthority, makeServerCertificate } = await import("./certificate_maker.ts");
  let authority = replaceAuthority ? undefined : readAuthority(paths, nowMs);
  const isAuthorityNew = authority === undefined;
  try {
    if (authority === undefined) {
      authority = await makeAuthority(nowMs);
      replaceFiles([[paths.authorityKey, authority.key, 0o600], [paths.authority, authority.cert, 0o644]]);
    }
    const server = await makeServerCertificate(authority, hosts, nowMs);
    replaceFiles([[paths.key, server.key, 0o600], [paths.cert, server.cert, 0o644]]);
    return { paths, isAuthorityNew, hosts, validUntilMs: expiryOf(server.cert) };
  } catch (error) {
    throw new StartError(`Cannot make certificates in "${folder}": ${fileReason(error)}`, { cause: error });
  }
}

/** Returns the authority in the folder; `undefined` when there is none. */
function readAuthority(paths: CertificatePaths, nowMs: number): KeyPair | undefined {
  const [hasCertificate, hasKey] = [isThere(paths.authority), isThere(paths.authorityKey)];
  if (!hasCertificate && !hasKey) return undefined;
  const folder = dirname(paths.authority);
  const advice = `restore the files, or make a new authority with: inmem certs "${folder}" --force`;
  if (!hasCertificate) {
    throw new StartError(
      `Cannot use the authority's key "${paths.authorityKey}": its certificate "ca.pem" is missing; ` +
        `clients that trust it have a copy: ${advice}`,
    );
  }
  const refuse = (reason: string) =>
    new StartError(`Cannot use the authority "${paths.authority}": ${reason}; ${advice}`);
  const { cert, certificate } = readCertificate(paths.authority, "authority's certificate");
  if (!hasKey) throw refuse('its key "ca.key" is missing');
  const { key, object } = readKey(paths.authorityKey, "authority's key");
  if (!certificate.checkPrivateKey(object)) throw refuse('"ca.key" is not its key');
  if (Date.parse(certificate.validTo) <= nowMs) throw refuse(`it expired on ${certificate.validTo}`);
  return { cert, key };
}

/** Creates the folder if necessary and locks it until the result is disposed of. Other processes wait for the lock. */
async function lockFolder(folder: string): Promise<Disposable> {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = Deno.openSync(join(folder, ".lock"), { create: true, write: true, mode: 0o600 });
    await file.lock(true);
    return file;
  } catch (error) {
    throw new StartError(`Cannot write to the folder "${folder}": ${fileReason(error)}`, { cause: error });
  }
}

/**
 * Replaces files atomically: a reader, or a power failure, finds either the old or the new content of each. All are
 * written before the first is replaced, so that readers hardly ever find a mixture of old and new files.
 */
function replaceFiles(files: readonly (readonly [path: string, content: string, mode: number])[]): void {
  for (const [path, content, mode] of files) {
    const temporary = `${path}.new`;
    if (isThere(temporary)) Deno.removeSync(temporary);
    const file = Deno.openSync(temporary, { createNew: true, write: true, mode });
    try {
      const bytes = new TextEncoder().encode(content);
      for (let start = 0; start < bytes.length;) start += file.writeSync(bytes.subarray(start));
      file.syncSync();
    } finally {
      file.close();
    }
  }
  for (const [path] of files) Deno.renameSync(`${path}.new`, path);
}

/** The certificate of the state folder. */
export interface DefaultKeyPair extends CheckedKeyPair {
  readonly paths: CertificatePaths;
}

/**
 * Returns the certificate in the state folder. It is made the first time and again when it is about to expire.
 *
 * Any number of processes may call this at the same time: one makes the certificate, and the others get the same one. A
 * certificate that cannot be renewed is used until it expires, with a warning.
 *
 * @param folder another folder, for tests
 * @throws {StartError} when it cannot be made or read
 */
export async function defaultCertificates(
  folder: string = stateFolder(),
  nowMs: number = Date.now(),
): Promise<DefaultKeyPair> {
  const paths = certificatePaths(folder);
  const found = readDefaultPair(paths, nowMs);
  if (found !== undefined && !isNearEnd(found, nowMs)) return found;
  using _lock = await lockFolder(folder);
  const current = readDefaultPair(paths, nowMs);
  if (current !== undefined && !isNearEnd(current, nowMs)) return current;
  try {
    const hosts = [...new Set([...LOOPBACK_HOSTS, ...hostsOf(paths.cert)])];
    await makeLocked(folder, hosts, false, nowMs);
  } catch (error) {
    if (current === undefined || current.expiresMs <= nowMs) throw error;
    const warning = `The certificate "${paths.cert}" cannot be renewed: ${messageOf(error)}`;
    return { ...current, warnings: [...current.warnings, warning] };
  }
  return readDefaultPair(paths, nowMs)!;
}

function isNearEnd({ expiresMs }: CheckedKeyPair, nowMs: number): boolean {
  return expiresMs - nowMs <= CERTIFICATE_RENEW_DAYS * DAY_MS;
}

/**
 * Returns the pair in the folder; `undefined` when a part of it is missing or does not belong to the rest.
 *
 * @throws {StartError} when a file cannot be read or parsed
 */
export function readDefaultPair(paths: CertificatePaths, nowMs: number = Date.now()): DefaultKeyPair | undefined {
  if (!isThere(paths.cert) || !isThere(paths.key)) return undefined;
  const { certificate } = readCertificate(paths.cert, "certificate");
  if (!certificate.checkPrivateKey(readKey(paths.key, "key").object)) return undefined;
  const pair = loadKeyPair(paths.cert, paths.key, nowMs);
  if (!isThere(paths.authority)) {
    const warning =
      `The authority's certificate "${paths.authority}" is missing: clients of this machine that have no ` +
      "copy of it trust no server here";
    return { ...pair, warnings: [...pair.warnings, warning], paths };
  }
  const authority = readCertificate(paths.authority, "authority's certificate").certificate;
  if (!isSignedBy(certificate, authority)) return undefined;
  return { ...pair, paths, authorityExpiresMs: Date.parse(authority.validTo) };
}

function isSignedBy(certificate: X509Certificate, authority: X509Certificate): boolean {
  try {
    return certificate.verify(authority.publicKey);
  } catch {
    // The platform does not know the kind of the key, so it is not one of ours.
    return false;
  }
}

/** Returns the hosts of a certificate, which its successor keeps. */
function hostsOf(path: string): string[] {
  if (!isThere(path)) return [];
  const names = readCertificate(path, "certificate").certificate.subjectAltName ?? "";
  return names.split(", ").flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1]?.toLowerCase() ?? []);
}

/**
 * Reads a certificate and its key, and checks them. TLS would find the same errors later and explain them worse.
 *
 * @param nowMs the present, in ms since 1970
 * @throws {StartError} when one cannot be read or parsed, others may read the key, or they do not belong together
 */
export function loadKeyPair(certPath: string, keyPath: string, nowMs: number = Date.now()): CheckedKeyPair {
  const { cert, key, certificate } = readKeyPair(certPath, keyPath);
  const warnings = isValidLater(certificate, nowMs)
    ? [`The certificate "${certPath}" is not valid before ${certificate.validFrom}`]
    : [];
  return { cert, key, expiresMs: Date.parse(certificate.validTo), warnings };
}

function isValidLater({ validFrom }: X509Certificate, nowMs: number): boolean {
  return Date.parse(validFrom) > nowMs;
}

/**
 * Runs `inmem certs [DIR] [--host NAME …]`.
 *
 * @param argv the arguments after `certs`
 * @param write writes text to standard output
 * @throws {UsageError} when the arguments are wrong
 * @throws {StartError} when the folder cannot be written
 */
export async function certsMain(argv: readonly string[], write: (text: string) => void = printText): Promise<void> {
  const { values, positional } = parseOptions(certsOptions, argv);
  if (values.help) return write(helpText(certsOptions));
  if (positional.length > 1) {
    throw new UsageError(`Cannot use "${positional[1]}": expected one folder; give further names with --host NAME`);
  }
  const made = await makeCertificates(positional[0] ?? stateFolder(), values.host, { replaceAuthority: values.force });
  write(describe(made));
}

function describe(made: MadeCertificates): string {
  const { authority, authorityKey, cert, key } = made.paths;
  const until = new Date(made.validUntilMs).toISOString().slice(0, 10);
  const width = Math.max(...[authority, authorityKey, cert, key].map((path) => path.length));
  const row = (path: string, what: string) => `  ${path.padEnd(width)}  ${what}`;
  return [
    made.isAuthorityNew ? "Made a local authority and a server certificate:" : "Made a server certificate:",
    row(authority, `the authority${made.isAuthorityNew ? "" : ", which existed"}; clients need this file`),
    row(authorityKey, "its key; keep it secret, servers do not need it"),
    row(cert, `for ${made.hosts.join(", ")}; until ${until}`),
    row(key, "its key, for the server only"),
    "",
    "Use them:",
    `  inmem server --cert ${cert} --key ${key}`,
    `  inmem client --ca ${authority} ping`,
    "",
  ].join("\n");
}

function printText(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let start = 0; start < bytes.length;) start += Deno.stdout.writeSync(bytes.subarray(start));
}

/** Returns whether there is an entry of that name, even a link that leads nowhere. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new StartError(`Cannot read "${path}": ${fileReason(error)}`, { cause: error });
  }
}
