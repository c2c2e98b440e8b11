/**
 * The append-only log: the effects of commands, in batches, on disk before anybody is told that they happened.
 *
 * ```text
 * commands ─▶ records ─▶ batch ─▶ written ─▶ synced
 *                         │          │          └─ always: replies leave here. It outlives a power loss.
 *                         │          └─ everysec, never: replies leave here. It outlives the process.
 *                         └─ sealed: number, time, checksum (block.ts)
 *
 * log-000000000000001.inmem      segments: the name is the number of the first batch
 * log-000000000004711.inmem      the one that is written (segment.ts)
 * ```
 *
 * All that commands of one turn of the event loop do becomes one batch: whoever has to wait asks for {@linkcode settled},
 * and the batch is written behind the last session that runs in this turn. With `always` one sync is under way at a
 * time, and all batches written meanwhile share the next.
 *
 * **What fails.** A batch that cannot be written (a full disk) is kept and tried again; meanwhile those who wait for it wait,
 * at most {@linkcode LOG_HOLD_MAX_MS}, and further writes are refused before they change anything. After a failed sync
 * nothing that the segment got since the last good one is known to be on disk, nor can be put there by trying again: only a
 * snapshot, which holds everything anew, and a segment begun behind it set things right ({@linkcode covered}). Until
 * then, too, writes are refused. Reads go on in either case.
 *
 * **What goes away.** A folder or a file that somebody removes or replaces fails nowhere, since it stays open. So the place is
 * looked at from time to time ({@linkcode look}), with `always` before each batch is acknowledged, and else before one is written
 * when nobody has looked for some ms (place.ts). While it is
 * not ours nothing is written and writes are refused; when it comes back they are accepted again. Where only files of ours are
 * gone or were changed, a snapshot puts everything down again, and writes stay refused until a person asks for one
 * ({@linkcode readmit}): whoever meddles with the files may not be done.
 *
 * **A start without room.** Where there is no room for a first segment, there is none, and writes are refused until it can be
 * made.
 *
 * **Order on disk.** Segments are synced in their order. What a later batch says of those before it tells a torn end from
 * damage (recover.ts).
 *
 * @module
 */

import { messageOf, NotSavedError } from "../errors.ts";
import {
  LOG_BATCH_BYTES,
  LOG_HOLD_MAX_MS,
  LOG_RETRY_MS,
  LOG_SYNC_LAG_MAX_MS,
  LOG_UNWRITTEN_MAX_BYTES,
  LOG_WRITE_BYTES,
  PLACE_HOLD_MAX_MS,
  PLACE_LOOK_WRITING_MS,
} from "../limits.ts";
import { BLOCK_HEADER_BYTES, resealBlock, sealBlock } from "./block.ts";
import { type Files, isOutOfSpace } from "./files.ts";
import type { Place, Trouble } from "./place.ts";
import { RecordGroup } from "./record_group.ts";
import { RecordWriter } from "./record_writer.ts";
import { Segment, type SegmentStart } from "./segment.ts";

/** When batches are synced: before replies leave, about once a second, or when the system thinks fit. */
export type FsyncPolicy = "always" | "everysec" | "never";

/** Where a log begins. */
export interface LogStart {
  readonly files: Files;
  /** The data folder. */
  readonly folder: string;
  readonly policy: FsyncPolicy;
  /** Number of the first batch. */
  readonly next: number;
  /** The last batch before it that is on disk: the one right before it, unless a snapshot has yet to be written first. */
  readonly synced?: number;
  /** The time, in ms since 1970. */
  readonly now: () => number;
  /** What durations are measured by; `now` unless it is given, which jumps when somebody sets the clock. */
  readonly monotonicNow?: () => number;
  /** Says whether the folder is still ours; without it nobody looks. */
  readonly place?: Place | undefined;
}

/** Those who wait for one batch. */
interface Waiting {
  /** Those who had effects in it. */
  writers: PromiseWithResolvers<void> | undefined;
  /** Those who may have seen some. They do not wait for a log that fails. */
  readers: PromiseWithResolvers<void> | undefined;
  /** The batch that they wait for. */
  batch: number;
  sinceMs: number;
}

/** A batch that could not be written yet, or in part. */
interface Unwritten {
  readonly batch: number;
  readonly bytes: Uint8Array;
  written: number;
}

/** A segment that another one follows. */
interface LeftSegment {
  readonly segment: Segment;
  /** Its last batch. */
  readonly last: number;
}

/** The log of one data folder. */
export class AppendLog {
  /**
   * Takes the effects of commands: of the batch under way, or of the group whose step is running (record_group.ts). Only what
   * a command asked for counts in {@linkcode writes}.
   */
  records: RecordWriter = new RecordWriter();
  /** Takes the effects that no command asked for (keys evicted or expired), and those of all commands outside of groups. */
  readonly main: RecordWriter = this.records;
  /** Effects that commands asked for. */
  writes = 0;
  /** Effects that none asked for: keys evicted or expired. */
  unasked = 0;
  /** Where the last of those ends in the batch under way, and what {@linkcode writes} was then. */
  unaskedEnd = 0;
  unaskedWrites = 0;
  /** Told why writes are refused from now on; `undefined`: they are not any more. */
  onRefusal: ((refusal: string | undefined) => void) | undefined;
  readonly policy: FsyncPolicy;
  /** Bytes in all segments that were made since the log was opened. */
  sizeBytes = 0;
  /** Syncs that ended well. */
  syncs = 0;
  readonly #files: Files;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #monotonicNow: () => number;
  readonly #place: Place | undefined;
  /** The segment being written; `undefined` while there is no room for one. */
  #segment: Segment | undefined;
  /** Segments that were left, the oldest first, and have batches that may not be on disk. */
  readonly #left: LeftSegment[] = [];
  /** Whether the name of a segment may not be on disk. */
  #isFolderStale = true;
  /** The batch sealed last; the one written last; the last one known to be on disk, as all before it. */
  #sealed: number;
  #written: number;
  #synced: number;
  /** When the oldest batch was written that may not be on disk. */
  #unsyncedSinceMs = 0;
  #unwritten: Unwritten[] = [];
  /** Those who wait for the batch under way, and those for sealed ones. */
  #gathering: Waiting | undefined;
  #waiting: Waiting[] = [];
  #isScheduled = false;
  #syncing: Promise<void> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** Why writes are refused: because of the place, or else because the log cannot be written or synced. */
  #refusal: string | undefined;
  #displaced: string | undefined;
  /** When {@linkcode #lookBeforeWriting} has looked last. */
  #lookedMs = -Infinity;
  #failure: string | undefined;
  /** How files were found gone or changed. Stays until a person asks for a snapshot. */
  #tampered: string | undefined;
  /** Whether a snapshot has to hold the effects of all batches up to `#rebaseThrough` before any is written again. */
  #isRebaseDue = false;
  #rebaseThrough = 0;
  /** Whether the segment is as large as the system lets a file be. */
  #isSegmentFull = false;
  #isClosed = false;
  /** Commands that are between two steps. */
  #openGroups = 0;
  /** Those who wait for that to be none, or for one more to be allowed. */
  #whenNoGroup: PromiseWithResolvers<void> | undefined;
  #whenMarked: PromiseWithResolvers<void> | undefined;
  #pieceTimer: ReturnType<typeof setTimeout> | undefined;
  /** What replies to commands that have written wait for: see {@linkcode holdWriters}. */
  #held: Promise<void> | undefined;

  /**
   * Makes the first segment, if there is room for it.
   *
   * @throws what the file system throws
   */
  constructor({ files, folder, policy, next, synced = next - 1, now, monotonicNow = now, place }: LogStart) {
    this.#files = files;
    this.#folder = folder;
    this.policy = policy;
    this.#now = now;
    this.#monotonicNow = monotonicNow;
    this.#place = place;
    this.#sealed = this.#written = next - 1;
    this.#synced = synced;
    try {
      this.#segment = this.#makeSegment(next);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      this.#refuse(cannotWrite(error));
    }
  }

  /** The last batch that was sealed. */
  get batch(): number {
    return this.#sealed;
  }

  /** The last batch that is known to be on disk. */
  get synced(): number {
    return this.#synced;
  }

  /** Why writes are refused at present; `undefined` when they are not. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Whether only a snapshot can set right what has failed. */
  get mustRebase(): boolean {
    return this.#isRebaseDue;
  }

  /** Whether a snapshot would help, if there is a place for it. */
  get needsSnapshot(): boolean {
    return this.mustRebase && (this.#displaced === undefined || this.#displaced === this.#tampered);
  }

  /** Bytes that are kept since they cannot be written. */
  get unwrittenBytes(): number {
    return this.#unwritten.reduce((sum, { bytes, written }) => sum + bytes.length - written, 0);
  }

  /** Where the next effect will stand in the batch under way. */
  get position(): number {
    return this.main.length;
  }

  /**
   * Moves the effects from byte `from` of the batch under way on into a group of their own.
   *
   * @param from what {@linkcode position} was before the command ran
   * @param expectedBytes room for its effects, so that it need not be enlarged often
   */
  openGroup(from: number, expectedBytes: number): RecordGroup {
    const group = new RecordGroup(this, expectedBytes);
    group.records.addAll(this.main, from);
    this.main.cut(from);
    this.#openGroups++;
    return group;
  }

  /** Part of {@linkcode RecordGroup}. */
  leaveGroup(): void {
    this.records = this.main;
  }

  /** Part of {@linkcode RecordGroup}. */
  closeGroup({ records }: RecordGroup): void {
    if (records.length - BLOCK_HEADER_BYTES <= LOG_BATCH_BYTES) {
      this.main.addAll(records);
    } else {
      this.#seal();
      this.#sealRecords(records);
    }
    if (--this.#openGroups === 0) this.#whenNoGroup?.resolve();
  }

  /** Commands that are between two steps: a snapshot must not be of such a moment. */
  get openGroups(): number {
    return this.#openGroups;
  }

  /** Whether a snapshot waits for the open groups: then no long command begins ({@linkcode marked}). */
  get isMarkAwaited(): boolean {
    return this.#whenMarked !== undefined;
  }

  /** Resolves when the snapshot that waits has its moment. */
  get marked(): Promise<void> | undefined {
    return this.#whenMarked?.promise;
  }

  /** Resolves in a moment when no group is open; none is opened until {@linkcode mark} is called, or this is given up. */
  async groupsClosed(): Promise<void> {
    this.#whenMarked ??= Promise.withResolvers();
    while (this.#openGroups > 0) {
      this.#whenNoGroup ??= Promise.withResolvers();
      await this.#whenNoGroup.promise;
      this.#whenNoGroup = undefined;
    }
  }

  /** Lets long commands begin again. */
  endMarking(): void {
    this.#whenMarked?.resolve();
    this.#whenMarked = undefined;
  }

  /**
   * Whether replies have to wait for {@linkcode settled}: they may tell of effects that are not where they have to be.
   *
   * While the log fails, those wait whose own commands had effects; others go on reading.
   *
   * @param writesBefore `writes` before the commands ran that are to be answered
   */
  mustWait(writesBefore: number): boolean {
    const isSettled = this.main.isEmpty && this.#written === this.#sealed &&
      (this.policy !== "always" || this.#synced === this.#sealed);
    if (isSettled) return this.#held !== undefined && this.writes !== writesBefore;
    return this.#refusal === undefined || this.writes !== writesBefore;
  }

  /**
   * Resolves when all effects so far are where the policy wants them before a reply; for those whose own commands had none,
   * when the log fails, too.
   *
   * @param writesBefore `writes` before the commands ran that are to be answered; unless given, they had effects
   * @throws {NotSavedError} when that has not come about in time: whether they last is unknown
   */
  settled(writesBefore = -1): Promise<void> {
    if (this.main.length > LOG_BATCH_BYTES) this.flush();
    const last = this.#waiting.at(-1);
    const isSealed = this.main.isEmpty && this.#gathering === undefined && last?.batch === this.#sealed;
    const waiting = isSealed ? last : this.#gathering ??= this.#wait();
    if (!isSealed && !this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#commit);
    }
    const kind = this.writes === writesBefore ? "readers" : "writers";
    const { promise } = waiting[kind] ??= Promise.withResolvers();
    const held = this.#held;
    return held === undefined || kind === "readers" ? promise : promise.then(() => held);
  }

  /**
   * Holds up replies to commands that write until a promise resolves, which must not reject: their effects stand in a
   * queue for the disk as well, that of a snapshot, and it grows faster than it shrinks.
   */
  holdWriters(until: Promise<void>): void {
    this.#held = until;
    void until.then(() => {
      if (this.#held === until) this.#held = undefined;
    });
  }

  /** Writes what there is, without waiting for it to be on disk. For effects that nobody waits for. */
  flush(): void {
    this.#seal();
    this.#write();
  }

  /** Puts on disk what has been written, unless that is under way; with `never`, not at all. */
  tick(): void {
    this.flush();
    if (this.policy !== "never" && this.#synced < this.#written) this.#startSync();
    else if (this.#segment?.isFinished === false) this.begin();
  }

  /** Puts a new segment's header on disk, whatever the policy is, and gives it its name; not while the log fails. */
  async begin(): Promise<void> {
    for (let segment = this.#segment; segment?.isFinished === false; segment = this.#segment) {
      if (this.#refusal !== undefined) return;
      if (this.#syncing === undefined) this.#runSync(() => this.#finish(segment));
      await this.#syncing;
    }
  }

  /**
   * Looks whether the place is still ours. While it is not, writes are refused.
   *
   * @returns what is wrong with it
   */
  look(): Trouble | undefined {
    const segment = this.#segment;
    // Either of its names leads to a segment that is being renamed.
    const expected = segment === undefined || segment.isLost || segment.isMoving ? undefined : segment;
    const trouble = this.#place?.trouble(expected);
    if (trouble?.kind === "files") this.leaveSegment(trouble.reason);
    const wasDisplaced = this.#displaced !== undefined;
    this.#displaced = trouble?.kind === "place" ? trouble.reason : this.#tampered;
    this.#tellRefusal();
    if (wasDisplaced && this.#displaced === undefined) {
      this.#write();
      this.#release();
    }
    return trouble;
  }

  /** Gives the segment up: what it holds, a snapshot has to hold. Writes stay refused until {@linkcode readmit}. */
  leaveSegment(reason: string): void {
    this.#tampered ??= `${reason}; find out why, then the command "save" makes writes possible again`;
    if (this.#segment !== undefined) this.#segment.isLost = true;
    this.#rebase(this.#sealed);
  }

  /** The files do not say what the store holds. Nothing may be written behind them until a snapshot does. */
  requireSnapshot(): void {
    this.#rebase(this.#sealed);
    this.#refuse("the log cannot go on: what was loaded has to be saved first, and the disk is full");
  }

  /**
   * Accepts writes again after files were found gone or changed. For when a person has asked for a snapshot, and has it; one
   * of a moment before that does not count.
   */
  readmit(): void {
    if (this.mustRebase) return;
    this.#tampered = undefined;
    this.look();
  }

  /**
   * Leaves the segment and begins the next one behind it, so that the first can go once a snapshot holds its effects.
   * Does nothing while the log fails, or when the segment has no batch.
   *
   * @throws what the file system throws; then the segment goes on
   */
  rotate(): void {
    const segment = this.#segment;
    if (segment === undefined || segment.first === this.#sealed + 1) return;
    if (this.#refusal !== undefined || this.#unwritten.length > 0) return;
    this.#segment = this.#makeSegment(this.#sealed + 1);
    this.#left.push({ segment, last: this.#sealed });
  }

  /** Seals what there is. A snapshot that is taken at this very moment holds the effects of all batches up to that one. */
  mark(): number {
    this.flush();
    // A segment must not end within a batch.
    this.#writeAll();
    return this.#sealed;
  }

  /**
   * A snapshot is on disk that holds the effects of all batches up to `batch`. What has failed before is set right by it.
   *
   * @throws what the file system throws, if a new segment was needed and could not be made
   */
  covered(batch: number): void {
    const isTorn = this.#unwritten.some(({ batch: each, written }) => each <= batch && written > 0);
    this.#unwritten = this.#unwritten.filter((unwritten) => unwritten.batch > batch);
    this.#written = Math.max(this.#written, batch);
    this.#synced = Math.max(this.#synced, batch);
    if (isTorn || (this.mustRebase && batch >= this.#rebaseThrough)) {
      // What the segments have is in the snapshot, all of it. Until there is another one nothing may be written behind that.
      if (!this.mustRebase) this.#rebase(batch);
      const left = this.#segment;
      this.#segment = this.#makeSegment(this.#unwritten[0]?.batch ?? this.#sealed + 1);
      if (left !== this.#segment) left?.file.close();
      this.#isRebaseDue = false;
      this.#rebaseThrough = 0;
    }
    // The others are needless, and are not held until the next sync, which may never be.
    while (this.#left.length > 0 && this.#left[0]!.last <= batch) this.#left.shift()!.segment.file.close();
    this.#write();
    this.#release();
  }

  /** Writes and syncs everything, and closes the log. @throws what fails on the way */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    this.look();
    this.#commit();
    this.#writeAll();
    while (this.#canSync && this.#synced < this.#written) {
      this.#startSync();
      await this.#syncing;
    }
    await this.#syncing;
    this.look();
    clearTimeout(this.#retryTimer);
    for (const { segment } of this.#left.splice(0)) segment.file.close();
    this.#segment?.file.close();
    for (const waiting of this.#waiting.splice(0)) fail(waiting, this.#refusal ?? "the server is stopping");
    if (this.#refusal !== undefined) throw new NotSavedError(this.#refusal);
  }

  readonly #commit = (): void => {
    this.#isScheduled = false;
    this.#lookBeforeWriting();
    this.#seal();
    const gathering = this.#gathering;
    if (gathering !== undefined) {
      gathering.batch = this.#sealed;
      this.#gathering = undefined;
      this.#waiting.push(gathering);
    }
    this.#write();
    this.#release();
  };

  /** With `everysec` and `never`: while batches are written the place is looked at more often, since they are acknowledged next. */
  #lookBeforeWriting(): void {
    const place = this.#place;
    if (place === undefined || this.policy === "always") return;
    const nowMs = this.#monotonicNow();
    if (nowMs - this.#lookedMs < PLACE_LOOK_WRITING_MS) return;
    this.#lookedMs = nowMs;
    const segment = this.#segment;
    if (segment === undefined || !place.has(segment)) this.look();
  }

  /** Makes a batch of the records, if there are any. */
  #seal(): void {
    if (!this.main.isEmpty) this.#sealRecords(this.main);
  }

  #sealRecords(records: RecordWriter): void {
    this.#sealed++;
    const unknown = this.#sealed - 1 - this.#synced;
    const segment = this.#segment;
    sealBlock(records.buffer, records.length, this.#sealed, this.#now(), unknown, segment?.seed ?? 0);
    if (segment !== undefined && this.#unwritten.length === 0 && this.#canWrite && records.length <= LOG_WRITE_BYTES) {
      const bytes = records.buffer.subarray(0, records.length);
      const written = this.#writeSome(segment, bytes, 0);
      if (written === bytes.length) {
        this.#wrote(this.#sealed);
        records.reset();
        return;
      }
      this.#unwritten.push({ batch: this.#sealed, bytes: records.take(), written });
    } else {
      this.#unwritten.push({ batch: this.#sealed, bytes: records.take(), written: 0 });
      if (this.#refusal !== undefined && this.unwrittenBytes > LOG_UNWRITTEN_MAX_BYTES) {
        // Keys go on to expire. All that there is will be in the next snapshot.
        this.#rebase(this.#sealed);
        this.#unwritten = [];
      }
    }
  }

  /** Writes the batches that could not be written before, and those too long for one step: a piece of them now. */
  #write(): void {
    const segment = this.#segment;
    if (segment === undefined) return;
    for (let left = LOG_WRITE_BYTES; this.#unwritten.length > 0 && this.#canWrite;) {
      if (left <= 0) return this.#writeLater();
      const first = this.#unwritten[0]!;
      const piece = Math.min(first.bytes.length, first.written + left);
      left -= piece - first.written;
      first.written = this.#writeSome(segment, first.bytes.subarray(0, piece), first.written);
      if (first.written < piece) return;
      if (piece < first.bytes.length) return this.#writeLater();
      this.#unwritten.shift();
      this.#wrote(first.batch);
    }
    if (this.#canWrite && this.#failure !== undefined) {
      this.#failure = undefined;
      this.#tellRefusal();
    }
  }

  /** Whether batches may go to the segment. */
  get #canWrite(): boolean {
    return !this.#isRebaseDue && this.#displaced === undefined;
  }

  /** Whether it is of use to put on disk what the segment has. */
  get #canSync(): boolean {
    return this.#segment !== undefined && this.#canWrite;
  }

  /** Writes to the end what would be written in pieces. */
  #writeAll(): void {
    clearTimeout(this.#pieceTimer);
    this.#pieceTimer = undefined;
    while (this.#unwritten.length > 0 && this.#refusal === undefined && !this.mustRebase) this.#write();
    clearTimeout(this.#pieceTimer);
    this.#pieceTimer = undefined;
  }

  /** Goes on writing in the next turn, so that nobody waits for all of a long batch. */
  #writeLater(): void {
    this.#pieceTimer ??= setTimeout(() => {
      this.#pieceTimer = undefined;
      this.#write();
      this.#release();
    }, 0);
  }

  /** Writes a batch from byte `from` on. Answers how far it came. */
  #writeSome(segment: Segment, bytes: Uint8Array, from: number): number {
    try {
      while (from < bytes.length) {
        const count = segment.write(from === 0 ? bytes : bytes.subarray(from));
        this.sizeBytes += count;
        from += count;
      }
    } catch (error) {
      this.#isSegmentFull = isTooLarge(error);
      this.#refuse(cannotWrite(error));
    }
    return from;
  }

  #wrote(batch: number): void {
    this.#written = batch;
    if (this.#unsyncedSinceMs === 0) this.#unsyncedSinceMs = this.#monotonicNow();
  }

  /** Lets those go whose batch is where it has to be. */
  #release(): void {
    const goal = this.policy === "always" ? this.#synced : this.#releasable;
    while (this.#waiting.length > 0 && this.#waiting[0]!.batch <= goal) {
      const { writers, readers } = this.#waiting.shift()!;
      writers?.resolve();
      readers?.resolve();
    }
    if (this.policy === "always" && this.#waiting.length > 0 && this.#synced < this.#written) this.#startSync();
  }

  /** With `everysec`: the last batch whose replies may leave. A sync that takes far too long holds up what follows. */
  get #releasable(): number {
    const isLate = this.policy === "everysec" && this.#syncing !== undefined &&
      this.#monotonicNow() - this.#unsyncedSinceMs > LOG_SYNC_LAG_MAX_MS;
    return isLate ? this.#synced : this.#written;
  }

  #startSync(): void {
    if (this.#syncing === undefined && this.#canSync) this.#runSync(() => this.#sync());
  }

  #runSync(run: () => Promise<void>): void {
    this.#syncing = run().catch((error) => {
      // With batches that will not be written to this segment any more.
      this.#rebase(this.#sealed);
      this.#refuse(`the log cannot be synced: ${messageOf(error)}`);
    }).then(() => {
      this.#syncing = undefined;
      this.#release();
    });
  }

  async #sync(): Promise<void> {
    const goal = this.#written;
    const left = this.#left.slice();
    const segment = this.#segment!;
    this.#unsyncedSinceMs = this.#monotonicNow();
    // A snapshot may make any of them needless meanwhile, and close them.
    for (const each of left) {
      if (!this.#left.includes(each)) continue;
      await each.segment.file.syncData();
      if (!this.#left.includes(each)) continue;
      await this.#rename(each.segment);
      const index = this.#left.indexOf(each);
      if (index < 0) continue;
      this.#left.splice(index, 1);
      each.segment.file.close();
    }
    await this.#finish(segment);
    // With what lies in a file that no start would find, nobody is told that it is there.
    if (this.policy === "always" && !this.#isInPlace(segment)) return;
    this.syncs++;
    this.#synced = Math.max(this.#synced, goal);
    if (this.#synced >= this.#written) this.#unsyncedSinceMs = 0;
  }

  /** Puts on disk what a segment has, and its name. */
  async #finish(segment: Segment): Promise<void> {
    if (this.#holds(segment)) await segment.file.syncData();
    if (this.#holds(segment)) await this.#rename(segment);
    if (!this.#isFolderStale) return;
    this.#isFolderStale = false;
    await this.#files.syncFolder(this.#folder);
  }

  /** Gives a segment that is on disk its final name. */
  async #rename(segment: Segment): Promise<void> {
    if (segment.isFinished) return;
    await segment.finish();
    this.#isFolderStale = true;
  }

  /** Whether a start would find what the segment has. */
  #isInPlace(segment: Segment): boolean {
    if (this.#place === undefined || (segment === this.#segment && this.#place.has(segment))) return true;
    this.look();
    return this.#displaced === undefined;
  }

  /** Whether a segment is the one being written, or was left for it. */
  #holds(segment: Segment): boolean {
    return segment === this.#segment || this.#left.some((each) => each.segment === segment);
  }

  /** From now on a snapshot has to hold everything up to a batch. */
  #rebase(through: number): void {
    this.#isRebaseDue = true;
    this.#rebaseThrough = Math.max(this.#rebaseThrough, through);
  }

  #refuse(reason: string): void {
    this.#failure = reason;
    this.#tellRefusal();
  }

  /** Tells whether writes are refused now, and why. */
  #tellRefusal(): void {
    const refusal = this.#displaced ?? this.#failure;
    if (refusal !== undefined && this.#retryTimer === undefined && !this.#isClosed) {
      this.#retryTimer = setTimeout(() => this.#retry(), LOG_RETRY_MS);
    }
    if (refusal === this.#refusal) return;
    this.#refusal = refusal;
    if (refusal !== undefined) {
      for (const { readers } of this.#waiting) readers?.resolve();
      this.#gathering?.readers?.resolve();
    }
    this.onRefusal?.(refusal);
  }

  #retry(): void {
    this.#retryTimer = undefined;
    if (this.#canWrite) this.#goOn();
    this.#write();
    this.#release();
    if (this.#refusal === undefined) return;
    // Whoever waits for too long shall not be told anything: whether the effects will last is unknown.
    const isElsewhere = this.#displaced !== undefined && this.#displaced !== this.#tampered;
    const lateMs = this.#monotonicNow() - (isElsewhere ? PLACE_HOLD_MAX_MS : LOG_HOLD_MAX_MS);
    while (this.#waiting.length > 0 && this.#waiting[0]!.sinceMs <= lateMs) {
      fail(this.#waiting.shift()!, this.#refusal);
    }
    this.#tellRefusal();
  }

  #wait(): Waiting {
    return { writers: undefined, readers: undefined, batch: 0, sinceMs: this.#monotonicNow() };
  }

  /** Makes the segment without which nothing can be written. */
  #goOn(): void {
    if (this.#segment !== undefined) {
      if (this.#isSegmentFull) this.#leaveFullSegment(this.#segment);
      return;
    }
    try {
      this.#segment = this.#makeSegment(this.#unwritten[0]?.batch ?? this.#sealed + 1);
    } catch (error) {
      this.#failure = cannotWrite(error);
    }
  }

  /** Goes on in another segment with the batch that this one has no more room for. */
  #leaveFullSegment(full: Segment): void {
    const first = this.#unwritten[0];
    if (first === undefined || first.batch === full.first) return;
    try {
      this.#segment = this.#makeSegment(first.batch);
      this.#left.push({ segment: full, last: first.batch - 1 });
      this.#isSegmentFull = false;
    } catch {
      // It is as before, and so is what was said about it.
    }
  }

  /**
   * Makes a segment in the place that is ours. Its file is made by path, which may have come to lead elsewhere since the last
   * look: into a folder that is another server's, or goes away with a mount.
   */
  #createSegment(start: SegmentStart): Segment {
    const segment = Segment.create(this.#files, this.#folder, start);
    const place = this.#place;
    if (place === undefined || place.has(segment)) return segment;
    segment.discard();
    throw new Error(place.trouble()?.reason ?? `"${segment.path}" was removed or replaced by somebody else at once`);
  }

  /** Begins a segment whose first batch has that number, and seals what is still to be written for it. */
  #makeSegment(first: number): Segment {
    const start = { createdMs: this.#now(), first, unknown: first - 1 - this.#synced };
    let segment = this.#segment;
    // A segment without a batch has that name already.
    if (segment !== undefined && segment.first === first && !segment.isLost) segment.restart(start);
    else segment = this.#createSegment(start);
    this.#isFolderStale = true;
    this.sizeBytes += segment.bytes;
    for (const unwritten of this.#unwritten) {
      unwritten.written = 0;
      resealBlock(unwritten.bytes, segment.seed);
    }
    return segment;
  }
}

function cannotWrite(error: unknown): string {
  return `the log cannot be written: ${messageOf(error)}`;
}

/** Tells those who wait that it cannot be said whether their effects last. */
function fail({ writers, readers }: Waiting, reason: string): void {
  writers?.reject(new NotSavedError(reason));
  readers?.resolve();
}

/** Whether the system lets a file not become larger (EFBIG, 27), which this runtime tells in the message alone. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.endsWith("(os error 27)") || ("code" in error && error.code === "EFBIG");
}
