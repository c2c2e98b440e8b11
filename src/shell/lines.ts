/**
 * Splits a stream of bytes into lines.
 *
 * @module
 */

import { UsageError } from "../errors.ts";
import { LINE_SIZE_MAX_BYTES } from "../limits.ts";

const NEWLINE = 0x0a;
/** The mark that Windows editors write at the beginning of a file in UTF-8. */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/**
 * Yields the lines of a stream without their newlines. Text after the last newline is a line, too.
 *
 * Each array holds the lines that one chunk has completed, so that the caller can process them without waiting in
 * between. They are views that the caller owns. A byte order mark at the beginning of the stream is not part of the
 * first line.
 *
 * @throws {UsageError} when a line is longer than `LINE_SIZE_MAX_BYTES`
 */
export async function* readLines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array[], void> {
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  let isFirst = true;
  for await (const chunk of chunks) {
    const lines: Uint8Array[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = joined(begun, chunk.subarray(start, end));
      lines.push(isFirst ? withoutMark(line) : line);
      isFirst = false;
      begun = [];
      begunBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) {
      begun.push(chunk.subarray(start));
      begunBytes += chunk.length - start;
      if (begunBytes > LINE_SIZE_MAX_BYTES) {
        throw new UsageError(`Cannot read a line of ${begunBytes} bytes: expected at most ${LINE_SIZE_MAX_BYTES}`);
      }
    }
    if (lines.length > 0) yield lines;
  }
  if (begunBytes === 0) return;
  const line = joined(begun, new Uint8Array(0));
  yield [isFirst ? withoutMark(line) : line];
}

function withoutMark(line: Uint8Array): Uint8Array {
  return BYTE_ORDER_MARK.every((byte, index) => line[index] === byte) ? line.subarray(BYTE_ORDER_MARK.length) : line;
}

function joined(begun: readonly Uint8Array[], rest: Uint8Array): Uint8Array {
  if (begun.length === 0) return rest;
  const target = new Uint8Array(begun.reduce((sum, part) => sum + part.length, rest.length));
  let at = 0;
  for (const part of [...begun, rest]) {
    target.set(part, at);
    at += part.length;
  }
  return target;
}
