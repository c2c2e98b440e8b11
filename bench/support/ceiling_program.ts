/**
 * The ceiling: what the runtime's own input and output allow, since no server in it can be faster than one that does
 * nothing. It counts the commands of each read and answers them all with `+OK`, in one write, over TLS.
 *
 * Arguments: the files of the certificate and of its key. It writes its port to standard output, as a line, and runs until
 * a signal ends it. ceiling_server.ts is its other end.
 *
 * @module
 */

import { acceptLoop, handshake, listen } from "../../src/net/listener.ts";
import { writeAll } from "../../src/net/socket.ts";
import { CommandCounter } from "./command_counter.ts";

/** As large as the server's for a busy connection. */
const READ_BYTES = 64 * 1024;
const REPLY = new TextEncoder().encode("+OK\r\n");
/** A command takes 4 bytes at least: `*1` and a line's end. */
const REPLIES = repeated(REPLY, READ_BYTES / 4);

function repeated(bytes: Uint8Array, count: number): Uint8Array {
  const target = new Uint8Array(bytes.length * count);
  for (let index = 0; index < count; index++) target.set(bytes, index * bytes.length);
  return target;
}

async function serve(socket: Deno.TcpConn | Deno.TlsConn): Promise<void> {
  await handshake(socket);
  const counter = new CommandCounter();
  const buffer = new Uint8Array(READ_BYTES);
  for (;;) {
    const length = await socket.read(buffer);
    if (length === null) return socket.close();
    const count = counter.count(buffer.subarray(0, length));
    if (count > 0) await writeAll(socket, REPLIES.subarray(0, count * REPLY.length));
  }
}

if (import.meta.main) {
  const [cert, key] = Deno.args.map((path) => Deno.readTextFileSync(path)) as [string, string];
  const listener = listen({ hostname: "127.0.0.1", port: 0, cert, key });
  if (listener.untuned !== undefined) console.error(listener.untuned);
  console.log(listener.address.port);
  // A client that leaves in the middle is no failure.
  await acceptLoop(listener, { onConnection: serve, onError: () => {} });
}
