/**
 * One connection to a server, shared by many clients: requests are sent in batches, and replies arrive in the same
 * order.
 *
 * ```text
 * requests    [ settled | sent, without a reply … | collected, unsent … ]
 *              head ─────┘                         └── unsent        tail
 * ```
 *
 * - The requests of one turn of the event loop are collected in one batch and written together. While a write is in
 *   progress the next batch collects, so writes never overlap.
 * - A large batch is put aside and another one is begun, so that nothing large is copied again. A long request is a
 *   separate batch, and is not copied at all.
 * - An arriving reply frame belongs to the request at `head`. Its bytes are passed on in the read buffer; with a long
 *   reply the buffer itself is passed on.
 *
 * A server that is silent while a request waits for its reply ends the connection: the reply may still come, and must
 * not be taken for the reply to another request. The silence counts rather than the wait: after long replies, or while
 * it is long itself, a request may wait for a server that works all the time. The silence is therefore measured from
 * the last bytes of a reply, and from the last accepted piece of a long request. After all of a long request was
 * written, a part is still on its way, which gets as much time as it takes at the pace of the rest. The unsettled
 * requests of a lost connection are returned to the pool, which decides about them.
 *
 * @module
 */

import { copyBytes, enlarge } from "../bytes.ts";
import { assert, ConnectionError, ProtocolError } from "../errors.ts";
import {
  BACKEND_BATCH_MAX_BYTES,
  BACKEND_PACE_MAX_MS,
  BACKEND_QUEUE_MAX_BYTES,
  BACKEND_TRANSIT_BYTES,
  BACKEND_WRITE_BYTES,
  BACKEND_WRITE_WAIT_MS,
  BUFFER_KEEP_MAX_BYTES,
  LONG_FRAME_BYTES,
  REPLY_BURST_BYTES,
} from "../limits.ts";
import { freeBuffer } from "../memory/freed_memory.ts";
import { BackendRequest, Batch } from "./backend_request.ts";
import type { RequestStream } from "./backend_request.ts";
import type { Clock, Flushable, FlushQueue } from "./flush_queue.ts";
import type { FrameMeasure, Framing, Transport } from "./framing.ts";

/** The part of a pool that a pipeline uses. */
export interface PipelineHost {
  readonly address: string;
  readonly flushQueue: FlushQueue;
  readonly clock: Clock;
  /** Called once when the pipeline has ended. Every remaining request has to be settled or sent elsewhere. */
  ended(pipeline: Pipeline, end: PipelineEnd): void;
  /** Called when the last request in flight has its reply. */
  idle(pipeline: Pipeline): void;
}

/** The reason why a pipeline ended, and the requests that remain. */
export interface PipelineEnd {
  /** Whether the server failed to reply in time; if not, the connection was lost. */
  readonly late: boolean;
  /** Whether that shows that the server is gone. A server that is late may be busy. */
  readonly gone: boolean;
  /** The reason, as one sentence. */
  readonly reason: string;
  /** The requests whose bytes may have been sent, in order. */
  readonly sent: readonly BackendRequest[];
  /** The requests of which no byte was sent, in order. */
  readonly unsent: readonly BackendRequest[];
}

const NO_ROOM = "its reply needs more memory than is left of what all clients may hold together (--max-client-memory)";
const UNASKED = "it answered what nobody had asked";
const RING_INITIAL_COUNT = 64;
const BATCH_INITIAL_BYTES = 16 * 1024;
/** The number of bytes of a long reply that are read before other code runs. */
const READ_BURST_BYTES = 2 * 1024 * 1024;
/** The number of batches kept for the next writes. More are in use only if the server is slow. */
const SPARE_BATCHES_MAX_COUNT = 4;

/** Replaces a request that was refused while its reply was arriving. The rest of the reply is discarded. */
class PassedRequest extends BackendRequest {
  constructor({ stream, size, sinceMs, unread, passed }: BackendRequest) {
    super();
    this.unread = unread;
    this.passed = passed;
    this.stream = stream;
    this.size = size;
    this.sinceMs = sinceMs;
  }

  override succeed(): void {}

  override fail(): void {}
}

/** Resolves in a later turn of the event loop. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/**
 * A pipelined connection. It collects requests from the start, and writes once {@linkcode begin} has given it a
 * transport.
 */
export class Pipeline implements Flushable {
  scheduled = false;
  /** The bytes of the requests without a reply. */
  queuedBytes = 0;
  /** The number of requests that are added to its load, so that no request is sent after one that takes long. */
  handicap = 0;
  /** Whether a reply has ever arrived. Only then was the server more than an open port. */
  hasReplied = false;
  /** The protocol of the connection. */
  readonly framing: Framing;
  readonly #host: PipelineHost;
  readonly #measure: FrameMeasure;
  #transport: Transport | undefined;
  #ended = false;
  #ring: (BackendRequest | undefined)[] = new Array(RING_INITIAL_COUNT).fill(undefined);
  #head = 0;
  #unsent = 0;
  #tail = 0;
  #collecting = new Batch(new Uint8Array(BATCH_INITIAL_BYTES));
  /** The complete batches, which are written before the collecting one. */
  #full: Batch[] = [];
  #spare: Batch[] = [];
  #writing = false;
  /**
   * When bytes last arrived, by the host's clock, or since when they can be expected; at first, when the connection was
   * made.
   */
  #receivedMs = -Infinity;
  /**
   * When the server last showed that it works, by the host's clock: bytes arrived, or it accepted bytes that had to
   * wait for it. It may be in the future while the rest of a long request is on its way.
   */
  aliveMs = -Infinity;
  #extraTimeoutMs = 0;
  #waiting: (() => void)[] = [];

  constructor(host: PipelineHost, framing: Framing) {
    this.#host = host;
    this.framing = framing;
    this.#measure = framing.measure();
  }

  /** How much longer than others its server may be silent, in ms, for requests that wait for an event. */
  get extraTimeoutMs(): number {
    return this.#extraTimeoutMs;
  }

  set extraTimeoutMs(extraTimeoutMs: number) {
    // A server that had no reason to reply until now gets as long as any other from now on.
    if (extraTimeoutMs < this.#extraTimeoutMs) this.#receivedMs = this.#host.clock.nowMs;
    this.#extraTimeoutMs = extraTimeoutMs;
  }

  /** Whether it has a connection, so that requests are sent at the end of the turn. */
  get ready(): boolean {
    return this.#transport !== undefined && !this.#ended;
  }

  /** Whether it ever had a connection. */
  get begun(): boolean {
    return this.#transport !== undefined;
  }

  /** Whether it accepts no more requests. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The number of requests without a reply. */
  get inFlight(): number {
    return this.#tail - this.#head;
  }

  /** How busy it is: its requests in flight, of which large ones count as several. */
  get load(): number {
    return this.#tail - this.#head + (this.queuedBytes >>> 9) + this.handicap;
  }

  /** Whether its queue is full. It accepts one more request nevertheless, since a frame cannot be accepted in part. */
  get congested(): boolean {
    return this.queuedBytes >= BACKEND_QUEUE_MAX_BYTES;
  }

  /** Calls `relieved` once when the queue is half empty, or the pipeline has ended. */
  whenRelieved(relieved: () => void): void {
    if (this.congested) this.#waiting.push(relieved);
    else relieved();
  }

  /** Begins to write and read on `transport`, which the pipeline owns from now on. */
  begin(transport: Transport): void {
    assert(this.#transport === undefined && !this.#ended, "a pipeline begins once");
    this.#transport = transport;
    this.#receivedMs = this.aliveMs = this.#host.clock.nowMs;
    this.#read(transport);
    this.flush();
  }

  /** Appends a request whose frame is `bytes[start, start + size)`, borrowed until return. */
  send(stream: RequestStream, request: BackendRequest, bytes: Uint8Array, start: number, size: number): void {
    if (this.#collecting.length + size > this.#collecting.bytes.length) this.#makeRoom(size);
    const batch = this.#collecting;
    copyBytes(bytes, start, batch.bytes, batch.length, size);
    this.#add(stream, request, batch, size);
  }

  /** Appends a long request whose frame is `bytes[0, size)`. The pipeline owns the bytes from now on. */
  sendOwned(stream: RequestStream, request: BackendRequest, bytes: Uint8Array<ArrayBuffer>, size: number): void {
    if (this.#collecting.length > 0) this.#putAside(BATCH_INITIAL_BYTES);
    const batch = new Batch(bytes);
    this.#add(stream, request, batch, size);
    batch.tail = this.#tail;
    this.#full.push(batch);
  }

  #makeRoom(size: number): void {
    const batch = this.#collecting;
    const needed = batch.length + size;
    if (batch.length > 0 && needed > BACKEND_BATCH_MAX_BYTES) this.#putAside(size);
    else batch.bytes = enlarge(batch.bytes, batch.length, needed);
  }

  /** Completes the collecting batch, and begins another one of at least `size` bytes. */
  #putAside(size: number): void {
    this.#collecting.tail = this.#tail;
    this.#full.push(this.#collecting);
    this.#collecting = new Batch(new Uint8Array(Math.max(size, BATCH_INITIAL_BYTES)));
  }

  /** Records a request whose frame is the next `size` bytes of a batch. */
  #add(stream: RequestStream, request: BackendRequest, batch: Batch, size: number): void {
    if (request.repeatable) batch.holders++;
    request.stream = stream;
    request.batch = batch;
    request.start = batch.length;
    request.size = size;
    request.passed = 0;
    batch.length += size;
    this.queuedBytes += size;
    if (this.#tail - this.#head === this.#ring.length) this.#growRing();
    this.#ring[this.#tail++ & (this.#ring.length - 1)] = request;
    if (this.#transport !== undefined && !this.#writing) this.#host.flushQueue.schedule(this);
  }

  /** Writes the collected requests. If a write is in progress, they follow it. */
  flush(): void {
    if (this.#transport === undefined || this.#ended || this.#writing) return;
    if (this.#collecting.length > 0 || this.#full.length > 0) this.#write(this.#transport);
  }

  /** Takes out the batch that is written next; `undefined` when there is none. */
  #takeBatch(): Batch | undefined {
    const full = this.#full.shift();
    if (full !== undefined) return full;
    const batch = this.#collecting;
    if (batch.length === 0) return undefined;
    batch.tail = this.#tail;
    this.#collecting = this.#spare.pop() ?? new Batch(new Uint8Array(BATCH_INITIAL_BYTES));
    return batch;
  }

  async #write(transport: Transport): Promise<void> {
    this.#writing = true;
    try {
      for (let batch = this.#takeBatch(); batch !== undefined; batch = this.#ended ? undefined : this.#takeBatch()) {
        const first = this.#unsent;
        this.#unsent = batch.tail;
        batch.holders++;
        if (batch.length > BACKEND_WRITE_BYTES) {
          await this.#writeLong(transport, batch, first);
        } else {
          await transport.write(batch.bytes.subarray(0, batch.length));
          this.#restartWait(first, 0);
        }
        this.#release(batch);
      }
      this.#writing = false;
    } catch (error) {
      this.end(false, `the connection was lost: ${(error as Error).message}`);
    }
  }

  /** Writes a batch in pieces, to observe whether the server accepts it. Its first request is at `first`. */
  async #writeLong(transport: Transport, batch: Batch, first: number): Promise<void> {
    const { length } = batch;
    let takenMs = performance.now();
    let waitedMs = 0;
    for (let start = 0; start < length; start += BACKEND_WRITE_BYTES) {
      // Writes that need not wait follow each other in one turn of the event loop.
      if (start > 0 && start % REPLY_BURST_BYTES === 0) await nextTurn();
      await transport.write(batch.bytes.subarray(start, Math.min(length, start + BACKEND_WRITE_BYTES)));
      const pieceMs = performance.now() - takenMs;
      takenMs += pieceMs;
      const hasWaited = pieceMs >= BACKEND_WRITE_WAIT_MS;
      if (hasWaited) waitedMs += pieceMs;
      // The system accepts several pieces at a time once it has room, so the next one may have to wait as long again.
      this.#takeProgress(first, hasWaited ? pieceMs : 0);
    }
    const transitBytes = Math.min(length / 2, BACKEND_TRANSIT_BYTES);
    this.#takeProgress(first, waitedMs * transitBytes / (length - transitBytes));
  }

  /** Records that a piece of the batch that begins at `first` was accepted, and that the next one may take `nextMs`. */
  #takeProgress(first: number, nextMs: number): void {
    const laterMs = Math.min(nextMs, BACKEND_PACE_MAX_MS);
    if (laterMs > 0) this.aliveMs = Math.max(this.aliveMs, this.#host.clock.nowMs + laterMs);
    this.#restartWait(first, laterMs);
  }

  /**
   * Restarts the wait of the oldest request, now or `laterMs` later, if it is in the batch being written, which begins
   * at `first`. The wait never moves to an earlier moment.
   */
  #restartWait(first: number, laterMs: number): void {
    if (this.#ended || this.#head < first || this.#head === this.#tail) return;
    const oldest = this.#ring[this.#head & (this.#ring.length - 1)]!;
    oldest.sinceMs = Math.max(oldest.sinceMs, this.#host.clock.nowMs + laterMs);
  }

  async #read(transport: Transport): Promise<void> {
    try {
      let before = 0;
      while (await transport.fill()) {
        if (this.#ended) return;
        this.#receivedMs = this.aliveMs = this.#host.clock.nowMs;
        this.#takeReplies(transport);
        // Reads that need not wait follow each other in one turn of the event loop, as those of a long reply may.
        const unread = transport.end - transport.start;
        if (unread < before) before = 0;
        if (unread - before < READ_BURST_BYTES) continue;
        before = unread;
        await nextTurn();
        if (this.#ended) return;
      }
      this.end(false, "it closed the connection");
    } catch (error) {
      this.end(false, `the connection was lost: ${(error as Error).message}`);
    } finally {
      transport.free();
    }
  }

  #takeReplies(transport: Transport): void {
    let bytes = transport.buffer;
    let at = transport.start;
    let isAnswer = false;
    while (true) {
      const size = this.#measure.size(bytes, at, transport.end);
      if (size === 0) break;
      if (this.#head === this.#unsent) throw new ProtocolError(UNASKED);
      isAnswer = true;
      const place = this.#head & (this.#ring.length - 1);
      const request = this.#ring[place]!;
      if (request.passed < request.unread) {
        request.passed++;
        at += size;
        continue;
      }
      this.#head++;
      this.#ring[place] = undefined;
      this.queuedBytes -= request.size;
      this.#settle(request);
      if (size >= LONG_FRAME_BYTES) {
        const owned = transport.detach(at + size);
        request.succeedOwned(owned, at, at + size);
        bytes = transport.buffer;
        at = transport.start;
        continue;
      }
      request.succeed(bytes, at, at + size);
      at += size;
    }
    // If the bytes were kept, they would be taken for the beginning of the next reply.
    if (this.#head === this.#unsent && at < transport.end) throw new ProtocolError(UNASKED);
    transport.start = at;
    if (at < transport.end) this.#keepOrPassOver(transport);
    if (!isAnswer) return;
    this.hasReplied = true;
    if (this.#waiting.length > 0 && this.queuedBytes <= BACKEND_QUEUE_MAX_BYTES / 2) this.#relieve();
    if (this.#head === this.#tail) {
      // Restarting the count keeps the positions small integers.
      this.#head = this.#unsent = this.#tail = 0;
      this.#host.idle(this);
    }
  }

  /** Keeps an incomplete reply if there is room for it. Otherwise refuses it, and discards the rest as it arrives. */
  #keepOrPassOver(transport: Transport): void {
    const place = this.#head & (this.#ring.length - 1);
    const request = this.#ring[place]!;
    if (!(request instanceof PassedRequest)) {
      if (transport.makeRoom(this.#measure.needed)) return;
      this.#ring[place] = new PassedRequest(request);
      if (request.repeatable) this.#release(request.batch!);
      request.batch = undefined;
      request.traffic = undefined;
      const { address } = this.#host;
      request.fail(new ConnectionError(address, `server "${address}": ${NO_ROOM}`, true));
    }
    transport.start += this.#measure.drop(transport.buffer, transport.start, transport.end);
  }

  /** Releases what a request holds, so that its owner may reuse it. */
  #settle(request: BackendRequest): void {
    request.stream!.inFlight--;
    if (request.traffic !== undefined) request.traffic.finish(request);
    if (request.repeatable) this.#release(request.batch!);
    request.batch = undefined;
  }

  #release(batch: Batch): void {
    if (--batch.holders > 0) return;
    // The garbage collector would keep a long one for seconds.
    if (batch.bytes.length >= LONG_FRAME_BYTES) return freeBuffer(batch.bytes);
    if (
      this.#spare.length < SPARE_BATCHES_MAX_COUNT && batch.bytes.length >= BATCH_INITIAL_BYTES &&
      batch.bytes.length <= BUFFER_KEEP_MAX_BYTES
    ) {
      batch.length = 0;
      this.#spare.push(batch);
    }
  }

  /** How long a request has waited without any bytes, in ms; 0 while none waits. */
  get silentMs(): number {
    if (this.#head === this.#tail || !this.ready) return 0;
    const oldest = this.#ring[this.#head & (this.#ring.length - 1)]!;
    return this.#host.clock.nowMs - Math.max(oldest.sinceMs, this.#receivedMs);
  }

  /** How long it has been idle, in ms; 0 while a request is in flight, or without a connection. */
  get idleMs(): number {
    // The last bytes were the last reply.
    return this.ready && this.#head === this.#tail ? this.#host.clock.nowMs - this.#receivedMs : 0;
  }

  /** Ends the pipeline if a request waits and nothing has arrived for longer than `timeoutMs`. */
  sweep(timeoutMs: number): void {
    if (this.silentMs > timeoutMs + this.#extraTimeoutMs) this.end(true, `no answer within ${timeoutMs} ms`);
  }

  /**
   * Closes the connection and returns the remaining requests to the pool. Idempotent.
   *
   * @param late whether the server failed to reply in time
   * @param reason one sentence, for the errors that clients get
   * @param gone whether that shows that the server is gone
   */
  end(late: boolean, reason: string, gone = !late): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#transport?.close();
    const sent = this.#takeOut(this.#head, this.#unsent);
    const unsent = this.#takeOut(this.#unsent, this.#tail);
    this.#head = this.#unsent = this.#tail;
    this.queuedBytes = 0;
    this.#full = [];
    this.#host.ended(this, { late, gone, reason, sent, unsent });
    this.#relieve();
  }

  #takeOut(from: number, to: number): BackendRequest[] {
    const taken: BackendRequest[] = [];
    for (let i = from; i < to; i++) taken.push(this.#ring[i & (this.#ring.length - 1)]!);
    return taken;
  }

  #relieve(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const relieved of waiting) relieved();
  }

  #growRing(): void {
    const grown: (BackendRequest | undefined)[] = new Array(this.#ring.length * 2).fill(undefined);
    for (let i = this.#head; i < this.#tail; i++) {
      grown[i & (grown.length - 1)] = this.#ring[i & (this.#ring.length - 1)];
    }
    this.#ring = grown;
  }
}
