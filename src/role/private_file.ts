/**
 * Reads files that hold secrets (private keys and passwords), and other files of bounded size.
 *
 * The access to a secret is checked as PostgreSQL does it: the owner is this process's user or the superuser, and no
 * other user may read or change the file. A file of the superuser may be readable for a group, which is how secrets are
 * provided to users.
 *
 * @module
 */

import { readBoundedFile, UnsuitableFile } from "../bounded_file.ts";
import { fileReason, StartError } from "../errors.ts";
import { PRIVATE_FILE_MAX_BYTES } from "../limits.ts";

/**
 * The folder where container engines mount secrets, readable by everyone inside the container; no other user is inside.
 */
const CONTAINER_SECRETS_FOLDER = "/run/secrets/";

/**
 * Reads a file that only its owner may read.
 *
 * @param path the file; under `/run/secrets` it may have any mode and owner
 * @param what the name of the file in errors: `key`, `password file`
 * @throws {StartError} when it cannot be read, is too large, or another user may read or change it
 */
export function readPrivateFile(path: string, what: string): Uint8Array<ArrayBuffer> {
  return readNamedFile(path, what, PRIVATE_FILE_MAX_BYTES, (info) => {
    if (isContainerSecret(path)) return;
    const problem = accessProblem(info, ownUser());
    if (problem !== undefined) {
      throw new StartError(`Cannot use the ${what} "${path}": ${problem.replaceAll("FILE", () => path)}`);
    }
  });
}

/**
 * Reads a file that is not a secret, with the same errors.
 *
 * @param what the name of the file in errors
 * @param maxBytes the largest allowed size
 * @param check is called with the facts of the file before it is read
 * @throws {StartError} when it cannot be read, is too large, or is not a file (reading a pipe might never end)
 */
export function readNamedFile(
  path: string,
  what: string,
  maxBytes: number,
  check?: (info: Deno.FileInfo) => void,
): Uint8Array<ArrayBuffer> {
  try {
    return readBoundedFile(path, maxBytes, check);
  } catch (error) {
    throw readFailure(error, path, what, maxBytes);
  }
}

/**
 * Returns why a file's owner and mode do not keep a secret, and the remedy; `undefined` when they do.
 *
 * @param user the number of this process's user; `undefined` when unknown
 */
export function accessProblem(
  { mode, uid }: Pick<Deno.FileInfo, "mode" | "uid">,
  user: number | undefined,
): string | undefined {
  if (mode === null || uid === null) return undefined;
  if (user !== undefined && uid !== user && uid !== 0) {
    return `it belongs to user ${uid}, who can read and change it; expected user ${user}, run: chown ${user} "FILE"`;
  }
  const isHandedOut = user !== undefined && user !== 0 && uid === 0;
  if ((mode & (isHandedOut ? 0o037 : 0o077)) === 0) return undefined;
  const shown = (mode & 0o777).toString(8).padStart(4, "0");
  return `its mode is ${shown}, so that others can read or change it; expected 0600, run: chmod 600 "FILE"`;
}

function ownUser(): number | undefined {
  try {
    return Deno.uid() ?? undefined;
  } catch {
    // The permission to read the user is missing. The mode is checked nevertheless.
    return undefined;
  }
}

function isContainerSecret(path: string): boolean {
  return Deno.realPathSync(path).startsWith(CONTAINER_SECRETS_FOLDER);
}

function readFailure(error: unknown, path: string, what: string, maxBytes: number): StartError {
  if (error instanceof StartError) return error;
  if (error instanceof UnsuitableFile && error.sizeBytes !== undefined) {
    return new StartError(`Cannot use the ${what} "${path}": ${error.message}, expected at most ${maxBytes}`);
  }
  return new StartError(`Cannot read the ${what} "${path}": ${fileReason(error)}`, { cause: error });
}
