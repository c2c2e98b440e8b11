/**
 * Certificates for loopback, for the servers that tests start. All tests of a file share one authority and one server
 * certificate, since creating them takes longer than many tests.
 *
 * @module
 */

import { type CertificatePaths, makeCertificates } from "../../src/role/certs.ts";

interface Content {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly mode: number;
}

let made: Promise<Record<keyof CertificatePaths, Content>> | undefined;

/** Writes the certificates to these paths, in a folder that does not exist yet. */
export async function writeCertificates(folder: string, paths: CertificatePaths): Promise<void> {
  made ??= make();
  const contents = await made;
  await Deno.mkdir(folder, { mode: 0o700 });
  for (const name of ["authority", "authorityKey", "cert", "key"] as const) {
    const { bytes, mode } = contents[name];
    await Deno.writeFile(paths[name], bytes, { mode });
  }
}

async function make(): Promise<Record<keyof CertificatePaths, Content>> {
  const folder = await Deno.makeTempDir({ prefix: "inmem-certs-" });
  try {
    const { paths: { authority, authorityKey, cert, key } } = await makeCertificates(folder, []);
    return { authority: read(authority), authorityKey: read(authorityKey), cert: read(cert), key: read(key) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function read(path: string): Content {
  return { bytes: Deno.readFileSync(path), mode: Deno.statSync(path).mode! & 0o777 };
}
