/**
 * Reads and compares passwords. They come from a file or the environment, never from an option's value, which every
 * user of a machine can see in its list of processes.
 *
 * During a change a file may hold two passwords, one per line, and both are accepted. A client with such a file sends
 * the first, and the second if the first is refused.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";
import { StartError } from "../errors.ts";
import { PASSWORDS_MAX_COUNT } from "../limits.ts";
import { readPrivateFile } from "./private_file.ts";

/** The environment variable that holds the password when no file is named. */
export const PASSWORD_VARIABLE = "INMEM_PASSWORD";

/** The character that replaces bytes that are not UTF-8. A password that contains it would also match other bytes. */
const REPLACEMENT = "\ufffd";

/**
 * Returns the passwords of the file, or else of `INMEM_PASSWORD`.
 *
 * @param path the file of `--password-file`, which takes precedence over the environment
 * @returns one or two, or none when neither is given
 * @throws {StartError} when the file cannot be read or others may read it, or a password is empty or not UTF-8
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
      `Cannot use the password in ${PASSWORD_VARIABLE}: expected no U+FFFD, which replaces invalid bytes`,
    );
  }
  if (password === "") {
    throw new StartError(`Cannot use an empty password: unset ${PASSWORD_VARIABLE}, or set it to a password`);
  }
  return password === undefined ? [] : [password];
}

/**
 * Returns the passwords in a file, one per line. Blank lines at the end and a byte order mark, as editors write them,
 * are ignored; blanks in a line are part of the password.
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
      `it has ${lines.length} lines, expected one password, or two lines with the old and the new one during a change`,
    );
  }
  return lines;
}

/** The only user, as in Redis before its users had names. */
const USER = "default";

/** Checks passwords. It keeps only their digests, which also have equal lengths for the comparison. */
export class Password {
  readonly #digests: readonly Uint8Array[];

  /** @param passwords one, or several of which each is accepted */
  constructor(passwords: string | readonly string[]) {
    this.#digests = [passwords].flat().map(digest);
  }

  /** Returns whether user and password are right. It takes the same time in both cases. */
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
