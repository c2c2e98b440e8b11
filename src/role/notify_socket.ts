/**
 * Sends messages to the service manager that has started this process: systemd, or a container engine that speaks its
 * protocol (`sd_notify`).
 *
 * ```text
 * NOTIFY_SOCKET=/run/systemd/notify     a datagram socket in the file system
 * NOTIFY_SOCKET=@name                   one in Linux's abstract namespace: its address is a NUL and the name
 *
 * one datagram     READY=1\nSTATUS=Listening on 127.0.0.1:9443\n
 * ```
 *
 * The C library is called directly. A datagram socket of Deno needs a file to send from, and knows no abstract
 * names; libsystemd would be one more library that a machine must have.
 *
 * @module
 */

import { encodeText } from "../bytes.ts";

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
} as const;

// These numbers of Linux are the same on x86-64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0o2000002;
const MSG_DONTWAIT_NOSIGNAL = 0x4040;
const CLOCK_MONOTONIC = 1;
/** The size of `sun_path` in the address of a socket. */
const PATH_MAX_BYTES = 108;

/** A socket to the service manager. */
export class NotifySocket implements Disposable {
  readonly #library: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #descriptor: number;
  readonly #address: Uint8Array<ArrayBuffer>;

  private constructor(
    library: Deno.DynamicLibrary<typeof SYMBOLS>,
    descriptor: number,
    address: Uint8Array<ArrayBuffer>,
  ) {
    this.#library = library;
    this.#descriptor = descriptor;
    this.#address = address;
  }

  /**
   * Opens a socket. Nothing is sent yet, and the manager need not listen.
   *
   * @param path the value of `NOTIFY_SOCKET`
   * @returns `undefined` when the path is not one of a local socket, or the C library cannot be called
   */
  static open(path: string): NotifySocket | undefined {
    const { os, arch } = Deno.build;
    const address = addressOf(path);
    if (os !== "linux" || (arch !== "x86_64" && arch !== "aarch64") || address === undefined) return undefined;
    let library: Deno.DynamicLibrary<typeof SYMBOLS>;
    try {
      library = Deno.dlopen("libc.so.6", SYMBOLS);
    } catch {
      // There is no permission for FFI, or the C library is another one.
      return undefined;
    }
    const descriptor = library.symbols.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (descriptor >= 0) return new NotifySocket(library, descriptor, address);
    library.close();
    return undefined;
  }

  /**
   * Sends one message without waiting.
   *
   * @param lines assignments, one a line, such as `READY=1`
   * @returns whether the manager will get it; it does not when it is gone or has too many unread messages
   */
  send(lines: string): boolean {
    const message = encodeText(lines);
    const { sendto } = this.#library.symbols;
    const length = BigInt(message.length);
    const address = this.#address;
    return sendto(this.#descriptor, message, length, MSG_DONTWAIT_NOSIGNAL, address, address.length) === length;
  }

  /** Returns the time by which the manager orders messages: that of `CLOCK_MONOTONIC`, in microseconds. */
  monotonicUs(): bigint {
    const time = new BigInt64Array(2);
    this.#library.symbols.clock_gettime(CLOCK_MONOTONIC, new Uint8Array(time.buffer));
    return time[0]! * 1_000_000n + time[1]! / 1_000n;
  }

  [Symbol.dispose](): void {
    this.#library.symbols.close(this.#descriptor);
    this.#library.close();
  }
}

/** Returns the `sockaddr_un` of a path; `undefined` when it cannot be one. */
function addressOf(path: string): Uint8Array<ArrayBuffer> | undefined {
  if (!/^[/@]./s.test(path)) return undefined;
  const name = encodeText(path);
  const isAbstract = path.startsWith("@");
  // A path in the file system ends with a NUL. An abstract name has its length from that of the address.
  if (name.length + (isAbstract ? 0 : 1) > PATH_MAX_BYTES) return undefined;
  const address = new Uint8Array(2 + name.length + (isAbstract ? 0 : 1));
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(name, 2);
  if (isAbstract) address[2] = 0;
  return address;
}
