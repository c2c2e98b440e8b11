/**
 * Makes certificates. It is a separate module because the library takes 90 ms to load and few starts need it.
 *
 * Keys are ECDSA over P-256: every TLS library of the last decade accepts them, and a handshake costs a fraction of
 * what it costs with RSA. Fields follow RFC 5280.
 *
 * @module
 */

import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { isIpAddress } from "../address.ts";
import { AUTHORITY_VALID_DAYS, CERTIFICATE_VALID_DAYS } from "../limits.ts";
import type { KeyPair } from "./certificate_files.ts";

const KEY_ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
/** How much earlier certificates begin to be valid, for clocks that are slow. */
const CLOCK_SKEW_MS = 3_600_000;

/** Makes a self-signed authority, which may sign server certificates but no further authorities. */
export async function makeAuthority(nowMs: number): Promise<KeyPair> {
  const keys = await generateKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: randomHex(16),
    // Two authorities of one name would be confused while a chain is built.
    name: `CN=inmem local CA ${randomHex(4)}`,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + AUTHORITY_VALID_DAYS * DAY_MS),
    signingAlgorithm: KEY_ALGORITHM,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { cert: `${certificate.toString("pem")}\n`, key: await exportKey(keys.privateKey) };
}

/**
 * Makes a server certificate that `authority` signs.
 *
 * @param hosts the DNS names and IP addresses of the certificate; at least one
 */
export async function makeServerCertificate(
  authority: KeyPair,
  hosts: readonly string[],
  nowMs: number,
): Promise<KeyPair> {
  const issuer = new X509Certificate(authority.cert);
  const keys = await generateKeys();
  const names = hosts.map((host): JsonGeneralName => ({ type: isIpAddress(host) ? "ip" : "dns", value: host }));
  const extensions: Extension[] = [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
  const certificate = await X509CertificateGenerator.create({
    serialNumber: randomHex(16),
    subject: "CN=inmem server",
    issuer: issuer.subject,
    notBefore: new Date(nowMs - CLOCK_SKEW_MS),
    notAfter: new Date(nowMs + CERTIFICATE_VALID_DAYS * DAY_MS),
    signingAlgorithm: KEY_ALGORITHM,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions,
  });
  return { cert: `${certificate.toString("pem")}\n`, key: await exportKey(keys.privateKey) };
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(KEY_ALGORITHM, true, ["sign", "verify"]);
}

/** Returns the key in PKCS #8, as PEM. */
async function exportKey(key: CryptoKey): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  const lines = bytes.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

function importKey(pem: string): Promise<CryptoKey> {
  const text = pem.replace(/-----[A-Z ]+-----/g, "");
  return crypto.subtle.importKey("pkcs8", Uint8Array.fromBase64(text), KEY_ALGORITHM, false, ["sign"]);
}

/** Returns a random number as hexadecimal digits. It is positive, as serial numbers have to be. */
function randomHex(sizeBytes: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(sizeBytes));
  bytes[0] = (bytes[0] ?? 0) & 0x7f | 0x40;
  return bytes.toHex();
}
