/**
 * Counts the replies in a stream of bytes without keeping them, since an attack may request gigabytes.
 *
 * It distinguishes replies, error replies, errors inside replies (those of `exec`) and messages of channels (pushes of
 * RESP3). A reply with the bytes of the tag, as a bulk or a text, ends the count.
 *
 * @module
 */

import { decodeText } from "../../../src/bytes.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../../src/wire/native/frame.ts";

/** The longest part of an error text that is kept, in bytes. */
const TEXT_KEPT_BYTES = 200;

/** The replies that have arrived. */
export interface ReplyCount {
  /** The number of complete replies, including errors and excluding messages. */
  replies: number;
  /** The number of error replies. */
  errors: number;
  /** The number of errors inside replies. */
  innerErrors: number;
  /** The number of messages of channels. */
  messages: number;
  bytes: number;
  /** The first line of the first reply, such as `:3` or `*1000`; empty in the native protocol. */
  head: string;
  /** The text of the first error. */
  error: string;
  /** Whether the last reply is the tag. */
  tagged: boolean;
  /** The reason why the bytes are not replies, if so. */
  nonsense: string | undefined;
}

function noReplies(): ReplyCount {
  return {
    replies: 0,
    errors: 0,
    innerErrors: 0,
    messages: 0,
    bytes: 0,
    head: "",
    error: "",
    tagged: false,
    nonsense: undefined,
  };
}

/** A decoder for a stream of replies. */
export interface ReplyReader {
  readonly count: ReplyCount;
  /** Decodes the next bytes, which are borrowed until return. */
  feed(bytes: Uint8Array): void;
}

/** Decodes replies of RESP2 and RESP3. */
export class RespReplies implements ReplyReader {
  readonly count: ReplyCount = noReplies();
  readonly #tag: string;
  /** The number of values that are missing from the reply. */
  #left = 0;
  #isPush = false;
  /** The number of missing bytes of a bulk, including its line end. */
  #skip = 0;
  /** The part of a line that has arrived. */
  #line = "";
  /** The part of a bulk that has arrived, if it may be the tag. */
  #bulk: string | undefined;

  constructor(tag: string) {
    this.#tag = tag;
  }

  feed(bytes: Uint8Array): void {
    this.count.bytes += bytes.length;
    for (let at = 0; at < bytes.length && this.count.nonsense === undefined;) {
      if (this.#skip > 0) {
        const taken = Math.min(this.#skip, bytes.length - at);
        if (this.#bulk !== undefined) this.#bulk += decodeText(bytes, at, taken);
        at += taken;
        this.#skip -= taken;
        if (this.#skip === 0) this.#value();
        continue;
      }
      const end = bytes.indexOf(0x0a, at);
      if (end === -1) {
        if (this.#line.length < TEXT_KEPT_BYTES) this.#line += decodeText(bytes, at);
        return;
      }
      this.#take(this.#line + decodeText(bytes, at, Math.max(end - 1 - at, 0)));
      this.#line = "";
      at = end + 1;
    }
  }

  #take(text: string): void {
    // The end of a line may arrive in two pieces.
    const line = text.endsWith("\r") ? text.slice(0, -1) : text;
    const isTop = this.#left === 0;
    if (isTop) {
      this.#left = 1;
      this.#isPush = line.startsWith(">");
      if (this.count.head === "" && !this.#isPush) this.count.head = line.slice(0, TEXT_KEPT_BYTES);
    }
    switch (line[0]) {
      case "-":
        if (isTop) this.count.errors++;
        else this.count.innerErrors++;
        if (this.count.error === "") this.count.error = line.slice(0, TEXT_KEPT_BYTES);
        return this.#value();
      case "+":
      case ":":
      case ",":
      case "#":
      case "_":
      case "(":
        return this.#value();
      case "$":
      case "=":
      case "!": {
        const length = Number(line.slice(1));
        if (length === -1) return this.#value();
        this.#bulk = isTop && length === this.#tag.length ? "" : undefined;
        this.#skip = length + 2;
        return;
      }
      case "*":
      case "~":
      case ">":
        this.#left += Math.max(Number(line.slice(1)), 0);
        return this.#value();
      case "%":
        this.#left += 2 * Number(line.slice(1));
        return this.#value();
      default:
        this.count.nonsense = `no reply begins with ${JSON.stringify(line.slice(0, 40))}`;
    }
  }

  /** Handles a complete value, or the complete head of an array. */
  #value(): void {
    const isTag = this.#bulk === `${this.#tag}\r\n`;
    this.#bulk = undefined;
    if (--this.#left > 0) return;
    if (Number.isNaN(this.#left)) this.count.nonsense = "a length is no number";
    if (this.#isPush) {
      this.count.messages++;
      return;
    }
    this.count.replies++;
    this.count.tagged = isTag;
  }
}

/** Decodes replies of the native protocol. */
export class NativeReplies implements ReplyReader {
  readonly count: ReplyCount = noReplies();
  readonly #tag: string;
  /** The prefix, and the part of the frame that is kept. */
  readonly #head = new Uint8Array(FRAME_PREFIX_BYTES + TEXT_KEPT_BYTES);
  #length = 0;

  constructor(tag: string) {
    this.#tag = tag;
  }

  feed(bytes: Uint8Array): void {
    this.count.bytes += bytes.length;
    for (let at = 0; at < bytes.length;) {
      const whole = this.#length < FRAME_PREFIX_BYTES
        ? FRAME_PREFIX_BYTES
        : FRAME_PREFIX_BYTES + frameLength(this.#head, 0);
      const taken = Math.min(whole - this.#length, bytes.length - at);
      if (this.#length < this.#head.length) {
        this.#head.set(bytes.subarray(at, at + Math.min(taken, this.#head.length - this.#length)), this.#length);
      }
      at += taken;
      this.#length += taken;
      if (this.#length === whole && whole > FRAME_PREFIX_BYTES) this.#frame();
    }
  }

  #frame(): void {
    const kept = Math.min(this.#length, this.#head.length);
    const text = decodeText(this.#head, FRAME_PREFIX_BYTES, kept - FRAME_PREFIX_BYTES);
    // An error is [1, code, message].
    const isError = this.#head[FRAME_PREFIX_BYTES] === 0x93;
    this.count.replies++;
    if (isError) this.count.errors++;
    if (isError && this.count.error === "") this.count.error = text.replaceAll(/[^ -~]/g, " ").trim();
    this.count.tagged = text.endsWith(this.#tag);
    this.#length = 0;
  }
}
