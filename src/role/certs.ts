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
 * An authority is never replaced unasked: clients that trust it would be cut off. Every file appears whole, by rename;
 * a key appears before its certificate, so a certificate without a key is never of our making.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { dirname, join } from "@std/path";
import { isHostname, isIpAddress } from "../address.ts";
import type { KeyPair } from "./certificate_maker.ts";
import { messageOf, StartError, UsageError } from "../errors.ts";
import { CERTIFICATE_RENEW_DAYS } from "../limits.ts";
import { certsOptions, helpText, parseOptions } from "./options.ts";
import { readPrivateFile, readPublicFile } from "./private_file.ts";
import { type CertificatePaths, certificatePaths, stateFolder } from "./state_folder.ts";

export { type CertificatePaths, certificatePaths, readDefaultAuthority, stateFolder } from "./state_folder.ts";

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
export interface LoadedKeyPair extends KeyPair {
  /** What an operator should know, a sentence each; empty when all is well. */
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
  if (!isIpAddress(host) && !isHostname(host.replace(/^\*\./, ""))) {
    throw new UsageError(`Cannot make a certificate for "${host}": expected a host name or an IP address`);
  }
  return host.toLowerCase();
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
      writeWhole(paths.authorityKey, authority.key, 0o600);
      writeWhole(paths.authority, authority.cert, 0o644);
    }
    const server = await makeServerCertificate(authority, hosts, nowMs);
    writeWhole(paths.key, server.key, 0o600);
    writeWhole(paths.cert, server.cert, 0o644);
    return { paths, isAuthorityNew, hosts, validUntilMs: Date.parse(new X509Certificate(server.cert).validTo) };
  } catch (error) {
    throw new StartError(`Cannot make certificates in "${folder}": ${messageOf(error)}`, { cause: error });
  }
}

/** The authority in the folder; `undefined` when there is none. */
function readAuthority(paths: CertificatePaths, nowMs: number): KeyPair | undefined {
  if (!exists(paths.authority)) return undefined;
  const folder = dirname(paths.authority);
  const advice = `give the files back, or make a new authority with: inmem certs "${folder}" --force`;
  const cert = readPublicFile(paths.authority, "authority's certificate");
  if (!exists(paths.authorityKey)) {
    throw new StartError(`Cannot use the authority "${paths.authority}": its key "ca.key" is missing; ${advice}`);
  }
  const key = readPrivateFile(paths.authorityKey, "authority's key");
  const certificate = parseCertificate(cert, paths.authority);
  if (!isKeyOf(certificate, key, paths.authorityKey)) {
    throw new StartError(`Cannot use the authority "${paths.authority}": "ca.key" is not its key; ${advice}`);
  }
  if (Date.parse(certificate.validTo) <= nowMs) {
    throw new StartError(
      `Cannot use the authority "${paths.authority}": it expired on ${certificate.validTo}; ${advice}`,
    );
  }
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

/** Replaces a file at once: a reader, or a power cut, finds the old content or the new. */
function writeWhole(path: string, content: string, mode: number): void {
  const temporary = `${path}.new`;
  if (exists(temporary)) Deno.removeSync(temporary);
  const file = Deno.openSync(temporary, { createNew: true, write: true, mode });
  try {
    const bytes = new TextEncoder().encode(content);
    for (let start = 0; start < bytes.length;) start += file.writeSync(bytes.subarray(start));
    file.syncSync();
  } finally {
    file.close();
  }
  Deno.renameSync(temporary, path);
}

/**
 * The certificate in the state folder, made there the first time and when it is about to expire.
 *
 * Any number of processes may ask at the same instant: one makes it, the others get the same.
 *
 * @param folder another folder, for tests
 * @throws {StartError} when it cannot be made or read
 */
export async function defaultCertificates(
  folder: string = stateFolder(),
  nowMs: number = Date.now(),
): Promise<KeyPair & { readonly caPath: string }> {
  const caPath = certificatePaths(folder).authority;
  const found = readCurrent(folder, nowMs);
  if (found !== undefined) return { ...found, caPath };
  using _lock = await lockFolder(folder);
  const made = readCurrent(folder, nowMs);
  if (made !== undefined) return { ...made, caPath };
  const paths = certificatePaths(folder);
  const hosts = [...new Set([...LOOPBACK_HOSTS, ...hostsOf(paths.cert)])];
  await makeLocked(folder, hosts, false, nowMs);
  return { cert: readPublicFile(paths.cert, "certificate"), key: readPrivateFile(paths.key, "key"), caPath };
}

/** The pair in the folder if all of it is there, fits and stays valid for a while. */
function readCurrent(folder: string, nowMs: number): KeyPair | undefined {
  const paths = certificatePaths(folder);
  if (!exists(paths.authority) || !exists(paths.cert) || !exists(paths.key)) return undefined;
  const cert = readPublicFile(paths.cert, "certificate");
  const key = readPrivateFile(paths.key, "key");
  const certificate = parseCertificate(cert, paths.cert);
  const authority = parseCertificate(readPublicFile(paths.authority, "authority's certificate"), paths.authority);
  const isCurrent = Date.parse(certificate.validTo) - nowMs > CERTIFICATE_RENEW_DAYS * DAY_MS &&
    isKeyOf(certificate, key, paths.key) && certificate.verify(authority.publicKey);
  return isCurrent ? { cert, key } : undefined;
}

/** The hosts that a certificate is for, so that its successor is for the same. */
function hostsOf(path: string): string[] {
  if (!exists(path)) return [];
  const names = parseCertificate(readPublicFile(path, "certificate"), path).subjectAltName ?? "";
  return names.split(", ").flatMap((name) => /^(?:DNS|IP Address):(.+)$/.exec(name)?.[1]?.toLowerCase() ?? []);
}

/**
 * Reads a certificate and its key, and checks what TLS would find out later and explain worse.
 *
 * @param nowMs the present, in ms since 1970
 * @throws {StartError} when one cannot be read or parsed, others may read the key, or they do not belong together
 */
export function loadKeyPair(certPath: string, keyPath: string, nowMs: number = Date.now()): LoadedKeyPair {
  const cert = readPublicFile(certPath, "certificate");
  const key = readPrivateFile(keyPath, "key");
  const certificate = parseCertificate(cert, certPath);
  if (!isKeyOf(certificate, key, keyPath)) {
    throw new StartError(`Cannot use the key "${keyPath}": it is not the key of the certificate "${certPath}"`);
  }
  const warnings: string[] = [];
  if (Date.parse(certificate.validTo) <= nowMs) {
    warnings.push(`The certificate "${certPath}" expired on ${certificate.validTo}: clients will refuse it`);
  } else if (Date.parse(certificate.validFrom) > nowMs) {
    warnings.push(`The certificate "${certPath}" is not valid before ${certificate.validFrom}`);
  } else if (Date.parse(certificate.validTo) - nowMs <= CERTIFICATE_RENEW_DAYS * DAY_MS) {
    warnings.push(`The certificate "${certPath}" expires soon, on ${certificate.validTo}`);
  }
  return { cert, key, warnings };
}

/** Parses the first certificate of a PEM text. */
function parseCertificate(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new StartError(
      `Cannot parse the certificate "${path}": expected PEM that begins with -----BEGIN CERTIFICATE-----`,
      {
        cause: error,
      },
    );
  }
}

function isKeyOf(certificate: X509Certificate, key: string, keyPath: string): boolean {
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch (error) {
    throw new StartError(`Cannot parse the key "${keyPath}": expected an unencrypted private key in PEM`, {
      cause: error,
    });
  }
  return certificate.checkPrivateKey(privateKey);
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

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new StartError(`Cannot read "${path}": ${messageOf(error)}`, { cause: error });
  }
}
