import { assert, assertEquals, assertMatch } from "@std/assert";
import { PROBLEM_KINDS, type ProblemFacts, type ProblemKind, problemsOf } from "../../src/metrics/problems.ts";
import type { ServerOverview } from "../../src/metrics/overview.ts";

const MIB = 2 ** 20;

const SERVER: ServerOverview = {
  address: "10.0.0.1:9443",
  state: "up",
  slots: 8192,
  slotsLent: 0,
  keys: 100,
  usedBytes: 10 * MIB,
  limitBytes: 100 * MIB,
  evicts: true,
  clients: 10,
  maxClients: 100,
  p99Ms: 1,
  hits: 10_000,
  misses: 100,
  evictedKeys: 0,
  certificateExpiresInDays: 300,
  hotKey: { name: "warm", requestsPerSecond: 100, share: 0.9 },
  bigKey: { name: "largest", bytes: MIB, elements: 1000, type: "list" },
};

function facts(
  role: "server" | "proxy",
  server: Partial<ServerOverview>,
  own: Partial<ProblemFacts> = {},
): ProblemFacts {
  return {
    role,
    version: "1.0.0",
    runId: "id",
    address: role === "server" ? SERVER.address : "10.0.0.9:9443",
    nowMs: 0,
    uptimeMs: 0,
    clients: 1,
    maxClients: 100,
    opsPerSecond: 0,
    inputBytes: 0,
    outputBytes: 0,
    slotsUnderWay: 0,
    servers: [{ ...SERVER, ...server }],
    ...own,
  };
}

/** For each kind: what a server has to have, or the role, the subject, and words of the text. */
const CASES: readonly [ProblemKind, Partial<ServerOverview>, Partial<ProblemFacts>, string, RegExp][] = [
  ["server_down", { state: "down", reason: "refused" }, {}, SERVER.address, /down \(refused\), and its 8192 slots/],
  ["server_suspect", { state: "suspect" }, {}, SERVER.address, /replies late/],
  ["certificate_expiry", { certificateExpiresInDays: 30 }, {}, SERVER.address, /expires in 30 days: replace/],
  ["certificate_expiry", { certificateExpiresInDays: -1 }, {}, SERVER.address, /has expired: replace/],
  ["certificate_expiry", {}, { certificateExpiresInDays: 0 }, "10.0.0.9:9443", /certificate expires today/],
  ["authority_expiry", {}, { authorityExpiresInDays: 7 }, "10.0.0.9:9443", /authority expires in 7 days/],
  ["writes_refused", { writesRefused: "no space left" }, {}, SERVER.address, /refused \(no space left\): make/],
  ["snapshot_failed", { lastSaveFailed: "no space left" }, {}, SERVER.address, /\(no space left\).*bgsave/],
  ["memory_full", { evicts: false, usedBytes: 96 * MIB }, {}, SERVER.address, /96 % full.*--max-memory/],
  ["evicting", { usedBytes: 99 * MIB, evictedKeys: 5, misses: 30_000 }, {}, SERVER.address, /25 % of reads/],
  [
    "big_key",
    { bigKey: { name: "b", bytes: 50 * MIB, elements: 1, type: "string" } },
    {},
    "b",
    /string has 50 MiB on 10/,
  ],
  ["big_key", { bigKey: { name: "b", bytes: MIB, elements: 1e6, type: "list" } }, {}, "b", /list has 1000000 elements/],
  [
    "hot_key",
    { hotKey: { name: "h", requestsPerSecond: 5000, share: 0.5 } },
    {},
    "h",
    /50 % of the requests.*5000 a s/,
  ],
  ["clients_near_limit", { clients: 95 }, {}, SERVER.address, /95 of at most 100 clients/],
  ["clients_near_limit", {}, { clients: 100 }, "10.0.0.9:9443", /100 of at most 100 clients/],
  ["clients_paused", { pausedForMs: 1500 }, {}, SERVER.address, /held back for 2 s more: "client unpause"/],
  ["clients_paused", {}, { pausedForMs: 1 }, "10.0.0.9:9443", /held back for 1 s more/],
  ["slow_commands", { p99Ms: 80, opsPerSecond: 100 }, {}, SERVER.address, /80 ms.*slowlog get/],
  ["slow_commands", {}, { p99Ms: 80, opsPerSecond: 100 }, "10.0.0.9:9443", /80 ms.*slowlog get/],
];

Deno.test("problemsOf() finds nothing where nothing is wrong", () => {
  assertEquals(problemsOf(facts("server", {})), []);
  assertEquals(problemsOf(facts("proxy", {})), []);
  // A server of which nothing is known but that it is there.
  const { address, state, slots, slotsLent } = SERVER;
  assertEquals(problemsOf({ ...facts("proxy", {}), servers: [{ address, state, slots, slotsLent }] }), []);
});

Deno.test("problemsOf() finds each kind of problem, with its subject and a sentence", () => {
  for (const [kind, server, role, subject, text] of CASES) {
    const found = problemsOf(facts("proxy", server, role));
    assertEquals(found.map(({ kind, subject }) => [kind, subject]), [[kind, subject]]);
    assertMatch(found[0]!.text, text);
    // One sentence without its full stop, as log lines are.
    assertMatch(found[0]!.text, /^[A-Z0-9][^\n]+[^.\n]$/);
  }
  assertEquals(new Set(CASES.map(([kind]) => kind)), new Set(Object.keys(PROBLEM_KINDS)));
});

Deno.test("problemsOf() finds a problem of a server once when the server looks at itself", () => {
  const { address, certificateExpiresInDays, clients, maxClients, p99Ms, opsPerSecond } = {
    ...SERVER,
    certificateExpiresInDays: 3,
    clients: 99,
    p99Ms: 500,
    opsPerSecond: 1000,
  };
  const own = { certificateExpiresInDays, clients, maxClients: maxClients!, p99Ms, opsPerSecond };
  const found = problemsOf(facts("server", own, { address, ...own }));
  assertEquals(found.map(({ kind }) => kind), ["certificate_expiry", "clients_near_limit", "slow_commands"]);
});

Deno.test("problemsOf() looks at all servers, and puts critical problems first", () => {
  const servers = [
    { ...SERVER, address: "a:1", p99Ms: 100, opsPerSecond: 100 },
    { ...SERVER, address: "b:1", state: "down" },
    { ...SERVER, address: "c:1", state: "down", slots: 0 },
    { ...SERVER, address: "d:1", certificateExpiresInDays: 2 },
  ];
  const found = problemsOf({ ...facts("proxy", {}), servers });
  assertEquals(found.map(({ kind, subject, severity }) => `${severity} ${kind} ${subject}`), [
    "critical server_down b:1",
    "critical certificate_expiry d:1",
    "warning server_down c:1",
    "warning slow_commands a:1",
  ]);
});

Deno.test("problemsOf() stays silent just below each bound", () => {
  const below: Partial<ServerOverview>[] = [
    { certificateExpiresInDays: 31 },
    { evicts: false, usedBytes: 94 * MIB },
    { usedBytes: 99 * MIB, evictedKeys: 5, hits: 8000, misses: 2000 },
    { usedBytes: 99 * MIB, evictedKeys: 5, hits: 9, misses: 900 },
    { usedBytes: 99 * MIB, evictedKeys: 0, misses: 30_000 },
    { bigKey: { name: "b", bytes: 31 * MIB, elements: 499_999, type: "set" } },
    { hotKey: { name: "h", requestsPerSecond: 999, share: 1 } },
    { hotKey: { name: "h", requestsPerSecond: 100_000, share: 0.19 } },
    { clients: 89 },
    { p99Ms: 49, opsPerSecond: 1000 },
    { p99Ms: 1000, opsPerSecond: 99 },
    { state: "draining" },
  ];
  for (const server of below) assertEquals(problemsOf(facts("proxy", server)), [], JSON.stringify(server));
});

Deno.test("each kind of problem has a sentence of help", () => {
  for (const { help } of Object.values(PROBLEM_KINDS)) assert(/^[A-Z].*\.$/.test(help), help);
});
