/**
 * The table of what each operating system has, of what inmem asks of it.
 *
 * inmem calls the system's C library for what Deno lacks: options of sockets, huge pages, the limit of descriptors. The
 * numbers and layouts of these calls differ between systems:
 *
 * ```text
 * Linux   sockaddr_in   family:u16              port:u16 big-endian  address:4
 * macOS   sockaddr_in   length:u8  family:u8    port:u16 big-endian  address:4
 * ```
 *
 * On macOS accepted sockets inherit TCP_NODELAY and SO_KEEPALIVE from the socket that listens, as on Linux (xnu,
 * `tcp_input`). Numbers are from the headers of both systems. On Linux they are the same for x86-64 and arm64.
 *
 * A feature that a system lacks is left out, and a role logs once which ones. Code that depends on a feature takes the
 * {@linkcode Platform} as a parameter, so that tests run the code for another system.
 *
 * @module
 */

/** The systems of the table. Any other one has what is left without the C library. */
export type System = "linux" | "darwin" | "windows";

/** A socket option, by its name on Linux. */
export type SocketOption =
  /** Sends written bytes immediately, without waiting until the peer acknowledges earlier ones (Nagle's algorithm). */
  | "TCP_NODELAY"
  /** The longest time that sent bytes may stay unacknowledged before the system closes the connection, in ms. */
  | "TCP_USER_TIMEOUT"
  /** Probes silent peers, so that a lost peer is noticed. */
  | "SO_KEEPALIVE"
  /** The silence after which a peer is probed first, in seconds. */
  | "TCP_KEEPIDLE"
  /** The time between two probes, in seconds. */
  | "TCP_KEEPINTVL"
  /** The number of probes without a response after which the connection ends. */
  | "TCP_KEEPCNT"
  /** Lets several sockets of one user be bound to the same address, if all of them have this option. */
  | "SO_REUSEPORT"
  /** A read-only option that is 1 on sockets that listen. */
  | "SO_ACCEPTCONN";

/** The numbers of a system's C library. */
export interface CLibrary {
  /** The file that `Deno.dlopen` opens. */
  readonly path: string;
  /** The family of IPv6 addresses; that of IPv4 is 2 everywhere. */
  readonly AF_INET6: number;
  /** The offset of the family in a socket address, in bytes. */
  readonly familyOffset: number;
  /** The flag of `recv` that makes it return when nothing has arrived. */
  readonly MSG_DONTWAIT: number;
  /** The level of the options that begin with `SO_`. */
  readonly SOL_SOCKET: number;
  /** The resource of `getrlimit` that counts descriptors. */
  readonly RLIMIT_NOFILE: number;
  /** The signal of Ctrl-Z. */
  readonly SIGTSTP: number;
  /** The numbers of the socket options that the system has. */
  readonly options: Readonly<Partial<Record<SocketOption, number>>>;
}

const LINUX: CLibrary = {
  path: "libc.so.6",
  AF_INET6: 10,
  familyOffset: 0,
  MSG_DONTWAIT: 0x40,
  SOL_SOCKET: 1,
  RLIMIT_NOFILE: 7,
  SIGTSTP: 20,
  options: {
    TCP_NODELAY: 1,
    TCP_USER_TIMEOUT: 18,
    SO_KEEPALIVE: 9,
    TCP_KEEPIDLE: 4,
    TCP_KEEPINTVL: 5,
    TCP_KEEPCNT: 6,
    SO_REUSEPORT: 15,
    SO_ACCEPTCONN: 30,
  },
};

const MACOS: CLibrary = {
  path: "/usr/lib/libSystem.B.dylib",
  AF_INET6: 30,
  familyOffset: 1,
  MSG_DONTWAIT: 0x80,
  SOL_SOCKET: 0xffff,
  RLIMIT_NOFILE: 8,
  SIGTSTP: 18,
  options: {
    TCP_NODELAY: 1,
    SO_KEEPALIVE: 0x8,
    // Its name there is TCP_KEEPALIVE.
    TCP_KEEPIDLE: 0x10,
    TCP_KEEPINTVL: 0x101,
    TCP_KEEPCNT: 0x102,
    SO_REUSEPORT: 0x200,
    SO_ACCEPTCONN: 0x2,
  },
};

/** A thing that inmem does on some systems only. */
export interface Feature {
  /** The description on the page. */
  readonly title: string;
  readonly systems: readonly System[];
  /** The difference that a role makes without it, as a part of one log line; absent where no role is concerned. */
  readonly without?: string;
}

/** The features that some systems lack, in the order of the page. */
export const FEATURES = {
  roles: { title: "server and proxy", systems: ["linux", "darwin"] },
  socketOptions: {
    title: "replies leave immediately (`TCP_NODELAY`), silent peers are probed (`SO_KEEPALIVE`)",
    systems: ["linux", "darwin"],
    without: "replies may take 40 ms longer",
  },
  shutDown: {
    title: "a connection that is closed during its handshake frees its descriptor immediately",
    systems: ["linux", "darwin"],
    without: "a connection that is closed during its handshake keeps its descriptor until the peer leaves",
  },
  descriptorLimit: {
    title: "`--max-clients` is lowered to what `ulimit -n` allows",
    systems: ["linux", "darwin"],
    without: "ulimit -n does not lower --max-clients",
  },
  suspend: { title: "Ctrl-Z at the prompt", systems: ["linux", "darwin"] },
  userTimeout: {
    title: "a peer that acknowledges nothing is noticed by the system (`TCP_USER_TIMEOUT`)",
    systems: ["linux"],
    without: "a peer that acknowledges nothing is noticed late",
  },
  peerEnds: {
    title: "a client that has left gets no element that it waited for",
    systems: ["linux"],
    without: "an element may be taken for a waiting client that has just left",
  },
  certificateChange: {
    title: "certificates are replaced while it runs",
    systems: ["linux"],
    without: "a changed certificate needs a restart",
  },
  hugePages: { title: "huge pages for large stores", systems: ["linux"], without: "there are no huge pages" },
  freedPages: {
    title: "memory of large buffers returns to the system without slowing the decoder",
    systems: ["linux"],
    without: "decoding is slower after large buffers",
  },
  controlGroups: {
    title: "the memory limit of a container is read",
    systems: ["linux"],
    without: "limits of containers are not read",
  },
  nameLookup: {
    title: "the client does not wait for a name server that ignores IPv6",
    systems: ["linux"],
    without: "a name server that ignores IPv6 delays connections",
  },
} as const satisfies Readonly<Record<string, Feature>>;

/** A system and a processor. */
export class Platform {
  readonly os: string;
  /** The C library; `undefined` where it is not called. */
  readonly library: CLibrary | undefined;

  constructor({ os, arch }: { readonly os: string; readonly arch: string }) {
    this.os = os;
    const isKnown = arch === "x86_64" || arch === "aarch64";
    this.library = !isKnown ? undefined : os === "linux" ? LINUX : os === "darwin" ? MACOS : undefined;
  }

  /** The name of the system, for people. */
  get title(): string {
    return { linux: "Linux", darwin: "macOS", windows: "Windows" }[this.os] ?? this.os;
  }

  /** Returns whether inmem has the feature here. */
  has(feature: keyof typeof FEATURES): boolean {
    const { systems }: Feature = FEATURES[feature];
    if (!systems.some((system) => system === this.os)) return false;
    return this.library !== undefined || feature === "roles";
  }

  /** Returns what a role does differently here, for one log line; empty on Linux. */
  differences(): string[] {
    const names = Object.keys(FEATURES) as (keyof typeof FEATURES)[];
    return names.filter((name) => !this.has(name)).flatMap((name) => (FEATURES[name] as Feature).without ?? []);
  }
}

/**
 * Calls `handler` on each signal of this kind. On a system that has no such signal, as Windows has no SIGCONT, it is
 * never called.
 *
 * @param signals what adds and removes listeners; tests pass another one
 * @returns a function that stops listening
 */
export function listenForSignal(
  signal: Deno.Signal,
  handler: () => void,
  signals: Pick<typeof Deno, "addSignalListener" | "removeSignalListener"> = Deno,
): () => void {
  try {
    signals.addSignalListener(signal, handler);
  } catch (error) {
    if (error instanceof TypeError) return () => {};
    throw error;
  }
  return () => signals.removeSignalListener(signal, handler);
}

/** The platform of this process. */
export const PLATFORM: Platform = new Platform(Deno.build);
