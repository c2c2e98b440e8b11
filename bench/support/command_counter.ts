/**
 * Counting RESP commands without decoding them.
 *
 * ```text
 * *3 CRLF $3 CRLF SET CRLF $1 CRLF x CRLF $2 CRLF 42 CRLF *2 CRLF …
 * ^ a command begins where a line begins with an asterisk   ^
 * ```
 *
 * A value may have such a line inside: this is for load generators, whose values have no lines.
 *
 * @module
 */

const ASTERISK = 0x2a;
const NEWLINE = 0x0a;

/** Counts the commands of one connection, read by read. */
export class CommandCounter {
  /** The last byte of the read before: what comes first begins a line if that ended one. */
  #last = NEWLINE;

  /** How many commands begin in the next bytes of the connection. */
  count(bytes: Uint8Array): number {
    let count = 0;
    // The runtime's own search: 16 bytes and more at a time.
    for (let at = bytes.indexOf(ASTERISK); at >= 0; at = bytes.indexOf(ASTERISK, at + 1)) {
      if ((at === 0 ? this.#last : bytes[at - 1]) === NEWLINE) count++;
    }
    if (bytes.length > 0) this.#last = bytes[bytes.length - 1]!;
    return count;
  }
}
