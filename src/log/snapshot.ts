/**
 * Snapshots: all keys at one moment, in one file, written while commands run.
 *
 * ```text
 * file     header · block · block · … · closing block              (block.ts; blocks are numbered from 1)
 *
 * records  keys in the order of the snapshot's cursor, and between them the effects of commands on captured keys
 *          [0, keys, batch, time]  the end: the number of keys; the last batch of the log that is in here; the moment
 * ```
 *
 * A snapshot contains the data of the moment at which it ends. The effects between the keys update captured keys to
 * that moment; keys that are not yet captured need none, since they are written later as they are then. So nothing is
 * copied for it, however long it takes, and no pause is longer than a step of the scan (server/snapshot_scan.ts).
 *
 * The system's threads write the blocks while commands run, and the file is synced every few megabytes, so that little
 * is left to sync at the end. The blocks' buffers are reused, as collecting them as garbage would cause pauses of
 * several ms. When writing fails, the rest is discarded, and {@linkcode SnapshotWriter.finish} throws the reason.
 *
 * Commands may change data faster than the disk writes it. When half of the queue is full, the replies to commands that
 * write are delayed until a quarter is left. If there is nothing to delay, or it does not help, the snapshot fails when
 * the queue is full.
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

/** The size of a buffer, in bytes: for a block with its last record, unless that is a large one. */
const BUFFER_BYTES = SNAPSHOT_BLOCK_BYTES * 2;

/** A summary of a snapshot. */
export interface SnapshotSummary {
  /** The number of keys, including expired ones. */
  readonly keys: number;
  /** The moment whose data the snapshot contains, in ms since 1970. */
  readonly takenMs: number;
  readonly sizeBytes: number;
  /** The last batch of the log whose effects it contains; 0 when there is no log. */
  readonly batch: number;
}

/** The options of a {@linkcode SnapshotWriter}. */
export interface SnapshotOptions {
  /** The most bytes that may wait for the disk. The default is SNAPSHOT_QUEUE_MAX_BYTES. */
  readonly queueMaxBytes?: number;
  /** Called when the disk does not keep up. The promise resolves when it has caught up, and never rejects. */
  readonly onBehind?: (caughtUp: Promise<void>) => void;
}

/** A writer of one snapshot. */
export class SnapshotWriter {
  /** The writer of the snapshot's records. {@linkcode cut} must be called after adding some. */
  readonly records: RecordWriter = new RecordWriter();
  /** The size of the file so far, including bytes that are not written yet. */
  sizeBytes = 0;
  /** The number of blocks so far. */
  blocks = 0;
  readonly #file: LogFile;
  readonly #seed: number;
  readonly #now: () => number;
  #queue: Uint8Array<ArrayBuffer>[] = [];
  /** The buffers whose blocks were written. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  #queuedBytes = 0;
  #unsyncedBytes = 0;
  #writing: Promise<void> | undefined;
  #error: unknown;
  readonly #queueMaxBytes: number;
  readonly #onBehind: NonNullable<SnapshotOptions["onBehind"]>;
  /** The promise that is resolved when the disk has caught up; undefined while it keeps up. */
  #caughtUp: PromiseWithResolvers<void> | undefined;

  /**
   * Creates the file, which must not exist.
   *
   * @throws the file system's error
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

  /** Whether the disk has to catch up before more keys are captured. */
  get isBehind(): boolean {
    return this.#queuedBytes > SNAPSHOT_QUEUE_BYTES;
  }

  /** Makes the records a block, if they are large enough for one. */
  cut(): void {
    if (this.records.length >= SNAPSHOT_BLOCK_BYTES) this.#seal();
  }

  /**
   * Ends the snapshot, whose moment is now, and syncs it. No method may be called afterwards.
   *
   * @throws the error with which the file system failed
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

  /** Ends the snapshot without a result, as soon as the current write has ended. */
  async abandon(): Promise<void> {
    this.#fail(new Error("the snapshot was abandoned"));
    while (this.#writing) await this.#writing;
    this.#file.close();
    this.#free();
  }

  /** Frees the buffers. As garbage they would take memory for a while. */
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
      return this.#fail(new Error("commands change more data than the disk can write"));
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
    // The block that is being written is no longer in the queue.
    for (const bytes of this.#queue) this.#recycle(bytes);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#release();
  }

  /** Releases the delayed replies: the disk has caught up, or it no longer matters. */
  #release(): void {
    this.#caughtUp?.resolve();
    this.#caughtUp = undefined;
  }
}
