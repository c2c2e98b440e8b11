/**
 * A connection within this process: two sockets, each of which reads what the other one writes.
 *
 * ```text
 * client ── write ──► Pipe ── read ──► session
 *        ◄── read ─── Pipe ◄─ write ──
 * ```
 *
 * A role serves one of them by one more session, as if a client had connected. So the page of `--metrics` runs real
 * commands without a network, a handshake, or a password.
 *
 * A pipe has no buffer: a write settles when a read has taken bytes of it, and the bytes are copied once. So the speed
 * of the reader limits the writer, as on a real connection.
 *
 * @module
 */

import type { ServedSocket } from "./socket.ts";

/** The address of both ends. No real connection has port 0, so the system never finds a descriptor for it. */
const ADDRESS: Deno.NetAddr = { transport: "tcp", hostname: "127.0.0.1", port: 0 };

/** A read or a write that waits for the other side. */
interface Waiting<T> extends PromiseWithResolvers<T> {
  readonly bytes: Uint8Array;
}

/** One direction of a connection, for one reader and one writer at a time. */
class Pipe {
  #write: Waiting<number> | undefined;
  #read: Waiting<number | null> | undefined;
  /** Whether the writer has ended its side. */
  #hasEnded = false;
  /** Whether the reader has closed the connection. */
  #isBroken = false;

  write(bytes: Uint8Array): Promise<number> {
    if (this.#hasEnded) return Promise.reject(new Deno.errors.BadResource("the connection is closed"));
    if (this.#isBroken) return Promise.reject(new Deno.errors.BrokenPipe("the other side has closed the connection"));
    if (bytes.length === 0) return Promise.resolve(0);
    const read = this.#read;
    if (read === undefined) {
      this.#write = { bytes, ...Promise.withResolvers<number>() };
      return this.#write.promise;
    }
    this.#read = undefined;
    const count = copy(bytes, read.bytes);
    read.resolve(count);
    return Promise.resolve(count);
  }

  read(target: Uint8Array): Promise<number | null> {
    if (this.#isBroken) return Promise.reject(new Deno.errors.BadResource("the connection is closed"));
    const write = this.#write;
    if (write !== undefined) {
      this.#write = undefined;
      const count = copy(write.bytes, target);
      write.resolve(count);
      return Promise.resolve(count);
    }
    if (this.#hasEnded) return Promise.resolve(null);
    this.#read = { bytes: target, ...Promise.withResolvers<number | null>() };
    return this.#read.promise;
  }

  /** Ends the writer's side: the reader gets `null`. A write that waits fails. */
  end(): void {
    this.#hasEnded = true;
    this.#read?.resolve(null);
    this.#write?.reject(new Deno.errors.BadResource("the connection is closed"));
    this.#read = this.#write = undefined;
  }

  /** Ends the reader's side: writes fail. A read that waits fails. */
  breakOff(): void {
    this.#isBroken = true;
    this.#read?.reject(new Deno.errors.BadResource("the connection is closed"));
    this.#write?.reject(new Deno.errors.BrokenPipe("the other side has closed the connection"));
    this.#read = this.#write = undefined;
  }
}

/** Copies as many bytes as both have. Returns their number. */
function copy(source: Uint8Array, target: Uint8Array): number {
  const count = Math.min(source.length, target.length);
  target.set(count === source.length ? source : source.subarray(0, count));
  return count;
}

/** One end of a connection within this process. */
class MemorySocket implements ServedSocket {
  readonly localAddr: Deno.NetAddr = ADDRESS;
  readonly remoteAddr: Deno.NetAddr = ADDRESS;
  readonly #input: Pipe;
  readonly #output: Pipe;
  #isClosed = false;

  constructor(input: Pipe, output: Pipe) {
    this.#input = input;
    this.#output = output;
  }

  read(target: Uint8Array): Promise<number | null> {
    return this.#input.read(target);
  }

  write(source: Uint8Array): Promise<number> {
    return this.#output.write(source);
  }

  closeWrite(): Promise<void> {
    this.#output.end();
    return Promise.resolve();
  }

  close(): void {
    if (this.#isClosed) throw new Deno.errors.BadResource("the connection is closed already");
    this.#isClosed = true;
    this.#output.end();
    this.#input.breakOff();
  }
}

/** Returns the two ends of a new connection. */
export function memorySockets(): readonly [ServedSocket, ServedSocket] {
  const [forth, back] = [new Pipe(), new Pipe()];
  return [new MemorySocket(back, forth), new MemorySocket(forth, back)];
}
