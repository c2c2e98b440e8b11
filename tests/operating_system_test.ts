/** Runs the branches for other systems on this one, with a C library that behaves like theirs. */

import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { StartError } from "../src/errors.ts";
import { listen, replaceListener } from "../src/net/listener.ts";
import { type SocketLibrary, SystemSockets } from "../src/net/system_socket.ts";
import { FEATURES, listenForSignal, Platform, type SocketOption } from "../src/operating_system.ts";
import { checkPlatform } from "../src/role/platform_check.ts";
import { stateFolder } from "../src/role/state_folder.ts";

const LINUX = new Platform({ os: "linux", arch: "x86_64" });
const MACOS = new Platform({ os: "darwin", arch: "aarch64" });
const WINDOWS = new Platform({ os: "windows", arch: "x86_64" });
const FREEBSD = new Platform({ os: "freebsd", arch: "x86_64" });

interface FakeSocket {
  readonly local: readonly number[];
  readonly remote?: readonly number[];
  /** Values of options by level and number, such as `65535:8`. */
  readonly options: Map<string, number>;
  isShutDown?: boolean;
}

/** The sockets of a process on macOS, as `libSystem` shows them: addresses begin with their length and their family. */
class FakeLibSystem {
  readonly sockets = new Map<number, FakeSocket>();

  /** The library; `epoll` does not exist there. */
  get library(): SocketLibrary {
    const nameOf = (name: "local" | "remote") => (descriptor: number, bytes: Uint8Array) => {
      const address = this.sockets.get(descriptor)?.[name];
      if (address === undefined) return -1;
      bytes.set(address);
      return 0;
    };
    const symbols = {
      getsockname: nameOf("local"),
      getpeername: nameOf("remote"),
      setsockopt: (descriptor: number, level: number, name: number, bytes: Uint8Array) => {
        this.sockets.get(descriptor)!.options.set(`${level}:${name}`, new DataView(bytes.buffer).getInt32(0, true));
        return 0;
      },
      getsockopt: (descriptor: number, level: number, name: number, bytes: Uint8Array) => {
        const value = this.sockets.get(descriptor)?.options.get(`${level}:${name}`);
        if (value === undefined) return -1;
        new DataView(bytes.buffer).setInt32(0, value, true);
        return 0;
      },
      inet_pton: (family: number, text: Uint8Array, bytes: Uint8Array) => {
        const host = new TextDecoder().decode(text.subarray(0, -1));
        if (family === 2 && /^[0-9.]+$/.test(host)) bytes.set(host.split(".").map(Number));
        else if (family === 30 && host === "::1") bytes[15] = 1;
        else return 0;
        return 1;
      },
      shutdown: (descriptor: number) => {
        this.sockets.get(descriptor)!.isShutDown = true;
        return 0;
      },
      epoll_create1: null,
      epoll_ctl: null,
      epoll_wait: null,
    };
    return { symbols, close: () => {} } as unknown as SocketLibrary;
  }

  add(descriptor: number, local: readonly number[], remote?: readonly number[]): FakeSocket {
    const socket: FakeSocket = { local, remote, options: new Map() };
    this.sockets.set(descriptor, socket);
    return socket;
  }
}

function ipv4(port: number, last = 1): number[] {
  return [16, 2, port >> 8, port & 0xff, 127, 0, 0, last];
}

function ipv6(port: number): number[] {
  return [28, 30, port >> 8, port & 0xff, 0, 0, 0, 0, ...Array<number>(15).fill(0), 1];
}

function netAddress(hostname: string, port: number): Deno.NetAddr {
  return { transport: "tcp", hostname, port };
}

Deno.test("SystemSockets finds the sockets of macOS by their addresses", () => {
  const system = new FakeLibSystem();
  system.add(3, ipv4(9443));
  system.add(4, ipv4(9443), ipv4(50_000));
  system.add(7, ipv6(9443), ipv6(50_000));
  system.add(8, ipv4(9443, 2), ipv4(50_000));
  // A socket of another family: its path begins where a port would be.
  system.add(9, [8, 1, 9443 >> 8, 9443 & 0xff, 127, 0, 0, 1]);
  const paths: string[] = [];
  using sockets = SystemSockets.open(MACOS, (path) => {
    paths.push(path);
    return system.library;
  });
  assertEquals(paths, ["/usr/lib/libSystem.B.dylib"]);
  const local = netAddress("127.0.0.1", 9443);
  const remote = netAddress("127.0.0.1", 50_000);
  assertEquals(sockets.find([{ local }]), [3, 4]);
  assertEquals(sockets.find([{ local, remote }]), [4]);
  assertEquals(sockets.find([{ local: netAddress("::1", 9443), remote: netAddress("::1", 50_000) }]), [7]);
  assertEquals([sockets.peerPort(4), sockets.peerPort(3)], [50_000, -1]);
  assert(sockets.isConnection(4, { local, remote }));
  assert(!sockets.isConnection(8, { local, remote }));
  assert(sockets.shutDown(4));
  assertEquals(system.sockets.get(4)?.isShutDown, true);
});

Deno.test("SystemSockets sets the options of macOS by its own levels and numbers", () => {
  const system = new FakeLibSystem();
  const socket = system.add(3, ipv4(9443));
  using sockets = SystemSockets.open(MACOS, () => system.library);
  const options: SocketOption[] = ["TCP_NODELAY", "SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT"];
  for (const [i, option] of options.entries()) {
    assert(sockets.setOption(3, option, i + 1), option);
    assertEquals(sockets.getOption(3, option), i + 1);
  }
  assertEquals([...socket.options], [["6:1", 1], ["65535:8", 2], ["6:16", 3], ["6:257", 4], ["6:258", 5]]);
  assertEquals(sockets.setOption(3, "TCP_USER_TIMEOUT", 1), false);
  assertEquals(sockets.getOption(3, "TCP_USER_TIMEOUT"), undefined);
  assertEquals(socket.options.size, 5);
  assertThrows(() => sockets.openEnds(), Error, "Cannot watch connections");
});

Deno.test("SystemSockets.open() names a system whose library it does not call", () => {
  for (const platform of [WINDOWS, FREEBSD, new Platform({ os: "linux", arch: "riscv64" })]) {
    assertThrows(() => SystemSockets.open(platform), Error, `Cannot set socket options on ${platform.title}`);
  }
});

Deno.test("replaceListener() says that macOS needs a restart, and leaves the listener alone", () => {
  const listener = listen({ hostname: "127.0.0.1", port: 0 });
  try {
    const error = assertThrows(() => replaceListener(listener, { cert: "", key: "" }, MACOS), StartError);
    assertStringIncludes(error.message, "a restart is necessary, since macOS");
    assertEquals([listener.closed, listener.group.length], [false, 1]);
  } finally {
    listener.close();
  }
});

Deno.test("checkPlatform() logs nothing on Linux, one line on macOS, and refuses elsewhere", () => {
  const lines: string[] = [];
  const logger = { info: (message: string, fields = {}) => void lines.push(message + JSON.stringify(fields)) };
  checkPlatform("server", logger, LINUX);
  assertEquals(lines, []);
  checkPlatform("server", logger, MACOS);
  assertEquals(lines.length, 1);
  for (const part of ["macOS", "huge pages", "containers", "restart"]) assertStringIncludes(lines[0]!, part);
  for (const platform of [WINDOWS, FREEBSD]) {
    const error = assertThrows(() => checkPlatform("proxy", logger, platform), StartError);
    assertStringIncludes(error.message, `Cannot run a proxy on ${platform.title}: expected Linux or macOS`);
  }
  assertEquals(lines.length, 1);
});

Deno.test("Platform has every feature on Linux, and only those of its row elsewhere", () => {
  const names = Object.keys(FEATURES) as (keyof typeof FEATURES)[];
  assertEquals(names.filter((name) => !LINUX.has(name)), []);
  assertEquals(LINUX.differences(), []);
  assertEquals(names.filter((name) => MACOS.has(name)), [
    "roles",
    "socketOptions",
    "shutDown",
    "descriptorLimit",
    "suspend",
  ]);
  assertEquals(names.filter((name) => WINDOWS.has(name) || FREEBSD.has(name)), []);
});

Deno.test("stateFolder() is below LOCALAPPDATA on Windows", () => {
  const before = Deno.env.get("LOCALAPPDATA");
  try {
    Deno.env.set("LOCALAPPDATA", "C:\\Users\\Ada\\AppData\\Local");
    assertEquals(stateFolder(undefined, undefined, WINDOWS), "C:\\Users\\Ada\\AppData\\Local/inmem");
    Deno.env.delete("LOCALAPPDATA");
    assertThrows(() => stateFolder(undefined, undefined, WINDOWS), StartError, "LOCALAPPDATA is not set");
  } finally {
    if (before !== undefined) Deno.env.set("LOCALAPPDATA", before);
  }
});

Deno.test("listenForSignal() leaves out a signal that the system does not have", () => {
  const calls: string[] = [];
  const signals = {
    addSignalListener(signal: Deno.Signal): void {
      // Deno on Windows throws this.
      if (signal === "SIGCONT") throw new TypeError("Windows only supports ctrl-c (SIGINT) and others");
      calls.push(`add ${signal}`);
    },
    removeSignalListener: (signal: Deno.Signal) => void calls.push(`remove ${signal}`),
  };
  listenForSignal("SIGCONT", () => {}, signals)();
  listenForSignal("SIGINT", () => {}, signals)();
  assertEquals(calls, ["add SIGINT", "remove SIGINT"]);
});
