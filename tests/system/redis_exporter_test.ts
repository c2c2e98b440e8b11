/**
 * Compares what Debian's exporter for Redis finds in server and proxy with what it finds in redis-server after the same
 * commands: the names of all metrics, and the values that do not depend on time.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { RedisServer, redisVersion } from "../conformance/redis_server.ts";
import { run, systemTest } from "../support/launcher.ts";
import { REDIS_EXPORTER, RedisExporter } from "../support/prometheus.ts";

const PASSWORD = "correct horse";

const NO_ALLOCATOR = "Values are in one arena. There is no allocator whose figures could be read.";
const NO_BUFFERS = "Clients have no buffers that keep a peak; mem_clients_peak is that of all clients together.";
const NO_CYCLE = "A timing wheel finds what expires. There is no sampling that could fall behind.";
const NO_THREADS = "A role is one thread; the runtime has others, for which there is no separate figure.";
const NOT_COUNTED = "Counting it costs something with each request, and it helps no operator.";

/** What redis-server has and neither role has, with the reason. */
const ABSENT: Readonly<Record<string, string>> = {
  allocator_active_bytes: NO_ALLOCATOR,
  allocator_allocated_bytes: NO_ALLOCATOR,
  allocator_frag_bytes: NO_ALLOCATOR,
  allocator_frag_ratio: NO_ALLOCATOR,
  allocator_resident_bytes: NO_ALLOCATOR,
  allocator_rss_bytes: NO_ALLOCATOR,
  allocator_rss_ratio: NO_ALLOCATOR,
  client_recent_max_input_buffer_bytes: NO_BUFFERS,
  client_recent_max_output_buffer_bytes: NO_BUFFERS,
  clients_in_timeout_table: "Redis counts blocked clients that have a timeout; blocked_clients has all.",
  config_io_threads: NO_THREADS,
  cpu_sys_main_thread_seconds_total: NO_THREADS,
  cpu_user_main_thread_seconds_total: NO_THREADS,
  expired_stale_percentage: NO_CYCLE,
  expired_time_cap_reached_total: NO_CYCLE,
  lazyfree_pending_objects: "Large values are freed in steps, whose number is not kept.",
  total_reads_processed: NOT_COUNTED,
  total_writes_processed: NOT_COUNTED,
  unexpected_error_replies: "It counts replies that break the protocol of Redis's replication.",
};

/** What a proxy does not have either, since it holds no data. */
const ABSENT_IN_PROXY: Readonly<Record<string, string>> = {
  config_maxmemory: "A proxy holds no data, and has no limit for it.",
};

/** The commands that each of them gets, and the replies that are errors. */
const COMMANDS: readonly (readonly string[])[] = [
  ["set", "a", "1"],
  ["set", "b", "2", "ex", "1000"],
  ["get", "a"],
  ["get", "nothing"],
  ["mget", "a", "b", "nothing"],
  ["incr", "a"],
  ["rpush", "list", "x", "y", "z"],
  ["lrange", "list", "0", "-1"],
  ["hset", "hash", "f", "v"],
  ["sadd", "set", "m"],
  ["del", "b"],
  ["set", "c", "3", "px", "900000"],
  ["incr", "list"],
  ["get", "list"],
  ["get", "too", "many"],
];

/** The samples that are the same after the same commands. */
const EQUAL: readonly RegExp[] = [
  /^redis_up$/,
  /^redis_db_keys(_expiring)?\{db="db0"\}$/,
  /^redis_keyspace_(hits|misses)_total$/,
  /^redis_commands_total\{cmd="(set|get|mget|incr|rpush|lrange|hset|sadd|del)"\}$/,
  /^redis_commands_(failed|rejected)_calls_total\{cmd="(set|get|mget|incr|rpush)"\}$/,
  /^redis_(evicted|expired)_keys_total$/,
  /^redis_(connected_slaves|blocked_clients|loading_dump_file)$/,
];

/** Returns the names of the samples, without the prefix. */
function namesOf(samples: ReadonlyMap<string, number>): string[] {
  return [...new Set([...samples.keys()].map((sample) => sample.replace(/^redis_/, "").replace(/\{.*/, "")))].sort();
}

function equalSamples(samples: ReadonlyMap<string, number>): Record<string, number> {
  const chosen = [...samples].filter(([sample]) => EQUAL.some((each) => each.test(sample)));
  return Object.fromEntries(chosen.sort(([a], [b]) => a < b ? -1 : 1));
}

/** Returns what the exporter has found at an address, and what it complains about. */
async function scrape(address: string, options: Parameters<typeof RedisExporter.start>[1] = {}) {
  await using exporter = await RedisExporter.start(address, options);
  const samples = await exporter.samples();
  return { samples, complaints: exporter.log.split("\n").filter((line) => /level=(?:warning|error)/.test(line)) };
}

/** Sends the commands with redis-cli, a line for each. */
async function runCommands(address: string, ...words: readonly string[]): Promise<void> {
  const [host, port] = address.split(":");
  const lines = COMMANDS.map((command) => `${command.join(" ")}\n`).join("");
  const command = ["redis-cli", "-h", host!, "-p", port!, ...words];
  const { stdout } = await run(command, { stdin: lines, env: { REDISCLI_AUTH: PASSWORD } });
  assertMatch(stdout, /^OK\n/);
}

systemTest("the exporter for Redis finds in server and proxy what it finds in redis-server", {
  ignore: REDIS_EXPORTER === undefined || await redisVersion() === undefined,
}, async (launcher, test) => {
  const { authority } = launcher.certificates;
  await using redis = await RedisServer.start("--requirepass", PASSWORD);
  const address = `127.0.0.1:${redis.port}`;
  await runCommands(address);
  const expected = await scrape(`redis://${address}`, { password: PASSWORD });
  assertEquals(expected.complaints, []);
  assert(namesOf(expected.samples).length > 100, "redis-server has many");

  const env = { INMEM_PASSWORD: PASSWORD };
  const [server, backend] = await Promise.all([launcher.server([], env), launcher.server([], env)]);
  const proxy = await launcher.proxy(await launcher.serversFile([backend.address]), [], env);
  const roles = [
    { name: "server", role: server, absent: ABSENT },
    { name: "proxy", role: proxy, absent: { ...ABSENT, ...ABSENT_IN_PROXY } },
  ];
  for (const { name, role, absent } of roles) {
    await test.step(name, async () => {
      await runCommands(role.address, "--tls", "--cacert", authority);
      const found = await scrape(`rediss://${role.address}`, { authority, password: PASSWORD });
      assertEquals(found.complaints, []);
      const names = new Set(namesOf(found.samples));
      assertEquals(namesOf(expected.samples).filter((each) => !names.has(each)), Object.keys(absent).sort());
      assertEquals(equalSamples(found.samples), equalSamples(expected.samples));
    });
  }
});
