/**
 * The program of peer.ts: a client of the library, which executes the jobs in its input.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type Client, connect } from "../../src/mod.ts";
import { connect as connectSocket } from "../../src/net/connector.ts";
import { writeAll } from "../../src/net/socket.ts";
import { FRAME_PREFIX_BYTES, frameLength } from "../../src/wire/native/frame.ts";
import { NativeRequestWriter } from "../../src/wire/native/request_writer.ts";
import { type Job, type PeerSettings, type Pings, readJsonLines } from "./peer.ts";

/**
 * The interval between two pings, in ms: short enough to notice every hold of the server, and long enough to be little
 * load.
 */
const PING_INTERVAL_MS = 2;
const DISCARD_BUFFER_BYTES = 256 * 1024;
/** The length of the repeated pattern. It is a prime number, so that exchanged parts of a value look different. */
const PATTERN_BYTES = 10_007;

/** Pings a server continuously. */
class Pinger {
  readonly #client: Client;
  #stopped = false;
  #ping: Promise<void> = Promise.resolve();
  #count = 0;
  #longestMs = 0;
  readonly #ended: Promise<void>;

  constructor(client: Client) {
    this.#client = client;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#ping = this.#time();
      await this.#ping;
      await new Promise((resolve) => setTimeout(resolve, PING_INTERVAL_MS));
    }
  }

  async #time(): Promise<void> {
    const startedMs = performance.now();
    await this.#client.ping();
    this.#longestMs = Math.max(this.#longestMs, performance.now() - startedMs);
    this.#count++;
  }

  /** Returns the round trips since the last call, including a ping in progress. */
  async take(): Promise<Pings> {
    await this.#ping;
    const pings = { count: this.#count, longestMs: this.#longestMs };
    this.#count = this.#longestMs = 0;
    return pings;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }
}

async function run(job: Job, settings: PeerSettings, client: Client, pinger: Pinger): Promise<unknown> {
  switch (job.kind) {
    case "pings":
      return await pinger.take();
    case "send":
      await client.send(job.command);
      return null;
    case "discard":
      return await discard(job.command, settings);
    case "scan":
      return await scan(client, job.count);
    case "echo":
      return await echo(client, job.sizeBytes);
  }
}

/** Sends a command, and reads the reply without keeping it. Returns its length. */
async function discard(command: readonly string[], { addr, caFile }: PeerSettings): Promise<number> {
  const { hostname, port } = new URL(`http://${addr}`);
  const caCerts = [await Deno.readTextFile(caFile)];
  const socket = await connectSocket({ hostname, port: Number(port), caCerts });
  try {
    const writer = new NativeRequestWriter();
    writer.add(command);
    await writeAll(socket, writer.take());
    const buffer = new Uint8Array(DISCARD_BUFFER_BYTES);
    let read = 0;
    let wanted = FRAME_PREFIX_BYTES;
    while (read < wanted) {
      const count = await socket.read(read < FRAME_PREFIX_BYTES ? buffer.subarray(read) : buffer);
      if (count === null) throw new Error("Cannot read a reply: the server has closed the connection");
      const had = read;
      read += count;
      if (had < FRAME_PREFIX_BYTES && read >= FRAME_PREFIX_BYTES) wanted += frameLength(buffer, 0);
    }
    return wanted;
  } finally {
    socket.close();
  }
}

/** Scans all keys. Returns their number. */
async function scan(client: Client, count: number): Promise<number> {
  let found = 0;
  for await (const _ of client.scan({ count })) found++;
  return found;
}

/** Sets a value, gets it and compares. */
async function echo(client: Client, sizeBytes: number): Promise<boolean> {
  const value = patterned(sizeBytes);
  await client.set("echo", value);
  const got = await client.get("echo");
  // The comparison is native, since a loop over this many bytes would delay the pings.
  return got !== null && Buffer.compare(got, value) === 0;
}

/** Returns random bytes with repetition, which are quick to create. */
function patterned(sizeBytes: number): Uint8Array<ArrayBuffer> {
  const value = new Uint8Array(sizeBytes);
  crypto.getRandomValues(value.subarray(0, PATTERN_BYTES));
  for (let made = PATTERN_BYTES; made < sizeBytes; made *= 2) value.copyWithin(made, 0, made);
  return value;
}

async function main(settings: PeerSettings): Promise<void> {
  const options = { ...settings, timeoutMs: 0 };
  await using client = await connect(options);
  await using pinging = await connect(options);
  const pinger = new Pinger(pinging);
  for await (const job of readJsonLines(Deno.stdin.readable)) {
    const result = await run(job as Job, settings, client, pinger);
    console.log(JSON.stringify(result));
  }
  await pinger.stop();
}

if (import.meta.main) await main(JSON.parse(Deno.args[0]!) as PeerSettings);
