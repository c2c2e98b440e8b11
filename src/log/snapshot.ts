/**
 * Snapshots: all keys at one moment, in one file, written beside commands.
 *
 * ```text
 * file     header · block · block · … · closing block              (block.ts; blocks are numbered from 1)
 *
 * records  keys as the walk comes to them, and among them the effects of commands on keys that it has been to
 *          [0, keys, batch, time]  the end: how many keys there are; the last batch of the log that is in here; the moment
 * ```
 *
 * A snapshot is of the moment at which it ends. The effects that stand among the keys bring what was written early up to
 * that moment; what the walk has not been to needs none, since it is written as it will be then. So nothing is copied for
 * it, however long it takes, and no pause is longer than a step of the walk (server/change_recorder.ts).
 *
 * Blocks are written by the system's threads while commands run, and synced every few megabytes, so that the disk is not
 * owed all of it at the end. Their buffers are used again: as garbage they would cost pauses of several ms. When writing fails the rest is thrown away, and {@linkcode SnapshotWriter.finish} says why.
 *
 * Commands may change more than the disk takes meanwhile. Once half of the queue is full, those that write are held up until a
 * quarter is left; where there is nobody to hold them up, or it does not help, the snapshot fails when the queue is full.
 *
 * @module
 */

import {
  SNAPSHOT_BLOCK_BYTES,
  SNAPSHOT_QUEUE_BYTES,
  SNAPSHOT_QUEUE_MAX_BYTES,
  SNAPSHOT_SYNC_BYTES,
  SNAPSHOT_WRITE_BYTES,
} from "../limits.ts";
import { freeBuffer } from "../memory/freed_memory.ts";
import { encodeFileHeader, sealBlock } from "./block.ts";
import type { Files, LogFile } from "./files.ts";
import { RecordWriter } from "./record_writer.ts";

/** A block with its last record, unless that is a large one. */
const BUFFER_BYTES = SNAPSHOT_BLOCK_BYTES * 2;

/** What a snapshot says of itself. */
export interface SnapshotSummary {
  /** Keys in it, those included whose deadline has passed. */
  readonly keys: number;
  /** The moment of which it is, in ms since 1970. */
  readonly takenMs: number;
  readonly sizeBytes: number;
  /** The last batch of the log whose effects it has; 0 when it has no log. */
  readonly batch: number;
}

/** How a snapshot is written. */
export interface SnapshotOptions {
  /** Bytes that may wait for the disk; SNAPSHOT_QUEUE_MAX_BYTES unless it is said. */
  readonly queueMaxBytes?: number;
  /** Called when the disk does not keep up; the promise resolves when it has caught up, and never rejects. */
  readonly onBehind?: (caughtUp: Promise<void>) => void;
}

/** Writes one snapshot. */
export class SnapshotWriter {
  /** Takes the records. {@linkcode cut} is to be called when some were added. */
  readonly records: RecordWriter = new RecordWriter();
  /** Bytes of the file so far, those included that are not written yet. */
  sizeBytes = 0;
  /** Blocks so far. */
  blocks = 0;
  readonly #file: LogFile;
  readonly #seed: number;
  readonly #now: () => number;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  /** Buffers whose blocks were written. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  #queuedBytes = 0;
  #unsyncedBytes = 0;
  #writing: Promise<void> | undefined;
  #error: unknown;
  readonly #queueMaxBytes: number;
  readonly #onBehind: NonNullable<SnapshotOptions["onBehind"]>;
  /** Resolved when the disk has caught up, while it is behind. */
  #caughtUp: PromiseWithResolvers<void> | undefined;

  /**
   * Makes the file, which must not be there.
   *
   * @throws what the file system throws
   */
  constructor(files: Files, path: string, now: () => number, options: SnapshotOptions = {}) {
    this.#now = now;
    this.#queueMaxBytes = options.queueMaxBytes ?? SNAPSHOT_QUEUE_MAX_BYTES;
    this.#onBehind = options.onBehind ?? (() => {});
    this.#file = files.create(path);
    const { bytes, seed } = encodeFileHeader("snapshot", now(), 1, 0);
    this.#seed = seed;
    this.#enqueue(bytes);
  }

  /** Whether the disk has to catch up before more keys are written. */
  get isBehind(): boolean {
    return this.#queuedBytes > SNAPSHOT_QUEUE_BYTES;
  }

  /** Makes the records a block, if they are enough for one. */
  cut(): void {
    if (this.records.length >= SNAPSHOT_BLOCK_BYTES) this.#seal();
  }

  /**
   * Ends the snapshot, whose moment is now, and puts it on disk. Nothing may be called afterwards.
   *
   * @throws what the file system has failed with
   */
  async finish(keys: number, batch: number): Promise<SnapshotSummary> {
    const takenMs = this.#now();
    if (!this.records.isEmpty) this.#seal();
    this.records.end(keys, batch, takenMs);
    this.#seal();
    try {
      while (this.#writing) await this.#writing;
      if (this.#error !== undefined) throw this.#error;
      await this.#file.syncData();
    } finally {
      this.#file.close();
      this.#free();
    }
    return { keys, takenMs, sizeBytes: this.sizeBytes, batch };
  }

  /** Ends it without a result, as soon as what is under way has ended. */
  async abandon(): Promise<void> {
    this.#fail(new Error("the snapshot was given up"));
    while (this.#writing) await this.#writing;
    this.#file.close();
    this.#free();
  }

  /** Gives the buffers back. As garbage they would stay for a while. */
  #free(): void {
    for (const buffer of this.#spare.splice(0)) freeBuffer(buffer);
  }

  #seal(): void {
    const block = this.records.take(this.#spare.pop() ?? new Uint8Array(BUFFER_BYTES));
    sealBlock(block, block.length, ++this.blocks, this.#now(), 0, this.#seed);
    this.#enqueue(block);
  }

  #enqueue(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#error !== undefined) return this.#recycle(bytes);
    this.sizeBytes += bytes.length;
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    if (this.#queuedBytes > this.#queueMaxBytes) {
      return this.#fail(new Error("the disk takes less than what commands change meanwhile"));
    }
    if (this.#caughtUp === undefined && this.#queuedBytes > this.#queueMaxBytes / 2) {
      this.#caughtUp = Promise.withResolvers();
      this.#onBehind(this.#caughtUp.promise);
    }
    this.#writing ??= this.#write().catch((error) => this.#fail(error)).then(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    for (let bytes = this.#queue.shift(); bytes !== undefined; bytes = this.#queue.shift()) {
      for (let written = 0; written < bytes.length;) {
        written += await this.#file.write(bytes.subarray(written, written + SNAPSHOT_WRITE_BYTES));
      }
      this.#recycle(bytes);
      this.#queuedBytes -= bytes.length;
      if (this.#queuedBytes <= this.#queueMaxBytes / 4) this.#release();
      this.#unsyncedBytes += bytes.length;
      if (this.#unsyncedBytes >= SNAPSHOT_SYNC_BYTES) {
        this.#unsyncedBytes = 0;
        await this.#file.syncData();
      }
    }
  }

  #recycle(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.buffer.byteLength === BUFFER_BYTES) this.#spare.push(new Uint8Array(bytes.buffer));
    else freeBuffer(bytes);
  }

  #fail(error: unknown): void {
    this.#error ??= error;
    // The one that is being written is in the queue no more.
    for (const bytes of this.#queue) this.#recycle(bytes);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#release();
  }

  /** Tells those who were held up that the disk has caught up, or that it does not matter any more. */
  #release(): void {
    this.#caughtUp?.resolve();
    this.#caughtUp = undefined;
  }
}
