/**
 * Looks a name up as the system does: in /etc/hosts, then by the name servers, or as nsswitch.conf specifies.
 *
 * `Deno.resolveDns` does not read /etc/hosts. `node:dns` does, but always queries IPv6 and IPv4 together: some name
 * servers never respond to the IPv6 query, which costs 5 to 20 s. So `getaddrinfo` of the C library is called twice in
 * parallel: for all addresses, and for IPv4 only. A call for IPv6 only would not work for a name that has just an IPv4
 * address in /etc/hosts: it queries name servers, which may not respond.
 *
 * A call cannot be cancelled, and takes 10 s when no name server responds. It occupies a thread of the runtime's pool;
 * name_lookup.ts limits the number of calls.
 *
 * ```text
 * addrinfo   flags:i32 family:i32 socktype:i32 protocol:i32   addrlen:u32 (4 bytes)   addr:pointer name:pointer next:pointer
 *            0         4          8            12             16                      24           32           40
 * ```
 *
 * Where the C library cannot be called (another system, no permission), `node:dns` looks up all addresses.
 *
 * @module
 */

import { lookup } from "node:dns";
import { canonicalIpv6 } from "../address.ts";
import { messageOf } from "../errors.ts";
import { ADDRESSES_OF_NAME_MAX_COUNT } from "../limits.ts";
import { PLATFORM } from "../operating_system.ts";
import { errorCodeOf } from "./socket_errors.ts";

/** The addresses that are looked up: all of them, or only those of IPv4. */
export type LookupKind = "all" | "ipv4";

/** The result of one lookup of a name. */
export interface FoundAddresses {
  /** The addresses in the order in which they are to be tried; empty when the name has none. */
  readonly addresses: readonly string[];
  /** The reason why the lookup has failed; empty when it has not. */
  readonly problem: string;
}

/** The problem of a lookup to which no name server has responded. */
const NO_NAME_SERVER = "no name server has answered";

// Numbers of Linux, the same for all its C libraries and processors.
const AF_UNSPEC = 0;
const AF_INET = 2;
const SOCK_STREAM = 1;
const EAI_AGAIN = -3;
/** The results that mean that the name has no such address: EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY. */
const NO_ADDRESS: readonly number[] = [-2, -5, -9];
const HINTS_SIZE_BYTES = 48;
const ADDRESS_OFFSET = 24;
const NEXT_OFFSET = 40;

const SYMBOLS = {
  getaddrinfo: { parameters: ["buffer", "pointer", "buffer", "buffer"], result: "i32", nonblocking: true },
  freeaddrinfo: { parameters: ["pointer"], result: "void" },
} as const;

/** Looks `name` up by the C library, or by `node:dns` where that cannot be called. Never rejects. */
export async function lookUpInSystem(name: string, kind: LookupKind): Promise<FoundAddresses> {
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  // Requesting a permission that is not granted would stop the program at a prompt.
  const mayCall = Deno.permissions.querySync({ name: "ffi" }).state === "granted";
  if (!mayCall || !PLATFORM.has("nameLookup")) return await lookUpByNode(name, kind);
  try {
    library = Deno.dlopen(PLATFORM.library!.path, SYMBOLS);
  } catch {
    return await lookUpByNode(name, kind);
  }
  try {
    return await callGetaddrinfo(library.symbols, name, kind);
  } catch (error) {
    return { addresses: [], problem: messageOf(error) };
  } finally {
    library.close();
  }
}

async function callGetaddrinfo(
  symbols: Deno.StaticForeignLibraryInterface<typeof SYMBOLS>,
  name: string,
  kind: LookupKind,
): Promise<FoundAddresses> {
  // Each buffer has separate memory that the engine does not move, since the call runs in another thread.
  const nameBytes = offHeap(new TextEncoder().encode(`${name}\0`));
  const hints = new Int32Array(new ArrayBuffer(HINTS_SIZE_BYTES));
  hints[1] = kind === "all" ? AF_UNSPEC : AF_INET;
  hints[2] = SOCK_STREAM;
  const result = new BigUint64Array(new ArrayBuffer(8));
  const status = await symbols.getaddrinfo(nameBytes, null, hints, result);
  if (NO_ADDRESS.includes(status)) return { addresses: [], problem: "" };
  if (status === EAI_AGAIN) return { addresses: [], problem: NO_NAME_SERVER };
  if (status !== 0) return { addresses: [], problem: `the lookup of its name failed (getaddrinfo: ${status})` };
  const list = Deno.UnsafePointer.create(result[0]!);
  try {
    return { addresses: readAddresses(list), problem: "" };
  } finally {
    symbols.freeaddrinfo(list);
  }
}

function offHeap(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(new ArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function readAddresses(list: Deno.PointerValue): string[] {
  const found = new Set<string>();
  for (let entry = list; entry !== null && found.size < ADDRESSES_OF_NAME_MAX_COUNT;) {
    const view = new Deno.UnsafePointerView(entry);
    const address = view.getPointer(ADDRESS_OFFSET);
    if (address !== null) found.add(formatSocketAddress(new Deno.UnsafePointerView(address)));
    entry = view.getPointer(NEXT_OFFSET);
  }
  return [...found];
}

/** Returns the address in a `sockaddr_in` or `sockaddr_in6`; system_socket.ts has drawings of them. */
function formatSocketAddress(view: Deno.UnsafePointerView): string {
  if (view.getUint16(0) === AF_INET) return [4, 5, 6, 7].map((offset) => view.getUint8(offset)).join(".");
  const groups: string[] = [];
  for (let offset = 8; offset < 24; offset += 2) {
    groups.push((view.getUint8(offset) << 8 | view.getUint8(offset + 1)).toString(16));
  }
  const address = canonicalIpv6(groups.join(":"))!;
  const scope = view.getUint32(24);
  return scope === 0 ? address : `${address}%${scope}`;
}

function lookUpByNode(name: string, kind: LookupKind): Promise<FoundAddresses> {
  if (kind === "ipv4") return Promise.resolve({ addresses: [], problem: "" });
  const { promise, resolve } = Promise.withResolvers<FoundAddresses>();
  lookup(name, { all: true, verbatim: true }, (error, found) => {
    if (error === null) {
      const addresses = found.map(({ address }) => address).slice(0, ADDRESSES_OF_NAME_MAX_COUNT);
      return resolve({ addresses, problem: "" });
    }
    const problem = errorCodeOf(error) === "ENOTFOUND"
      ? ""
      : errorCodeOf(error) === "EAI_AGAIN"
      ? NO_NAME_SERVER
      : messageOf(error);
    resolve({ addresses: [], problem });
  });
  return promise;
}
