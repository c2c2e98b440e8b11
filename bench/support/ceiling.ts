/**
 * The ceiling of the runtime's input and output: no server in this runtime can be faster than one that does nothing. It
 * counts the commands of each read and replies `+OK` to them, in one write, over TLS.
 *
 * This module is both ends of it. {@linkcode CeilingServer} runs this file as a child process. Its arguments are the
 * files of the certificate and of its key. It writes its port to standard output, as a line, and runs until a signal
 * ends it.
 *
 * @module
 */

import { fromFileUrl } from "@std/path";
import { ROOT, V8_FLAGS } from "../../cluster/role_process.ts";
import { acceptLoop, handshake, listen } from "../../src/net/listener.ts";
import { writeAll } from "../../src/net/socket.ts";
import type { CertificatePaths } from "../../src/role/certs.ts";
import { readJsonLines } from "./peer.ts";
import { endProcess } from "./program.ts";
import type { Endpoint } from "./resp_connection.ts";

/** The size of a read, in bytes, as in the server for a busy connection. */
const READ_BYTES = 64 * 1024;
const REPLY = new TextEncoder().encode("+OK\r\n");
/** The replies to one read. A command has at least 4 bytes: `*1` and a line end. */
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

const PROGRAM = fromFileUrl(new URL("ceiling.ts", import.meta.url));

/** A running ceiling. Disposing of it ends its process. */
export class CeilingServer implements AsyncDisposable {
  /** The address on which it listens. */
  readonly endpoint: Endpoint;
  readonly #process: Deno.ChildProcess;

  private constructor(endpoint: Endpoint, process: Deno.ChildProcess) {
    this.endpoint = endpoint;
    this.#process = process;
  }

  /** Starts a ceiling with a certificate, with a launcher such as `taskset`, and waits until it listens. */
  static async start(
    { cert, key, authority }: CertificatePaths,
    launcher: readonly string[] = [],
  ): Promise<CeilingServer> {
    const caCert = await Deno.readTextFile(authority);
    const options = ["run", "--quiet", V8_FLAGS, "--no-prompt", "--lock=deno.lock", "--frozen", "-A"];
    const [program, ...args] = [...launcher, Deno.execPath(), ...options, PROGRAM, cert, key];
    const process = new Deno.Command(program!, { args, cwd: ROOT, stdin: "null", stdout: "piped" }).spawn();
    const lines = readJsonLines(process.stdout);
    const { value: port, done } = await lines.next();
    await lines.return();
    if (done) throw new Error("Cannot start the ceiling program: it ended immediately");
    return new CeilingServer({ hostname: "127.0.0.1", port: port as number, authority: caCert }, process);
  }

  /** The id of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endProcess(this.#process);
  }
}

const ASTERISK = 0x2a;
const NEWLINE = 0x0a;

/** Counts the commands of one connection, read by read. */
export class CommandCounter {
  /** The last byte of the previous read: the next byte begins a line if it is a newline. */
  #last = NEWLINE;

  /** Returns the number of commands that begin in the next bytes of the connection. */
  count(bytes: Uint8Array): number {
    let count = 0;
    // This is the runtime's own search, of 16 bytes and more at a time.
    for (let at = bytes.indexOf(ASTERISK); at >= 0; at = bytes.indexOf(ASTERISK, at + 1)) {
      if ((at === 0 ? this.#last : bytes[at - 1]) === NEWLINE) count++;
    }
    if (bytes.length > 0) this.#last = bytes[bytes.length - 1]!;
    return count;
  }
}

if (import.meta.main) {
  const [cert, key] = Deno.args.map((path) => Deno.readTextFileSync(path)) as [string, string];
  const listener = listen({ hostname: "127.0.0.1", port: 0, cert, key });
  if (listener.untuned !== undefined) console.error(listener.untuned);
  console.log(listener.address.port);
  // A client may disconnect at any time.
  await acceptLoop(listener, { onConnection: serve, onError: () => {} });
}
