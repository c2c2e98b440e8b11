/**
 * Sends the keys of a reader to a server or proxy, and counts what becomes of them.
 *
 * ```text
 * reader ──► Importer ──► batch ──► BulkStream ──► server
 *                │ held: while it is not known which keys exist      │
 *                └──────────────── in flight ◄── replies ────────────┘
 * ```
 *
 * A string is one request, so `setnx` does not touch an existing key. Other values take several, so whether the key
 * exists has to be known first. Requests from such a key on are held until the server has replied to `exists`, for
 * many keys at a time. With `replace` no key is asked about.
 *
 * The order of the file is kept. The first refusal, and with `fail` the first key that exists, ends the import:
 * nothing more is sent, and the replies to what was sent are counted.
 *
 * @module
 */

import type { ConnectionSettings } from "../client/client.ts";
import { ConnectionError, InmemError } from "../errors.ts";
import { IMPORT_BATCH_BYTES, IMPORT_HELD_BYTES, IMPORT_HELD_KEYS_COUNT, IMPORT_IN_FLIGHT_COUNT } from "../limits.ts";
import type { BulkReply } from "../load/bulk_reply.ts";
import { BulkStream, type ReplyConsumer } from "../load/bulk_stream.ts";
import { type EntryReader, InputError, NO_DEADLINE, Step } from "./entry_reader.ts";
import { type ImportReport, nameOf } from "./import_report.ts";
import { InFlight } from "./in_flight.ts";
import { RequestBatch } from "./request_batch.ts";
import { addDeadline, addDelete, addExists, addPart, addString, beginParts, isFull, RequestKind } from "./requests.ts";
import { Span } from "./span.ts";

const { Set: SET, Part: PART, Last: LAST, Exists: EXISTS } = RequestKind;

/** The treatment of keys that exist. */
export type ExistingKeys = "fail" | "skip" | "replace";

/** The choices of an import. */
export interface ImportOptions {
  readonly existing: ExistingKeys;
  /** The database that is imported; `undefined` for all. */
  readonly database: number | undefined;
  /** Whether what inmem does not have is left out. */
  readonly skipsUnsupported: boolean;
  /** Ends the import early: nothing more is sent, and the replies to what was sent are counted. */
  readonly signal?: AbortSignal;
}

/** A key was refused, or exists. */
export class KeyRefusedError extends InmemError {
  override readonly name = "KeyRefusedError";
  constructor(message: string) {
    super("REFUSED", message);
  }
}

/** The import was ended by a signal. */
export class InterruptedError extends InmemError {
  override readonly name = "InterruptedError";
  constructor() {
    super("INTERRUPTED", "Interrupted");
  }
}

/** A key whose requests are held. */
interface HeldKey {
  readonly key: Uint8Array;
  readonly position: number;
  /** Whether the server is asked about the key. The `setnx` of a string makes this unnecessary. */
  readonly isAsked: boolean;
  /** The requests in the batch of held ones. */
  readonly start: number;
  end: number;
  requestCount: number;
  /** Whether the last request of the key is among them. */
  isComplete: boolean;
}

/**
 * Imports all keys of a reader.
 *
 * @param report counts what is done; it is exact in any case
 * @param begin is called when there is a connection
 * @throws {InputError} when the input is damaged
 * @throws {KeyRefusedError} when the server refuses a key, or it exists
 * @throws {ConnectionError} when the connection is lost
 * @throws {InterruptedError} when `signal` is aborted
 */
export async function importEntries(
  reader: EntryReader,
  settings: ConnectionSettings,
  options: ImportOptions,
  report: ImportReport,
  begin: () => void,
): Promise<void> {
  await new Importer(reader, options, report).run(settings, begin);
}

class Importer implements ReplyConsumer {
  readonly #reader: EntryReader;
  readonly #options: ImportOptions;
  readonly #report: ImportReport;
  readonly #isReplacing: boolean;
  readonly #startMs = Date.now();
  #batch = new RequestBatch();
  #held = new RequestBatch();
  readonly #inFlight = new InFlight();
  #heldKeys: HeldKey[] = [];
  /** The replies to `exists` about held keys. */
  #answers: number[] = [];
  /** Whether the parts of the present value are not used. */
  #isIgnored = false;
  /** The number of parts of the present value, and of the open request. */
  #partCount = 0;
  #openParts = 0;
  /** The position of the key of which only a part is imported so far. */
  #partialPosition = -1;
  /** The reason why no more is sent. */
  #refusal: KeyRefusedError | undefined;
  #stream!: BulkStream;

  constructor(reader: EntryReader, options: ImportOptions, report: ImportReport) {
    this.#reader = reader;
    this.#options = options;
    this.#report = report;
    this.#isReplacing = options.existing === "replace";
  }

  async run(settings: ConnectionSettings, begin: () => void): Promise<void> {
    await using stream = await BulkStream.open(settings, "native", this);
    begin();
    stream.inFlightMaxCount = IMPORT_IN_FLIGHT_COUNT;
    this.#stream = stream;
    try {
      await this.#readAll();
    } catch (error) {
      // What was read before the fault is imported.
      await this.#finish();
      throw error;
    }
    await this.#finish();
  }

  take(reply: BulkReply): void {
    const inFlight = this.#inFlight;
    const { kind } = inFlight;
    if (kind === SET && (reply.isOk || reply.integer() === 1)) this.#imported();
    else if (reply.isRefusal) this.#refuse(reply.refusal());
    else if (kind === EXISTS) this.#answers.push(reply.integer());
    else if (kind === SET) this.#existsAlready();
    else if (kind === LAST) this.#imported();
    else this.#importedPart();
    inFlight.shift();
  }

  #imported(): void {
    this.#report.imported++;
    if (this.#inFlight.position === this.#partialPosition) this.#report.partialKey = undefined;
    this.#inFlight.mark();
  }

  #importedPart(): void {
    if (this.#report.partialKey !== undefined) return;
    this.#report.partialKey = this.#inFlight.key();
    this.#partialPosition = this.#inFlight.position;
  }

  /** Takes the reply that the oldest key in flight exists. */
  #existsAlready(): void {
    const inFlight = this.#inFlight;
    // A copy of each key would take longer than the rest.
    if (this.#options.existing === "skip") this.#report.existing++;
    else this.#exists(inFlight.key(), inFlight.position);
  }

  #exists(key: Uint8Array, position: number): void {
    if (this.#options.existing === "skip") {
      this.#report.existing++;
      return;
    }
    const cure = "--replace overwrites existing keys, --skip-existing leaves them as they are";
    const where = this.#reader.describe(position);
    this.#refusal ??= new KeyRefusedError(`Key ${nameOf(key)} exists: ${cure} (${where})`);
  }

  #refuse({ code, message }: { code: string; message: string }): void {
    const key = nameOf(this.#inFlight.key());
    const where = this.#reader.describe(this.#inFlight.position);
    this.#refusal ??= new KeyRefusedError(`The server refused key ${key}: ${code} ${message} (${where})`);
  }

  get #isStopped(): boolean {
    return this.#refusal !== undefined || this.#stream.lost !== undefined || this.#options.signal?.aborted === true;
  }

  async #readAll(): Promise<void> {
    const reader = this.#reader;
    while (!this.#isStopped) {
      switch (reader.next()) {
        case Step.String:
          this.#string();
          break;
        case Step.Begin:
          this.#begin();
          continue;
        case Step.Part:
          this.#part();
          break;
        case Step.End:
          this.#end();
          break;
        case Step.NeedsInput:
          await this.#flush();
          await this.#advance();
          continue;
        case Step.Unsupported:
          this.#unsupported();
          continue;
        case Step.Done:
          return;
      }
      if (this.#held.length > IMPORT_HELD_BYTES || this.#heldKeys.length > IMPORT_HELD_KEYS_COUNT) {
        await this.#release();
      } else if (this.#batch.length > IMPORT_BATCH_BYTES) await this.#flush();
    }
  }

  /** Gets more input. A pipe may stay silent after the import was ended. */
  async #advance(): Promise<void> {
    const { signal } = this.#options;
    if (signal === undefined) return await this.#reader.advance();
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    signal.addEventListener("abort", abort, { once: true });
    try {
      await Promise.race([this.#reader.advance(), aborted.promise]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #unsupported(): void {
    const reader = this.#reader;
    if (!this.#isChosen) return;
    if (this.#options.skipsUnsupported) return this.#report.countUnsupported(reader.unsupported);
    const name = reader.key.length > 0 ? ` (key ${nameOf(reader.key.copy())})` : "";
    const problem = `Cannot import ${reader.unsupported}${name}: --skip-unsupported leaves it out`;
    throw new InputError(problem, reader.describe(reader.keyPosition));
  }

  get #isChosen(): boolean {
    return this.#options.database === undefined || this.#reader.database === this.#options.database;
  }

  /** Returns whether the present key is imported, and counts it if it is not. */
  #isWanted(): boolean {
    const { deadlineMs } = this.#reader;
    if (!this.#isChosen) this.#report.countOther(this.#reader.database);
    else if (deadlineMs !== NO_DEADLINE && deadlineMs <= this.#startMs) this.#report.expired++;
    else return true;
    return false;
  }

  #string(): void {
    if (!this.#isWanted()) return;
    const reader = this.#reader;
    if (this.#heldKeys.length === 0) {
      addString(this.#batch, reader, this.#isReplacing);
      this.#inFlight.push(SET, reader.keyPosition, reader.key);
      return;
    }
    this.#hold(false);
    addString(this.#held, reader, false);
    this.#heldRequest(true);
  }

  #begin(): void {
    this.#isIgnored = !this.#isWanted();
    this.#partCount = 0;
    this.#openParts = 0;
  }

  /** Adds the present part. A request is completed when the next part comes, since the last one is another kind. */
  #part(): void {
    if (this.#isIgnored) return;
    const reader = this.#reader;
    if (this.#partCount === 0) this.#beginValue();
    const batch = this.#target;
    if (this.#openParts > 0 && isFull(batch, reader.type, this.#openParts)) this.#endRequest(PART);
    if (this.#openParts === 0) beginParts(batch, reader, this.#partCount === 0);
    addPart(batch, reader);
    this.#partCount++;
    this.#openParts++;
  }

  #beginValue(): void {
    const reader = this.#reader;
    if (this.#isReplacing) {
      addDelete(this.#batch, reader);
      this.#inFlight.push(PART, reader.keyPosition, reader.key);
    } else {
      this.#hold(true);
    }
  }

  #end(): void {
    if (this.#isIgnored) return;
    const reader = this.#reader;
    if (this.#partCount === 0) {
      this.#report.empty++;
      return;
    }
    if (reader.deadlineMs === NO_DEADLINE) return this.#endRequest(LAST);
    this.#endRequest(PART);
    addDeadline(this.#target, reader);
    this.#added(LAST);
  }

  /** The batch that the present value goes to. */
  get #target(): RequestBatch {
    return this.#heldKeys.length > 0 ? this.#held : this.#batch;
  }

  #endRequest(kind: number): void {
    this.#target.endOpen();
    this.#openParts = 0;
    this.#added(kind);
  }

  #added(kind: number): void {
    if (this.#heldKeys.length > 0) this.#heldRequest(kind === LAST);
    else this.#inFlight.push(kind, this.#reader.keyPosition, this.#reader.key);
  }

  /** Begins to hold the requests of the present key. */
  #hold(isAsked: boolean): void {
    const { key, keyPosition } = this.#reader;
    if (isAsked) {
      addExists(this.#batch, this.#reader);
      this.#inFlight.push(EXISTS, keyPosition, key);
    }
    const { length } = this.#held;
    this.#heldKeys.push({
      key: key.copy(),
      position: keyPosition,
      isAsked,
      start: length,
      end: length,
      requestCount: 0,
      isComplete: false,
    });
  }

  /** Notes that one more request of the present key is held. */
  #heldRequest(isLast: boolean): void {
    const held = this.#heldKeys.at(-1)!;
    held.end = this.#held.length;
    held.requestCount++;
    held.isComplete = isLast;
  }

  /** Waits until it is known which of the held keys exist, and sends the requests of the others. */
  async #release(): Promise<void> {
    if (this.#heldKeys.length === 0) return;
    await this.#flush();
    await this.#stream.drained();
    const answers = this.#answers;
    /** The keys that were held and are sent, which the server does not know yet. */
    const names = new Set<string>();
    const key = new Span();
    let asked = 0;
    for (const held of this.#heldKeys) {
      if (this.#isStopped) break;
      const name = held.key.toBase64();
      const exists = held.isAsked && (answers[asked++] !== 0 || names.has(name));
      names.add(name);
      key.setBytes(held.key);
      if (exists) this.#exists(held.key, held.position);
      else this.#send(held, key);
      // The rest of its value comes later.
      if (exists && !held.isComplete) this.#ignoreRest();
    }
    this.#answers = [];
    this.#heldKeys = [];
    this.#held.dropComplete();
    // A request that is not complete continues among those that are not held.
    [this.#batch, this.#held] = [this.#held, this.#batch];
  }

  #ignoreRest(): void {
    this.#isIgnored = true;
    if (this.#openParts > 0) this.#held.cancel();
    this.#openParts = 0;
  }

  #send(held: HeldKey, key: Span): void {
    const bytes = this.#held.buffer.subarray(held.start, held.end);
    for (let i = 1; i <= held.requestCount; i++) {
      const isLast = held.isComplete && i === held.requestCount;
      this.#inFlight.push(isLast ? (held.isAsked ? LAST : SET) : PART, held.position, key);
    }
    this.#stream.addEncoded(bytes, held.requestCount);
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    if (batch.count === 0) return;
    if (!this.#stream.hasRoom) await this.#stream.room();
    this.#stream.addEncoded(batch.buffer.subarray(0, batch.completeBytes), batch.count);
    batch.dropComplete();
  }

  /** Sends what is complete, and counts the replies to everything. */
  async #finish(): Promise<void> {
    if (this.#openParts > 0) {
      this.#target.cancel();
      this.#openParts = 0;
    }
    if (!this.#isStopped) await this.#release();
    if (!this.#isStopped) await this.#flush();
    const stream = this.#stream;
    await stream.drained();
    const report = this.#report;
    const inFlight = this.#inFlight;
    if (report.imported > 0) report.lastKey = inFlight.markedKey();
    if (stream.lost !== undefined) {
      this.#countUnconfirmed(stream.writtenCount - stream.repliedCount);
      throw new ConnectionError(stream.address, stream.lost.message, stream.lost.sent, { cause: stream.lost });
    }
    if (this.#refusal !== undefined) throw this.#refusal;
    if (this.#options.signal?.aborted) throw new InterruptedError();
  }

  #countUnconfirmed(requestCount: number): void {
    const inFlight = this.#inFlight;
    const report = this.#report;
    for (let left = Math.min(requestCount, inFlight.count); left > 0; left--) {
      if (inFlight.kind === SET || inFlight.kind === LAST) report.unconfirmed++;
      if (inFlight.kind !== EXISTS) report.unconfirmedKey ??= inFlight.key();
      inFlight.shift();
    }
  }
}
