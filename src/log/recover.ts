/**
 * Recovery: reads the newest snapshot and the log after it, from files that a crash or a power loss may have left in
 * any state that the disk allows.
 *
 * ```text
 * snapshot, whose end says: batch 41     log 30…       log 57…
 *                                        ──── 41 │ 42 43 … 56   57 58 59 ▒▒
 *                                         skipped│ replayed               torn
 * ```
 *
 * **Torn or damaged.** Batches are numbered without a gap. When the next one cannot be read, it may never have been on
 * disk completely: the process or the machine stopped while it was written, or the disk wrote later ones first. Then
 * neither it nor anything after it was acknowledged: the end is torn. Each later batch that can be read, however, says
 * through which batch everything was on disk when it was written. If the unreadable one is among those, it is damage.
 * So is any fault of a snapshot, which gets its name only after it is on disk.
 *
 * A segment's header is on disk before the segment gets its name (segment.ts). So an unreadable header is damage, even
 * if little or nothing follows it. It is torn only in a segment that was never finished.
 *
 * A segment ends where the next one begins. A server that continued to write after another one had taken over the
 * folder leaves batches after that number. They are ignored: the batches of the next segment follow what its server
 * loaded.
 *
 * Damage is reported with path and offset, and nothing is loaded ({@linkcode CorruptionError}), unless a repair is
 * requested. A repair uses all that can be read, and lists what it leaves out.
 *
 * Nothing is changed here; the caller cuts off the torn end.
 *
 * @module
 */

import { CorruptionError, fileReason, InmemError, ProtocolError, StartError } from "../errors.ts";
import { RECOVERY_STEP_BYTES, RECOVERY_TURN_MS } from "../limits.ts";
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
  /** The position of its beginning, in bytes. */
  readonly offset: number;
  readonly bytes: number;
  /** The reason why it was not used. */
  readonly reason: string;
  /** The batch that should be there; 0 in a snapshot. */
  readonly batch: number;
}

/** The result of reading a folder. */
export interface Recovered {
  /** The snapshot, if there is one. */
  readonly snapshot: (SnapshotSummary & { readonly path: string }) | undefined;
  /** The last batch whose effects were applied; 0 for none. */
  readonly batch: number;
  /** When the first replayed batch was written, in ms since 1970; 0 when there is none. */
  readonly firstMs: number;
  /** When the last replayed batch, or otherwise the snapshot, was written, in ms since 1970. */
  readonly lastMs: number;
  /** The number of batches that were replayed. */
  readonly batches: number;
  /** The size of the replayed batches, in bytes. */
  readonly logBytes: number;
  /** The torn ends of segments. None of their batches was acknowledged. */
  readonly torn: readonly LeftOut[];
  /** The parts that a repair could not use. */
  readonly damaged: readonly LeftOut[];
  /** The segments, the oldest first. */
  readonly segments: readonly NumberedFile[];
}

/** The options of {@linkcode recover}. */
export interface RecoverOptions {
  readonly files: Files;
  readonly folder: string;
  /**
   * The receiver of all records. When recovery throws, it has received the beginning of damaged data and must not be
   * used.
   */
  readonly target: RecordTarget;
  /** Whether to continue after damage. */
  readonly repair?: boolean;
  /** Called from time to time with the number of bytes read, and of all bytes. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Reads a folder.
 *
 * @throws {CorruptionError} at the beginning of damage, unless it is a repair
 * @throws {StartError} when a file cannot be read, or has another version
 */
export async function recover(options: RecoverOptions): Promise<Recovered> {
  const { files, folder } = options;
  const [newest] = await listSnapshots(files, folder);
  const recovery = new Recovery(options, await listSegments(files, folder));
  if (newest !== undefined) await inTurns(recovery.readSnapshot(newest.path));
  await inTurns(recovery.readLog());
  return recovery.result;
}

/**
 * Reads one snapshot, as {@linkcode readSnapshot} does, and lets the event loop turn meanwhile.
 *
 * @throws what {@linkcode readSnapshot} throws
 */
export async function readSnapshotInTurns(path: string, options: Omit<RecoverOptions, "folder">): Promise<Recovered> {
  const recovery = new Recovery({ ...options, folder: "" }, []);
  await inTurns(recovery.readSnapshot(path));
  return recovery.result;
}

/**
 * Reads one snapshot.
 *
 * @throws {CorruptionError} at the beginning of damage, unless it is a repair
 * @throws {StartError} when the file cannot be read, or has another version
 */
export function readSnapshot(path: string, options: Omit<RecoverOptions, "folder">): Recovered {
  const recovery = new Recovery({ ...options, folder: "" }, []);
  atOnce(recovery.readSnapshot(path));
  return recovery.result;
}

/**
 * Reads one segment of a log, from its first batch on.
 *
 * @throws {CorruptionError} at the beginning of damage, unless it is a repair
 * @throws {StartError} when the file cannot be read, or has another version
 */
export function readSegment(path: string, options: Omit<RecoverOptions, "folder">): Recovered {
  const recovery = new Recovery({ ...options, folder: "" }, [{ path, number: 0 }]);
  atOnce(recovery.readOnlySegment());
  return recovery.result;
}

/** The work of a recovery in steps of `RECOVERY_STEP_BYTES`. */
type Steps<Result = void> = Generator<void, Result, void>;

/** Runs all steps. */
function atOnce<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Runs all steps, and lets the event loop turn now and then: a role that loads can say so. */
async function inTurns<Result>(steps: Steps<Result>): Promise<Result> {
  for (let startedMs = performance.now();;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() - startedMs < RECOVERY_TURN_MS) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    startedMs = performance.now();
  }
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
  /** The value of `#doneBytes` at which the present step ends. */
  #stepEndBytes = RECOVERY_STEP_BYTES;

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

  *readSnapshot(path: string): Steps {
    yield* this.#open(path, "snapshot", (reader) => this.#readSnapshot(reader));
  }

  *#readSnapshot(reader: BlockReader): Steps {
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
      if (this.#endsStep()) yield;
    }
    const { ended } = decoder;
    if (ended === undefined) return;
    this.#attempt(reader, 0, () => {
      if (reader.offset !== reader.size) {
        throw reader.damage("Cannot read after the closing block: expected the end of the file");
      }
    });
    this.#accept(reader.path, reader.size, ended);
  }

  /** Returns whether a step ends here. */
  #endsStep(): boolean {
    if (this.#doneBytes < this.#stepEndBytes) return false;
    this.#stepEndBytes = this.#doneBytes + RECOVERY_STEP_BYTES;
    return true;
  }

  /** Finds the next valid block at or after `from` that does not precede `number`. */
  #skipTo(reader: BlockReader, from: number, number: number): boolean {
    for (let at = from; reader.skip(at); at = reader.offset) if (reader.number >= number) return true;
    return false;
  }

  #accept(path: string, sizeBytes: number, { keys, batch, takenMs }: RecordEnd): void {
    this.#snapshot = { path, sizeBytes, keys, batch, takenMs };
    this.#batch = batch;
    this.#lastMs = takenMs;
  }

  /** Reads the only segment, which may begin with any batch. */
  *readOnlySegment(): Steps {
    const [segment] = this.#segments;
    const first = this.#withReader(segment!.path, (reader) => {
      reader.readHeader();
      return reader.header.first;
    });
    this.#batch = (first ?? 1) - 1;
    yield* this.#readSegment(segment!, 0);
  }

  *readLog(): Steps {
    const segments = this.#segments;
    const next = (index: number) => segments[index + 1]?.number ?? Infinity;
    for (const [index, segment] of segments.entries()) {
      // The snapshot already has the effects of this segment.
      if (next(index) <= this.#batch + 1) continue;
      if (segment.number > this.#batch + 1 && !this.#misses(segment, index)) return;
      if (!(yield* this.#readSegment(segment, index))) return;
    }
  }

  /** Handles missing batches before a segment. Returns whether to continue with the segment. */
  #misses(segment: NumberedFile, index: number): boolean {
    const [first, last] = [this.#batch + 1, segment.number - 1];
    if (!this.#isTornBefore(first, index)) {
      const error = new CorruptionError(
        segment.path,
        0,
        `Cannot replay the log: batches ${first} to ${last}, which come before this file, are missing`,
      );
      if (!this.#options.repair) throw error;
      this.#damaged.push({ path: segment.path, offset: 0, bytes: 0, reason: error.problem, batch: first });
      this.#batch = last;
      return true;
    }
    this.#tearRest(index, first);
    return false;
  }

  /** Replays a segment. Returns whether to continue with the next one. */
  #readSegment(segment: NumberedFile, index: number): Steps<boolean> {
    return this.#open(segment.path, "log", (reader) => this.#replay(reader, index));
  }

  *#replay(reader: BlockReader, index: number): Steps<boolean> {
    const decoder = new RecordDecoder(this.#options.target);
    const end = this.#segments[index + 1]?.number ?? Infinity;
    // The header is at 0; the blocks follow it.
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
      // The snapshot already has this batch.
      if (reader.number <= this.#batch) continue;
      this.#decode(reader, decoder, reader.number);
      this.#batch = reader.number;
      this.#lastMs = reader.writtenMs;
      if (this.#batches++ === 0) this.#firstMs = reader.writtenMs;
      this.#logBytes += reader.offset - reader.blockOffset;
      if (this.#endsStep()) yield;
    }
  }

  /** Returns the damage that `read` throws; `undefined` for none. */
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
   * Handles a batch of a segment, expected at `offset`, that cannot be read. Records what is left out. Returns how to
   * continue: with the `next` segment, not at all (`stop`, since the end is torn), or with the next readable block
   * (`skip`, in a repair).
   *
   * @throws {CorruptionError} when it is damage and not a repair
   */
  #endOf(reader: BlockReader, offset: number, index: number, problem: CorruptionError): "next" | "stop" | "skip" {
    const batch = this.#batch + 1;
    // A full segment ends in the middle of a batch, with which the next segment begins.
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

  /** Returns the size of the unreadable part that begins at `offset`. */
  #badBytes(reader: BlockReader, offset: number): number {
    return (reader.skip(offset) ? reader.blockOffset : reader.size) - offset;
  }

  /** Returns whether no readable batch from `offset` on says that `batch` was on disk. */
  #isTorn(reader: BlockReader, offset: number, batch: number, index: number): boolean {
    for (let at = offset; reader.skip(at); at = reader.offset) if (isKnownOnDisk(reader, batch)) return false;
    return this.#isTornBefore(batch, index + 1);
  }

  /**
   * Returns whether no segment from `index` on says that `batch` was on disk.
   *
   * @throws {CorruptionError} when a header that could say so is lost, unless it is a repair
   */
  #isTornBefore(batch: number, index: number): boolean {
    for (const { path } of this.#segments.slice(index)) {
      let lost: CorruptionError | undefined;
      const isOnDisk = this.#withReader(path, (reader) => {
        const problem = this.#problem(() => reader.readHeader());
        const { first, unknown } = reader.header;
        if (problem === undefined && batch < first - unknown) return true;
        if (isFinishedPath(path)) lost = problem;
        for (let at = 0; reader.skip(at); at = reader.offset) if (isKnownOnDisk(reader, batch)) return true;
        return false;
      });
      if (isOnDisk) return false;
      if (lost === undefined) continue;
      if (!this.#options.repair) throw lost;
      return false;
    }
    return true;
  }

  /** Marks the segments after a torn end as torn. */
  #tearRest(index: number, batch: number): void {
    for (const segment of this.#segments.slice(index)) {
      const reason = "Cannot replay it: the end of the segment before it is torn";
      const bytes = this.#withReader(segment.path, (reader) => reader.size) ?? 0;
      this.#tear(segment, 0, bytes, reason, batch);
    }
  }

  /** Records a torn part. A segment that never received a batch is ignored: there is nothing to keep or report. */
  #tear({ path, number }: NumberedFile, offset: number, bytes: number, reason: string, batch: number): void {
    const isNothing = offset === 0 && bytes <= FILE_HEADER_BYTES && number > this.#batch && !isFinishedPath(path);
    if (!isNothing) this.#torn.push({ path, offset, bytes, reason, batch });
  }

  /** Runs `run` with a reader of a file; returns `undefined` when the file is damaged. */
  #withReader<Result>(path: string, run: (reader: BlockReader) => Result): Result | undefined {
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

  /** Runs a step of reading a snapshot, and returns whether it succeeded. In a repair, damage is recorded. */
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

  *#open<Result>(path: string, kind: FileKind, run: (reader: BlockReader) => Steps<Result>): Steps<Result> {
    try {
      const file = this.#options.files.openToRead(path);
      try {
        const reader = new BlockReader(file, path, kind);
        this.#totalBytes += reader.size;
        return yield* run(reader);
      } finally {
        file.close();
      }
    } catch (cause) {
      // Errors of ours describe the problem; any other comes from the file system.
      if (cause instanceof InmemError) throw cause;
      throw new StartError(`Cannot load "${path}": ${fileReason(cause)}`, { cause });
    }
  }
}

/** Returns whether the block that was read last says that `batch` was on disk when it was written. */
function isKnownOnDisk(reader: BlockReader, batch: number): boolean {
  return batch < reader.number - reader.unknown;
}
