/**
 * The side of a service manager: a local datagram socket that receives what a process sends to `NOTIFY_SOCKET`.
 *
 * The C library is called directly, since Deno's datagram sockets know no abstract names.
 *
 * @module
 */

import { until } from "./until.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MSG_DONTWAIT = 0x40;

/** A socket that receives notifications. */
export class NotifyReceiver implements Disposable {
  /** The value of `NOTIFY_SOCKET`. */
  readonly path: string;
  /** The lines of all messages so far. */
  readonly lines: string[] = [];
  readonly #library = Deno.dlopen("libc.so.6", SYMBOLS);
  readonly #descriptor: number;
  readonly #buffer = new Uint8Array(64 * 1024);

  /** @param path a path, or `@` and a name in the abstract namespace */
  constructor(path: string) {
    this.path = path;
    const { socket, bind } = this.#library.symbols;
    this.#descriptor = socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    const name = new TextEncoder().encode(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`);
    const address = new Uint8Array([AF_UNIX, 0, ...name]);
    if (bind(this.#descriptor, address, address.length) !== 0) throw new Error(`Cannot bind "${path}"`);
  }

  /** Returns all lines so far, with those that have arrived since the last call. */
  read(): readonly string[] {
    for (;;) {
      const size = Number(
        this.#library.symbols.recv(this.#descriptor, this.#buffer, BigInt(this.#buffer.length), MSG_DONTWAIT),
      );
      if (size < 0) return this.lines;
      const text = new TextDecoder().decode(this.#buffer.subarray(0, size));
      this.lines.push(...text.split("\n").filter((line) => line !== ""));
    }
  }

  /** Waits until a line has arrived, counted from the line with an index. Returns the index after it. */
  async after(line: string, from = 0): Promise<number> {
    await until(
      () => this.read().indexOf(line, from) >= 0,
      () => `${line} among: ${this.lines.slice(from).join(", ")}`,
    );
    return this.lines.indexOf(line, from) + 1;
  }

  [Symbol.dispose](): void {
    this.#library.symbols.close(this.#descriptor);
    this.#library.close();
  }
}
