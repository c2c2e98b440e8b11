/** Compares `info` of a server and of a proxy with that of redis-server: sections, fields, and the form of values. */

import { assert, assertEquals } from "@std/assert";
import { RawClient } from "../support/raw_client.ts";
import { type Frame } from "../support/resp_frames.ts";
import { clustered, withServers } from "../support/proxy_rig.ts";
import { RespClient } from "../support/resp_client.ts";
import { RedisServer, redisVersion } from "./redis_server.ts";

/** The fields of Redis that inmem leaves out, by the reason. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "how Redis was built": ["redis_git_sha1", "redis_git_dirty", "redis_build_id", "gcc_version", "atomicvar_api"],
  "how the process was started": ["executable"],
  "how Redis's event loop works": [
    ...["monotonic_clock", "multiplexing_api", "hz", "configured_hz", "lru_clock", "clients_in_timeout_table"],
    ...["total_reads_processed", "total_writes_processed", "expire_cycle_cpu_milliseconds"],
    ...["expired_stale_perc", "expired_time_cap_reached_count"],
    ...["total_eviction_exceeded_time", "current_eviction_exceeded_time"],
  ],
  "how Redis's buffers work": [
    ...["client_recent_max_input_buffer", "client_recent_max_output_buffer", "mem_aof_buffer"],
    ...["reply_buffer_shrinks", "reply_buffer_expands"],
  ],
  "how Redis's allocator works": [
    ...["allocator_allocated", "allocator_active", "allocator_resident", "allocator_frag_ratio"],
    ...["allocator_frag_bytes", "allocator_rss_ratio", "allocator_rss_bytes", "rss_overhead_ratio"],
    ...["rss_overhead_bytes", "lazyfree_pending_objects", "lazyfreed_objects"],
  ],
  "its main thread does not do all the work of a role": ["used_cpu_sys_main_thread", "used_cpu_user_main_thread"],
  "it counts replies that Redis should not have sent": ["unexpected_error_replies"],
};

/** The fields whose values have another form, by the reason. */
const OTHER_FORM: Readonly<Record<string, string>> = {
  mem_fragmentation_bytes: "it cannot be below 0 here",
  os: "it is a text of its own",
  mem_allocator: "it is a text of its own",
};

/** The requests before `info`: found and absent keys, a TTL, a refused command, and one that fails. */
const REQUESTS: readonly (readonly string[])[] = [
  ["ping"],
  ["set", "{k}a", "1", "EX", "100"],
  ["set", "{k}b", "x"],
  ["get", "{k}a"],
  ["get", "{k}none"],
  ["incr", "{k}b"],
  ["nosuch"],
  ["get"],
];

type Fields = Map<string, string>;

/** Returns the text of `info` with some arguments, after {@linkcode REQUESTS}. */
async function infoAfterRequests(port: number, ...sections: string[]): Promise<string> {
  using client = await RespClient.connect(port);
  for (const words of REQUESTS) await client.call(...words);
  const { body }: Frame = await client.call("info", ...sections);
  return body!;
}

/** Returns the fields of a text of `info`, each with its section. */
function fieldsOf(text: string): Fields {
  const fields: Fields = new Map();
  let section = "";
  for (const line of text.split("\r\n")) {
    if (line.startsWith("# ")) section = line.slice(2);
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(`${section} ${line.slice(0, colon)}`, line.slice(colon + 1));
  }
  return fields;
}

function sectionsOf(text: string): string[] {
  return [...text.matchAll(/^# (.*)\r$/gm)].map(([, name]) => name!);
}

/** Returns the form of a value: the numbers in it without their digits before the point. */
function formOf(value: string): string {
  return value.replace(/[0-9a-f]{40}/, "id").replace(/-?[0-9]+(\.[0-9]+)?/g, (_, decimals) => {
    return decimals === undefined ? "N" : `N.${"d".repeat(decimals.length - 1)}`;
  });
}

/** Compares the text of `info everything` with that of redis-server. */
function compare(ours: string, redis: string): void {
  assertEquals(sectionsOf(ours), sectionsOf(redis));
  const [own, expected] = [fieldsOf(ours), fieldsOf(redis)];
  const leftOut = Object.values(LEFT_OUT).flat();
  const nameOf = (key: string) => key.split(" ")[1]!;
  const missing = [...expected.keys()].filter((key) => !own.has(key));
  assertEquals(missing.map(nameOf).sort(), [...leftOut].sort());
  const differing: string[] = [];
  for (const [key, value] of expected) {
    const other = own.get(key);
    if (other === undefined || nameOf(key) in OTHER_FORM) continue;
    const hasForm = key.endsWith("_human")
      ? /^[0-9]+(\.[0-9]{2}[KMG]|B)$/.test(other)
      : formOf(other) === formOf(value);
    if (!hasForm) differing.push(`${key}: "${other}" where Redis has "${value}"`);
  }
  assertEquals(differing, []);
}

const lacks = await redisVersion() === undefined ? " (ignored: redis-server is not on PATH)" : "";
const options = { ignore: lacks !== "" };

Deno.test(`info of a server has the sections and fields of redis-server${lacks}`, options, async () => {
  await using redis = await RedisServer.start("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru");
  await withServers(1, async ([server]) => {
    const ours = await infoAfterRequests(server!.address.port, "everything");
    compare(ours, await infoAfterRequests(redis.port, "everything"));
  });
});

Deno.test(`info of a proxy has the sections and fields of redis-server${lacks}`, options, async () => {
  await using redis = await RedisServer.start("--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru");
  await clustered(2, async ({ proxy }) => {
    const ours = await infoAfterRequests(proxy.address.port, "everything");
    compare(ours, await infoAfterRequests(redis.port, "everything"));
  })();
});

Deno.test(`info has the sections by default that redis-server has${lacks}`, options, async () => {
  await using redis = await RedisServer.start();
  await withServers(1, async ([server]) => {
    for (const sections of [[], ["default"], ["all"], ["keyspace", "server"], ["commandstats", "nosuch"], ["nosuch"]]) {
      const [ours, theirs] = [
        await infoAfterRequests(server!.address.port, ...sections),
        await infoAfterRequests(redis.port, ...sections),
      ];
      assertEquals(sectionsOf(ours), sectionsOf(theirs), sections.join(" "));
    }
  });
});

Deno.test(`info counts what redis-server counts${lacks}`, options, async () => {
  await using redis = await RedisServer.start();
  await withServers(1, async ([server]) => {
    const [ours, theirs] = [
      fieldsOf(await infoAfterRequests(server!.address.port, "everything")),
      fieldsOf(await infoAfterRequests(redis.port, "everything")),
    ];
    const counts = [
      ...["Stats keyspace_hits", "Stats keyspace_misses", "Stats total_error_replies", "Errorstats errorstat_ERR"],
      ...["Stats expired_keys", "Stats evicted_keys", "Clients connected_clients", "Clients blocked_clients"],
    ];
    for (const name of counts) assertEquals(ours.get(name), theirs.get(name), name);
    const withoutTimes = (text: string | undefined) => text?.replace(/usec=[^,]*,usec_per_call=[^,]*/, "");
    for (const command of ["get", "set", "incr"]) {
      const name = `Commandstats cmdstat_${command}`;
      assertEquals(withoutTimes(ours.get(name)), withoutTimes(theirs.get(name)), name);
    }
    assertEquals(
      ours.get("Keyspace db0")?.replace(/avg_ttl.*/, ""),
      theirs.get("Keyspace db0")?.replace(/avg_ttl.*/, ""),
    );
  });
});

Deno.test("info of both roles knows the mean TTL", async () => {
  await clustered(2, async (rig, servers) => {
    using client = await RawClient.connect(rig.proxy.address);
    for (const position of [0, 1]) await client.call("set", rig.key(position), "x", "EX", String(100 + position * 200));
    const ttlOf = (text: string) => Number(/avg_ttl=([0-9]+)/.exec(text)?.[1]);
    const direct = servers.map((server) => ttlOf(server.info([])));
    assert(direct[0]! > 90_000 && direct[0]! <= 100_000 && direct[1]! > 290_000 && direct[1]! <= 300_000, `${direct}`);
    const joined = ttlOf(String(await client.call("info", "keyspace")));
    assert(joined > 190_000 && joined <= 200_000, `${joined}`);
  })();
});
