/**
 * The common part of the readers of text: positions are lines, and a line has a largest size.
 *
 * @module
 */

import { LINE_SIZE_MAX_BYTES } from "../limits.ts";
import type { ByteSource } from "./byte_source.ts";
import { EntryReader, InputError } from "./entry_reader.ts";

/** Reads a file of keys that has lines. */
export abstract class TextReader extends EntryReader {
  protected readonly source: ByteSource;
  /** When the reading began, from which times to live count. */
  protected readonly startMs = Date.now();
  /** The number of the line where the present key begins. */
  protected keyLine = 0;
  readonly #tooLong: string;

  /** @param tooLong the sentence about a line that is too long, without its full stop */
  constructor(source: ByteSource, tooLong: string) {
    super();
    this.source = source;
    this.#tooLong = tooLong;
  }

  override get keyPosition(): number {
    return this.keyLine;
  }

  override describe(line: number): string {
    return `${this.source.name}, line ${line}`;
  }

  override get usedBytes(): number {
    return this.source.position;
  }

  override async advance(): Promise<void> {
    const { source } = this;
    if (source.end - source.at > LINE_SIZE_MAX_BYTES) throw new InputError(this.#tooLong, this.describe(this.nextLine));
    await source.fill();
  }

  /** The number of the line that is read next. */
  protected abstract get nextLine(): number;
}
