/**
 * The program of peer.ts: a client of the library, which does what the lines of its input say.
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

/** Between two pings: so often that no hold of the server escapes, and so seldom that they are no load. */
const PING_INTERVAL_MS = 2;
const DISCARD_BUFFER_BYTES = 256 * 1024;
/** A prime number: parts of a value that changed places do not look the same. */
const PATTERN_BYTES = 10_007;

/** Pings a server all the time. */
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

  /** What was seen since this was asked last, the ping included that is under way. */
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

/** Sends a command, and reads the reply without keeping it. Answers how long it was. */
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

/** Goes through all keys. Answers how many there were. */
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
  // Natively, since a loop over so many bytes would hold up the pings here.
  return got !== null && Buffer.compare(got, value) === 0;
}

/** Random bytes that repeat, which is quickly made. */
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
