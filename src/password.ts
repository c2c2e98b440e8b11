/**
 * Where passwords come from: a file, or the environment; never an option's value, which every user of a machine sees in
 * its list of processes.
 *
 * @module
 */

import { StartError } from "./errors.ts";
import { readPrivateFile } from "./private_file.ts";

/** The environment variable that holds the password when no file is named. */
export const PASSWORD_VARIABLE = "INMEM_PASSWORD";

/**
 * The password: the content of `path` without one newline at its end, or else the value of `INMEM_PASSWORD`.
 *
 * @param path the file of `--password-file`; it wins over the environment
 * @returns `undefined` when neither is given
 * @throws {StartError} when the file cannot be read or others may read it, or the password is empty
 */
export function readPassword(path: string | undefined): string | undefined {
  if (path !== undefined) {
    const password = readPrivateFile(path, "password file").replace(/\r?\n$/, "");
    if (password === "") throw new StartError(`Cannot use the password file "${path}": it is empty`);
    return password;
  }
  const password = Deno.env.get(PASSWORD_VARIABLE);
  if (password === "") {
    throw new StartError(`Cannot use an empty password: unset ${PASSWORD_VARIABLE}, or set it to one`);
  }
  return password;
}
