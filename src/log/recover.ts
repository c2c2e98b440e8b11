/**
 * Recovery: what the newest snapshot and the log behind it say, from files that a crash or a power loss may have left in any
 * state that the disk allows.
 *
 * ```text
 * snapshot, whose end says: batch 41     log 30…       log 57…
 *                                        ──── 41 │ 42 43 … 56   57 58 59 ▒▒
 *                                        needless│ replayed               torn
 * ```
 *
 * **Torn or damaged.** Batches are numbered without a gap. Where the next one cannot be read it may be that it was never
 * on disk as a whole: the process or the machine stopped while it was written, or the disk had put later ones down before
 * it. Then nobody was promised anything of it, and of what follows: the end is torn. Each later batch that can be read,
 * though, says through which one everything was on disk when it was written. If the bad one is among those, it is
 * damage, and so is any fault of a snapshot, which gets its name only when it is on disk.
 *
 * A segment's header is on disk before the segment gets its name (segment.ts). So one that cannot be read is damage, however
 * little there is behind it; only in a segment that was never finished it is torn.
 *
 * A segment ends where the next one begins. A server that went on writing after another one had taken the folder over has
 * left batches behind that number; those of the next segment are the ones that follow what its server has loaded.
 *
 * Damage is told with path and offset, and nothing is loaded ({@linkcode CorruptionError}), unless a repair is wanted: then
 * what can be read is taken, and what is left out is listed.
 *
 * Nothing is changed here; the caller cuts the torn end off.
 *
 * @module
 */

import { CorruptionError, InmemError, messageOf, ProtocolError, StartError } from "../errors.ts";
import { FILE_HEADER_BYTES, type FileKind } from "./block.ts";
import { BlockReader } from "./block_reader.ts";
import type { Files } from "./files.ts";
import { listSegments, listSnapshots, type NumberedFile } from "./folder.ts";
import { RecordDecoder, type RecordEnd, type RecordTarget } from "./record.ts";
import { isFinishedPath } from "./segment.ts";
import type { SnapshotSummary } from "./snapshot.ts";

/** A part of a file that was not used. */
export interface LeftOut {
  readonly path: string;
  /** Where it begins, and how long it is, in bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** Why. */
  readonly reason: string;
  /** The batch that should stand there; 0 in a snapshot. */
  readonly batch: number;
}

/** What was read of a folder. */
export interface Recovered {
  /** The snapshot, if there is one. */
  readonly snapshot: (SnapshotSummary & { readonly path: string }) | undefined;
  /** The last batch whose effects were taken; 0 for none. */
  readonly batch: number;
  /** When the first batch that was replayed, and the last one, or else the snapshot, was written, in ms since 1970. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Batches that were replayed, and bytes in them. */
  readonly batches: number;
  readonly logBytes: number;
  /** Ends of segments that are torn: no batch of theirs was promised to anybody. */
  readonly torn: readonly LeftOut[];
  /** What a repair could not use. */
  readonly damaged: readonly LeftOut[];
  /** The segments, the oldest first. */
  readonly segments: readonly NumberedFile[];
}

/** How to recover. */
export interface RecoverOptions {
  readonly files: Files;
  readonly folder: string;
  /** Takes what is read. When recovery throws, it holds the beginning of something damaged and must not be used. */
  readonly target: RecordTarget;
  /** Whether to go on behind damage. */
  readonly repair?: boolean;
  /** Told from time to time how many bytes of how many have been read. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Reads a folder.
 *
 * @throws {CorruptionError} where damage begins, unless it is a repair
 * @throws {StartError} when a file cannot be read, or is of another version
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { files, folder } = options;
  const [newest] = await listSnapshots(files, folder);
  const recovery = new Recovery(options, await listSegments(files, folder));
  if (newest !== undefined) recovery.readSnapshot(newest.path);
  recovery.readLog();
  return recovery.result;
}

/**
 * Reads one snapshot.
 *
 * @throws as {@linkcode recover}
 */
export function readSnapshot(path: string, options: Omit<RecoverOptions, "folder">): Recovered {
  const recovery = new Recovery({ ...options, folder: "" }, []);
  recovery.readSnapshot(path);
  return recovery.result;
}

/**
 * Reads one segment of a log, from its first batch on.
 *
 * @throws as {@linkcode recover}
 */
export function readSegment(path: string, options: Omit<RecoverOptions, "folder">): Recovered {
  const recovery = new Recovery({ ...options, folder: "" }, [{ path, number: 0 }]);
  recovery.readOnlySegment();
  return recovery.result;
}

class Recovery {
  readonly #options: RecoverOptions;
  readonly #segments: readonly NumberedFile[];
  readonly #torn: LeftOut[] = [];
  readonly #damaged: LeftOut[] = [];
  #snapshot: (SnapshotSummary & { readonly path: string }) | undefined;
  #batch = 0;
  #firstMs = 0;
  #lastMs = 0;
  #batches = 0;
  #logBytes = 0;
  #doneBytes = 0;
  #totalBytes = 0;

  constructor(options: RecoverOptions, segments: readonly NumberedFile[]) {
    this.#options = options;
    this.#segments = segments;
  }

  get result(): Recovered {
    return {
      snapshot: this.#snapshot,
      batch: this.#batch,
      firstMs: this.#firstMs,
      lastMs: this.#lastMs,
      batches: this.#batches,
      logBytes: this.#logBytes,
      torn: this.#torn,
      damaged: this.#damaged,
      segments: this.#segments,
    };
  }

  readSnapshot(path: string): void {
    this.#open(path, "snapshot", (reader) => {
      const decoder = new RecordDecoder(this.#options.target);
      if (!this.#attempt(reader, 0, () => reader.readHeader())) return;
      for (let expected = 1; decoder.ended === undefined; expected++) {
        const from = reader.offset;
        const isRead = this.#attempt(reader, 0, () => {
          if (!reader.next()) throw reader.damage("Cannot read on: the file ends before its closing block");
          if (reader.number !== expected) throw this.#wrongNumber(reader, from, expected);
        });
        if (!isRead) {
          this.#options.target.gap();
          if (!this.#skipTo(reader, from, expected)) break;
          expected = reader.number;
        }
        this.#decode(reader, decoder, 0);
      }
      const { ended } = decoder;
      if (ended === undefined) return;
      this.#attempt(reader, 0, () => {
        if (reader.offset !== reader.size) {
          throw reader.damage("Cannot read behind the closing block: expected nothing there");
        }
      });
      this.#accept(path, reader.size, ended);
    });
  }

  /** Finds the next good block at `from` or behind it that is none of those before `number`. */
  #skipTo(reader: BlockReader, from: number, number: number): boolean {
    for (let at = from; reader.skip(at); at = reader.offset) if (reader.number >= number) return true;
    return false;
  }

  #accept(path: string, sizeBytes: number, { keys, batch, takenMs }: RecordEnd): void {
    this.#snapshot = { path, sizeBytes, keys, batch, takenMs };
    this.#batch = batch;
    this.#lastMs = takenMs;
  }

  /** Reads the one segment there is, wherever it begins. */
  readOnlySegment(): void {
    const [segment] = this.#segments;
    const first = this.#look(segment!.path, (reader) => {
      reader.readHeader();
      return reader.header.first;
    });
    this.#batch = (first ?? 1) - 1;
    this.#readSegment(segment!, 0);
  }

  readLog(): void {
    const segments = this.#segments;
    const next = (index: number) => segments[index + 1]?.number ?? Infinity;
    for (const [index, segment] of segments.entries()) {
      // What the snapshot has is needless.
      if (next(index) <= this.#batch + 1) continue;
      if (segment.number > this.#batch + 1 && !this.#misses(segment, index)) return;
      if (!this.#readSegment(segment, index)) return;
    }
  }

  /** Batches are missing before a segment. Answers whether to go on with it. */
  #misses(segment: NumberedFile, index: number): boolean {
    const [first, last] = [this.#batch + 1, segment.number - 1];
    if (!this.#isTornBefore(first, index)) {
      const error = new CorruptionError(
        segment.path,
        0,
        `Cannot replay the log: batches ${first} to ${last}, which stood before this file, are missing`,
      );
      if (!this.#options.repair) throw error;
      this.#damaged.push({ path: segment.path, offset: 0, bytes: 0, reason: error.problem, batch: first });
      this.#batch = last;
      return true;
    }
    this.#tearRest(index, first);
    return false;
  }

  /** Replays a segment. Answers whether the next one is to follow. */
  #readSegment(segment: NumberedFile, index: number): boolean {
    return this.#open(segment.path, "log", (reader) => {
      const decoder = new RecordDecoder(this.#options.target);
      const end = this.#segments[index + 1]?.number ?? Infinity;
      // First the header, which is at 0, then the blocks.
      for (let from = 0;; from = reader.offset) {
        const expected = this.#batch + 1;
        let isEnd = false;
        const problem = this.#problem(() => {
          if (from === 0) return reader.readHeader();
          isEnd = !reader.next();
          if (!isEnd && reader.number > expected) throw this.#wrongNumber(reader, from, expected);
        });
        if (isEnd) return true;
        if (problem !== undefined) {
          const found = this.#endOf(reader, from, index, problem);
          if (found !== "skip") return found === "next";
          if (!reader.skip(from)) return true;
        } else if (from === 0) {
          continue;
        }
        if (reader.number >= end) return true;
        // What the snapshot has already.
        if (reader.number <= this.#batch) continue;
        this.#decode(reader, decoder, reader.number);
        this.#batch = reader.number;
        this.#lastMs = reader.writtenMs;
        if (this.#batches++ === 0) this.#firstMs = reader.writtenMs;
        this.#logBytes += reader.offset - reader.blockOffset;
      }
    });
  }

  /** What is wrong with what is read; `undefined` for nothing. */
  #problem(read: () => void): CorruptionError | undefined {
    try {
      read();
      return undefined;
    } catch (error) {
      if (error instanceof CorruptionError) return error;
      throw error;
    }
  }

  /**
   * The batch that should stand at `offset` of a segment cannot be read. Answers what to go on with: the `next` segment,
   * nothing (`stop`, since the end is torn), or what can be read behind it (`skip`, in a repair). Notes what is left out.
   *
   * @throws {CorruptionError} when it is damage and no repair
   */
  #endOf(reader: BlockReader, offset: number, index: number, problem: CorruptionError): "next" | "stop" | "skip" {
    const batch = this.#batch + 1;
    // A segment that is full is left in the middle of a batch, which the next one begins with.
    if (this.#segments[index + 1]?.number === batch) return "next";
    const { path, size } = reader;
    const isHeaderLost = offset === 0 && isFinishedPath(path);
    if (!isHeaderLost && this.#isTorn(reader, offset, batch, index)) {
      this.#tear(this.#segments[index]!, offset, size - offset, problem.problem, batch);
      this.#tearRest(index + 1, batch);
      return "stop";
    }
    if (!this.#options.repair) throw problem;
    this.#damaged.push({ path, offset, bytes: this.#badBytes(reader, offset), reason: problem.problem, batch });
    return "skip";
  }

  /** How far the bad part reaches that begins at `offset`. */
  #badBytes(reader: BlockReader, offset: number): number {
    return (reader.skip(offset) ? reader.blockOffset : reader.size) - offset;
  }

  /** Whether no batch that can be read from `offset` on says that `batch` was on disk. */
  #isTorn(reader: BlockReader, offset: number, batch: number, index: number): boolean {
    for (let at = offset; reader.skip(at); at = reader.offset) if (saysOnDisk(reader, batch)) return false;
    return this.#isTornBefore(batch, index + 1);
  }

  /**
   * Whether no segment from `index` on says that `batch` was on disk.
   *
   * @throws {CorruptionError} when a header that could say so is lost, unless it is a repair
   */
  #isTornBefore(batch: number, index: number): boolean {
    for (const { path } of this.#segments.slice(index)) {
      let lost: CorruptionError | undefined;
      const isSaid = this.#look(path, (reader) => {
        const problem = this.#problem(() => reader.readHeader());
        const { first, unknown } = reader.header;
        if (problem === undefined && batch < first - unknown) return true;
        if (isFinishedPath(path)) lost = problem;
        for (let at = 0; reader.skip(at); at = reader.offset) if (saysOnDisk(reader, batch)) return true;
        return false;
      });
      if (isSaid) return false;
      if (lost === undefined) continue;
      if (!this.#options.repair) throw lost;
      return false;
    }
    return true;
  }

  /** Segments behind a torn end are torn as a whole. */
  #tearRest(index: number, batch: number): void {
    for (const segment of this.#segments.slice(index)) {
      const reason = "Cannot replay it: the end of the segment before it is torn";
      const bytes = this.#look(segment.path, (reader) => reader.size) ?? 0;
      this.#tear(segment, 0, bytes, reason, batch);
    }
  }

  /** Notes what is torn. Of a segment that has come to no batch there is nothing to keep, nor to tell. */
  #tear({ path, number }: NumberedFile, offset: number, bytes: number, reason: string, batch: number): void {
    const isNothing = offset === 0 && bytes <= FILE_HEADER_BYTES && number > this.#batch && !isFinishedPath(path);
    if (!isNothing) this.#torn.push({ path, offset, bytes, reason, batch });
  }

  /** Looks at a file whose header may be bad; `undefined` when it is. */
  #look<Result>(path: string, run: (reader: BlockReader) => Result): Result | undefined {
    const file = this.#options.files.openToRead(path);
    try {
      return run(new BlockReader(file, path, "log"));
    } catch (error) {
      if (error instanceof CorruptionError) return undefined;
      throw error;
    } finally {
      file.close();
    }
  }

  #decode(reader: BlockReader, decoder: RecordDecoder, batch: number): void {
    const { path, bytes, start, end, blockOffset: offset } = reader;
    try {
      decoder.decode(bytes, start, end);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      const damage = new CorruptionError(path, offset, error.message, { cause: error });
      if (!this.#options.repair) throw damage;
      this.#damaged.push({ path, offset, bytes: reader.offset - offset, reason: damage.problem, batch });
    }
    this.#doneBytes += reader.offset - offset;
    this.#options.progress?.(this.#doneBytes, this.#totalBytes);
  }

  /** Does something with a reader of a snapshot. Answers whether it could, or notes why not in a repair. */
  #attempt(reader: BlockReader, batch: number, run: () => void): boolean {
    const from = reader.offset;
    try {
      run();
      return true;
    } catch (error) {
      if (!(error instanceof CorruptionError) || !this.#options.repair) throw error;
      const bytes = this.#badBytes(reader, from);
      this.#damaged.push({ path: reader.path, offset: from, bytes, reason: error.problem, batch });
      reader.offset = from;
      return false;
    }
  }

  #wrongNumber(reader: BlockReader, from: number, expected: number): CorruptionError {
    const { number } = reader;
    reader.offset = from;
    return reader.damage(`Cannot read a block: expected number ${expected} here, not ${number}`);
  }

  #open<Result>(path: string, kind: FileKind, run: (reader: BlockReader) => Result): Result {
    try {
      const file = this.#options.files.openToRead(path);
      try {
        const reader = new BlockReader(file, path, kind);
        this.#totalBytes += reader.size;
        return run(reader);
      } finally {
        file.close();
      }
    } catch (cause) {
      // What is ours says what is wrong; anything else is the file system's.
      if (cause instanceof InmemError) throw cause;
      throw new StartError(`Cannot load "${path}": ${messageOf(cause)}`, { cause });
    }
  }
}

/** Whether the block that was read last says that `batch` was on disk when it was written. */
function saysOnDisk(reader: BlockReader, batch: number): boolean {
  return batch < reader.number - reader.unknown;
}
