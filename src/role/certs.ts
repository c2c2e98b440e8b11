/**
 * Certificates: the role `inmem certs`, and those that a first start makes for itself.
 *
 * ```text
 * DIR/ca.pem      the local authority; what clients trust          0644
 * DIR/ca.key      signs server certificates                        0600
 * DIR/server.pem  for localhost, 127.0.0.1, ::1 and other hosts    0644
 * DIR/server.key                                                   0600
 * DIR/.lock       held while the others change
 * ```
 *
 * An authority is never replaced unasked: clients that trust it would be cut off, and its key cannot be had back. Where one
 * of its two files is missing, nothing is made; a server's pair that is there is used as it is, with a warning. Every file
 * appears whole, by rename; both of a pair are written before the first of them appears.
 *
 * @module
 */

import { dirname, join } from "@std/path";
import type { X509Certificate } from "node:crypto";
import { canonicalIpv6, isHostname, isIpAddress } from "../address.ts";
import { messageOf, StartError, UsageError } from "../errors.ts";
import { CERTIFICATE_RENEW_DAYS } from "../limits.ts";
import { expiryOf, type KeyPair, readCertificate, readKey, readKeyPair } from "./certificate_files.ts";
import { certsOptions } from "./option_tables.ts";
import { helpText, parseOptions } from "./options.ts";
import { type CertificatePaths, certificatePaths, stateFolder } from "./state_folder.ts";

export { readDefaultAuthority } from "./certificate_files.ts";
export { type CertificatePaths, certificatePaths, stateFolder } from "./state_folder.ts";

/** The hosts that every server certificate is for. */
const LOOPBACK_HOSTS: readonly string[] = ["localhost", "127.0.0.1", "::1"];
const DAY_MS = 86_400_000;

/** What {@linkcode makeCertificates} did. */
export interface MadeCertificates {
  readonly paths: CertificatePaths;
  /** Whether the authority is new; otherwise the one found was used. */
  readonly isAuthorityNew: boolean;
  /** The hosts that the server certificate is for. */
  readonly hosts: readonly string[];
  /** The last moment of the server certificate, in ms since 1970. */
  readonly validUntilMs: number;
}

/** A server's certificate chain and key, checked. */
export interface CheckedKeyPair extends KeyPair {
  /** The last moment of the certificate, in ms since 1970. */
  readonly expiresMs: number;
  /** The last moment of the local authority that has signed it; `undefined` when that is not there, or it is somebody else's. */
  readonly authorityExpiresMs?: number | undefined;
  /** What an operator should know, beside when it expires, a sentence each; empty when all is well. */
  readonly warnings: readonly string[];
}

/**
 * Makes a server certificate in `folder`, and the authority that signs it unless there is one.
 *
 * @param folder made with mode 0700 if it does not exist
 * @param hosts DNS names and IP addresses beside the loopback ones
 * @param options `replaceAuthority` makes a new authority although there is one: nobody trusts the new one yet
 * @throws {UsageError} when a host is neither a name nor an address
 * @throws {StartError} when the folder cannot be written, or the authority found cannot be used
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
  // Certificates name hosts without a "." at the end; who connects to a name with one looks for it without.
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
    throw new StartError(`Cannot make certificates in "${folder}": ${messageOf(error)}`, { cause: error });
  }
}

/** The authority in the folder; `undefined` when there is none. */
function readAuthority(paths: CertificatePaths, nowMs: number): KeyPair | undefined {
  const [hasCertificate, hasKey] = [isThere(paths.authority), isThere(paths.authorityKey)];
  if (!hasCertificate && !hasKey) return undefined;
  const folder = dirname(paths.authority);
  const advice = `give the files back, or make a new authority with: inmem certs "${folder}" --force`;
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

/** Makes the folder if need be, and keeps whoever else asks for this lock waiting until disposed of. */
async function lockFolder(folder: string): Promise<Disposable> {
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const file = Deno.openSync(join(folder, ".lock"), { create: true, write: true, mode: 0o600 });
    await file.lock(true);
    return file;
  } catch (error) {
    throw new StartError(`Cannot write to the folder "${folder}": ${messageOf(error)}`, { cause: error });
  }
}

/**
 * Replaces files at once: a reader, or a power cut, finds the old content of each or the new. All are written before the
 * first is replaced, so that hardly anybody finds some old and some new.
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
 * The certificate in the state folder, made there the first time and when it is about to expire.
 *
 * Any number of processes may ask at the same instant: one makes it, the others get the same. One that cannot be renewed is
 * used to its end, with a warning.
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
 * The pair in the folder; `undefined` when a part of it is missing, or does not belong to the rest.
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
      "copy of it trust nobody here";
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
    // The platform does not know the kind of key, which none of ours has.
    return false;
  }
}

/** The hosts that a certificate is for, so that its successor is for the same. */
function hostsOf(path: string): string[] {
  if (!isThere(path)) return [];
  const names = readCertificate(path, "certificate").certificate.subjectAltName ?? "";
  return names.split(", ").flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1]?.toLowerCase() ?? []);
}

/**
 * Reads a certificate and its key, and checks what TLS would find out later and explain worse.
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
 * The role `inmem certs [DIR] [--host NAME …]`.
 *
 * @param argv the arguments after `certs`
 * @param write takes what is meant for standard output
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
  return [
    made.isAuthorityNew ? "Made a local authority and a server certificate:" : "Made a server certificate:",
    `  ${authority}  the authority${made.isAuthorityNew ? "" : ", which was there"}; clients need this file`,
    `  ${authorityKey}  its key; keep it to yourself, servers do not need it`,
    `  ${cert}  for ${made.hosts.join(", ")}; until ${until}`,
    `  ${key}  its key, for the server alone`,
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

/** Whether there is something of that name, be it a link that leads nowhere. */
function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new StartError(`Cannot read "${path}": ${messageOf(error)}`, { cause: error });
  }
}
