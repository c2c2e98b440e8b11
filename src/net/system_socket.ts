/**
 * Does what Deno's sockets lack, by a few calls into the C library.
 *
 * `Deno.TlsConn` has no `setNoDelay`. Closing one does not free its descriptor while its handshake is unfinished or its
 * write is blocked. One system call on the descriptor solves each problem, but Deno does not expose descriptors. So a
 * descriptor is found by its addresses: `getsockname` and `getpeername` are called for every small integer. The system
 * assigns the lowest free number, so descriptors are close together, and a long run of numbers without a socket ends
 * the search.
 *
 * ```text
 * sockaddr_in    family:u16  port:u16 big-endian  address:4
 * sockaddr_in6   family:u16  port:u16 big-endian  flow:u32  address:16  scope:u32
 * ```
 *
 * On macOS the family is a byte after one with the length of the address (operating_system.ts).
 *
 * A descriptor cannot change between finding and using it: everything here is synchronous, and Deno closes sockets on
 * the same thread.
 *
 * Epoll reports which connections their peers have ended. Deno reports an end only to a pending read, in a later turn
 * of the event loop, and after all bytes before the end (peer_ends.ts).
 *
 * ```text
 * epoll_event    x86-64   events:u32  data:u64               12 bytes, packed
 *                arm64    events:u32  (4 bytes)  data:u64    16 bytes
 * ```
 *
 * @module
 */

import { DESCRIPTOR_GAP_MAX_COUNT } from "../limits.ts";
import { type CLibrary, PLATFORM, type Platform, type SocketOption } from "../operating_system.ts";

// These numbers are the same on all systems with a C library; operating_system.ts has the others.
const AF_INET = 2;
const SHUT_RDWR = 2;
/** The size of the largest socket address, in bytes; those of TCP take at most 28. */
const SOCKET_ADDRESS_MAX_BYTES = 128;
const SOCKET_ADDRESS_USED_BYTES = 28;
const IPPROTO_TCP = 6;
const MSG_PEEK = 0x02;
// These exist on Linux only.
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
/** The event of a peer that has ended its side. Epoll always reports lost connections, too. */
const EPOLLRDHUP = 0x2000;
/** The flag that makes epoll report each event once. */
const EPOLLET = 0x8000_0000;
/** The offset of the data in an `epoll_event`, in bytes. */
const EVENT_DATA_OFFSET = Deno.build.arch === "x86_64" ? 4 : 8;
/** The size of an `epoll_event`, in bytes. */
const EVENT_SIZE_BYTES = EVENT_DATA_OFFSET + 8;
/** The most ends that one call of `epoll_wait` returns. */
const EVENTS_MAX_COUNT = 64;

const SO_ATTACH_REUSEPORT_CBPF = 51;
/** The opcode of a classic BPF program's only instruction, which returns a constant: BPF_RET with BPF_K. */
const BPF_RETURN_CONSTANT = 0x06;

/** The addresses that identify sockets: a connection with `remote`; without it all sockets bound to `local`. */
export interface SocketAddresses {
  readonly local: Deno.NetAddr;
  readonly remote?: Deno.NetAddr;
}

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getpeername: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  inet_pton: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  epoll_create1: { parameters: ["i32"], result: "i32", optional: true },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32", optional: true },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32", optional: true },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/** The C library as this module calls it. */
export type SocketLibrary = Deno.DynamicLibrary<typeof SYMBOLS>;

/** The encoded addresses of one wanted socket. */
interface Target {
  local: Uint8Array;
  remote: Uint8Array | undefined;
}

/** The wanted sockets by port, so that each descriptor needs one lookup, even for a thousand wanted connections. */
interface Targets {
  localPorts: Set<number>;
  byPorts: Map<number, Target[]>;
}

/**
 * This process's sockets as the C library sees them. Opening takes about a millisecond, and an open library is a
 * resource, so the caller opens it, uses it and disposes of it.
 *
 * @example
 * ```ts
 * import { assert, assertEquals } from "@std/assert";
 * import { SystemSockets } from "./system_socket.ts";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using sockets = SystemSockets.open();
 * const [descriptor = -1] = sockets.find([{ local: listener.addr }]);
 * assert(sockets.setOption(descriptor, "TCP_NODELAY", 1));
 * assertEquals(sockets.getOption(descriptor, "TCP_NODELAY"), 1);
 * ```
 */
export class SystemSockets implements Disposable {
  readonly #library: SocketLibrary;
  readonly #numbers: CLibrary;
  #local = new Uint8Array(SOCKET_ADDRESS_MAX_BYTES);
  #remote = new Uint8Array(SOCKET_ADDRESS_MAX_BYTES);
  #hosts = new Map<string, Uint8Array>();
  #length = new Uint32Array(1);
  #lengthBytes = new Uint8Array(this.#length.buffer);
  #events = new Uint8Array(EVENTS_MAX_COUNT * EVENT_SIZE_BYTES);
  #eventsView = new DataView(this.#events.buffer);

  private constructor(library: SocketLibrary, numbers: CLibrary) {
    this.#library = library;
    this.#numbers = numbers;
  }

  /**
   * Loads the C library.
   *
   * @param load loads it; tests pass a library of another system
   * @throws {Error} on a system whose library is not called, without the permission for FFI, or on Linux without the
   * GNU C library; the message says which. Callers then continue without these functions.
   */
  static open(
    platform: Platform = PLATFORM,
    load: (path: string) => SocketLibrary = (path) => Deno.dlopen(path, SYMBOLS),
  ): SystemSockets {
    const { library, title } = platform;
    if (library === undefined) throw new Error(`Cannot set socket options on ${title}`);
    return new SystemSockets(load(library.path), library);
  }

  /**
   * Returns the descriptors of the sockets with these addresses, in ascending order.
   *
   * A connection has one descriptor. A listener's address is also the local address of every connection it accepted.
   */
  find(addresses: readonly SocketAddresses[]): number[] {
    const targets = this.#encodeAll(addresses);
    const found: number[] = [];
    let gap = 0;
    for (let descriptor = 0; gap < DESCRIPTOR_GAP_MAX_COUNT; descriptor++) {
      if (this.#readName("getsockname", descriptor, this.#local)) {
        gap = 0;
        if (targets.localPorts.has(portOf(this.#local)) && this.#isAmong(targets, descriptor)) found.push(descriptor);
      } else {
        gap++;
      }
    }
    return found;
  }

  /** Sets an option to a number. Returns `false` when the system refuses, or has no such option. */
  setOption(descriptor: number, option: SocketOption, value: number): boolean {
    const name = this.#numbers.options[option];
    if (name === undefined) return false;
    const bytes = new Uint8Array(Int32Array.of(value).buffer);
    return this.#library.symbols.setsockopt(descriptor, this.#levelOf(option), name, bytes, bytes.length) === 0;
  }

  /** Returns the value of an option; `undefined` when the system refuses, or has no such option. */
  getOption(descriptor: number, option: SocketOption): number | undefined {
    const name = this.#numbers.options[option];
    if (name === undefined) return undefined;
    const value = new Int32Array(1);
    this.#length[0] = value.byteLength;
    const bytes = new Uint8Array(value.buffer);
    const { getsockopt } = this.#library.symbols;
    const status = getsockopt(descriptor, this.#levelOf(option), name, bytes, this.#lengthBytes);
    return status === 0 ? value[0] : undefined;
  }

  #levelOf(option: SocketOption): number {
    return option.startsWith("SO_") ? this.#numbers.SOL_SOCKET : IPPROTO_TCP;
  }

  /**
   * Makes the system send all new connections to an address to one of the sockets that listen on it. Linux only.
   *
   * ```text
   * sock_fprog    instructions:u16  (6 bytes)  address of the first:u64
   * sock_filter   code:u16  jumps:u8 u8  constant:u32
   * ```
   *
   * @param descriptor any socket of the group
   * @param index the place of the chosen socket in the group, which is in the order of listening; when a socket leaves,
   * the last one takes its place (socket(7), SO_ATTACH_REUSEPORT_CBPF)
   * @returns `false` when the system refuses
   */
  steerConnections(descriptor: number, index: number): boolean {
    const filter = new DataView(new ArrayBuffer(8));
    filter.setUint16(0, BPF_RETURN_CONSTANT, true);
    filter.setUint32(4, index, true);
    const program = new DataView(new ArrayBuffer(16));
    program.setUint16(0, 1, true);
    program.setBigUint64(8, Deno.UnsafePointer.value(Deno.UnsafePointer.of(filter)), true);
    const bytes = new Uint8Array(program.buffer);
    const { setsockopt } = this.#library.symbols;
    return setsockopt(descriptor, this.#numbers.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, bytes, bytes.length) === 0;
  }

  /** Ends both directions of a connection, so that pending reads and writes fail. The descriptor stays open. */
  shutDown(descriptor: number): boolean {
    return this.#library.symbols.shutdown(descriptor, SHUT_RDWR) === 0;
  }

  /** Returns the port of the peer that `descriptor` is connected to; -1 when it is not a connection. */
  peerPort(descriptor: number): number {
    return this.#readName("getpeername", descriptor, this.#remote) ? portOf(this.#remote) : -1;
  }

  /** Returns whether `descriptor` is the connection with these addresses. */
  isConnection(descriptor: number, { local, remote }: Required<SocketAddresses>): boolean {
    return this.#readName("getpeername", descriptor, this.#remote) && this.#same(this.#encode(remote), this.#remote) &&
      this.#readName("getsockname", descriptor, this.#local) && this.#same(this.#encode(local), this.#local);
  }

  /** Returns whether unread bytes have arrived on a connection. */
  hasInput(descriptor: number): boolean {
    return this.#library.symbols.recv(descriptor, this.#remote, 1n, MSG_PEEK | this.#numbers.MSG_DONTWAIT) > 0;
  }

  /**
   * Begins to collect the ends of connections. Linux only.
   *
   * @returns the epoll descriptor for {@linkcode collectEnds}; the caller closes it with {@linkcode closeDescriptor}
   * @throws {Error} when the system has no epoll, or no descriptor left
   */
  openEnds(): number {
    const ends = this.#library.symbols.epoll_create1?.(EPOLL_CLOEXEC) ?? -1;
    if (ends < 0) throw new Error("Cannot watch connections: the system refused");
    return ends;
  }

  /**
   * Makes {@linkcode collectEnds} report the end of a connection once, even if it has come already. Closing the
   * connection's descriptor cancels that.
   *
   * @param id the number below 2^32 by which the end is reported
   * @returns `false` when the system refuses
   */
  collectEnd(ends: number, descriptor: number, id: number): boolean {
    const view = this.#eventsView;
    view.setUint32(0, EPOLLRDHUP | EPOLLET, true);
    view.setUint32(EVENT_DATA_OFFSET, id, true);
    view.setUint32(EVENT_DATA_OFFSET + 4, 0, true);
    return this.#library.symbols.epoll_ctl!(ends, EPOLL_CTL_ADD, descriptor, this.#events) === 0;
  }

  /** Calls `take` with the id of each connection that has ended and is not reported yet. */
  collectEnds(ends: number, take: (id: number) => void): void {
    const { epoll_wait } = this.#library.symbols;
    let count: number;
    do {
      count = epoll_wait!(ends, this.#events, EVENTS_MAX_COUNT, 0);
      const ids: number[] = [];
      for (let i = 0; i < count; i++) {
        ids.push(this.#eventsView.getUint32(i * EVENT_SIZE_BYTES + EVENT_DATA_OFFSET, true));
      }
      for (const id of ids) take(id);
    } while (count === EVENTS_MAX_COUNT);
  }

  /** Closes a descriptor that {@linkcode openEnds} has returned. */
  closeDescriptor(descriptor: number): void {
    this.#library.symbols.close(descriptor);
  }

  /** Unloads the library. */
  [Symbol.dispose](): void {
    this.#library.close();
  }

  /** Reads an address of `descriptor`. Returns `false` when it is not a socket, or has no such address. */
  #readName(kind: "getsockname" | "getpeername", descriptor: number, name: Uint8Array<ArrayBuffer>): boolean {
    this.#length[0] = SOCKET_ADDRESS_MAX_BYTES;
    if (this.#library.symbols[kind](descriptor, name, this.#lengthBytes) !== 0) return false;
    const family = name[this.#numbers.familyOffset];
    return family === AF_INET || family === this.#numbers.AF_INET6;
  }

  /** Returns whether the socket, whose local address was just read, is among the wanted ones. */
  #isAmong(targets: Targets, descriptor: number): boolean {
    const port = portOf(this.#local);
    const bound = targets.byPorts.get(portsKey(port, 0)) ?? [];
    if (bound.some((target) => this.#same(target.local, this.#local))) return true;
    if (!this.#readName("getpeername", descriptor, this.#remote)) return false;
    const connected = targets.byPorts.get(portsKey(port, portOf(this.#remote))) ?? [];
    return connected.some(({ local, remote }) => {
      return remote !== undefined && this.#same(local, this.#local) && this.#same(remote, this.#remote);
    });
  }

  #encodeAll(addresses: readonly SocketAddresses[]): Targets {
    const targets: Targets = { localPorts: new Set(), byPorts: new Map() };
    for (const { local, remote } of addresses) {
      const target = { local: this.#encode(local), remote: remote === undefined ? undefined : this.#encode(remote) };
      const key = portsKey(local.port, remote?.port ?? 0);
      const others = targets.byPorts.get(key);
      if (others === undefined) targets.byPorts.set(key, [target]);
      else others.push(target);
      targets.localPorts.add(local.port);
    }
    return targets;
  }

  /** Returns the address as the system writes it. A host that is not an IP address matches nothing. */
  #encode(address: Deno.NetAddr): Uint8Array {
    const encoded = this.#encodeHost(address.hostname).slice();
    encoded[2] = address.port >>> 8;
    encoded[3] = address.port & 0xff;
    return encoded;
  }

  /** Returns an encoded address without its port. It is cached, since many connections share few hosts. */
  #encodeHost(hostname: string): Uint8Array {
    const known = this.#hosts.get(hostname);
    if (known !== undefined) return known;
    const encoded = new Uint8Array(SOCKET_ADDRESS_USED_BYTES);
    const host = hostname.replace(/%.*$/, "");
    const isLong = host.includes(":");
    const family = isLong ? this.#numbers.AF_INET6 : AF_INET;
    const target = encoded.subarray(isLong ? 8 : 4);
    const isAddress = this.#library.symbols.inet_pton(family, new TextEncoder().encode(`${host}\0`), target) === 1;
    encoded[this.#numbers.familyOffset] = isAddress ? family : 0;
    this.#hosts.set(hostname, encoded);
    return encoded;
  }

  /** Compares family, port and address. Flow label and scope are ignored, since Deno does not return them unchanged. */
  #same(left: Uint8Array, right: Uint8Array): boolean {
    const { familyOffset, AF_INET6 } = this.#numbers;
    if (left[familyOffset] !== right[familyOffset] || left[2] !== right[2] || left[3] !== right[3]) return false;
    const isLong = left[familyOffset] === AF_INET6;
    for (let index = isLong ? 8 : 4; index < (isLong ? 24 : 8); index++) {
      if (left[index] !== right[index]) return false;
    }
    return true;
  }
}

function portOf(name: Uint8Array): number {
  return (name[2] ?? 0) << 8 | (name[3] ?? 0);
}

/** Returns one number for two ports. The remote port 0, which no connection has, means none. */
function portsKey(local: number, remote: number): number {
  return local * 65_536 + remote;
}
