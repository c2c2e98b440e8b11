/**
 * Tests a proxy in front of a server that is killed, stopped, flapping, slow or replaced by another program, while
 * clients write tagged values and verify what they read. Only that server's keys are affected, for a short time, and no
 * value is ever wrong.
 *
 * The keys of each client are on one server, since the replies of one connection come in the order of its requests. A
 * read must return an acknowledged value. While the outcome of a write is unknown, a read may return either value,
 * until one was read. With `--on-down remap` a value may be lost, but an older one never returns.
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "@std/assert";
import { encodeText } from "../../src/bytes.ts";
import type { Client } from "../../src/client/client.ts";
import { ReplyError } from "../../src/errors.ts";
import { slotOf } from "../../src/key_slot.ts";
import { certificatePaths } from "../../src/role/certs.ts";
import { ownersOf } from "../../src/route/slots.ts";
import { amountOf, longOnly } from "../support/amount.ts";
import { type Launcher, type Role, runInmem, serversJson, systemTest } from "../support/launcher.ts";
import { pause } from "../support/pause.ts";
import { Relay } from "../support/relay.ts";
import { until } from "../support/until.ts";

const CLIENTS_COUNT = amountOf("FIRE_CLIENTS", 12, 32);
const KEYS_EACH = 20;
/** The longest time that a client waits for a killed server, in ms. */
const KILLED_LIMIT_MS = 1_000;
const STOPPED_LIMIT_MS = 2_000;
/** The longest time until a refusal when the failure is already known, in ms. */
const REFUSAL_LIMIT_MS = 500;
/** The delay of the bytes of a slow server, in ms. */
const SLOW_MS = 200;
/** The number of times that a flapping server ends and starts. */
const FLAPS_COUNT = 5;
/** How long a proxy is stopped, in ms: longer than the timeout of its servers' replies. */
const PAUSE_MS = 1_000;
/** The longest time from a server's return to full service, in ms. */
const RECOVERY_LIMIT_MS = 5_000;

/** The outcome of a request. */
interface Outcome {
  readonly begunMs: number;
  readonly tookMs: number;
  /** The code of the refusal, or `undefined` when the request succeeded. */
  readonly code: string | undefined;
}

/** One client that alternately writes and reads its own keys. */
class Worker {
  readonly outcomes: Outcome[] = [];
  /** Values that were read although they were never written, or were replaced. */
  readonly wrong: string[] = [];
  /** The values that each key may have. */
  readonly #expected = new Map<string, Set<string | null>>();
  #isStopped = false;

  /**
   * Creates a worker.
   *
   * @param mayLose whether a value may be missing
   */
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
      // Verifies the key that was just written, or the one written longest ago.
      await this.#check(round % 2 === 0 ? key : this.keys[(round + 1) % this.keys.length]!);
      // The pause lets all workers run on one core.
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

  /** Runs and times a request, and returns whether it succeeded. */
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

/** The clients of the first server, and those of the others. */
class Load {
  readonly struck: Worker[] = [];
  readonly others: Worker[] = [];
  #done: Promise<unknown> = Promise.resolve();

  /** Connects clients to a proxy in front of the given servers. */
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

  /** Waits until each client has received `count` replies since then. */
  async untilServed(workers: readonly Worker[], sinceMs: number, count = 5): Promise<void> {
    const isServed = ({ begunMs, code }: Outcome) => begunMs >= sinceMs && code === undefined;
    await until(
      () => workers.every(({ outcomes }) => outcomes.filter(isServed).length >= count),
      `each of ${workers.length} clients has ${count} replies`,
    );
  }
}

function since(workers: readonly Worker[], ms: number): Outcome[] {
  return workers.flatMap(({ outcomes }) => outcomes.filter(({ begunMs }) => begunMs >= ms));
}

/** The server that fails, and the relay in front of it. */
interface Struck {
  readonly server: Role;
  readonly data: string;
  readonly relay: Relay;
  /** The list of servers, in which the failing one is the first. */
  readonly file: string;
  readonly addresses: readonly string[];
  readonly proxy: Role;
}

/** Starts three servers, one of them through a relay, and clients in front of a proxy. */
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
    await load.untilServed([...load.struck, ...load.others], 0);
    await run(load, { server: servers[0]!, data: data[0]!, relay, file, addresses, proxy });
    await load.stop();
    // No other client has noticed anything.
    assertEquals(load.others.flatMap(({ outcomes }) => outcomes.filter(({ code }) => code !== undefined)), []);
    assertEquals([...load.struck, ...load.others].flatMap(({ wrong }) => wrong), []);
    for (const { code } of since(load.struck, 0)) {
      assert(code === undefined || ["UNAVAILABLE", "UNKNOWN_OUTCOME"].includes(code), code);
    }
  } finally {
    await load.stop();
  }
}

/** Takes one of three servers away, lets it return, and verifies what its clients have noticed. */
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
    await load.untilServed(load.struck, returnedMs);
    await load.stop();

    assertLess(Math.max(...since(load.others, awayMs).map(({ tookMs }) => tookMs)), REFUSAL_LIMIT_MS);
    // A request ends within the limit after the failure. One that begins later is refused immediately.
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

systemTest("a server that is killed causes errors for its own keys for a short time, and for no others", (launcher) => {
  return strike(launcher, KILLED_LIMIT_MS, async ({ server: { process } }) => {
    launcher.forgive(process);
    await process.kill();
  }, async ({ server: { address }, data }) => {
    await launcher.server(["--data", data, "--addr", address]);
  });
});

systemTest(
  "a server that stops causes errors for its own keys for a short time, and for no others",
  longOnly,
  (launcher) => {
    return strike(
      launcher,
      STOPPED_LIMIT_MS,
      ({ server }) => server.process.signal("SIGSTOP"),
      ({ server }) => server.process.signal("SIGCONT"),
    );
  },
);

systemTest(
  "a server that was replaced by one with a wrong certificate receives no request",
  longOnly,
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

systemTest("a flapping server causes errors for its own keys, and for no others", longOnly, (launcher) => {
  return underFire(launcher, async (load, { server, relay }) => {
    for (let turn = 0; turn < FLAPS_COUNT; turn++) {
      relay.target = undefined;
      relay.cut();
      const awayMs = performance.now();
      await until(() => since(load.struck, awayMs).some(({ code }) => code !== undefined), "a request is refused");
      relay.target = server.address;
      await load.untilServed(load.struck, performance.now(), 1);
    }
  });
});

systemTest("a slow server delays its own keys, and no others", longOnly, (launcher) => {
  return underFire(launcher, async (load, { relay }) => {
    relay.delayMs = SLOW_MS;
    const slowMs = performance.now();
    await load.untilServed(load.struck, slowMs, 4);
    await load.stop();
    assertEquals(since(load.struck, 0).filter(({ code }) => code !== undefined), []);
    assertGreater(Math.min(...since(load.struck, slowMs).map(({ tookMs }) => tookMs)), SLOW_MS / 2);
    assertLess(Math.max(...since(load.others, slowMs).map(({ tookMs }) => tookMs)), SLOW_MS);
  });
});

/** Waits until the first server of the list, or of the rest of the list, has slots, or has none. */
function untilSlots(client: Client, address: string, hasSlots: boolean): Promise<void> {
  const line = new RegExp(`addr=${address},.*,slots=([0-9]+)`);
  return until(async () => {
    const slots = line.exec(await client.info("cluster"))?.[1] ?? "0";
    return (slots !== "0") === hasSlots;
  }, `${address} ${hasSlots ? "has" : "has no"} slots`);
}

systemTest(
  "with --on-down remap other servers serve the keys of a server that is down, and old values never return",
  (launcher) =>
    underFire(launcher, async (load, { server, data, relay, proxy }) => {
      const client = await launcher.connect(proxy);
      const awayMs = performance.now();
      launcher.forgive(server.process);
      await server.process.kill();
      await load.untilServed(load.struck, awayMs);
      await untilSlots(client, relay.address, false);
      await load.untilServed(load.struck, performance.now());
      const lentMs = performance.now();
      await launcher.server(["--data", data, "--addr", server.address]);
      await untilSlots(client, relay.address, true);
      await load.untilServed(load.struck, performance.now(), 2 * KEYS_EACH);
      // After others have taken over its slots, no client is refused, not even while the server returns.
      assertEquals(since(load.struck, lentMs).filter(({ code }) => code !== undefined), []);
    }, "remap"),
);

systemTest(
  "with --on-down remap a server leaves the list and returns without an error, or a value it has missed",
  longOnly,
  (launcher) =>
    underFire(launcher, async (load, { file, addresses, proxy }) => {
      const client = await launcher.connect(proxy);
      for (const list of [addresses.slice(1), addresses, addresses.slice(1), addresses]) {
        await Deno.writeTextFile(file, serversJson(list));
        await untilSlots(client, addresses[0]!, list.length === addresses.length);
        await load.untilServed(load.struck, performance.now(), 2 * KEYS_EACH);
      }
      assertEquals(since(load.struck, 0).filter(({ code }) => code !== undefined), []);
    }, "remap"),
);

systemTest("a proxy that was stopped itself considers no server down", async (launcher) => {
  const server = await launcher.server(["--no-persist"]);
  using relay = new Relay(server.address);
  const proxy = await launcher.proxy(await launcher.serversFile([relay.address]), ["--timeout", "300ms"]);
  const client = await launcher.connect(proxy);
  await client.set("k", "v");
  relay.delayMs = 100;
  let repliesCount = 0;
  let isStopped = false;
  const asking = (async () => {
    for (; !isStopped; repliesCount++) assertEquals(await client.getText("k"), "v");
  })();
  await until(() => repliesCount > 1, "requests get replies");
  proxy.process.signal("SIGSTOP");
  await pause(PAUSE_MS);
  proxy.process.signal("SIGCONT");
  const before = repliesCount;
  await until(() => repliesCount > before + 3, "requests get replies again");
  isStopped = true;
  await asking;
  assertEquals(proxy.process.lines.filter((line) => line.includes("is down")), []);
});
