import { assert, assertEquals, assertMatch } from "@std/assert";
import { WORKLOADS } from "../../src/load/bench/workloads.ts";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { amountOf } from "../support/amount.ts";
import { runInmem, systemTest } from "../support/launcher.ts";

const NAMES = WORKLOADS.map(({ name }) => name);
const SHORT = ["--clients", "3", "--pipeline", "4", "--requests", "60", "--keys", "20"];
const hasRedis = await redisVersion() !== undefined;

systemTest(
  "inmem bench runs every test against a server, with TLS and without, in both protocols",
  async (launcher) => {
    const plain = await launcher.server(["--plaintext", "--no-persist"]);
    const secure = await launcher.server();
    const ca = launcher.certificates.authority;
    const places = [["--addr", `inmem://${plain.address}`], ["--addr", secure.address, "--ca", ca]];
    for (const [i, protocol] of ["resp", "native"].entries()) {
      for (const where of amountOf("PLACES", 1, 2) === 1 ? [places[i]!] : places) {
        const words = ["bench", ...where, ...SHORT, "--protocol", protocol, "-t", NAMES.join(","), "--json"];
        const { code, stdout, stderr } = await runInmem(words);
        assertEquals([code, stderr], [0, ""]);
        const lines = stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
        assertEquals(lines.map(({ test }) => test), NAMES);
        for (const line of lines) {
          assertEquals(line.requests, 60);
          assert(line.requestsPerSecond > 0 && line.p50Ms > 0 && line.maxMs > 0, JSON.stringify(line));
          assert(line.clientBusy >= 0 && line.serverBusy >= 0);
        }
      }
    }
    const client = ["client", "--addr", `inmem://${plain.address}`];
    // The keys are deleted before and after, and others stay.
    assertEquals((await runInmem([...client, "dbsize"])).stdout, "0\n");
    await runInmem([...client, "set", "mine", "1"]);
    const kept = await runInmem([
      "bench",
      "--addr",
      `inmem://${plain.address}`,
      ...SHORT,
      "-t",
      "get",
      "--keep",
      "--csv",
    ]);
    assertEquals(kept.code, 0);
    assertMatch(kept.stdout, /^test,address,requests,[^\n]*\nget,127\.0\.0\.1:[0-9]+,60,[^\n]*\n$/);
    assertEquals((await runInmem([...client, "dbsize"])).stdout, "21\n");
    const text = await runInmem(["bench", "--addr", `inmem://${plain.address}`, ...SHORT, "-t", "set"]);
    assertMatch(
      text.stdout,
      /\ntest +requests\/s +p50 +p90 .*\nset +[0-9,]+ +[0-9.]+ [^\n]*%\n\nAll 60 replies were as expected\./,
    );
    assertEquals((await runInmem([...client, "dbsize"])).stdout, "1\n");
  },
);

systemTest("inmem bench compares two servers", { ignore: !hasRedis }, async (launcher) => {
  await using redis = await RedisServer.start();
  const server = await launcher.server(["--plaintext", "--no-persist"]);
  const two = ["--addr", `inmem://${server.address}`, "--compare", `redis://127.0.0.1:${redis.port}`, "--rounds", "2"];
  const { code, stdout, stderr } = await runInmem(["bench", ...two, ...SHORT, "-t", NAMES.join(",")]);
  assertEquals([code, stderr], [0, ""]);
  for (const name of NAMES) assertMatch(stdout, new RegExp(`\n${name} 1 +[^\n]*\n${name} 2 [^\n]*\n  1 ÷ 2 +[0-9.]+ `));
  const json = await runInmem(["bench", ...two, ...SHORT, "-t", "set", "--json"]);
  const [first, second] = json.stdout.trimEnd().split("\n").map((line) => JSON.parse(line));
  assertEquals([first.address, second.address], [server.address, `127.0.0.1:${redis.port}`]);
  assert(Math.abs(first.ratio - first.requestsPerSecond / second.requestsPerSecond) < 0.01);
});

systemTest("inmem bench says what is wrong, and exits with the statuses of the client", async (launcher) => {
  const server = await launcher.server(["--plaintext", "--no-persist"], { INMEM_PASSWORD: "secret" });
  const addr = ["--addr", `inmem://${server.address}`];
  const cases: [string[], number, RegExp][] = [
    [["-t", "get,fetch"], 2, /^inmem bench: Cannot run test "fetch": expected ping, set, .*\n$/],
    [["--json", "--csv"], 2, /^inmem bench: Cannot use --json together with --csv/],
    [["set"], 2, /^inmem bench: Cannot use "set": expected options only/],
    [["--pipeline", "0"], 2, /^inmem bench: .*--pipeline/],
    [["--addr", "127.0.0.1:1", "--plaintext"], 3, /^inmem bench: Cannot connect to 127\.0\.0\.1:1: nobody listens/],
    [[...addr, "-t", "ping"], 1, /^inmem bench: Cannot load the server: NOAUTH /],
    [["--addr", `inmem://:wrong@${server.address}`], 1, /^inmem bench: Cannot load the server: WRONGPASS /],
    [["--addr", `redis://someone:secret@${server.address}`], 1, /^inmem bench: Cannot load the server: WRONGPASS /],
    [["--protocol", "native", "--addr", `redis://someone:x@${server.address}`], 2, /^inmem bench: Cannot authenticate/],
    // The password of the first server is not sent to the second one.
    [[...addr, "--compare", `inmem://${server.address}`, "-t", "ping"], 1, /^inmem bench: Cannot load .*: NOAUTH /],
  ];
  for (const [words, code, message] of cases) {
    const env: Record<string, string> = words.includes("--compare") ? { INMEM_PASSWORD: "secret" } : {};
    const outcome = await runInmem(["bench", ...SHORT, ...words], { env });
    assertEquals(outcome.code, code, `${words.join(" ")}: ${outcome.stderr}`);
    assertMatch(outcome.stderr, message);
  }
  const right = await runInmem(["bench", ...addr, ...SHORT, "-t", "ping,set"], { env: { INMEM_PASSWORD: "secret" } });
  assertEquals([right.code, right.stderr], [0, ""]);
  const help = await runInmem(["bench", "--help"]);
  assertEquals(help.code, 0);
  for (const name of NAMES) assertMatch(help.stdout, new RegExp(`^  ${name} +[a-z]`, "m"));
});
