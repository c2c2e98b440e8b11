/**
 * Tests that a server that is killed at any moment starts again and has everything that it acknowledged.
 *
 * A kill at a random moment finds likely errors; a kill at each named point finds unlikely ones: fault_points.ts.
 */

import { assert, assertEquals, assertGreaterOrEqual } from "@std/assert";
import { pickSeed, Random } from "../../bench/support/random.ts";
import { ROOT } from "../../cluster/role_process.ts";
import { listSegments } from "../../src/log/folder.ts";
import { systemFiles } from "../../src/log/system_files.ts";
import { connect } from "../../src/mod.ts";
import { AcknowledgedLoad } from "../support/acknowledged_load.ts";
import { amountOf, isLong } from "../support/amount.ts";
import { FAULT_POINTS, type FaultPoint } from "../support/fault_points.ts";
import { killRounds, noKills, saveAgainAndAgain, serverWords } from "../support/kill_rounds.ts";
import { type Launcher, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

const POLICIES = ["always", "everysec", "never"] as const;
/** The number of kills for each policy. */
const KILLS_COUNT = amountOf("KILLS", 2, 12);
/** The number of folders on which servers stop at points at the same time. */
const FOLDERS_COUNT = 2;
/** How long to wait until a point is passed, in ms. */
const POINT_TIMEOUT_MS = 20_000;

systemTest(
  "servers killed at random moments keep what they acknowledged, with every --fsync policy",
  async (launcher) => {
    // The policies run in parallel, since a start waits most of its time.
    await Promise.all(POLICIES.map(async (policy) => {
      const seed = pickSeed();
      const [totals, data] = [noKills(), launcher.newFolder()];
      console.log(`--fsync ${policy}: SEED=${seed}`);
      await killRounds(launcher, { policy, kills: KILLS_COUNT, random: new Random(seed), data, totals });
      console.log(policy, totals);
      assertEquals(totals.lost, [], policy);
      assertEquals(totals.refusedStarts, [], policy);
      assertEquals(totals.kills, KILLS_COUNT);
      assertGreaterOrEqual(totals.acknowledged, KILLS_COUNT - totals.killsAtStart);
    }));
  },
);

systemTest(
  "AcknowledgedLoad verify() reports a missing write, and one that should not exist",
  async (launcher) => {
    const load = new AcknowledgedLoad(new Random(1), 2, "w");
    const addr = (await launcher.server(["--plaintext"])).address;
    const client = await launcher.connect({ address: addr }, { plaintext: true });
    const ending = new AbortController();
    const writing = load.run(() => connect({ addr, plaintext: true }), ending.signal);
    await until(() => load.acknowledged >= 1_000, "some writes are acknowledged");
    ending.abort();
    await writing;
    assertEquals(await load.verify(client), []);
    assertEquals(await client.send(["del", "w1:counter"]), 1);
    await client.rpush("w0:list1", "x");
    assertEquals((await load.verify(client)).length, 2);
  },
);

systemTest(
  "a server stopped at each point around a change of its files keeps what it acknowledged",
  async (launcher) => {
    const seed = pickSeed();
    console.log(`SEED=${seed}`);
    const points = pickPoints(new Random(seed)).map((point, index) => {
      // With "never" a log is not synced, and with "everysec" rarely.
      return { point, policy: point.startsWith("log sync") ? "always" : POLICIES[index % POLICIES.length]! };
    });
    await Promise.all(Array.from({ length: FOLDERS_COUNT }, async (_, lane) => {
      const random = new Random(seed + lane);
      const load = new AcknowledgedLoad(random);
      const data = launcher.newFolder();
      for (let next = points.shift(); next !== undefined; next = points.shift()) {
        const { point, policy } = next;
        await tear(data, point);
        await stopAt(point, data, policy, load, random);
        const problems = await verifyAfterStart(launcher, data, load);
        assertEquals(problems, [], `${point}, --fsync ${policy}`);
      }
    }));
  },
);

/**
 * Returns all points in the long form; in the short form a random point of each of some changes: before it, halfway or
 * after it. The first ones write the log, whose end later ones may damage; two more are random.
 */
function pickPoints(random: Random): readonly FaultPoint[] {
  if (isLong) return FAULT_POINTS;
  const changes = [...Map.groupBy(FAULT_POINTS, (point) => point.replace(/ \w+$/, "")).values()];
  const picked = changes.splice(0, FOLDERS_COUNT);
  while (picked.length < FOLDERS_COUNT + 2) picked.push(...changes.splice(random.below(changes.length), 1));
  return picked.map((points) => random.pick(points));
}

/** Damages the end of the folder's log as a crash may, for the points at which a torn end is set aside. */
async function tear(data: string, point: FaultPoint): Promise<void> {
  if (point.startsWith("log rename")) {
    // A segment whose header is not on disk, although later bytes are.
    await Deno.writeTextFile(`${data}/log-000000999999999.new`, "INMEMLOG".repeat(8), { mode: 0o600 });
  } else if (point.startsWith("torn end") || point.startsWith("log cut")) {
    const segments = await listSegments(systemFiles, data);
    await Deno.writeTextFile(segments.at(-1)!.path, "BLCK\0\0", { append: true });
  }
}

/** Runs a server on the folder, with writers and snapshots, until it has killed itself. */
async function stopAt(
  point: FaultPoint,
  data: string,
  policy: string,
  load: AcknowledgedLoad,
  random: Random,
): Promise<void> {
  const program = ["run", "--quiet", "--no-prompt", "--lock=tests/deno.lock", "--frozen", "-A"];
  // A point that is passed only once stops the server the first time.
  const count = /^(log|snapshot) (write|sync)|^folder/.test(point) ? 1 + random.below(6) : 1;
  const child = new Deno.Command(Deno.execPath(), {
    args: [...program, "tests/support/faulty_server.ts", data, policy, point, String(count)],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, POINT_TIMEOUT_MS);
  try {
    let port = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      port += text;
      if (!port.endsWith("\n")) continue;
      await writeUntilLost(`127.0.0.1:${port.trim()}`, load, random);
    }
    const { signal } = await child.status;
    assert(!isLate, `${point} was not passed ${count} times within ${POINT_TIMEOUT_MS} ms`);
    assertEquals(signal, "SIGKILL", point);
  } finally {
    clearTimeout(timer);
  }
}

async function writeUntilLost(addr: string, load: AcknowledgedLoad, random: Random): Promise<void> {
  const open = () => connect({ addr, plaintext: true });
  // The server may have killed itself before a client has connected.
  const client = await open().catch(() => undefined);
  await Promise.all([load.run(open), client && saveAgainAndAgain(client, random)]);
  await client?.close();
}

/** Starts the ordinary program on the folder, verifies its data, and kills it. */
async function verifyAfterStart(launcher: Launcher, data: string, load: AcknowledgedLoad): Promise<string[]> {
  const role = launcher.start("server", serverWords(data));
  launcher.forgive(role);
  const client = await connect({ addr: await role.address(), plaintext: true });
  try {
    return await load.verify(client);
  } finally {
    await client.close();
    await role.kill();
  }
}
