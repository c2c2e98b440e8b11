/**
 * Writes standard output in few calls, and notices when its reader goes away.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";
import { messageOf } from "../errors.ts";
import { OUTPUT_QUEUE_MAX_BYTES, OUTPUT_WRITE_MAX_BYTES } from "../limits.ts";

/** A stream that output is written to, such as `Deno.stdout`. */
export interface Sink {
  write(source: Uint8Array): Promise<number>;
}

/** Standard output cannot be written any more. */
export class OutputError extends Error {
  constructor(cause: unknown) {
    super(`Cannot write to standard output: ${messageOf(cause)}`, { cause });
  }
}

/** Writes in order, in the background. After the reader has gone, everything is dropped. */
export class Output {
  readonly #sink: Sink;
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  /** Whether the rest of the present write is dropped. */
  #isDropping = false;
  #writing: Promise<void> | undefined;
  #failure: OutputError | undefined;
  readonly #failing = Promise.withResolvers<void>();

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Whether writing has failed, as it does when the reader has gone. */
  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /**
   * The reason why writing failed; `undefined` when the reader has just read enough, as in `| head`, which is not an
   * error.
   */
  get failure(): OutputError | undefined {
    return this.#failure?.cause instanceof Deno.errors.BrokenPipe ? undefined : this.#failure;
  }

  /** Resolves when writing has failed. */
  get failing(): Promise<void> {
    return this.#failing.promise;
  }

  /** Adds bytes to be written, which must not change any more. */
  add(bytes: Uint8Array | string): void {
    if (this.failed) return;
    const chunk = typeof bytes === "string" ? encodeText(bytes) : bytes;
    this.#chunks.push(chunk);
    this.#queuedBytes += chunk.length;
    this.#writing ??= this.#write();
  }

  /** Drops the bytes that are not written yet. */
  discard(): void {
    this.#chunks = [];
    this.#queuedBytes = 0;
    this.#isDropping = true;
  }

  /** Resolves when all bytes are written, or writing has failed. */
  async flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** The number of bytes that wait to be written, without those of the present write. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Whether few enough bytes wait to be written, or writing has failed. */
  get hasRoom(): boolean {
    return this.#queuedBytes <= OUTPUT_QUEUE_MAX_BYTES;
  }

  /** Resolves when few enough bytes wait to be written, or writing has failed. */
  async room(): Promise<void> {
    if (!this.hasRoom) await this.flushed();
  }

  async #write(): Promise<void> {
    // The bytes that the rest of this turn adds belong to the same write.
    await Promise.resolve();
    try {
      while (this.#chunks.length > 0) {
        const bytes = join(this.#chunks, this.#queuedBytes);
        this.#chunks = [];
        this.#queuedBytes = 0;
        this.#isDropping = false;
        for (let written = 0; written < bytes.length && !this.#isDropping;) {
          written += await this.#sink.write(bytes.subarray(written, written + OUTPUT_WRITE_MAX_BYTES));
        }
      }
    } catch (error) {
      this.#failure = new OutputError(error);
      this.#failing.resolve();
      this.#chunks = [];
      this.#queuedBytes = 0;
    }
    this.#writing = undefined;
  }
}

function join(chunks: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  if (chunks.length === 1) return chunks[0]!;
  const joined = new Uint8Array(sizeBytes);
  let at = 0;
  for (const chunk of chunks) {
    joined.set(chunk, at);
    at += chunk.length;
  }
  return joined;
}
