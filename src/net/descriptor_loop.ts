/**
 * Reads and writes many connections without the runtime: a loop of `epoll_wait`, `recv` and `send` on their
 * descriptors, through the C library.
 *
 * The runtime's sockets take about 10 µs of the processor for each read and write: two promises, two operations and
 * the turn of the event loop. A load generator that sends one request at a time spends most of its time there. Here a
 * read or a write is one system call, as in a program in C.
 *
 * It serves connections without TLS that Deno has made, which stay Deno's: their descriptors are found by their
 * addresses, and Deno closes them. No read or write of Deno may be under way on them.
 *
 * @module
 */

import { DESCRIPTOR_EVENTS_MAX_COUNT } from "../limits.ts";
import type { Socket } from "./socket.ts";
import { SystemSockets } from "./system_socket.ts";

const SYMBOLS = {
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  // The sizes are below 2^31, and numbers are faster than the BigInts of ssize_t.
  recv: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

// Linux's numbers, which are the same on x86-64 and arm64.
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** The layout of an `epoll_event`, which is packed on x86-64 (system_socket.ts draws it). */
const EVENT_DATA_OFFSET = Deno.build.arch === "x86_64" ? 4 : 8;
const EVENT_SIZE_BYTES = EVENT_DATA_OFFSET + 8;

/** A loop over the descriptors of several connections. */
export class DescriptorLoop implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #epoll: number;
  readonly #descriptors: readonly number[];
  readonly #events = new Uint8Array(DESCRIPTOR_EVENTS_MAX_COUNT * EVENT_SIZE_BYTES);
  readonly #view = new DataView(this.#events.buffer);

  private constructor(library: Deno.DynamicLibrary<typeof SYMBOLS>, descriptors: readonly number[]) {
    this.#library = library;
    this.#descriptors = descriptors;
    this.#epoll = library.symbols.epoll_create1(EPOLL_CLOEXEC);
    for (const index of descriptors.keys()) this.#control(EPOLL_CTL_ADD, index, EPOLLIN);
  }

  /**
   * Finds the descriptors of connections without TLS.
   *
   * @returns `undefined` on other systems than Linux, and without the permission for FFI, which the function does not
   * request
   */
  static open(sockets: readonly Socket[]): DescriptorLoop | undefined {
    if (Deno.build.os !== "linux" || Deno.permissions.querySync({ name: "ffi" }).state !== "granted") return undefined;
    try {
      using system = SystemSockets.open();
      const descriptors = sockets.map(({ localAddr: local, remoteAddr: remote }) =>
        system.find([{ local, remote }])[0]
      );
      if (descriptors.some((descriptor) => descriptor === undefined)) return undefined;
      return new DescriptorLoop(Deno.dlopen("libc.so.6", SYMBOLS), descriptors as number[]);
    } catch {
      return undefined;
    }
  }

  /**
   * Waits until connections can be read or, after {@linkcode watchWritable}, written, and calls `ready` for each.
   *
   * @param timeoutMs how long it waits at most; the event loop does not turn meanwhile
   * @param ready is called with the place of the connection among those given to {@linkcode open}
   */
  wait(timeoutMs: number, ready: (index: number) => void): void {
    const count = this.#library.symbols.epoll_wait(
      this.#epoll,
      this.#events,
      DESCRIPTOR_EVENTS_MAX_COUNT,
      timeoutMs,
    );
    for (let i = 0; i < count; i++) ready(this.#view.getUint32(i * EVENT_SIZE_BYTES + EVENT_DATA_OFFSET, true));
  }

  /** Reads what has arrived. Returns the number of bytes: 0 at the end, -1 when nothing has arrived or it is lost. */
  read(index: number, target: Uint8Array<ArrayBuffer>): number {
    return this.#library.symbols.recv(this.#descriptors[index]!, target, target.length, MSG_DONTWAIT);
  }

  /** Writes a part of `source`. Returns the number of bytes; -1 when nothing can be written now, or it is lost. */
  write(index: number, source: Uint8Array<ArrayBuffer>): number {
    return this.#library.symbols.send(this.#descriptors[index]!, source, source.length, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Sets whether {@linkcode wait} also reports that a connection can be written. */
  watchWritable(index: number, isWatched: boolean): void {
    this.#control(EPOLL_CTL_MOD, index, isWatched ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }

  /** Ends the loop. The connections stay open. */
  [Symbol.dispose](): void {
    this.#library.symbols.close(this.#epoll);
    this.#library.close();
  }

  #control(operation: number, index: number, events: number): void {
    // A separate event, since those of a wait may be in use.
    const event = new Uint8Array(EVENT_SIZE_BYTES);
    const view = new DataView(event.buffer);
    view.setUint32(0, events, true);
    view.setUint32(EVENT_DATA_OFFSET, index, true);
    this.#library.symbols.epoll_ctl(this.#epoll, operation, this.#descriptors[index]!, event);
  }
}
