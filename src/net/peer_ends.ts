/**
 * Tells at once whether the peer of a connection has ended it, in order or not.
 *
 * A read tells that too, but in a later turn of the event loop, and only once everything that came before the end was read.
 * An element that is taken out of a list for a client that has gone would be lost, so whoever is about to do that asks the
 * system itself:
 *
 * ```text
 * add(peer)      every connection, when it begins           remembered by its peer's port
 * watch(peer)    one that is about to wait, once            its descriptor is found
 * look()         before something is given to who waits     → onEnd() of all that have gone: one system call, whoever waits
 * remove(peer)   when it is closed
 * ```
 *
 * `look` takes about half a microsecond, however many connections are watched. On one machine an end that was sent before a
 * request is seen before that request runs: it is in the system before the request is.
 *
 * To find a descriptor, one after another is asked for its peer (system_socket.ts), which takes 1 µs each or less. Those that
 * are known to belong to another connection are left out: they are nearly all.
 *
 * @module
 */

import { DESCRIPTOR_GAP_MAX_COUNT, PEER_GAP_MAX_COUNT } from "../limits.ts";
import type { SocketAddresses } from "./system_socket.ts";
import { SystemSockets } from "./system_socket.ts";

/** The number of a connection that cannot be watched. */
const NOT_WATCHED = -1;

/** One connection. */
export class Peer {
  readonly addresses: Required<SocketAddresses>;
  /** Called once, when the peer of a connection that is watched has ended it. */
  readonly onEnd: () => void;
  /** -1 while it is not known. */
  descriptor = -1;
  /** By which the system tells of it; 0 while nobody wants it watched, and {@linkcode NOT_WATCHED} when it cannot be. */
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
  /** Descriptors of connections that are not among these, as far as they were looked at. */
  readonly #foreign = new Set<number>();
  /** Those whose end was not told yet, by their numbers. */
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
    if (this.#byDescriptor.get(peer.descriptor) === peer) this.#byDescriptor.delete(peer.descriptor);
    // The system forgets it with its descriptor.
    this.#watched.delete(peer.id);
  }

  /**
   * Has the end of a connection seen by each {@linkcode look} from now on. Idempotent.
   *
   * @returns `false` when that cannot be: it was lost just now, or its descriptor is not found
   */
  watch(peer: Peer): boolean {
    if (peer.id !== 0) return peer.id > 0;
    peer.id = NOT_WATCHED;
    if (this.#isClosed || !this.#isFound(peer)) return false;
    const id = this.#nextId();
    // What is told meanwhile is told by the next look.
    if (!this.#sockets.collectEnd(this.#ends, peer.descriptor, id)) return false;
    peer.id = id;
    this.#watched.set(id, peer);
    return true;
  }

  /** Calls `onEnd` of each connection that is watched, whose peer has ended it, and that was not told of before. */
  look(): void {
    if (this.#watched.size === 0 || this.#isClosed) return;
    this.#sockets.collectEnds(this.#ends, (id) => {
      const peer = this.#watched.get(id);
      if (peer === undefined) return;
      this.#watched.delete(id);
      peer.onEnd();
    });
  }

  /**
   * Whether bytes have come from a peer that is watched which were not read. Behind more of them than a socket holds its end
   * may be on its way still, and is not seen by {@linkcode look}.
   */
  hasInput({ id, descriptor }: Peer): boolean {
    return id > 0 && !this.#isClosed && this.#sockets.hasInput(descriptor);
  }

  /** A number that none of those watched has: nobody is watched while four billion others come. */
  #nextId(): number {
    this.#ids = this.#ids % 0xffff_ffff + 1;
    return this.#ids;
  }

  /** Finds the descriptor of a connection. */
  #isFound(wanted: Peer): boolean {
    if (wanted.descriptor < 0) this.#search(wanted);
    if (this.#has(wanted, wanted.descriptor)) return true;
    // It was taken for another's of the same port.
    this.#byDescriptor.delete(wanted.descriptor);
    wanted.descriptor = -1;
    // One that belonged to somebody else may have been closed, and its number given to this connection.
    for (const descriptor of this.#foreign) {
      if (this.#has(wanted, descriptor)) this.#assign(descriptor, wanted);
      else if (this.#sockets.peerPort(descriptor) >= 0) continue;
      this.#foreign.delete(descriptor);
    }
    return wanted.descriptor >= 0;
  }

  #has({ addresses }: Peer, descriptor: number): boolean {
    return descriptor >= 0 && this.#sockets.isConnection(descriptor, addresses);
  }

  /** Asks descriptors that nobody is known to have for their peers, one after another, until that of `wanted` is found. */
  #search(wanted: Peer): void {
    let highest = 0;
    for (const descriptor of this.#byDescriptor.keys()) if (descriptor > highest) highest = descriptor;
    // Nothing is known of where connections are before the first one is found: files may be in front of it.
    const gapMaxCount = highest === 0 ? DESCRIPTOR_GAP_MAX_COUNT : PEER_GAP_MAX_COUNT;
    let gap = 0;
    for (let descriptor = 0; descriptor <= highest || gap < gapMaxCount; descriptor++) {
      gap++;
      const isKnown = this.#byDescriptor.has(descriptor) || this.#foreign.has(descriptor);
      const port = isKnown ? 0 : this.#sockets.peerPort(descriptor);
      if (port < 0) continue;
      gap = 0;
      if (isKnown) continue;
      const peer = this.#peerOf(descriptor, port);
      if (peer === undefined) this.#foreign.add(descriptor);
      else this.#assign(descriptor, peer);
      if (peer === wanted) return;
    }
  }

  /** Whose descriptor this is. Where one alone has that port, it is looked at closely only when it is to be watched. */
  #peerOf(descriptor: number, port: number): Peer | undefined {
    const peers = this.#byPort.get(port);
    if (peers?.length === 1 && peers[0]!.descriptor < 0) return peers[0];
    return peers?.find((peer) => this.#has(peer, descriptor));
  }

  #assign(descriptor: number, peer: Peer): void {
    this.#byDescriptor.delete(peer.descriptor);
    peer.descriptor = descriptor;
    this.#byDescriptor.set(descriptor, peer);
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
