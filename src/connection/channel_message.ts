/**
 * A message that is delivered to all listeners. It is encoded once for each version of RESP and each pattern, for any
 * number of listeners.
 *
 * ```text
 * > 3 · $7 message · $4 news · $5 hello              only a head
 * > 3 · $7 message · $4 news · $33000000 ┊ …         head ┊ tail: a long payload, which all heads share
 * ```
 *
 * The encoded bytes never change, so all connections that wait to write them share them.
 *
 * @module
 */

import { copyBytes, encodeText, formatInteger, INTEGER_TEXT_MAX_BYTES } from "../bytes.ts";
import { STEP_BYTES } from "../limits.ts";
import { SharedBytes } from "../memory/message_queue.ts";

/**
 * The size from which a payload is shared by all patterns and versions, in bytes. Smaller ones are copied into each.
 */
const TAIL_MIN_BYTES = 16 * 1024;
/** The longest line that contains a length, in bytes. */
const LENGTH_LINE_MAX_BYTES = 1 + INTEGER_TEXT_MAX_BYTES + 2;

const CR = 0x0d;
const LF = 0x0a;
const DOLLAR = 0x24;
const ARRAY = 0x2a;
const PUSH = 0x3e;

const MESSAGE = encodeText("*3\r\n$7\r\nmessage\r\n");
const PATTERN_MESSAGE = encodeText("*4\r\n$8\r\npmessage\r\n");

/** A published message, independent of the patterns by which it is delivered. */
export class Publication {
  readonly channel: Uint8Array;
  readonly payload: Uint8Array;
  #tail: SharedBytes | undefined;
  #copy: Uint8Array | undefined;
  /** The number of bytes of the payload that were copied. */
  #copied = 0;

  /**
   * Borrows both until the publication has been sent to all listeners.
   *
   * @param line the payload with the end of its line, if its bytes never change; a long payload is then not copied
   */
  constructor(channel: Uint8Array, payload: Uint8Array, line?: Uint8Array) {
    this.channel = channel;
    this.payload = payload;
    if (line !== undefined && payload.length >= TAIL_MIN_BYTES) this.#tail = new SharedBytes(line);
  }

  /** The payload and the end of its line, if it is long. */
  get tail(): SharedBytes | undefined {
    if (this.payload.length < TAIL_MIN_BYTES) return undefined;
    while (!this.copySome());
    return this.#tail;
  }

  /** Copies a part of the {@linkcode tail}. Returns whether the copy is complete. */
  copySome(): boolean {
    const { payload } = this;
    if (this.#tail !== undefined || payload.length < TAIL_MIN_BYTES) return true;
    const bytes = this.#copy ??= new Uint8Array(payload.length + 2);
    const part = payload.subarray(this.#copied, this.#copied + STEP_BYTES);
    bytes.set(part, this.#copied);
    this.#copied += part.length;
    if (this.#copied < payload.length) return false;
    bytes[payload.length] = CR;
    bytes[payload.length + 1] = LF;
    this.#tail = new SharedBytes(bytes);
    return true;
  }
}

/** A message to a client that is not a reply. */
export interface Message {
  /** Returns the message in a version of RESP, or the part before its {@linkcode tail}. The bytes never change. */
  head(version: 2 | 3): Uint8Array;
  /** The part after the head, if there is one. Its bytes never change. */
  readonly tail: SharedBytes | undefined;
}

/** A publication in the form for the listeners of its channel, or of one pattern. */
export class ChannelMessage implements Message {
  readonly publication: Publication;
  readonly pattern: Uint8Array | undefined;
  #second: Uint8Array | undefined;
  #third: Uint8Array | undefined;

  /** @param pattern the pattern by which it is delivered, if any; borrowed like the publication's bytes */
  constructor(publication: Publication, pattern: Uint8Array | undefined) {
    this.publication = publication;
    this.pattern = pattern;
  }

  /** Returns the message in a version of RESP, or the part before its {@linkcode tail}. The bytes never change. */
  head(version: 2 | 3): Uint8Array {
    if (version === 2) return this.#second ??= this.#encode(ARRAY);
    return this.#third ??= this.#encode(PUSH);
  }

  /** The part after the head, if there is one. Its bytes never change. */
  get tail(): SharedBytes | undefined {
    return this.publication.tail;
  }

  #encode(sign: number): Uint8Array {
    const other = this.#second ?? this.#third;
    let bytes = other?.slice();
    if (bytes === undefined) {
      const { channel, payload, tail } = this.publication;
      const pattern = this.pattern;
      const begin = pattern === undefined ? MESSAGE : PATTERN_MESSAGE;
      const size = begin.length + 3 * LENGTH_LINE_MAX_BYTES + channel.length + 2 +
        (pattern === undefined ? 0 : pattern.length + 2) + (tail === undefined ? payload.length + 2 : 0);
      const room = new Uint8Array(size);
      copyBytes(begin, 0, room, 0, begin.length);
      let at = begin.length;
      if (pattern !== undefined) at = writeBulk(room, at, pattern);
      at = writeBulk(room, at, channel);
      at = tail === undefined ? writeBulk(room, at, payload) : writeLength(room, at, payload.length);
      bytes = room.subarray(0, at);
    }
    bytes[0] = sign;
    return bytes;
  }
}

function writeBulk(target: Uint8Array, at: number, bytes: Uint8Array): number {
  at = writeLength(target, at, bytes.length);
  copyBytes(bytes, 0, target, at, bytes.length);
  at += bytes.length;
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}

function writeLength(target: Uint8Array, at: number, length: number): number {
  target[at] = DOLLAR;
  at += 1 + formatInteger(length, target, at + 1);
  target[at] = CR;
  target[at + 1] = LF;
  return at + 2;
}
