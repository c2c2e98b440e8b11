/**
 * Reads a file that must not be larger than a bound: a list of servers, a certificate, a key, a password.
 *
 * @module
 */

/** A path that was not read because of what is there. */
export class UnsuitableFile extends Error {
  /** The size of a file that is too large, in bytes; `undefined` when there is no regular file. */
  readonly sizeBytes: number | undefined;

  constructor(sizeBytes?: number) {
    super(sizeBytes === undefined ? "it is not a file" : `it has ${sizeBytes} bytes`);
    this.sizeBytes = sizeBytes;
  }
}

/**
 * Reads a whole file. Looks at it first, since a pipe would be read without end.
 *
 * @param maxBytes the most bytes that the file may have
 * @param check is called with the facts of the file before it is read
 * @throws {UnsuitableFile} when there is no regular file, or one that is too large
 * @throws what the system throws, and what `check` throws
 */
export function readBoundedFile(
  path: string,
  maxBytes: number,
  check: (info: Deno.FileInfo) => void = () => {},
): Uint8Array<ArrayBuffer> {
  const info = Deno.statSync(path);
  if (!info.isFile) throw new UnsuitableFile();
  if (info.size > maxBytes) throw new UnsuitableFile(info.size);
  check(info);
  return Deno.readFileSync(path);
}
