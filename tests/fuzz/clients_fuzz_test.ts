/**
 * Runs several clients at random against redis-server, an inmem server and a proxy before others: transactions, watched
 * keys, commands that wait for elements which others push, and clients that disconnect while they wait. Each client
 * must get the same replies.
 *
 * After each step, all clients come to rest: the number of requests without a reply equals the number of clients that
 * the target reports as blocked. So the result does not depend on speed. Without a redis-server of the right version,
 * nothing is compared.
 */

import { assert, assertEquals } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { startProxy } from "../../src/proxy/main.ts";
import type { Logger } from "../../src/role/logger.ts";
import { startServer } from "../../src/server/main.ts";
import { comparable } from "../conformance/comparers.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { RespClient } from "../support/resp_client.ts";
import { decodeFrame, encodeCommand, escape, type Frame } from "../support/resp_frames.ts";
import { amountOf } from "../support/amount.ts";
import { pause } from "../support/pause.ts";
import { encodeRequest } from "../support/resp_requests.ts";

const ROUNDS = amountOf("CLIENTS_ROUNDS", 6, 300);
const STEPS_COUNT = 40;
const CLIENTS_COUNT = 4;
const SETTLE_TIMEOUT_MS = 20_000;

/** The keys. One of them contains bytes that are not text. */
const KEYS = ["{t}a", "{t}b", "{t}l", "{t}m", "{t}h", "{t}\xff\x00\r\n"];
const VALUES = ["x", "1", "", "-5", "9223372036854775807", "\xff\r\n", "A".repeat(70)];
/**
 * The commands: `K` is a key, `V` a value. Neither `copy` nor `blpop` of two keys is included, because the key that
 * they do not change counts as changed for WATCH, see differences.ts.
 */
const FORMS = [
  ..."set K V|get K|del K|rpush K V V|rpush K V|lpush K V|lpop K|lrange K 0 -1|hset K V 1|hlen K|incrby K V|type K"
    .split("|"),
  ..."pexpireat K 4102444800000|pexpireat K 1|expire K -1|pexpireat K 9007199254740991|pexpiretime K|persist K".split(
    "|",
  ),
  ..."rename K K|lmove K K left right|setrange K 3 V|append K V|getdel K|ltrim K 1 -1".split("|"),
  ..."lrem K 0 V|mset K V K V|set K V get keepttl|linsert K before V new|hdel K V|getex K persist|exists K K".split(
    "|",
  ),
  ..."client getname|client setname x|client setname y|ping|echo V|hello 2|hello 3|reset|unwatch|discard".split("|"),
  ..."multi|multi|multi|exec|exec|exec|exec|watch K|watch K|watch K K".split("|"),
].map((form) => form.split(" "));
const WAITING = "blpop K 0|brpop K 0|blmove K K left right 0|brpoplpush K K 0".split("|").map((form) =>
  form.split(" ")
);

function make(random: Random, forms: readonly string[][]): string[] {
  const one = <T>(choices: readonly T[]): T => choices[random.below(choices.length)]!;
  return one(forms).map((word) => word === "K" ? one(KEYS) : word === "V" ? one(VALUES) : word);
}

/** One client, with its requests and their replies. */
class Peer {
  /** The requests without a reply. */
  readonly open: string[][] = [];
  /** The commands that `exec` is to run. */
  #queued: string[][] = [];
  /** The comparable replies since they were last taken. */
  #heard: string[] = [];
  readonly #socket: Deno.TcpConn;
  readonly #reading: Promise<void>;

  private constructor(socket: Deno.TcpConn) {
    this.#socket = socket;
    this.#reading = this.#read();
  }

  static async connect(port: number): Promise<Peer> {
    const socket = await Deno.connect({ hostname: "127.0.0.1", port });
    socket.setNoDelay();
    return new Peer(socket);
  }

  async send(commands: readonly string[][]): Promise<void> {
    this.open.push(...commands);
    const text = commands.map(encodeCommand).join("");
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    for (let at = 0; at < bytes.length;) at += await this.#socket.write(bytes.subarray(at));
  }

  take(): string[] {
    const heard = this.#heard;
    this.#heard = [];
    return heard;
  }

  async leave(): Promise<void> {
    this.#socket.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    let buffer = new Uint8Array(0);
    const part = new Uint8Array(64 * 1024);
    try {
      for (let count; (count = await this.#socket.read(part)) !== null;) {
        buffer = Uint8Array.from([...buffer, ...part.subarray(0, count)]);
        for (let found; (found = decodeFrame(buffer, 0, buffer.length)) !== undefined;) {
          buffer = buffer.slice(found.end);
          this.#hear(found.frame);
        }
      }
    } catch {
      // The client has disconnected.
    }
  }

  #hear(frame: Frame): void {
    const words = this.open.shift() ?? [];
    if (frame.line === "QUEUED") this.#queued.push(words);
    const isRun = words[0] === "exec" && frame.items?.length === this.#queued.length;
    const reply = isRun
      ? frame.items!.map((item, i) => comparable([item], this.#queued[i]!)).join("")
      : comparable([frame], words);
    if (words[0] === "exec" || words[0] === "reset" || words[0] === "discard") this.#queued = [];
    // `hello` names the server that replies.
    this.#heard.push(escape(reply.replaceAll("$6\r\nserver\r\n$5\r\nredis", "$6\r\nserver\r\n$5\r\ninmem")));
  }
}

/** One target with its clients. */
class Party {
  readonly name: string;
  readonly #port: number;
  #control!: RespClient;
  peers: Peer[] = [];

  constructor(name: string, port: number) {
    this.name = name;
    this.#port = port;
  }

  async begin(): Promise<void> {
    this.#control = await RespClient.connect(this.#port);
    await this.#control.call("flushall");
    this.peers = await Promise.all(Array.from({ length: CLIENTS_COUNT }, () => Peer.connect(this.#port)));
  }

  async end(): Promise<void> {
    for (const peer of this.peers) await peer.leave();
    this.peers = [];
    await this.settle();
    this.#control.close();
  }

  async replace(index: number): Promise<void> {
    await this.peers[index]!.leave();
    this.peers[index] = await Peer.connect(this.#port);
  }

  /** Waits until no more replies can arrive. */
  async settle(): Promise<void> {
    const deadlineMs = performance.now() + SETTLE_TIMEOUT_MS;
    for (;;) {
      await this.#control.send(encodeRequest("info", "clients"));
      const blocked = Number(/blocked_clients:([0-9]+)/.exec((await this.#control.frame()).body ?? "")?.[1]);
      const open = this.peers.reduce((count, peer) => count + peer.open.length, 0);
      if (open === blocked) return;
      assert(performance.now() < deadlineMs, `${this.name}: ${open} requests are open, and ${blocked} clients blocked`);
      await pause(1);
    }
  }
}

async function playRound(random: Random, parties: readonly Party[]): Promise<void> {
  const past: string[] = [];
  for (const party of parties) await party.begin();
  for (let step = 0; step < STEPS_COUNT; step++) {
    const index = random.below(CLIENTS_COUNT);
    const waits = parties[0]!.peers[index]!.open.length > 0;
    if (waits && random.below(8) > 0) continue;
    const commands = Array.from({ length: 1 + random.below(3) }, () => make(random, FORMS));
    // A blocking command must be the last.
    if (random.below(6) === 0) commands.push(make(random, WAITING));
    past.push(`client ${index}: ${waits ? "leaves" : commands.map((words) => JSON.stringify(words)).join(" ")}`);
    let expected: string[][] = [];
    for (const party of parties) {
      if (waits) await party.replace(index);
      else await party.peers[index]!.send(commands);
      await party.settle();
      const heard = party.peers.map((peer) => peer.take());
      if (party === parties[0]) expected = heard;
      else assertEquals(heard, expected, `${party.name}, after\n  ${past.join("\n  ")}`);
    }
  }
  for (const party of parties) await party.end();
}

const quiet: Logger = { info() {}, warn() {}, error: (message, fields) => console.error(message, fields) };
const ROLE = { hostname: "127.0.0.1", port: 0, maxClients: 100, logger: quiet } as const;
const STORE = { memoryLimitBytes: 64 * 1024 * 1024, evicts: true, defaultTtlMs: 0 } as const;

const version = await redisVersion();
const ignore = version === undefined || !version.startsWith("7.0.");
const note = ignore ? " (ignored: redis-server 7.0 is not on PATH)" : "";

Deno.test({
  name: `random commands of several clients get the replies of redis-server, from a server and through a proxy${note}`,
  ignore,
  fn: async () => {
    const seed = pickSeed();
    console.log(`seed ${seed}`);
    const random = new Random(seed);
    const folder = await Deno.makeTempDir({ prefix: "inmem-clients-" });
    const stops: (() => Promise<void>)[] = [];
    try {
      const ports: number[] = [];
      for (let i = 0; i < 3; i++) {
        const server = await startServer({ ...ROLE, ...STORE });
        stops.unshift(() => server.stop());
        ports.push(server.address.port);
      }
      const serversPath = `${folder}/servers.json`;
      await Deno.writeTextFile(
        serversPath,
        JSON.stringify(ports.slice(1).map((port) => ({ addr: `127.0.0.1:${port}` }))),
      );
      const proxy = await startProxy({ ...ROLE, serversPath, connectionsMaxCount: 4, backend: { plaintext: true } });
      stops.unshift(() => proxy.stop());
      await using redis = await RedisServer.start();
      const parties = [
        new Party("redis-server", redis.port),
        new Party("server", ports[0]!),
        new Party("proxy", proxy.address.port),
      ];
      for (let round = 0; round < ROUNDS; round++) await playRound(random, parties);
    } finally {
      for (const stop of stops) await stop();
      // Reads in progress at the stop end by themselves.
      await pause(20);
      await Deno.remove(folder, { recursive: true });
    }
  },
});
