/**
 * Tests files of certificates and keys in the forms that people have. Forms that only openssl makes are skipped without
 * it.
 */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { X509Certificate } from "node:crypto";
import { InmemError, StartError, UsageError } from "../../src/errors.ts";
import { AUTHORITIES_WATCHED_MAX_COUNT, CERTIFICATES_FILE_MAX_BYTES } from "../../src/limits.ts";
import { holdsKey, readAuthorities, readDefaultAuthority, readKeyPair } from "../../src/role/certificate_files.ts";
import { makeAuthority, makeServerCertificate } from "../../src/role/certificate_maker.ts";
import { formatPem } from "../../src/role/pem.ts";
import { accessProblem } from "../../src/role/private_file.ts";

const AUTHORITY = await makeAuthority(Date.now());
const { cert, key } = await makeServerCertificate(AUTHORITY, ["localhost", "127.0.0.1"], Date.now());
const OTHER = await makeServerCertificate(AUTHORITY, ["localhost"], Date.now());
const BOM = "\ufeff";
const JUNK = formatPem("CERTIFICATE", Uint8Array.of(0, 0, 0));
const derOf = (pem: string) => Uint8Array.fromBase64(pem.replace(/-----.*-----/g, "").replace(/\s/g, ""));

function withFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "inmem-pem-" });
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function write(folder: string, name: string, content: string | Uint8Array): string {
  const path = `${folder}/${name}`;
  Deno.writeFileSync(path, typeof content === "string" ? new TextEncoder().encode(content) : content, { mode: 0o600 });
  return path;
}

type Files = readonly [chain: string | Uint8Array, key: string | Uint8Array];

/** Writes both files and reads them. Equal contents become one file. */
function read(folder: string, [chain, keys]: Files) {
  const certPath = write(folder, "chain.pem", chain);
  return readKeyPair(certPath, keys === chain ? certPath : write(folder, "its.key", keys));
}

/** The blocks of curve parameters and others that openssl writes before keys. */
const PARAMETERS = formatPem("EC PARAMETERS", Uint8Array.of(6, 8, 42, 134, 72, 206, 61, 3, 1, 7));

const ACCEPTED: Readonly<Record<string, Files>> = {
  "as they were made": [cert, key],
  "the certificate and then the key in one file": [cert + key, cert + key],
  "the key and then the certificate in one file": [key + cert, key + cert],
  "parameters, key and certificate in one file": [PARAMETERS + key + cert, PARAMETERS + key + cert],
  "a combined file, and the key in one of its own": [cert + key, key],
  "a key behind EC PARAMETERS": [cert, PARAMETERS + key],
  "byte order marks": [BOM + cert, BOM + key],
  "CR LF": [cert.replaceAll("\n", "\r\n"), key.replaceAll("\n", "\r\n")],
  "text before, between and behind": [
    `Certificate:\n  Data: é\n${cert}\nthe authority:\n${AUTHORITY.cert}end`,
    `x\n${key}x`,
  ],
  "blanks in lines": [cert.replace(/^([A-Za-z0-9+/]{20})/gm, " $1 "), key],
  "X509 CERTIFICATE": [cert.replaceAll("CERTIFICATE", "X509 CERTIFICATE"), key],
  "a chain with its authority": [cert + AUTHORITY.cert, key],
  "two keys, of which the first is its": [cert, key + OTHER.key],
  "two keys, of which the second is its": [cert, OTHER.key + key],
};

for (const [name, files] of Object.entries(ACCEPTED)) {
  Deno.test(`readKeyPair() accepts ${name}`, () =>
    withFolder((folder) => {
      const pair = read(folder, files);
      assertEquals(pair.key, key);
      assert(pair.cert.startsWith(cert));
      assertEquals(pair.certificate.fingerprint256, new X509Certificate(cert).fingerprint256);
      // The result contains only what was parsed.
      assertEquals(pair.cert.replaceAll(cert, "").replaceAll(AUTHORITY.cert, ""), "");
    }));
}

const broken = (pem: string) => pem.replace(/\n(.)/, "\n!");
const REFUSED: Readonly<Record<string, [files: Files, message: string]>> = {
  "a chain whose second certificate is cut off": [[cert + AUTHORITY.cert.slice(0, 300), key], "block 2"],
  "a chain whose second certificate is junk": [[cert + JUNK, key], 'block 2 ("CERTIFICATE", line '],
  "a chain whose second certificate has bad base64": [[cert + broken(AUTHORITY.cert), key], "is not base64"],
  "a chain whose second certificate is of another form": [
    [cert + formatPem("CERTIFICATE", derOf(AUTHORITY.cert).map((byte, i) => i === 4 ? 0xff : byte)), key],
    "block 2",
  ],
  "a certificate with something behind it": [
    [formatPem("CERTIFICATE", Uint8Array.of(...derOf(cert), 1, 2)), key],
    "is not one whole certificate",
  ],
  "a certificate without its end": [[formatPem("CERTIFICATE", derOf(cert).slice(0, -3)), key], "block 1"],
  "a key without its end": [[cert, formatPem("PRIVATE KEY", derOf(key).slice(0, -3))], "is not a private key"],
  "junk before the certificate": [[JUNK + cert, key], "block 1"],
  "a request for a certificate": [
    [formatPem("CERTIFICATE REQUEST", Uint8Array.of(0x30, 0)), key],
    'expected a "CERTIFICATE", found "CERTIFICATE REQUEST" only',
  ],
  "a certificate in openssl's own form": [[cert.replaceAll("CERT", "TRUSTED CERT"), key], "convert it: openssl x509"],
  "PKCS #7": [[formatPem("PKCS7", Uint8Array.of(0x30, 0)), key], "convert it: openssl pkcs7"],
  "the key for the certificate": [[key, key], 'expected a "CERTIFICATE", found "PRIVATE KEY" only'],
  "the certificate for the key": [[cert, cert], 'expected a "PRIVATE KEY", found "CERTIFICATE" only'],
  "a public key": [[cert, formatPem("PUBLIC KEY", Uint8Array.of(0x30, 0))], 'found "PUBLIC KEY" only'],
  "a key of OpenSSH": [
    [cert, formatPem("OPENSSH PRIVATE KEY", Uint8Array.of(1))],
    "of a kind that TLS here does not use",
  ],
  "a key that is encrypted": [
    [cert, key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE")],
    "is encrypted, expected an unencrypted",
  ],
  "an old key that is encrypted": [
    [cert, key.replaceAll(" PRIVATE", " EC PRIVATE").replace("-\n", "-\nProc-Type: 4,ENCRYPTED\nDEK-Info: x\n\n")],
    "is encrypted, expected an unencrypted",
  ],
  "a second key that is encrypted": [[cert, key + key.replaceAll("PRIVATE", "ENCRYPTED PRIVATE")], "block 2"],
  "a key that is junk": [[cert, formatPem("PRIVATE KEY", Uint8Array.of(0x30, 0))], "is not a private key"],
  "another's key": [[cert, OTHER.key], "it is not the key of the certificate"],
  "the authority before the server": [
    [AUTHORITY.cert + cert, key],
    "of certificate 2 there: expected the server's own to be",
  ],
  "DER": [[derOf(cert), key], "it is binary"],
  "a key in DER": [[cert, derOf(key)], "it is binary"],
  "UTF-16": [
    [Uint8Array.of(0xff, 0xfe, ...new Uint8Array(Uint16Array.from(cert, (c) => c.charCodeAt(0)).buffer)), key],
    "UTF-16",
  ],
  "an empty certificate": [["", key], "it is empty"],
  "an empty key": [[cert, ""], "it is empty"],
  "a certificate that is too large": [[new Uint8Array(CERTIFICATES_FILE_MAX_BYTES + 1), key], "expected at most"],
};

for (const [name, [files, message]] of Object.entries(REFUSED)) {
  Deno.test(`readKeyPair() refuses ${name}, naming the file`, () =>
    withFolder((folder) => {
      const error = assertThrows(() => read(folder, files), StartError);
      assertStringIncludes(error.message, message);
      assertStringIncludes(error.message, `"${folder}/`);
    }));
}

Deno.test("readKeyPair() refuses a path that is not a file, without waiting for it", () =>
  withFolder((folder) => {
    const certPath = write(folder, "chain.pem", cert);
    const keyPath = write(folder, "its.key", key);
    assert(new Deno.Command("mkfifo", { args: [`${folder}/pipe`] }).outputSync().success);
    for (const odd of ["/dev/zero", folder, `${folder}/pipe`]) {
      assertThrows(() => readKeyPair(odd, keyPath), StartError, "it is not a file");
      assertThrows(() => readKeyPair(certPath, odd), StartError, "it is not a file");
      assertThrows(() => readAuthorities(odd), UsageError, "it is not a file");
    }
    assertThrows(() => readAuthorities(`${folder}/none`), UsageError, "there is no such file");
  }));

Deno.test("holdsKey() distinguishes a combined file from others", () =>
  withFolder((folder) => {
    const contents: [string | Uint8Array, boolean][] = [[cert + key, true], [PARAMETERS + key, true], [cert, false], [
      "",
      false,
    ], [broken(cert) + key, false]];
    for (const [content, holds] of contents) assertEquals(holdsKey(write(folder, "x", content)), holds);
    assertEquals(holdsKey(`${folder}/none`), false);
  }));

Deno.test("readAuthorities() reads the certificates of a file, and ignores everything else in it", () =>
  withFolder((folder) => {
    const { cert: second } = OTHER;
    const contents = {
      "one": AUTHORITY.cert,
      "a byte order mark": BOM + AUTHORITY.cert,
      "text": `x\n${AUTHORITY.cert}y`,
      "a key": AUTHORITY.key + AUTHORITY.cert,
      "a revocation list": AUTHORITY.cert + formatPem("X509 CRL", Uint8Array.of(0x30, 0)),
    };
    for (const [name, content] of Object.entries(contents)) {
      assertEquals(readAuthorities(write(folder, "ca.pem", content)).cert, AUTHORITY.cert, name);
    }
    const two = readAuthorities(write(folder, "ca.pem", AUTHORITY.cert + second));
    assertEquals([two.cert, two.count], [AUTHORITY.cert + second, 2]);
    // This is the authority that expires next.
    assertEquals(two.expiresMs, Date.parse(new X509Certificate(second).validTo));
  }));

Deno.test("readAuthorities() watches no dates of a bundle, nor that of an expired certificate among others", async () => {
  const old = await makeAuthority(Date.now() - 4_000 * 86_400_000);
  withFolder((folder) => {
    const expiry = (content: string) => readAuthorities(write(folder, "ca.pem", content)).expiresMs;
    assertEquals(expiry(AUTHORITY.cert.repeat(AUTHORITIES_WATCHED_MAX_COUNT + 1)), undefined);
    assertEquals(expiry(old.cert + AUTHORITY.cert), expiry(AUTHORITY.cert));
    assertEquals(expiry(old.cert), Date.parse(new X509Certificate(old.cert).validTo));
  });
});

const REFUSED_AUTHORITIES: Readonly<Record<string, [content: string, message: string]>> = {
  "one that is cut off": [AUTHORITY.cert.slice(0, 300), "is cut off"],
  "bad base64": [broken(AUTHORITY.cert), "is not base64"],
  "junk before a good one": [JUNK + AUTHORITY.cert, 'block 1 ("CERTIFICATE", line 1) is not a certificate'],
  "junk behind a good one": [AUTHORITY.cert + JUNK, "block 2"],
  "a good one and half of another": [AUTHORITY.cert + cert.slice(0, 200), "block 2"],
  "one in openssl's own form beside a good one": [AUTHORITY.cert + cert.replaceAll("CERT", "TRUSTED CERT"), "block 2"],
  "a key alone": [key, 'expected a "CERTIFICATE"'],
  "the word alone": ["-----BEGIN CERTIFICATE-----", "is cut off"],
  "nothing": ["", "it is empty"],
};

for (const [name, [content, message]] of Object.entries(REFUSED_AUTHORITIES)) {
  Deno.test(`readAuthorities() refuses ${name}, naming the file`, () =>
    withFolder((folder) => {
      const path = write(folder, "ca.pem", content);
      const error = assertThrows(() => readAuthorities(path), UsageError);
      assertStringIncludes(error.message, message);
      assertStringIncludes(error.message, `"${path}"`);
      assertThrows(() => readDefaultAuthority(folder), UsageError, `"${path}"`);
    }));
}

Deno.test("readAuthorities() reads the public roots of a system", {
  ignore: !isFile("/etc/ssl/certs/ca-certificates.crt"),
}, () => {
  assert(readAuthorities("/etc/ssl/certs/ca-certificates.crt").count > AUTHORITIES_WATCHED_MAX_COUNT);
});

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

Deno.test("accessProblem() requires that a secret belongs to its user or the superuser", () => {
  const problem = (mode: number, uid: number, user: number | undefined) => {
    return /^it belongs|^its mode/.exec(accessProblem({ mode, uid }, user) ?? "")?.[0];
  };
  assertEquals(problem(0o100600, 1000, 1000), undefined);
  assertEquals(problem(0o100400, 0, 1000), undefined);
  assertEquals(problem(0o100600, 0, 0), undefined);
  // Secrets are provided to a user by a group in this way.
  assertEquals(problem(0o100440, 0, 1000), undefined);
  assertEquals(problem(0o100640, 0, 1000), undefined);
  for (const mode of [0o100660, 0o100444, 0o100650]) assertEquals(problem(mode, 0, 1000), "its mode");
  assertEquals(problem(0o100640, 0, 0), "its mode");
  assertEquals(problem(0o100640, 1000, 1000), "its mode");
  assertEquals(problem(0o100600, 1001, 1000), "it belongs");
  assertEquals(problem(0o100600, 1001, 0), "it belongs");
  assertEquals(problem(0o100600, 1001, undefined), undefined);
});

Deno.test("readKeyPair() refuses a key of another user", { ignore: Deno.uid() !== 0 }, () =>
  withFolder((folder) => {
    const certPath = write(folder, "chain.pem", cert);
    const keyPath = write(folder, "its.key", key);
    Deno.chownSync(keyPath, 12345, 0);
    assertThrows(
      () => readKeyPair(certPath, keyPath),
      StartError,
      `it belongs to user 12345, who can read and change it`,
    );
  }));

const hasOpenssl = (() => {
  try {
    return new Deno.Command("openssl", { args: ["version"] }).outputSync().success;
  } catch {
    return false;
  }
})();
if (!hasOpenssl) console.log("Keys of other kinds are not tested: there is no openssl");

/** Kinds of keys by their names in openssl, with the refusal; empty for accepted kinds. */
const KINDS: readonly (readonly [options: string, message?: string])[] = [
  ["rsa:1024", "an RSA key of 1024 bits"],
  ["rsa:2047", "an RSA key of 2047 bits"],
  ["rsa:2048"],
  ["ec -pkeyopt ec_paramgen_curve:secp384r1"],
  ["ec -pkeyopt ec_paramgen_curve:secp521r1"],
  ["ec -pkeyopt ec_paramgen_curve:secp256k1", "a key over the curve secp256k1"],
  ["ec -pkeyopt ec_paramgen_curve:secp224r1", "a key over the curve secp224r1"],
  ["ec -pkeyopt ec_paramgen_curve:brainpoolP256r1", "is not a private key: unsupported"],
  ["ed25519"],
  ["ed448", "a key of the kind ed448"],
];

Deno.test(
  "readKeyPair() uses the kinds of keys that TLS has, and says which one others are",
  { ignore: !hasOpenssl },
  () =>
    withFolder((folder) => {
      for (const [options, message] of KINDS) {
        const [certPath, keyPath] = [`${folder}/kind.pem`, `${folder}/kind.key`];
        openssl(`req -x509 -nodes -newkey ${options} -keyout ${keyPath} -out ${certPath} -subj /CN=x -days 60`);
        if (message === undefined) {
          readKeyPair(certPath, keyPath);
        } else {
          const error = assertThrows(() => readKeyPair(certPath, keyPath), InmemError);
          assertStringIncludes(error.message, message);
          assertStringIncludes(error.message, keyPath);
        }
      }
    }),
);

Deno.test("readKeyPair() reads keys as openssl writes them: SEC 1 with parameters, PKCS #1, encrypted", {
  ignore: !hasOpenssl,
}, () =>
  withFolder((folder) => {
    const [certPath, keyPath, other] = [`${folder}/x.pem`, `${folder}/x.key`, `${folder}/other.key`];
    openssl(`ecparam -name prime256v1 -genkey -out ${keyPath}`);
    assertStringIncludes(Deno.readTextFileSync(keyPath), "EC PARAMETERS");
    openssl(`req -x509 -new -key ${keyPath} -out ${certPath} -subj /CN=x -days 60`);
    Deno.chmodSync(keyPath, 0o600);
    readKeyPair(certPath, keyPath);
    for (const words of [`pkey -in ${keyPath} -aes128`, `ec -in ${keyPath} -aes128`]) {
      openssl(`${words} -passout pass:x -out ${other}`);
      Deno.chmodSync(other, 0o600);
      assertThrows(() => readKeyPair(certPath, other), StartError, "is encrypted");
    }
    openssl(`req -x509 -nodes -newkey rsa:2048 -keyout ${keyPath} -out ${certPath} -subj /CN=x -days 60`);
    openssl(`rsa -in ${keyPath} -traditional -out ${other}`);
    Deno.chmodSync(other, 0o600);
    assertStringIncludes(Deno.readTextFileSync(other), "BEGIN RSA PRIVATE KEY");
    readKeyPair(certPath, other);
  }));

function openssl(words: string): void {
  const { success, stderr } = new Deno.Command("openssl", { args: words.split(" ") }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}
