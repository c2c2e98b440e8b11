/**
 * The password of a server, compared in constant time.
 *
 * @module
 */

import { createHash, timingSafeEqual } from "node:crypto";

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
