/**
 * Reads and checks files of certificates and keys completely. TLS, or a client, would find the same errors later and
 * explain them worse.
 *
 * | file | what is used of it |
 * |---|---|
 * | chain of a server | its certificates in order, the server's own first |
 * | key | its private keys; the one that belongs to the certificate is used |
 * | authorities | its certificates |
 *
 * A chain and its key may be in one file, in any order. Other blocks, such as `EC PARAMETERS`, have to be complete as
 * well and are left out. The result is encoded again from what was parsed, so that no other code has to parse the rest.
 *
 * The platform parses certificates and keys. This module imports no package, since the client library reads
 * certificates with it.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { messageOf, StartError, UsageError } from "../errors.ts";
import { AUTHORITIES_WATCHED_MAX_COUNT, CERTIFICATES_FILE_MAX_BYTES, RSA_KEY_MIN_BITS } from "../limits.ts";
import { formatPem, isOneSequence, parsePem, type PemBlock, PemError } from "./pem.ts";
import { readNamedFile, readPrivateFile } from "./private_file.ts";
import { certificatePaths, stateFolder } from "./state_folder.ts";

/** A certificate chain and its private key, both in PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** A certificate chain and its key, with the parsed certificate. */
export interface LoadedKeyPair extends KeyPair {
  /** The server's own certificate. */
  readonly certificate: X509Certificate;
}

/** The certificates of authorities. */
export interface LoadedAuthorities {
  /** All certificates in PEM. */
  readonly cert: string;
  readonly count: number;
  /**
   * When the next authority expires, or the last one if all have expired, in ms since 1970. It is `undefined` for a
   * public bundle, of which some authority is always about to expire.
   */
  readonly expiresMs: number | undefined;
}

const KEY_LABELS = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "ENCRYPTED PRIVATE KEY"];
const CERTIFICATE_LABELS = ["CERTIFICATE", "X509 CERTIFICATE"];
/**
 * Labels of blocks that hold certificates in a form that TLS here does not read. Leaving them out would be a surprise.
 */
const OTHER_FORMS: Readonly<Record<string, string>> = {
  "TRUSTED CERTIFICATE": "openssl x509 -in FILE",
  "PKCS7": "openssl pkcs7 -in FILE -print_certs",
  "CMS": "openssl pkcs7 -in FILE -print_certs",
};
const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/**
 * Reads a certificate chain and its key.
 *
 * @param keyPath may be the same file
 * @throws {StartError} when one cannot be read or used, others may read the key, or they do not belong together
 */
export function readKeyPair(certPath: string, keyPath: string): LoadedKeyPair {
  const chainBytes = readNamedFile(certPath, "certificate", CERTIFICATES_FILE_MAX_BYTES);
  const keyBytes = readPrivateFile(keyPath, "key");
  const chain = certificatesOf(blocksOf(chainBytes, "certificate", certPath), "certificate", certPath);
  const keys = keysOf(blocksOf(keyBytes, "key", keyPath), keyPath);
  const certificate = chain[0]!.certificate;
  const found = keys.find(({ key }) => certificate.checkPrivateKey(key));
  if (found === undefined) throw new StartError(mismatchReason(chain, keys, certPath, keyPath));
  const pair = {
    cert: chain.map(({ bytes }) => formatPem("CERTIFICATE", bytes)).join(""),
    key: formatPem(found.block.label, found.block.bytes),
  };
  tryPair(pair, certPath, keyPath);
  return { ...pair, certificate };
}

/** Returns whether a file of certificates also holds a private key; `false` when it cannot be read as PEM. */
export function holdsKey(path: string): boolean {
  try {
    return parsePem(readNamedFile(path, "certificate", CERTIFICATES_FILE_MAX_BYTES)).some(isKeyBlock);
  } catch {
    return false;
  }
}

/**
 * Reads the certificates of authorities, such as `--ca` names.
 *
 * @param what names the file in errors
 * @throws {UsageError} when the file cannot be read, holds no certificate, or holds one that cannot be used
 */
export function readAuthorities(path: string, what = "certificates of --ca"): LoadedAuthorities {
  try {
    return parseAuthorities(path, what);
  } catch (error) {
    if (error instanceof StartError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/**
 * Returns the authority in the state folder, which clients trust for loopback addresses.
 *
 * @param folder another folder, for tests
 * @returns PEM; `undefined` when this user has not started a server yet, or the file may not be read
 * @throws {UsageError} when the authority cannot be used
 */
export function readDefaultAuthority(folder?: string): string | undefined {
  let path: string;
  try {
    path = certificatePaths(folder ?? stateFolder()).authority;
  } catch {
    // The environment names no folder.
    return undefined;
  }
  try {
    return parseAuthorities(path, "authority's certificate").cert;
  } catch (error) {
    const { cause, message } = error as StartError;
    if (cause instanceof Deno.errors.NotFound || cause instanceof Deno.errors.PermissionDenied) return undefined;
    throw new UsageError(message, { cause: error });
  }
}

function parseAuthorities(path: string, what: string): LoadedAuthorities {
  const bytes = readNamedFile(path, what, CERTIFICATES_FILE_MAX_BYTES);
  const chain = certificatesOf(blocksOf(bytes, what, path), what, path);
  return {
    cert: chain.map(({ bytes }) => formatPem("CERTIFICATE", bytes)).join(""),
    count: chain.length,
    expiresMs: chain.length > AUTHORITIES_WATCHED_MAX_COUNT ? undefined : nextExpiry(chain),
  };
}

/**
 * Returns when the next valid authority expires. An expired one is harmless among others, as while it is being
 * replaced.
 */
function nextExpiry(chain: readonly ParsedCertificate[]): number {
  const all = chain.map(({ certificate }) => Date.parse(certificate.validTo));
  const valid = all.filter((expiresMs) => expiresMs > Date.now());
  return valid.length > 0 ? Math.min(...valid) : Math.max(...all);
}

/**
 * Reads the first certificate of a file, such as that of a local authority.
 *
 * @throws {StartError} when it cannot be read or parsed
 */
export function readCertificate(path: string, what: string): { readonly cert: string; certificate: X509Certificate } {
  const bytes = readNamedFile(path, what, CERTIFICATES_FILE_MAX_BYTES);
  const first = certificatesOf(blocksOf(bytes, what, path), what, path)[0]!;
  return { cert: formatPem("CERTIFICATE", first.bytes), certificate: first.certificate };
}

/**
 * Reads the first private key of a file, such as that of a local authority.
 *
 * @throws {StartError} when it cannot be read or used, or others may read it
 */
export function readKey(path: string, what: string): { readonly key: string; object: KeyObject } {
  const { block, key } = keysOf(blocksOf(readPrivateFile(path, what), what, path), path)[0]!;
  return { key: formatPem(block.label, block.bytes), object: key };
}

/** Returns when the first certificate of a PEM text expires, in ms since 1970. */
export function expiryOf(cert: string): number {
  return Date.parse(new X509Certificate(cert).validTo);
}

function blocksOf(bytes: Uint8Array, what: string, path: string): PemBlock[] {
  try {
    return parsePem(bytes);
  } catch (error) {
    if (error instanceof PemError) throw new StartError(`Cannot parse the ${what} "${path}": ${error.message}`);
    throw error;
  }
}

function isKeyBlock({ label }: PemBlock): boolean {
  return label.endsWith("PRIVATE KEY");
}

/** Returns the name of a block in errors. */
function placeOf({ number, label, line }: PemBlock): string {
  return `block ${number} ("${label}", line ${line})`;
}

interface ParsedCertificate {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly certificate: X509Certificate;
}

function certificatesOf(blocks: readonly PemBlock[], what: string, path: string): ParsedCertificate[] {
  const found: ParsedCertificate[] = [];
  for (const block of blocks) {
    const conversion = OTHER_FORMS[block.label];
    if (conversion !== undefined) {
      throw new StartError(
        `Cannot use the ${what} "${path}": ${placeOf(block)} is not read here, expected "CERTIFICATE"; ` +
          `convert it: ${conversion}`,
      );
    }
    if (CERTIFICATE_LABELS.includes(block.label)) found.push(parseCertificate(block, what, path));
  }
  if (found.length > 0) return found;
  const labels = [...new Set(blocks.map(({ label }) => `"${label}"`))].join(", ");
  throw new StartError(`Cannot use the ${what} "${path}": expected a "CERTIFICATE", found ${labels} only`);
}

function parseCertificate(block: PemBlock, what: string, path: string): ParsedCertificate {
  let reason = "it is not one whole certificate";
  if (isOneSequence(block.bytes)) {
    try {
      const certificate = new X509Certificate(block.bytes);
      // Reading a field parses it.
      if (!Number.isNaN(Date.parse(certificate.validTo)) && !Number.isNaN(Date.parse(certificate.validFrom))) {
        return { bytes: block.bytes, certificate };
      }
      reason = "its dates cannot be read";
    } catch (error) {
      reason = messageOf(error);
    }
  }
  throw new StartError(`Cannot parse the ${what} "${path}": ${placeOf(block)} is not a certificate: ${reason}`);
}

interface ParsedKey {
  readonly block: PemBlock;
  readonly key: KeyObject;
}

function keysOf(blocks: readonly PemBlock[], path: string): ParsedKey[] {
  const keys = blocks.filter(isKeyBlock).map((block) => ({ block, key: parseKey(block, path) }));
  if (keys.length > 0) return keys;
  const labels = [...new Set(blocks.map(({ label }) => `"${label}"`))].join(", ");
  throw new StartError(`Cannot parse the key "${path}": expected a "PRIVATE KEY", found ${labels} only`);
}

function parseKey(block: PemBlock, path: string): KeyObject {
  const refuse = (reason: string) => new StartError(`Cannot parse the key "${path}": ${placeOf(block)} ${reason}`);
  if (block.isEncrypted) {
    throw refuse("is encrypted, expected an unencrypted private key; decrypt it: openssl pkey -in FILE -out FILE");
  }
  if (!KEY_LABELS.includes(block.label)) {
    throw refuse(`is of a kind that TLS here does not use; expected ${KEY_KINDS}, in PKCS #8, PKCS #1 or SEC 1`);
  }
  let key: KeyObject;
  try {
    if (!isOneSequence(block.bytes)) throw new Error("it is not one whole key");
    key = createPrivateKey(formatPem(block.label, block.bytes));
  } catch (error) {
    throw refuse(`is not a private key: ${messageOf(error)}; expected ${KEY_KINDS}`);
  }
  const unusable = unusableReason(key);
  if (unusable !== undefined) throw refuse(`is ${unusable}, expected ${KEY_KINDS}`);
  return key;
}

const KEY_KINDS = `RSA of ${RSA_KEY_MIN_BITS} bits or more, ECDSA over P-256, P-384 or P-521, or Ed25519`;

/** Returns why the TLS library does not accept a key, as a noun; `undefined` when it does. */
function unusableReason(key: KeyObject): string | undefined {
  const type = key.asymmetricKeyType ?? "of an unknown kind";
  const { modulusLength = 0, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  if (type === "rsa") return modulusLength < RSA_KEY_MIN_BITS ? `an RSA key of ${modulusLength} bits` : undefined;
  if (type === "ec") return CURVES.includes(namedCurve) ? undefined : `a key over the curve ${namedCurve}`;
  return type === "ed25519" ? undefined : `a key of the kind ${type}`;
}

function mismatchReason(
  chain: readonly ParsedCertificate[],
  keys: readonly ParsedKey[],
  certPath: string,
  keyPath: string,
): string {
  const message = `Cannot use the key "${keyPath}": it is not the key of the certificate "${certPath}"`;
  const place = chain.findIndex(({ certificate }) => keys.some(({ key }) => certificate.checkPrivateKey(key))) + 1;
  return place === 0 ? message : `${message}, but of certificate ${place} there: expected the server's own to be first`;
}

/** Checks a pair with the TLS library itself, which decides in the end. Its errors name no file. */
function tryPair(pair: KeyPair, certPath: string, keyPath: string): void {
  try {
    Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...pair }).close();
  } catch (error) {
    // Whether the machine allows listening does not matter here.
    const isOfSystem = error instanceof Error && ("code" in error || error instanceof Deno.errors.AddrNotAvailable);
    if (isOfSystem) return;
    throw new StartError(
      `Cannot use the certificate "${certPath}" with the key "${keyPath}": ${messageOf(error)}`,
      { cause: error },
    );
  }
}
