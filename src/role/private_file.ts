/**
 * Files that hold secrets: private keys and passwords.
 *
 * @module
 */

import { messageOf, StartError } from "../errors.ts";
import { PRIVATE_FILE_MAX_BYTES } from "../limits.ts";

/** Container engines mount secrets here, readable by everybody inside; nobody else is inside. */
const CONTAINER_SECRETS_FOLDER = "/run/secrets/";

/**
 * Reads a file that only its owner may read.
 *
 * @param path the file; one under `/run/secrets` may have any mode
 * @param what names the file in errors: `key`, `password file`
 * @throws {StartError} when it cannot be read, is too large, or its group or others may read it
 */
export function readPrivateFile(path: string, what: string): string {
  try {
    const { isFile, mode, size } = Deno.statSync(path);
    if (!isFile) throw new StartError(`Cannot read the ${what} "${path}": it is not a file`);
    if (size > PRIVATE_FILE_MAX_BYTES) {
      throw new StartError(`Cannot use the ${what} "${path}": it has ${size} bytes, expected a few`);
    }
    if (mode !== null && (mode & 0o077) !== 0 && !isContainerSecret(path)) {
      const shown = (mode & 0o777).toString(8).padStart(4, "0");
      throw new StartError(
        `Cannot use the ${what} "${path}": its mode is ${shown}, so that others can read or change it; ` +
          `expected 0600, run: chmod 600 "${path}"`,
      );
    }
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw readFailure(error, path, what);
  }
}

/**
 * Reads a file that is no secret, with the same errors.
 *
 * @throws {StartError} when it cannot be read
 */
export function readPublicFile(path: string, what: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw readFailure(error, path, what);
  }
}

function isContainerSecret(path: string): boolean {
  return Deno.realPathSync(path).startsWith(CONTAINER_SECRETS_FOLDER);
}

function readFailure(error: unknown, path: string, what: string): StartError {
  if (error instanceof StartError) return error;
  let reason = messageOf(error);
  if (error instanceof Deno.errors.NotFound) reason = "there is no such file";
  else if (error instanceof Deno.errors.PermissionDenied) reason = "permission denied";
  return new StartError(`Cannot read the ${what} "${path}": ${reason}`, { cause: error });
}
