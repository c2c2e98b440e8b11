/**
 * A minimal connection for the conformance tests: it sends bytes and reads frames.
 *
 * @module
 */

import { binaryBytes, binaryText, decodeFrame, encodeCommand, type Frame } from "./resp_frames.ts";

/** How long a read waits for a frame, or for the end of the connection, before it fails. */
const TIMEOUT_MS = 3_000;

/** Thrown when the server ends the connection although a frame is expected. */
export class ConnectionEnded extends Error {}

/** A plaintext connection. Text has one character per byte. */
export class RespClient implements Disposable {
  readonly #socket: Deno.TcpConn;
  #buffer = new Uint8Array(16 * 1024);
  #start = 0;
  #end = 0;
  #isClosed = false;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
  }

  static async connect(port: number): Promise<RespClient> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay();
    return new RespClient(socket);
  }

  /** Whether either side has ended the connection. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Sends text. An error of writing is ignored when the server has closed the connection: its last frames say why. */
  async send(text: string): Promise<void> {
    const bytes = binaryBytes(text);
    try {
      for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
    } catch (error) {
      if (!isEnd(error)) throw error;
    }
  }

  /** Sends one command and reads one frame. */
  async call(...words: string[]): Promise<Frame> {
    await this.send(encodeCommand(words));
    return await this.frame();
  }

  /**
   * Reads one frame.
   *
   * @throws {ConnectionEnded}
   */
  async frame(): Promise<Frame> {
    for (;;) {
      const found = decodeFrame(this.#buffer, this.#start, this.#end);
      if (found !== undefined) {
        this.#start = found.end;
        return found.frame;
      }
      if (!await this.#read("a frame")) throw new ConnectionEnded("The server has ended the connection");
    }
  }

  /** Reads until the server ends the connection, and returns the frames that came before. */
  async framesToEnd(): Promise<Frame[]> {
    while (await this.#read("the end of the connection"));
    const frames: Frame[] = [];
    while (this.#start < this.#end) frames.push(await this.frame());
    return frames;
  }

  async #read(what: string): Promise<boolean> {
    if (this.#isClosed) return false;
    if (this.#start === this.#end) this.#start = this.#end = 0;
    if (this.#end === this.#buffer.length) this.#makeRoom();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.close();
    }, TIMEOUT_MS);
    let count: number | null;
    try {
      count = await this.#socket.read(this.#buffer.subarray(this.#end));
    } catch (error) {
      if (!isLate && !isEnd(error)) throw error;
      count = null;
    } finally {
      clearTimeout(timer);
    }
    if (isLate) {
      const rest = binaryText(this.#buffer, this.#start, this.#end);
      throw new Error(`Waited ${TIMEOUT_MS} ms for ${what}; there is only ${JSON.stringify(rest.slice(0, 200))}`);
    }
    if (count === null) this.close();
    else this.#end += count;
    return count !== null;
  }

  #makeRoom(): void {
    const unread = this.#buffer.subarray(this.#start, this.#end);
    const next = unread.length > this.#buffer.length / 2 ? new Uint8Array(this.#buffer.length * 2) : this.#buffer;
    next.set(unread);
    this.#buffer = next;
    this.#end = unread.length;
    this.#start = 0;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Returns whether an error of a socket means that the other side has closed the connection. */
function isEnd(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted;
}
