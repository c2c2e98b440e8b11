/**
 * A proxy in front of a server that is killed, stops, flaps, is slow, or somebody else, while clients write tagged values and
 * check what they read: only that server's keys notice, for a short while, and no value is ever wrong.
 *
 * Each client has keys of one server, since replies on one connection come in the order of its requests. A value that was
 * acknowledged has to be read; where the outcome of a write is unknown, either value may be, until one was read. With
 * `--on-down remap` a value may be lost, but never does an older one come back.
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { slotOf } from "../../src/key_slot.ts";
import { certificatePaths } from "../../src/role/certs.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { amountOf } from "../support/amount.ts";
import { type Launcher, type Role, runInmem, serversJson, systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { Relay } from "../support/relay.ts";
import { until } from "../support/until.ts";

const CLIENTS_COUNT = amountOf("FIRE_CLIENTS", 12, 32);
const KEYS_EACH = 20;
/** Nobody waits for a server that is gone after this. */
const KILLED_LIMIT_MS = 1_000;
const STOPPED_LIMIT_MS = 2_000;
/** How long a refusal may take then: it is known already. */
const REFUSAL_LIMIT_MS = 500;
/** How much later the bytes of a slow server arrive. */
const SLOW_MS = 200;
/** How often a server comes and goes. */
const FLAPS_COUNT = 5;
/** How long a proxy is stopped: longer than its servers may take to answer. */
const PAUSE_MS = 1_000;
/** All is well again so soon after the server is back. */
const RECOVERY_LIMIT_MS = 5_000;

/** How a request ended. */
interface Outcome {
  readonly begunMs: number;
  readonly tookMs: number;
  /** The code of the refusal; `undefined` when it was answered. */
  readonly code: string | undefined;
}

/** One client with keys of its own, which it writes and reads by turns. */
class Worker {
  readonly outcomes: Outcome[] = [];
  /** What was read that nobody had written, or no longer. */
  readonly wrong: string[] = [];
  /** What each key may hold. */
  readonly #expected = new Map<string, Set<string | null>>();
  #isStopped = false;

  /** @param mayLose whether nothing may be found where a value was */
  constructor(
    readonly client: Client,
    readonly keys: readonly string[],
    readonly tag: string,
    readonly mayLose: boolean,
  ) {
    for (const key of keys) this.#expected.set(key, new Set([null]));
  }

  async run(): Promise<void> {
    for (let round = 0; !this.#isStopped; round++) {
      const key = this.keys[round % this.keys.length]!;
      const value = `${this.tag}:${key}:${round}`;
      this.#expected.get(key)!.add(value);
      if (await this.#time(() => this.client.set(key, value))) this.#expected.set(key, new Set([value]));
      // What was just written, or the longest time ago.
      await this.#check(round % 2 === 0 ? key : this.keys[(round + 1) % this.keys.length]!);
      // Slow enough for all to have their turn on one core.
      await pause(5);
    }
  }

  async #check(key: string): Promise<void> {
    await this.#time(async () => {
      const found = await this.client.getText(key);
      const isLost = found === null && this.mayLose;
      if (!isLost && !this.#expected.get(key)!.has(found)) this.wrong.push(`${key}: read ${found}`);
      else this.#expected.set(key, new Set([found]));
    });
  }

  /** Whether a request was answered. */
  async #time(request: () => Promise<unknown>): Promise<boolean> {
    const begunMs = performance.now();
    let code: string | undefined;
    try {
      await request();
    } catch (error) {
      if (!(error instanceof ReplyError)) throw error;
      code = error.code;
    }
    this.outcomes.push({ begunMs, tookMs: performance.now() - begunMs, code });
    return code === undefined;
  }

  stop(): void {
    this.#isStopped = true;
  }
}

/** Clients of the first server, and of the others. */
class Load {
  readonly struck: Worker[] = [];
  readonly others: Worker[] = [];
  #done: Promise<unknown> = Promise.resolve();

  /** Connects clients to a proxy in front of those servers. */
  static async connect(launcher: Launcher, proxy: Role, servers: readonly Role[], mayLose = false): Promise<Load> {
    const load = new Load();
    const owners = ownersOf(servers.map(({ address }) => ({ address, weight: 1 })));
    const keys = servers.map((): string[] => []);
    for (let i = 0; keys.some((each) => each.length < CLIENTS_COUNT * KEYS_EACH); i++) {
      const bytes = encodeText(`key:${i}`);
      keys[owners[slotOf(bytes, 0, bytes.length)]!]!.push(`key:${i}`);
    }
    for (let i = 0; i < CLIENTS_COUNT; i++) {
      const own = keys[i % servers.length]!.splice(0, KEYS_EACH);
      const worker = new Worker(await launcher.connect(proxy), own, `client ${i}`, mayLose);
      (i % servers.length === 0 ? load.struck : load.others).push(worker);
    }
    load.#done = Promise.all([...load.struck, ...load.others].map((worker) => worker.run()));
    return load;
  }

  async stop(): Promise<void> {
    for (const worker of [...this.struck, ...this.others]) worker.stop();
    await this.#done;
  }

  /** Waits until each client has had so many requests answered since then. */
  async untilAnswered(workers: readonly Worker[], sinceMs: number, count = 5): Promise<void> {
    const isAnswered = ({ begunMs, code }: Outcome) => begunMs >= sinceMs && code === undefined;
    await until(
      () => workers.every(({ outcomes }) => outcomes.filter(isAnswered).length >= count),
      `each of ${workers.length} clients has ${count} answers`,
    );
  }
}

function since(workers: readonly Worker[], ms: number): Outcome[] {
  return workers.flatMap(({ outcomes }) => outcomes.filter(({ begunMs }) => begunMs >= ms));
}

/** A server that something is done to, and the relay in front of it. */
interface Struck {
  readonly server: Role;
  readonly data: string;
  readonly relay: Relay;
  /** The list of servers, whose first it is. */
  readonly file: string;
  readonly addresses: readonly string[];
  readonly proxy: Role;
}

/** Starts three servers, one of them behind a relay, and clients in front of a proxy. */
async function underFire(
  launcher: Launcher,
  run: (load: Load, struck: Struck) => Promise<void>,
  onDown: "fail" | "remap" = "fail",
): Promise<void> {
  const data = [0, 1, 2].map(() => launcher.newFolder());
  const servers = await Promise.all(data.map((folder) => launcher.server(["--data", folder])));
  using relay = new Relay(servers[0]!.address);
  const members = [{ ...servers[0]!, address: relay.address }, ...servers.slice(1)];
  const addresses = members.map(({ address }) => address);
  const file = await launcher.serversFile(addresses);
  const proxy = await launcher.proxy(file, ["--on-down", onDown]);
  const load = await Load.connect(launcher, proxy, members, onDown === "remap");
  try {
    await load.untilAnswered([...load.struck, ...load.others], 0);
    await run(load, { server: servers[0]!, data: data[0]!, relay, file, addresses, proxy });
    await load.stop();
    // Nobody else has noticed anything.
    assertEquals(load.others.flatMap(({ outcomes }) => outcomes.filter(({ code }) => code !== undefined)), []);
    assertEquals([...load.struck, ...load.others].flatMap(({ wrong }) => wrong), []);
    for (const { code } of since(load.struck, 0)) {
      assert(code === undefined || ["UNAVAILABLE", "UNKNOWN_OUTCOME"].includes(code), code);
    }
  } finally {
    await load.stop();
  }
}

/** Takes one of three servers away and lets it return; checks what its clients have noticed of it. */
function strike(
  launcher: Launcher,
  limitMs: number,
  away: (struck: Struck) => void | Promise<void>,
  back: (struck: Struck) => void | Promise<void>,
): Promise<void> {
  return underFire(launcher, async (load, struck) => {
    const awayMs = performance.now();
    await away(struck);
    await until(() => since(load.struck, awayMs + limitMs).length >= 3 * load.struck.length, "requests are refused");
    const backMs = performance.now();
    await back(struck);
    const returnedMs = performance.now();
    await load.untilAnswered(load.struck, returnedMs);
    await load.stop();

    assertLess(Math.max(...since(load.others, awayMs).map(({ tookMs }) => tookMs)), REFUSAL_LIMIT_MS);
    // Who has had to wait, has waited no longer than that, and then for nothing at all.
    for (const { begunMs, tookMs } of since(load.struck, awayMs).filter(({ begunMs }) => begunMs < backMs)) {
      const allowedMs = Math.max(limitMs, begunMs - awayMs + REFUSAL_LIMIT_MS);
      assertLessOrEqual(begunMs + tookMs - awayMs, allowedMs);
    }
    const meanwhile = since(load.struck, awayMs + limitMs).filter(({ begunMs }) => begunMs < backMs);
    assertGreater(meanwhile.filter(({ code }) => code === "UNAVAILABLE").length, 0);
    const refused = since(load.struck, returnedMs).filter(({ code }) => code !== undefined);
    const lastMs = Math.max(returnedMs, ...refused.map(({ begunMs, tookMs }) => begunMs + tookMs));
    assertLess(lastMs - returnedMs, RECOVERY_LIMIT_MS);
  });
}

systemTest("a server that is killed costs its own keys errors for a while, and nobody else anything", (launcher) => {
  return strike(launcher, KILLED_LIMIT_MS, async ({ server: { process } }) => {
    launcher.forgive(process);
    await process.kill();
  }, async ({ server: { address }, data }) => {
    await launcher.server(["--data", data, "--addr", address]);
  });
});

systemTest("a server that stops costs its own keys errors for a while, and nobody else anything", (launcher) => {
  return strike(
    launcher,
    STOPPED_LIMIT_MS,
    ({ server }) => server.process.signal("SIGSTOP"),
    ({ server }) => server.process.signal("SIGCONT"),
  );
});

systemTest(
  "a server in whose place another one with a wrong certificate answers is not spoken to",
  async (launcher) => {
    const folder = launcher.newFolder("foreign");
    assertEquals((await runInmem(["certs", folder])).code, 0);
    const { cert, key } = certificatePaths(folder);
    const foreign = await launcher.server(["--no-persist", "--cert", cert, "--key", key]);
    await strike(launcher, KILLED_LIMIT_MS, ({ relay }) => {
      relay.target = foreign.address;
      relay.cut();
    }, ({ server, relay }) => {
      relay.target = server.address;
      relay.cut();
    });
  },
);

systemTest("a server that comes and goes costs its own keys errors, and nobody else anything", (launcher) => {
  return underFire(launcher, async (load, { server, relay }) => {
    for (let turn = 0; turn < FLAPS_COUNT; turn++) {
      relay.target = undefined;
      relay.cut();
      const awayMs = performance.now();
      await until(() => since(load.struck, awayMs).some(({ code }) => code !== undefined), "a request is refused");
      relay.target = server.address;
      await load.untilAnswered(load.struck, performance.now(), 1);
    }
  });
});

systemTest("a server that is slow makes its own keys slow, and nobody else", (launcher) => {
  return underFire(launcher, async (load, { relay }) => {
    relay.delayMs = SLOW_MS;
    const slowMs = performance.now();
    await load.untilAnswered(load.struck, slowMs, 4);
    await load.stop();
    assertEquals(since(load.struck, 0).filter(({ code }) => code !== undefined), []);
    assertGreater(Math.min(...since(load.struck, slowMs).map(({ tookMs }) => tookMs)), SLOW_MS / 2);
    assertLess(Math.max(...since(load.others, slowMs).map(({ tookMs }) => tookMs)), SLOW_MS);
  });
});

/** Waits until the first server of the list, or of what is left of it, has or has not slots. */
function untilSlots(client: Client, address: string, hasSlots: boolean): Promise<void> {
  const line = new RegExp(`addr=${address},.*,slots=([0-9]+)`);
  return until(async () => {
    const slots = line.exec(await client.info("cluster"))?.[1] ?? "0";
    return (slots !== "0") === hasSlots;
  }, `${address} ${hasSlots ? "has" : "has no"} slots`);
}

systemTest(
  "with --on-down remap others serve the keys of a server that is away, and it never shows what it had before",
  (launcher) =>
    underFire(launcher, async (load, { server, data, relay, proxy }) => {
      const client = await launcher.connect(proxy);
      const awayMs = performance.now();
      launcher.forgive(server.process);
      await server.process.kill();
      await load.untilAnswered(load.struck, awayMs);
      await untilSlots(client, relay.address, false);
      await load.untilAnswered(load.struck, performance.now());
      const lentMs = performance.now();
      await launcher.server(["--data", data, "--addr", server.address]);
      await untilSlots(client, relay.address, true);
      await load.untilAnswered(load.struck, performance.now(), 2 * KEYS_EACH);
      // Once others have its slots nobody is refused, not while it comes back either.
      assertEquals(since(load.struck, lentMs).filter(({ code }) => code !== undefined), []);
    }, "remap"),
);

systemTest(
  "with --on-down remap a server leaves the list and comes back without an error, or a value it has missed",
  (launcher) =>
    underFire(launcher, async (load, { file, addresses, proxy }) => {
      const client = await launcher.connect(proxy);
      for (const list of [addresses.slice(1), addresses, addresses.slice(1), addresses]) {
        await Deno.writeTextFile(file, serversJson(list));
        await untilSlots(client, addresses[0]!, list.length === addresses.length);
        await load.untilAnswered(load.struck, performance.now(), 2 * KEYS_EACH);
      }
      assertEquals(since(load.struck, 0).filter(({ code }) => code !== undefined), []);
    }, "remap"),
);

systemTest("a proxy that was stopped itself takes no server for down", async (launcher) => {
  const server = await launcher.server(["--no-persist"]);
  using relay = new Relay(server.address);
  const proxy = await launcher.proxy(await launcher.serversFile([relay.address]), ["--timeout", "300ms"]);
  const client = await launcher.connect(proxy);
  await client.set("k", "v");
  relay.delayMs = 100;
  let answered = 0;
  let isStopped = false;
  const asking = (async () => {
    for (; !isStopped; answered++) assertEquals(await client.getText("k"), "v");
  })();
  await until(() => answered > 1, "requests are answered");
  proxy.process.signal("SIGSTOP");
  await pause(PAUSE_MS);
  proxy.process.signal("SIGCONT");
  const before = answered;
  await until(() => answered > before + 3, "requests are answered again");
  isStopped = true;
  await asking;
  assertEquals(proxy.process.lines.filter((line) => line.includes("is down")), []);
});
