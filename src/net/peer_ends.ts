/**
 * Checks without waiting whether the peers of connections have ended them, in order or not.
 *
 * A read returns that too, but in a later turn of the event loop, and only after all bytes before the end. An element
 * that is taken out of a list for a client that has left would be lost. So the system is asked directly before an
 * element is taken for a waiting client:
 *
 * ```text
 * add(peer)      each connection, when it begins            stores it by its peer's port
 * watch(peer)    a connection that is about to wait, once   finds its descriptor
 * look()         before a waiting client gets something     calls onEnd() of all that have ended, after one system call
 * remove(peer)   each connection, when it is closed
 * ```
 *
 * `look` takes about half a microsecond for any number of watched connections. On one machine, an end that was sent
 * before a request is seen before that request runs, since it reaches the system first.
 *
 * A descriptor is found by asking the system for the peer of one descriptor after another (system_socket.ts), which
 * takes at most 1 µs each. Descriptors that are known to belong to another connection, nearly all, are skipped.
 *
 * @module
 */

import { DESCRIPTOR_GAP_MAX_COUNT, PEER_GAP_MAX_COUNT } from "../limits.ts";
import { PLATFORM } from "../operating_system.ts";
import type { SocketAddresses } from "./system_socket.ts";
import { SystemSockets } from "./system_socket.ts";

/** The id of a connection that cannot be watched. */
const NOT_WATCHED = -1;

/** A connection whose end may be watched. */
export class Peer {
  readonly addresses: Required<SocketAddresses>;
  /** The function that is called once, when the connection is watched and its peer has ended it. */
  readonly onEnd: () => void;
  /** The descriptor of the connection; -1 while it is not known. */
  descriptor = -1;
  /** The id by which the system reports the end; 0 before `watch`, {@linkcode NOT_WATCHED} when that has failed. */
  id = 0;

  constructor(socket: { readonly localAddr: Deno.NetAddr; readonly remoteAddr: Deno.NetAddr }, onEnd: () => void) {
    this.addresses = { local: socket.localAddr, remote: socket.remoteAddr };
    this.onEnd = onEnd;
  }
}

/** The connections of one role. The role disposes of it after they have ended. */
export class PeerEnds implements Disposable {
  readonly #sockets: SystemSockets;
  readonly #ends: number;
  /** All connections, by the ports of their peers. */
  readonly #byPort = new Map<number, Peer[]>();
  readonly #byDescriptor = new Map<number, Peer>();
  /** The examined descriptors that belong to connections which were never added. */
  readonly #foreign = new Set<number>();
  /** The watched connections whose end is not reported yet, by id. */
  readonly #watched = new Map<number, Peer>();
  #ids = 0;
  #isClosed = false;

  private constructor(sockets: SystemSockets) {
    this.#sockets = sockets;
    this.#ends = sockets.openEnds();
  }

  /**
   * Returns an object without connections.
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

  /** Adds a connection. */
  add(peer: Peer): void {
    const { port } = peer.addresses.remote;
    const others = this.#byPort.get(port);
    if (others === undefined) this.#byPort.set(port, [peer]);
    else others.push(peer);
  }

  /** Removes a connection, which has ended. Idempotent. */
  remove(peer: Peer): void {
    const { port } = peer.addresses.remote;
    const others = this.#byPort.get(port);
    const place = others?.indexOf(peer) ?? -1;
    if (place < 0) return;
    if (others!.length === 1) this.#byPort.delete(port);
    else others!.splice(place, 1);
    if (this.#byDescriptor.get(peer.descriptor) === peer) this.#byDescriptor.delete(peer.descriptor);
    // Epoll removes it when the descriptor is closed.
    this.#watched.delete(peer.id);
  }

  /**
   * Makes {@linkcode look} report the end of a connection from now on. Idempotent.
   *
   * @returns `false` when the connection was just lost, or its descriptor is not found
   */
  watch(peer: Peer): boolean {
    if (peer.id !== 0) return peer.id > 0;
    peer.id = NOT_WATCHED;
    if (this.#isClosed || !this.#isFound(peer)) return false;
    const id = this.#nextId();
    // An end that comes meanwhile is reported by the next look.
    if (!this.#sockets.collectEnd(this.#ends, peer.descriptor, id)) return false;
    peer.id = id;
    this.#watched.set(id, peer);
    return true;
  }

  /** Calls `onEnd` of each watched connection that its peer has ended since the last call. */
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
   * Returns whether unread bytes of a watched peer have arrived. If more follow than a socket's buffer holds, the end
   * after them may not have arrived yet, and {@linkcode look} does not see it.
   */
  hasInput({ id, descriptor }: Peer): boolean {
    return id > 0 && !this.#isClosed && this.#sockets.hasInput(descriptor);
  }

  /** Returns an id that no watched connection has: none is watched while four billion others come. */
  #nextId(): number {
    this.#ids = this.#ids % 0xffff_ffff + 1;
    return this.#ids;
  }

  /** Finds the descriptor of a connection. Returns `false` when there is none. */
  #isFound(wanted: Peer): boolean {
    if (wanted.descriptor < 0) this.#search(wanted);
    if (this.#has(wanted, wanted.descriptor)) return true;
    // The descriptor belongs to another connection with the same port.
    this.#byDescriptor.delete(wanted.descriptor);
    wanted.descriptor = -1;
    // A foreign descriptor may have been closed, and its number reused for this connection.
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

  /** Asks for the peers of all unknown descriptors, one after another, until the descriptor of `wanted` is found. */
  #search(wanted: Peer): void {
    let highest = 0;
    for (const descriptor of this.#byDescriptor.keys()) if (descriptor > highest) highest = descriptor;
    // Before the first connection is found, many numbers of files may come before its own.
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

  /**
   * Returns the connection of a descriptor. If only one has that port, its addresses are compared when it is watched.
   */
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

  /** Stops watching all connections, and releases the C library. Idempotent. */
  [Symbol.dispose](): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#sockets.closeDescriptor(this.#ends);
    this.#sockets[Symbol.dispose]();
  }
}

/**
 * Does what {@linkcode PeerEnds.open} does, but returns `undefined` where there is no epoll, or the C library cannot
 * be called. That is reported already.
 */
export function openPeerEnds(): PeerEnds | undefined {
  if (!PLATFORM.has("peerEnds")) return undefined;
  try {
    return PeerEnds.open();
  } catch {
    return undefined;
  }
}
