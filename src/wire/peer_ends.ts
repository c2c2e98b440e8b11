/**
 * Tells at once whether the peer of a connection has ended it, in order or not.
 *
 * A read tells that too, but in a later turn of the event loop, and only once everything that came before the end was read.
 * An element that is taken out of a list for a client that has gone would be lost, so whoever is about to do that asks the
 * system itself:
 *
 * ```text
 * add(peer)      every connection, when it begins           remembered by its peer's port
 * watch(peer)    one that waits, once                       its descriptor is found at the next look
 * look()         before something is given to who waits     → onEnd() of all that have gone: one system call, whoever waits
 * remove(peer)   when it has ended
 * ```
 *
 * `look` costs about half a microsecond, however many connections are watched. That what ended before a request was sent is
 * seen before this request is run holds on one machine: the end is in the system before the request is.
 *
 * To find a descriptor the addresses of descriptors are asked for one after another (system_socket.ts), 1 µs each or less.
 * Since it is known to which connections most of them belong, only the others are asked.
 *
 * @module
 */

import { DESCRIPTOR_GAP_MAX_COUNT } from "../limits.ts";
import type { SocketAddresses } from "./system_socket.ts";
import { SystemSockets } from "./system_socket.ts";

/** One connection. */
export class Peer {
  readonly addresses: Required<SocketAddresses>;
  /** Called once, when the peer of a connection that is watched has ended it. */
  readonly onEnd: () => void;
  /** -1 while it is not known. */
  descriptor = -1;
  /** By which the system tells of it; 0 while it is not watched. */
  id = 0;

  constructor(socket: { readonly localAddr: Deno.NetAddr; readonly remoteAddr: Deno.NetAddr }, onEnd: () => void) {
    this.addresses = { local: socket.localAddr, remote: socket.remoteAddr };
    this.onEnd = onEnd;
  }
}

/** The connections of one role. Dispose of it when they have ended. */
export class PeerEnds implements Disposable {
  readonly #sockets: SystemSockets;
  readonly #ends: number;
  /** All connections, by the ports of their peers. */
  readonly #byPort = new Map<number, Peer[]>();
  readonly #byDescriptor = new Map<number, Peer>();
  /** Those watched whose descriptors are to be found. */
  readonly #wanted = new Set<Peer>();
  readonly #watched = new Map<number, Peer>();
  #ids = 0;
  #isClosed = false;

  private constructor(sockets: SystemSockets) {
    this.#sockets = sockets;
    this.#ends = sockets.openEnds();
  }

  /**
   * Begins without connections.
   *
   * @throws {Error} where the C library cannot be called; the message says why
   */
  static open(): PeerEnds {
    const sockets = SystemSockets.open();
    try {
      return new PeerEnds(sockets);
    } catch (error) {
      sockets[Symbol.dispose]();
      throw error;
    }
  }

  /** Takes note of a connection. */
  add(peer: Peer): void {
    const { port } = peer.addresses.remote;
    const others = this.#byPort.get(port);
    if (others === undefined) this.#byPort.set(port, [peer]);
    else others.push(peer);
  }

  /** Forgets a connection, which has ended. Idempotent. */
  remove(peer: Peer): void {
    const { port } = peer.addresses.remote;
    const others = this.#byPort.get(port);
    const place = others?.indexOf(peer) ?? -1;
    if (place < 0) return;
    if (others!.length === 1) this.#byPort.delete(port);
    else others!.splice(place, 1);
    this.#wanted.delete(peer);
    if (this.#byDescriptor.get(peer.descriptor) === peer) this.#byDescriptor.delete(peer.descriptor);
    // The system forgets it with its descriptor.
    this.#watched.delete(peer.id);
  }

  /** Has the end of a connection seen by each {@linkcode look} from now on. Idempotent. */
  watch(peer: Peer): void {
    if (peer.id !== 0 || this.#isClosed) return;
    // 0 means that there is none. Nobody is watched for so long that the numbers are used up meanwhile.
    this.#ids = this.#ids % 0xffff_ffff + 1;
    peer.id = this.#ids;
    this.#watched.set(peer.id, peer);
    if (peer.descriptor >= 0) this.#collect(peer);
    else this.#wanted.add(peer);
  }

  /** Calls `onEnd` of each connection that is watched, whose peer has ended it, and that was not told of before. */
  look(): void {
    if (this.#watched.size === 0 || this.#isClosed) return;
    if (this.#wanted.size > 0) this.#locate();
    this.#sockets.collectEnds(this.#ends, (id) => {
      const peer = this.#watched.get(id);
      if (peer === undefined) return;
      this.#watched.delete(id);
      peer.onEnd();
    });
  }

  #collect(peer: Peer): void {
    // What the system refuses to watch is seen to end by who reads it, as before.
    if (!this.#sockets.collectEnd(this.#ends, peer.descriptor, peer.id)) this.#watched.delete(peer.id);
  }

  #locate(): void {
    this.#search((descriptor) => !this.#byDescriptor.has(descriptor));
    if (this.#wanted.size > 0) {
      // One of those known was closed, and its number given to another, before it was removed.
      this.#byDescriptor.clear();
      this.#search(() => true);
    }
    // Who is not found has no descriptor any more.
    for (const peer of this.#wanted) this.#watched.delete(peer.id);
    this.#wanted.clear();
  }

  /** Finds out to which connections descriptors belong, until all that are wanted are found. */
  #search(isOpen: (descriptor: number) => boolean): void {
    let gap = 0;
    for (let descriptor = 0; gap < DESCRIPTOR_GAP_MAX_COUNT && this.#wanted.size > 0; descriptor++) {
      if (!isOpen(descriptor)) {
        gap = 0;
        continue;
      }
      const port = this.#sockets.peerPort(descriptor);
      gap = port < 0 ? gap + 1 : 0;
      const peer = this.#byPort.get(port)?.find(({ addresses }) => this.#sockets.isConnection(descriptor, addresses));
      if (peer === undefined) continue;
      peer.descriptor = descriptor;
      this.#byDescriptor.set(descriptor, peer);
      if (this.#wanted.delete(peer)) this.#collect(peer);
    }
  }

  /** Forgets all connections. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sockets.closeDescriptor(this.#ends);
    this.#sockets[Symbol.dispose]();
  }
}

/** As {@linkcode PeerEnds.open}; `undefined` where the C library cannot be called, of which the listener has told. */
export function openPeerEnds(): PeerEnds | undefined {
  try {
    return PeerEnds.open();
  } catch {
    return undefined;
  }
}
