/**
 * One segment of the log, as it is written: log-000000000004711.inmem.
 *
 * ```text
 * created     log-….new     header written, perhaps not on disk: a crash may leave any part of it
 * finished    log-….inmem   header on disk, then renamed: from here on a bad header is damage
 * ```
 *
 * A segment that was never finished may be empty, all zeros or cut anywhere after a power loss, and nothing in it was
 * acknowledged. A finished segment that looks like that was damaged later. The name alone distinguishes them, since the
 * rename reaches the disk after the header.
 *
 * Each write is appended to the file. If another program truncates the file, it stays shorter than what was written, so
 * that the truncation is noticed (place.ts); a write at a position would fill the gap with zeros.
 *
 * @module
 */

import { encodeFileHeader, FILE_HEADER_BYTES } from "./block.ts";
import { type FileFacts, type Files, type LogFile } from "./files.ts";
import { type ExpectedFile, isSameFile } from "./place.ts";

/** The contents of a segment's header. */
export interface SegmentStart {
  readonly createdMs: number;
  /** The number of its first batch. */
  readonly first: number;
  /** The number of batches before it that are not known to be on disk. */
  readonly unknown: number;
}

/** Returns the path of the finished segment whose first batch has this number. */
export function segmentPath(folder: string, first: number): string {
  return `${folder}/log-${String(first).padStart(15, "0")}.inmem`;
}

/** Returns the path of an unfinished segment; a path that is already one is returned as it is. */
export function unfinishedPath(path: string): string {
  return path.replace(/\.inmem$/, ".new");
}

/** Returns whether a path is that of a segment whose header is on disk. */
export function isFinishedPath(path: string): boolean {
  return !path.endsWith(".new");
}

/** Returns the path that a segment has, or will get, when it is finished. */
export function finishedPath(path: string): string {
  return path.replace(/\.new$/, ".inmem");
}

/** A segment that is being written. */
export class Segment implements ExpectedFile {
  readonly file: LogFile;
  readonly facts: FileFacts;
  /** The number of its first batch. */
  readonly first: number;
  path: string;
  /** The seed of its blocks' checksums. */
  seed = 0;
  bytes = 0;
  isFinished = false;
  /** Whether its file was removed, or is not as it was written. Then nothing more is written to it. */
  isLost = false;
  /** Whether it is being renamed to its final name: until then, both names may lead to it. */
  isMoving = false;
  readonly #files: Files;

  private constructor(files: Files, path: string, file: LogFile, first: number) {
    this.#files = files;
    this.path = path;
    this.file = file;
    this.first = first;
    this.facts = file.statSync();
  }

  /**
   * Creates a segment with its header.
   *
   * @throws the file system's error; then the file is removed
   */
  static create(files: Files, folder: string, start: SegmentStart): Segment {
    const path = unfinishedPath(segmentPath(folder, start.first));
    const file = files.createToAppend(path);
    try {
      const segment = new Segment(files, path, file, start.first);
      segment.#writeHeader(start);
      return segment;
    } catch (error) {
      file.close();
      files.remove(path).catch(() => {});
      throw error;
    }
  }

  /**
   * Empties the segment to begin it again without a batch. A header that may not be on disk is written again: a sync
   * after a failed one does not write it.
   *
   * @throws the file system's error
   */
  restart(start: SegmentStart): void {
    this.file.truncateSync(this.isFinished ? FILE_HEADER_BYTES : 0);
    this.bytes = this.isFinished ? FILE_HEADER_BYTES : 0;
    if (!this.isFinished) this.#writeHeader(start);
  }

  /** Discards a segment without a batch. Its file is removed if it is still at its path. */
  discard(): void {
    const found = this.#files.stat(this.path);
    this.file.close();
    if (found !== undefined && isSameFile(found, this.facts)) this.#files.remove(this.path).catch(() => {});
  }

  #writeHeader({ createdMs, first, unknown }: SegmentStart): void {
    const { bytes, seed } = encodeFileHeader("log", createdMs, first, unknown);
    for (let written = 0; written < bytes.length;) written += this.write(bytes.subarray(written));
    this.seed = seed;
  }

  /** Writes some of `bytes`, and returns their number. */
  write(bytes: Uint8Array): number {
    const count = this.file.writeSync(bytes);
    this.bytes += count;
    return count;
  }

  /** Renames a segment whose bytes were synced to its final name. The name is on disk after the folder was synced. */
  async finish(): Promise<void> {
    if (this.isFinished) return;
    const path = finishedPath(this.path);
    this.isMoving = true;
    try {
      await this.#files.rename(this.path, path);
      this.path = path;
      this.isFinished = true;
    } finally {
      this.isMoving = false;
    }
  }
}
