/**
 * Where passwords come from: a file, or the environment; never an option's value, which every user of a machine sees in
 * its list of processes. And how they are compared.
 *
 * A file may hold two passwords while one is replaced by the other, a line each: both are accepted. Who authenticates by
 * such a file gives the first, and the second when that is refused.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { StartError } from "../errors.ts";
import { PASSWORDS_MAX_COUNT } from "../limits.ts";
import { readPrivateFile } from "./private_file.ts";

/** The environment variable that holds the password when no file is named. */
export const PASSWORD_VARIABLE = "INMEM_PASSWORD";

/**
 * Stands in text for bytes that are not UTF-8. A password that holds it would be matched by other bytes than its own.
 */
const REPLACEMENT = "\ufffd";

/**
 * The passwords: those of the file, or else the value of `INMEM_PASSWORD`.
 *
 * @param path the file of `--password-file`; it wins over the environment
 * @returns one or two, or none when neither is given
 * @throws {StartError} when the file cannot be read or others may read it, or a password is empty or no UTF-8
 */
export function readPasswords(path: string | undefined): string[] {
  if (path !== undefined) return readPasswordFile(path);
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
  return password === undefined ? [] : [password];
}

/**
 * The passwords in a file, a line each. Blank lines at the end, and a byte order mark, as editors leave them, do not count;
 * blanks in a line do.
 *
 * @throws {StartError} as {@linkcode readPasswords} does
 */
export function readPasswordFile(path: string): string[] {
  const refuse = (reason: string) => new StartError(`Cannot use the password file "${path}": ${reason}`);
  const text = new TextDecoder().decode(readPrivateFile(path, "password file"));
  if (text.includes(REPLACEMENT)) throw refuse("expected UTF-8 text");
  if (text.includes("\0")) throw refuse("expected text without NUL bytes, such as UTF-8");
  const lines = text.split(/\r?\n/);
  while (lines.length > 0 && lines.at(-1)!.trim() === "") lines.pop();
  if (lines.length === 0) throw refuse("it is empty");
  const blank = lines.findIndex((line) => line.trim() === "");
  if (blank >= 0) throw refuse(`line ${blank + 1} is empty, expected a password in each line`);
  if (lines.length > PASSWORDS_MAX_COUNT) {
    throw refuse(
      `it has ${lines.length} lines, expected one password, or two in a line each while one replaces the other`,
    );
  }
  return lines;
}

/** The one user there is, as in Redis before its users had names. */
const USER = "default";

/** Checks passwords. Keeps digests only, which also makes what is compared equally long. */
export class Password {
  readonly #digests: readonly Uint8Array[];

  /** @param passwords one, or several of which each is accepted */
  constructor(passwords: string | readonly string[]) {
    this.#digests = [passwords].flat().map(digest);
  }

  /** Whether user and password are right; takes the same time whether they are or not. */
  matches(user: string, password: string): boolean {
    const given = digest(password);
    let matches = false;
    for (const each of this.#digests) matches = timingSafeEqual(given, each) || matches;
    return matches && user === USER;
  }
}

function digest(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}
