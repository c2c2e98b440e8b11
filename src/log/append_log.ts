/**
 * The append-only log: the effects of commands, in batches, written to disk before they are acknowledged.
 *
 * ```text
 * commands ─▶ records ─▶ batch ─▶ written ─▶ synced
 *                         │          │          └─ always: replies are sent from here. It survives a power loss.
 *                         │          └─ everysec, never: replies are sent from here. It survives the process.
 *                         └─ sealed: number, time, checksum (block.ts)
 *
 * log-000000000000001.inmem      segments: the name is the number of the first batch
 * log-000000000004711.inmem      the current segment (segment.ts)
 * ```
 *
 * All effects of one turn of the event loop become one batch. A session that has to wait calls {@linkcode settled}, and
 * the batch is written after the last session that runs in this turn. With `always`, one sync runs at a time, and all
 * batches written meanwhile share the next one.
 *
 * **Failures.** A batch that cannot be written (a full disk) is kept and retried. Meanwhile, replies to its commands
 * wait for at most {@linkcode LOG_HOLD_MAX_MS}, and further writes are refused before they change anything. After a
 * failed sync, no data that the segment received since the last successful one is known to be on disk, and another sync
 * cannot change that. The log is repaired by a snapshot, which contains all data again, and a new segment
 * after it ({@linkcode captured}). Until then, writes are refused as well. Reads continue in either case.
 *
 * **Removed or replaced files.** Removing or replacing a folder or a file does not make writes fail, since the file
 * stays open. So the place (place.ts) is checked from time to time ({@linkcode check}): with `always` before each batch
 * is acknowledged, otherwise before a batch is written if the last check was some ms ago.
 *
 * - While the folder is not ours, nothing is written and writes are refused. They are accepted again when it is back.
 * - If only files of ours were removed or changed, a snapshot saves all data again. Writes stay refused until a person
 *   runs `save` ({@linkcode readmit}), because more changes may follow.
 *
 * **A start without room.** If there is no room for a first segment, writes are refused until it can be created.
 *
 * **Order on disk.** Segments are synced in their order. Each batch says how many batches before it were not known to
 * be on disk, which distinguishes a torn end from damage (recover.ts).
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

/**
 * The policy for syncing batches: before replies are sent, about once a second, or whenever the operating system writes
 * them.
 */
export type FsyncPolicy = "always" | "everysec" | "never";

/** The options of an {@linkcode AppendLog}. */
export interface LogStart {
  readonly files: Files;
  /** The path of the data folder. */
  readonly folder: string;
  readonly policy: FsyncPolicy;
  /** The number of the first batch. */
  readonly next: number;
  /**
   * The last batch before `next` that is on disk: the one right before it, unless a snapshot has yet to be written
   * first.
   */
  readonly synced?: number;
  /** Returns the time, in ms since 1970. */
  readonly now: () => number;
  /** Returns the time for measuring durations. The default is `now`, which jumps when the system's clock is set. */
  readonly monotonicNow?: () => number;
  /** The place to check: whether the folder is still ours. Without it, nothing is checked. */
  readonly place?: Place | undefined;
}

/** The promises that are resolved when one batch is settled. */
interface Waiting {
  /** The promise for commands that had effects in the batch. */
  writers: PromiseWithResolvers<void> | undefined;
  /** The promise for commands that may have read effects of the batch. It is also resolved when the log fails. */
  readers: PromiseWithResolvers<void> | undefined;
  /** The batch that is waited for. */
  batch: number;
  sinceMs: number;
}

/** A batch that was not written yet, or only in part. */
interface Unwritten {
  readonly batch: number;
  readonly bytes: Uint8Array;
  written: number;
}

/** A segment that another one follows. */
interface LeftSegment {
  readonly segment: Segment;
  /** The segment's last batch. */
  readonly last: number;
}

/** The log of one data folder. */
export class AppendLog {
  /**
   * The writer for the effects of commands: that of the current batch, or of the group whose step is running
   * (record_group.ts). Only effects that a command asked for count in {@linkcode writes}.
   */
  records: RecordWriter = new RecordWriter();
  /**
   * The writer for effects that no command asked for (keys evicted or expired), and for those of all commands outside
   * of groups.
   */
  readonly main: RecordWriter = this.records;
  /** The number of effects that commands asked for. */
  writes = 0;
  /** The number of effects that no command asked for: keys evicted or expired. */
  unasked = 0;
  /** The end of the last unasked effect in the current batch, in bytes. */
  unaskedEnd = 0;
  /** The value of {@linkcode writes} at that effect. */
  unaskedWrites = 0;
  /**
   * The function called when writes start to be refused, with the reason, and with `undefined` when they are accepted
   * again.
   */
  onRefusal: ((refusal: string | undefined) => void) | undefined;
  /** The function that gets the duration of each write and each sync in ms; `undefined` while no one measures them. */
  onDuration: ((kind: "write" | "sync", durationMs: number) => void) | undefined;
  /** The present policy. {@linkcode setPolicy} changes it. */
  policy: FsyncPolicy;
  /** The bytes of all segments that were created since the log was opened. */
  sizeBytes = 0;
  /** The number of successful syncs. */
  syncs = 0;
  readonly #files: Files;
  readonly #folder: string;
  readonly #now: () => number;
  readonly #monotonicNow: () => number;
  readonly #place: Place | undefined;
  /** The current segment; `undefined` while there is no room for one. */
  #segment: Segment | undefined;
  /** The segments before the current one that have batches that may not be on disk, the oldest first. */
  readonly #left: LeftSegment[] = [];
  /** Whether the name of a segment may not be on disk. */
  #isFolderStale = true;
  /** The last batch that was sealed, was written, and is known to be on disk with all before it. */
  #sealed: number;
  #written: number;
  #synced: number;
  /** When the oldest batch was written that may not be on disk. */
  #unsyncedSinceMs = 0;
  #unwritten: Unwritten[] = [];
  /** The promises for the current batch, and those for sealed ones. */
  #gathering: Waiting | undefined;
  #waiting: Waiting[] = [];
  #isScheduled = false;
  #syncing: Promise<void> | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  /** The reason why writes are refused: that of `#displaced`, otherwise that of `#failure`. */
  #refusal: string | undefined;
  #displaced: string | undefined;
  /** When {@linkcode #checkBeforeWriting} last checked the place. */
  #checkedMs = -Infinity;
  #failure: string | undefined;
  /** The way in which files were removed or changed. It is kept until a person asks for a snapshot. */
  #tampered: string | undefined;
  /**
   * Whether a snapshot must contain the effects of all batches up to `#rebaseThrough` before another batch is written.
   */
  #isRebaseDue = false;
  #rebaseThrough = 0;
  /** Whether the segment has reached the system's limit for the size of a file. */
  #isSegmentFull = false;
  #isClosed = false;
  /** The number of commands that are between two steps. */
  #openGroups = 0;
  /** The promise that is resolved when there are no open groups. */
  #whenNoGroup: PromiseWithResolvers<void> | undefined;
  /** The promise of {@linkcode marked}. */
  #whenMarked: PromiseWithResolvers<void> | undefined;
  #pieceTimer: ReturnType<typeof setTimeout> | undefined;
  /** The promise that replies to writing commands wait for: {@linkcode holdWriters} sets it. */
  #held: Promise<void> | undefined;

  /**
   * Creates the first segment, if there is room for it.
   *
   * @throws the file system's error
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

  /** The reason why writes are refused now; `undefined` when they are accepted. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Whether only a snapshot can repair the log. */
  get mustRebase(): boolean {
    return this.#isRebaseDue;
  }

  /** Whether a snapshot would repair the log and there is a place for it. */
  get needsSnapshot(): boolean {
    return this.mustRebase && (this.#displaced === undefined || this.#displaced === this.#tampered);
  }

  /** The bytes that are kept in memory because they cannot be written. */
  get unwrittenBytes(): number {
    return this.#unwritten.reduce((sum, { bytes, written }) => sum + bytes.length - written, 0);
  }

  /** The position of the next effect in the current batch, in bytes. */
  get position(): number {
    return this.main.length;
  }

  /**
   * Moves the effects of the current batch from byte `from` on to a separate group.
   *
   * @param from the {@linkcode position} before the command ran
   * @param expectedBytes the initial room for the command's effects, so that it rarely has to grow
   */
  openGroup(from: number, expectedBytes: number): RecordGroup {
    const group = new RecordGroup(this, expectedBytes);
    group.records.addAll(this.main, from);
    this.main.cut(from);
    this.#openGroups++;
    return group;
  }

  /** Ends a step of a {@linkcode RecordGroup}: effects go to the log's own records again. */
  leaveGroup(): void {
    this.records = this.main;
  }

  /** Adds the effects of a {@linkcode RecordGroup} to the log. */
  closeGroup({ records }: RecordGroup): void {
    if (records.length - BLOCK_HEADER_BYTES <= LOG_BATCH_BYTES) {
      this.main.addAll(records);
    } else {
      this.#seal();
      this.#sealRecords(records);
    }
    if (--this.#openGroups === 0) this.#whenNoGroup?.resolve();
  }

  /** The number of commands that are between two steps. No snapshot may end while it is above 0. */
  get openGroups(): number {
    return this.#openGroups;
  }

  /** Whether a snapshot waits for the open groups. Then no long command may begin until {@linkcode marked} resolves. */
  get isMarkAwaited(): boolean {
    return this.#whenMarked !== undefined;
  }

  /** A promise that resolves when the waiting snapshot has ended. */
  get marked(): Promise<void> | undefined {
    return this.#whenMarked?.promise;
  }

  /** Resolves when no group is open. None is opened from then on until {@linkcode endMarking} is called. */
  async groupsClosed(): Promise<void> {
    this.#whenMarked ??= Promise.withResolvers();
    while (this.#openGroups > 0) {
      this.#whenNoGroup ??= Promise.withResolvers();
      await this.#whenNoGroup.promise;
      this.#whenNoGroup = undefined;
    }
  }

  /** Changes the policy. Replies that the new one need not hold back are sent. */
  setPolicy(policy: FsyncPolicy): void {
    this.policy = policy;
    this.#release();
  }

  /** Allows long commands to begin again. */
  endMarking(): void {
    this.#whenMarked?.resolve();
    this.#whenMarked = undefined;
  }

  /**
   * Returns whether replies have to wait for {@linkcode settled}, because they may reveal effects that are not yet as
   * durable as the policy requires.
   *
   * While the log fails, only replies to commands that had effects wait; other commands continue to read.
   *
   * @param writesBefore `writes` before the commands ran
   */
  mustWait(writesBefore: number): boolean {
    const isSettled = this.main.isEmpty && this.#written === this.#sealed &&
      (this.policy !== "always" || this.#synced === this.#sealed);
    if (isSettled) return this.#held !== undefined && this.writes !== writesBefore;
    return this.#refusal === undefined || this.writes !== writesBefore;
  }

  /**
   * Resolves when all effects so far are as durable as the policy requires for a reply. For commands without effects,
   * it also resolves when the log fails.
   *
   * @param writesBefore `writes` before the commands ran; without it, they had effects
   * @throws {NotSavedError} when that takes too long: whether the effects will last is unknown
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
   * Delays replies to commands that write until a promise resolves, which must not reject. Their effects wait for the
   * disk in a snapshot's queue as well, and it grows faster than it shrinks.
   */
  holdWriters(until: Promise<void>): void {
    this.#held = until;
    void until.then(() => {
      if (this.#held === until) this.#held = undefined;
    });
  }

  /** Writes all effects without waiting until they are on disk, for effects that no client waits for. */
  flush(): void {
    this.#seal();
    this.#write();
  }

  /** Writes all effects, and starts to sync what has been written unless a sync is running or the policy is `never`. */
  tick(): void {
    this.flush();
    if (this.policy !== "never" && this.#synced < this.#written) this.#startSync();
    else if (this.#segment?.isFinished === false) this.begin();
  }

  /** Syncs a new segment's header with any policy, and gives the segment its name. Does nothing while the log fails. */
  async begin(): Promise<void> {
    for (let segment = this.#segment; segment?.isFinished === false; segment = this.#segment) {
      if (this.#refusal !== undefined) return;
      if (this.#syncing === undefined) this.#runSync(() => this.#finish(segment));
      await this.#syncing;
    }
  }

  /**
   * Checks whether the place is still ours. While it is not, writes are refused.
   *
   * @returns what is wrong with the place
   */
  check(): Trouble | undefined {
    const segment = this.#segment;
    // While a segment is being renamed, both of its names may lead to it.
    const expected = segment === undefined || segment.isLost || segment.isMoving ? undefined : segment;
    const trouble = this.#place?.trouble(expected);
    if (trouble?.kind === "files") this.abandonSegment(trouble.reason);
    const wasDisplaced = this.#displaced !== undefined;
    this.#displaced = trouble?.kind === "place" ? trouble.reason : this.#tampered;
    this.#updateRefusal();
    if (wasDisplaced && this.#displaced === undefined) {
      this.#write();
      this.#release();
    }
    return trouble;
  }

  /** Abandons the segment: a snapshot has to contain what it holds. Writes stay refused until {@linkcode readmit}. */
  abandonSegment(reason: string): void {
    this.#tampered ??= `${reason}; find out why, then run the command "save" to allow writes again`;
    if (this.#segment !== undefined) this.#segment.isLost = true;
    this.#rebase(this.#sealed);
  }

  /** Requires a snapshot before anything is written to the log, since the files do not have all that the store has. */
  requireSnapshot(): void {
    this.#rebase(this.#sealed);
    this.#refuse("the log cannot continue: the loaded data must be saved first, and the disk is full");
  }

  /**
   * Accepts writes again after files were removed or changed. To be called after a person has asked for a snapshot that
   * is now complete; a snapshot that ended before the request does not count.
   */
  readmit(): void {
    if (this.mustRebase) return;
    this.#tampered = undefined;
    this.check();
  }

  /**
   * Begins the next segment, so that the current one can be removed when a snapshot has captured its effects. Does
   * nothing while the log fails, or when the segment has no batch.
   *
   * @throws the file system's error; then the segment continues
   */
  rotate(): void {
    const segment = this.#segment;
    if (segment === undefined || segment.first === this.#sealed + 1) return;
    if (this.#refusal !== undefined || this.#unwritten.length > 0) return;
    this.#segment = this.#makeSegment(this.#sealed + 1);
    this.#left.push({ segment, last: this.#sealed });
  }

  /**
   * Seals the current batch and returns its number. A snapshot that ends in this moment contains the effects of all
   * batches up to it.
   */
  mark(): number {
    this.flush();
    // A segment must not end within a batch.
    this.#writeAll();
    return this.#sealed;
  }

  /**
   * Releases the batches up to `batch`: a snapshot with all their effects is on disk. It repairs what failed before.
   *
   * @throws the file system's error, if a new segment was needed and could not be created
   */
  captured(batch: number): void {
    const isTorn = this.#unwritten.some(({ batch: each, written }) => each <= batch && written > 0);
    this.#unwritten = this.#unwritten.filter((unwritten) => unwritten.batch > batch);
    this.#written = Math.max(this.#written, batch);
    this.#synced = Math.max(this.#synced, batch);
    if (isTorn || (this.mustRebase && batch >= this.#rebaseThrough)) {
      // The snapshot has all that the segments have. Until the new segment exists, nothing may be written after a torn
      // batch.
      if (!this.mustRebase) this.#rebase(batch);
      const left = this.#segment;
      this.#segment = this.#makeSegment(this.#unwritten[0]?.batch ?? this.#sealed + 1);
      if (left !== this.#segment) left?.file.close();
      this.#isRebaseDue = false;
      this.#rebaseThrough = 0;
    }
    // The other segments are no longer needed. They are closed now, as there may never be another sync.
    while (this.#left.length > 0 && this.#left[0]!.last <= batch) this.#left.shift()!.segment.file.close();
    this.#write();
    this.#release();
  }

  /**
   * Writes and syncs all effects, and closes the log.
   *
   * @throws {NotSavedError} when that fails
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    this.check();
    this.#commit();
    this.#writeAll();
    while (this.#canSync && this.#synced < this.#written) {
      this.#startSync();
      await this.#syncing;
    }
    await this.#syncing;
    this.check();
    clearTimeout(this.#retryTimer);
    for (const { segment } of this.#left.splice(0)) segment.file.close();
    this.#segment?.file.close();
    for (const waiting of this.#waiting.splice(0)) fail(waiting, this.#refusal ?? "the server is stopping");
    if (this.#refusal !== undefined) throw new NotSavedError(this.#refusal);
  }

  readonly #commit = (): void => {
    this.#isScheduled = false;
    this.#checkBeforeWriting();
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

  /**
   * Checks the place with `everysec` and `never`. While batches are written it is checked more often, since they are
   * acknowledged next.
   */
  #checkBeforeWriting(): void {
    const place = this.#place;
    if (place === undefined || this.policy === "always") return;
    const nowMs = this.#monotonicNow();
    if (nowMs - this.#checkedMs < PLACE_LOOK_WRITING_MS) return;
    this.#checkedMs = nowMs;
    const segment = this.#segment;
    if (segment === undefined || !place.has(segment)) this.check();
  }

  /** Makes the records a batch, if there are any. */
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
        // Keys continue to expire. The next snapshot will contain all effects.
        this.#rebase(this.#sealed);
        this.#unwritten = [];
      }
    }
  }

  /** Writes the batches that could not be written before, and a piece of those that are too long for one step. */
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
      this.#updateRefusal();
    }
  }

  /** Whether batches may be written to the segment. */
  get #canWrite(): boolean {
    return !this.#isRebaseDue && this.#displaced === undefined;
  }

  /** Whether it is useful to sync the segment. */
  get #canSync(): boolean {
    return this.#segment !== undefined && this.#canWrite;
  }

  /** Writes all batches that would otherwise be written in pieces. */
  #writeAll(): void {
    clearTimeout(this.#pieceTimer);
    this.#pieceTimer = undefined;
    while (this.#unwritten.length > 0 && this.#refusal === undefined && !this.mustRebase) this.#write();
    clearTimeout(this.#pieceTimer);
    this.#pieceTimer = undefined;
  }

  /** Continues writing in the next turn of the event loop, so that no client has to wait for all of a long batch. */
  #writeLater(): void {
    this.#pieceTimer ??= setTimeout(() => {
      this.#pieceTimer = undefined;
      this.#write();
      this.#release();
    }, 0);
  }

  /** Writes a batch from byte `from` on. Returns the position reached. */
  #writeSome(segment: Segment, bytes: Uint8Array, from: number): number {
    const { onDuration } = this;
    const startedMs = onDuration === undefined ? 0 : this.#monotonicNow();
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
    onDuration?.("write", this.#monotonicNow() - startedMs);
    return from;
  }

  #wrote(batch: number): void {
    this.#written = batch;
    if (this.#unsyncedSinceMs === 0) this.#unsyncedSinceMs = this.#monotonicNow();
  }

  /** Resolves the promises for batches that are as durable as the policy requires. */
  #release(): void {
    const goal = this.policy === "always" ? this.#synced : this.#releasable;
    while (this.#waiting.length > 0 && this.#waiting[0]!.batch <= goal) {
      const { writers, readers } = this.#waiting.shift()!;
      writers?.resolve();
      readers?.resolve();
    }
    if (this.policy === "always" && this.#waiting.length > 0 && this.#synced < this.#written) this.#startSync();
  }

  /**
   * The last batch whose replies may be sent, with `everysec` and `never`. With `everysec`, a sync that takes far too
   * long delays later batches.
   */
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
      // This includes batches that will not be written to this segment any more.
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
    // A snapshot may make any of these segments unnecessary meanwhile, and close them.
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
    // Batches in a file that a start would not find are not acknowledged.
    if (this.policy === "always" && !this.#isInPlace(segment)) return;
    this.syncs++;
    this.#synced = Math.max(this.#synced, goal);
    if (this.#synced >= this.#written) this.#unsyncedSinceMs = 0;
  }

  /** Syncs a segment, its name and the folder. */
  async #finish(segment: Segment): Promise<void> {
    const startedMs = this.#monotonicNow();
    if (this.#holds(segment)) await segment.file.syncData();
    this.onDuration?.("sync", this.#monotonicNow() - startedMs);
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

  /** Returns whether a start would find the segment. */
  #isInPlace(segment: Segment): boolean {
    if (this.#place === undefined || (segment === this.#segment && this.#place.has(segment))) return true;
    this.check();
    return this.#displaced === undefined;
  }

  /** Returns whether a segment is the current one, or one before it that is still needed. */
  #holds(segment: Segment): boolean {
    return segment === this.#segment || this.#left.some((each) => each.segment === segment);
  }

  /** Requires a snapshot of everything up to a batch before the next batch is written. */
  #rebase(through: number): void {
    this.#isRebaseDue = true;
    this.#rebaseThrough = Math.max(this.#rebaseThrough, through);
  }

  #refuse(reason: string): void {
    this.#failure = reason;
    this.#updateRefusal();
  }

  /** Updates whether writes are refused, and reports a change. */
  #updateRefusal(): void {
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
    if (this.#canWrite) this.#ensureSegment();
    this.#write();
    this.#release();
    if (this.#refusal === undefined) return;
    // Waits that take too long are rejected: whether their effects will last is unknown.
    const isElsewhere = this.#displaced !== undefined && this.#displaced !== this.#tampered;
    const lateMs = this.#monotonicNow() - (isElsewhere ? PLACE_HOLD_MAX_MS : LOG_HOLD_MAX_MS);
    while (this.#waiting.length > 0 && this.#waiting[0]!.sinceMs <= lateMs) {
      fail(this.#waiting.shift()!, this.#refusal);
    }
    this.#updateRefusal();
  }

  #wait(): Waiting {
    return { writers: undefined, readers: undefined, batch: 0, sinceMs: this.#monotonicNow() };
  }

  /** Creates the segment that is needed to write, or one to continue in after a full one. */
  #ensureSegment(): void {
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

  /** Continues in another segment with the batch that no longer fits into this one. */
  #leaveFullSegment(full: Segment): void {
    const first = this.#unwritten[0];
    if (first === undefined || first.batch === full.first) return;
    try {
      this.#segment = this.#makeSegment(first.batch);
      this.#left.push({ segment: full, last: first.batch - 1 });
      this.#isSegmentFull = false;
    } catch {
      // Nothing has changed, so the reason for refusing writes stays the same.
    }
  }

  /**
   * Creates a segment and checks that it is in our place. A file is created by path, and the path may lead elsewhere
   * since the last check: into another server's folder, or one that disappears with a mount.
   */
  #createSegment(start: SegmentStart): Segment {
    const segment = Segment.create(this.#files, this.#folder, start);
    const place = this.#place;
    if (place === undefined || place.has(segment)) return segment;
    segment.discard();
    throw new Error(place.trouble()?.reason ?? `"${segment.path}" was removed or replaced as soon as it was created`);
  }

  /** Begins a segment whose first batch has this number, and seals the unwritten batches for it. */
  #makeSegment(first: number): Segment {
    const start = { createdMs: this.#now(), first, unknown: first - 1 - this.#synced };
    let segment = this.#segment;
    // A segment without a batch already has this name.
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

/** Rejects the promise of the writers, because it is unknown whether their effects last. */
function fail({ writers, readers }: Waiting, reason: string): void {
  writers?.reject(new NotSavedError(reason));
  readers?.resolve();
}

/** Returns whether a file has reached the system's size limit (EFBIG, 27), which Deno reports only in the message. */
function isTooLarge(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return error.message.endsWith("(os error 27)") || ("code" in error && error.code === "EFBIG");
}
