/**
 * Connections and requests for tests of the code between them, without sockets and servers.
 *
 * @module
 */

import { decodeText, encodeText } from "../../src/bytes.ts";
import type { ConnectionError } from "../../src/errors.ts";
import { BackendRequest } from "../../src/route/backend_request.ts";
import type { Framing, Transport } from "../../src/route/framing.ts";
import { pause } from "./pause.ts";

const FULL_STOP = 0x2e;

/** A connection whose other end is the test. */
export class FakeTransport implements Transport {
  buffer: Uint8Array<ArrayBuffer> = new Uint8Array(1024);
  start = 0;
  end = 0;
  /** The written texts, one for each write. */
  readonly writes: string[] = [];
  closed = false;
  /** Whether writes wait for {@linkcode unblock}. */
  blocked = false;
  #unblock: () => void = () => {};
  #arrived: (() => void) | undefined;
  #ended: Error | "end" | undefined;
  #incoming = "";

  /** Delivers bytes of a reply. */
  push(text: string): void {
    this.#incoming += text;
    this.#arrived?.();
  }

  /** Loses the connection, or ends it in order. */
  lose(error: Error | "end" = new Error("reset")): void {
    this.#ended = error;
    this.#arrived?.();
    this.#unblock();
  }

  unblock(): void {
    this.blocked = false;
    this.#unblock();
  }

  /** Whether there is no memory for the bytes of a reply. */
  full = false;

  makeRoom(): boolean {
    return !this.full;
  }

  free(): void {}

  detach(behind: number): Uint8Array<ArrayBuffer> {
    const old = this.buffer;
    const rest = old.slice(behind, this.end);
    this.buffer = new Uint8Array(Math.max(1024, rest.length));
    this.buffer.set(rest);
    this.start = 0;
    this.end = rest.length;
    return old;
  }

  async fill(): Promise<boolean> {
    while (this.#incoming === "" && this.#ended === undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#arrived = resolve;
      await promise;
    }
    if (this.#incoming === "" && this.#ended !== undefined) {
      if (this.#ended === "end") return false;
      throw this.#ended;
    }
    const unread = decodeText(this.buffer, this.start, this.end - this.start);
    this.buffer = encodeText(unread + this.#incoming);
    this.#incoming = "";
    this.start = 0;
    this.end = this.buffer.length;
    return true;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.writes.push(decodeText(bytes));
    if (this.blocked) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#unblock = resolve;
      await promise;
    }
    if (this.#ended instanceof Error) throw this.#ended;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.lose(new Error("closed"));
  }
}

/** A request that records its outcome. */
export class FakeRequest extends BackendRequest {
  readonly #log: string[];

  constructor(readonly name: string, repeatable: boolean, log: string[]) {
    super();
    this.repeatable = repeatable;
    this.#log = log;
  }

  override succeed(bytes: Uint8Array, start: number, end: number): void {
    this.#log.push(`${this.name}=${decodeText(bytes, start, end - start)}`);
  }

  override fail(error: ConnectionError): void {
    this.#log.push(`${this.name}!${error.sent ? "sent" : "unsent"}`);
    this.error = error;
  }

  error: ConnectionError | undefined;
}

/** Connections that are being opened, in order. The test settles them. */
export type Opening = PromiseWithResolvers<Transport>;

/** Returns a protocol whose frames end with a full stop, and which has its own connections. */
export function makeFraming(opening: Opening[]): Framing {
  return {
    ping: new TextEncoder().encode("?."),
    open: (_address, signal) => {
      const each = Promise.withResolvers<Transport>();
      signal.addEventListener("abort", () => each.reject(new Error("aborted")));
      opening.push(each);
      return each.promise;
    },
    measure: () => ({
      needed: 0,
      size: (bytes, start, end) => bytes.subarray(start, end).indexOf(FULL_STOP) + 1,
      drop: (_bytes, start, end) => end - start,
    }),
  };
}

/** Waits until all queued microtasks have run. */
export function settle(): Promise<void> {
  return pause(0);
}
