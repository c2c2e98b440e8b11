/**
 * One segment of the log, as it is written: log-000000000004711.inmem.
 *
 * ```text
 * made        log-….new     header written, perhaps not on disk: a crash may leave anything of it
 * finished    log-….inmem   header on disk, then renamed: from here on a bad header is damage
 * ```
 *
 * A segment that was never finished may be empty, all zeros or cut anywhere after a power loss, and nobody was promised
 * anything of it. One that was finished and looks like that was damaged later. The name alone tells them apart, since the
 * rename comes to the disk after the header.
 *
 * Each write goes to the file's end. Where somebody else cuts the file, it stays shorter than what was written, so that it
 * is noticed (place.ts); a write at a position would fill the gap with zeros.
 *
 * @module
 */

import { encodeFileHeader, FILE_HEADER_BYTES } from "./block.ts";
import { type FileFacts, type Files, type LogFile } from "./files.ts";
import { type ExpectedFile, isSameFile } from "./place.ts";

/** What a segment's header says. */
export interface SegmentStart {
  readonly createdMs: number;
  /** Number of its first batch. */
  readonly first: number;
  /** Batches before it that are not known to be on disk. */
  readonly unknown: number;
}

/** The path of the segment whose first batch has that number. */
export function segmentPath(folder: string, first: number): string {
  return `${folder}/log-${String(first).padStart(15, "0")}.inmem`;
}

/** The path of a segment that is not finished; that of one that is stays as it is. */
export function unfinishedPath(path: string): string {
  return path.replace(/\.inmem$/, ".new");
}

/** Whether a path is that of a segment whose header is on disk. */
export function isFinishedPath(path: string): boolean {
  return !path.endsWith(".new");
}

/** The path that a segment has, or gets, when it is finished. */
export function finishedPath(path: string): string {
  return path.replace(/\.new$/, ".inmem");
}

/** A segment that is written. */
export class Segment implements ExpectedFile {
  readonly file: LogFile;
  readonly facts: FileFacts;
  /** Number of its first batch. */
  readonly first: number;
  path: string;
  /** The seed of its blocks' checksums. */
  seed = 0;
  bytes = 0;
  isFinished = false;
  /** Whether its file is gone, or is not as it was written: then nothing more goes there. */
  isLost = false;
  /** Whether it is about to get its final name: either of them leads to it then. */
  isMoving = false;
  readonly #files: Files;

  private constructor(files: Files, path: string, file: LogFile, first: number) {
    this.#files = files;
    this.path = path;
    this.file = file;
    this.first = first;
    this.facts = file.statSync();
  }

  /** Makes a segment with its header. @throws what the file system throws; there is no file then */
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
   * Begins anew, without a batch. A header that may not be on disk is written again: a sync that has failed is not repeated
   * by the next one.
   *
   * @throws what the file system throws
   */
  restart(start: SegmentStart): void {
    this.file.truncateSync(this.isFinished ? FILE_HEADER_BYTES : 0);
    this.bytes = this.isFinished ? FILE_HEADER_BYTES : 0;
    if (!this.isFinished) this.#writeHeader(start);
  }

  /** Gives up a segment that holds no batch. Its file is removed if it still is at its path. */
  discard(): void {
    const found = this.#files.look(this.path);
    this.file.close();
    if (found !== undefined && isSameFile(found, this.facts)) this.#files.remove(this.path).catch(() => {});
  }

  #writeHeader({ createdMs, first, unknown }: SegmentStart): void {
    const { bytes, seed } = encodeFileHeader("log", createdMs, first, unknown);
    for (let written = 0; written < bytes.length;) written += this.write(bytes.subarray(written));
    this.seed = seed;
  }

  /** Writes some of `bytes`. @returns how many */
  write(bytes: Uint8Array): number {
    const count = this.file.writeSync(bytes);
    this.bytes += count;
    return count;
  }

  /** Gives a segment whose bytes were synced its name, which is on disk when the folder was synced. */
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
