/**
 * A client in a separate thread: it sends the bytes of an order, and reads replies without keeping them.
 *
 * A test that measures how long the server's thread is held runs the server in its own thread, and the client here.
 *
 * @module
 */

import { RespReplyScanner } from "../../src/wire/resp/reply_scanner.ts";

/** One order: send these bytes, and read this many replies. */
export interface Order {
  readonly port: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly replies: number;
}

/** The outcome of an order: the beginning of the last reply, or the reason why there was none. */
export interface Outcome {
  readonly last: string;
  readonly size: number;
}

const worker = self as unknown as {
  onmessage: (event: MessageEvent<Order>) => void;
  postMessage(outcome: Outcome): void;
};

worker.onmessage = async ({ data: { port, bytes, replies } }) => {
  let outcome: Outcome;
  try {
    outcome = await run(port, bytes, replies);
  } catch (error) {
    outcome = { last: String(error), size: -1 };
  }
  worker.postMessage(outcome);
};

async function run(port: number, bytes: Uint8Array, replies: number): Promise<Outcome> {
  using socket = await Deno.connect({ port });
  const scanner = new RespReplyScanner();
  const writing = write(socket, bytes);
  let buffer = new Uint8Array(1024 * 1024);
  let [start, end, size, last] = [0, 0, 0, ""];
  for (let left = replies; left > 0;) {
    if (end === buffer.length) {
      const grown = new Uint8Array(Math.max(buffer.length, (end - start) * 2));
      grown.set(buffer.subarray(start, end));
      buffer = grown;
      end -= start;
      start = 0;
    }
    const count = await socket.read(buffer.subarray(end));
    if (count === null) throw new Error(`the connection was closed, ${left} replies before the last`);
    end += count;
    size += count;
    for (let size; left > 0 && (size = scanner.size(buffer, start, end)) > 0; left--) {
      if (left === 1) last = new TextDecoder().decode(buffer.subarray(start, start + Math.min(size, 100)));
      start += size;
    }
  }
  await writing;
  return { last, size };
}

async function write(socket: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at, at + 4 * 1024 * 1024));
}
