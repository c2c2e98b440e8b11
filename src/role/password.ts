/**
 * Where passwords come from: a file, or the environment; never an option's value, which every user of a machine sees in
 * its list of processes. And how they are compared.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { StartError } from "../errors.ts";
import { readPrivateFile } from "./private_file.ts";

/** The environment variable that holds the password when no file is named. */
export const PASSWORD_VARIABLE = "INMEM_PASSWORD";

/**
 * Stands in text for bytes that are not UTF-8. A password that holds it would be matched by other bytes than its own.
 */
const REPLACEMENT = "\ufffd";

/**
 * The password: the content of `path` without one newline at its end, or else the value of `INMEM_PASSWORD`.
 *
 * @param path the file of `--password-file`; it wins over the environment
 * @returns `undefined` when neither is given
 * @throws {StartError} when the file cannot be read or others may read it, or the password is empty or no UTF-8
 */
export function readPassword(path: string | undefined): string | undefined {
  if (path !== undefined) {
    const password = readPrivateFile(path, "password file").replace(/\r?\n$/, "");
    if (password === "") throw new StartError(`Cannot use the password file "${path}": it is empty`);
    if (password.includes(REPLACEMENT)) {
      throw new StartError(`Cannot use the password file "${path}": expected UTF-8 text`);
    }
    return password;
  }
  let password: string | undefined;
  try {
    password = Deno.env.get(PASSWORD_VARIABLE);
  } catch (cause) {
    throw new StartError(`Cannot use the password in ${PASSWORD_VARIABLE}: expected UTF-8 text`, { cause });
  }
  if (password?.includes(REPLACEMENT)) {
    throw new StartError(
      `Cannot use the password in ${PASSWORD_VARIABLE}: expected no U+FFFD, which stands for bad bytes`,
    );
  }
  if (password === "") {
    throw new StartError(`Cannot use an empty password: unset ${PASSWORD_VARIABLE}, or set it to one`);
  }
  return password;
}

/** The one user there is, as in Redis before its users had names. */
const USER = "default";

/** Checks passwords. Keeps a digest only, which also makes what is compared equally long. */
export class Password {
  readonly #digest: Uint8Array;

  constructor(password: string) {
    this.#digest = digest(password);
  }

  /** Whether user and password are right; takes the same time whether they are or not. */
  matches(user: string, password: string): boolean {
    return timingSafeEqual(digest(password), this.#digest) && user === USER;
  }
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
