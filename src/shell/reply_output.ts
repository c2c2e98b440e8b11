/**
 * Formats the replies of the piped client into one buffer, which is written once for all replies of one read.
 *
 * Most replies to a great many commands are `OK`, an integer or short data. In raw form their bytes are copied from the
 * read buffer, without a value or a text in between. `shell/format.ts` formats the rest.
 *
 * @module
 */

import { copyBytes, enlarge, formatInteger, INTEGER_TEXT_MAX_BYTES } from "../bytes.ts";
import { OUTPUT_WRITE_MAX_BYTES } from "../limits.ts";
import type { BulkReply } from "../load/bulk_reply.ts";
import type { Format } from "./format.ts";
import type { Output } from "../terminal/output.ts";

const NEWLINE = 0x0a;
const ENCODED_OK: Readonly<Record<Format, Uint8Array>> = {
  human: new TextEncoder().encode("OK\n"),
  raw: new TextEncoder().encode("OK\n"),
  json: new TextEncoder().encode('"OK"\n'),
};

/** The buffer of formatted replies. */
export class ReplyOutput {
  readonly #output: Output;
  readonly #isRaw: boolean;
  readonly #ok: Uint8Array;
  #buffer: Uint8Array = new Uint8Array(OUTPUT_WRITE_MAX_BYTES);
  #length = 0;

  constructor(output: Output, format: Format) {
    this.#output = output;
    this.#isRaw = format === "raw";
    this.#ok = ENCODED_OK[format];
  }

  /**
   * Adds a reply that is a plain value, if it is of a kind that needs no formatting.
   *
   * @returns the number of bytes added; 0 when `shell/format.ts` has to format it
   */
  addShort(reply: BulkReply): number {
    if (reply.isOk) {
      this.#reserve(this.#ok.length);
      copyBytes(this.#ok, 0, this.#buffer, this.#length, this.#ok.length);
      this.#length += this.#ok.length;
      return this.#ok.length;
    }
    if (!this.#isRaw) return 0;
    const length = reply.content();
    if (length >= 0) {
      this.#reserve(length + 1);
      copyBytes(reply.bytes, reply.contentStart, this.#buffer, this.#length, length);
      this.#length += length;
      this.#buffer[this.#length++] = NEWLINE;
      return length + 1;
    }
    const integer = reply.integer();
    if (!Number.isSafeInteger(integer)) return 0;
    this.#reserve(INTEGER_TEXT_MAX_BYTES + 1);
    const size = formatInteger(integer, this.#buffer, this.#length);
    this.#length += size;
    this.#buffer[this.#length++] = NEWLINE;
    return size + 1;
  }

  /** Adds formatted bytes, which must not change any more. */
  add(bytes: Uint8Array | string): void {
    this.flush();
    this.#output.add(bytes);
  }

  /** Passes on what was added. */
  flush(): void {
    if (this.#length === 0) return;
    this.#output.add(this.#buffer.slice(0, this.#length));
    this.#length = 0;
    if (this.#buffer.length > OUTPUT_WRITE_MAX_BYTES) this.#buffer = new Uint8Array(OUTPUT_WRITE_MAX_BYTES);
  }

  #reserve(size: number): void {
    if (this.#length + size <= this.#buffer.length) return;
    this.flush();
    if (size > this.#buffer.length) this.#buffer = enlarge(this.#buffer, 0, size);
  }
}
