import { assertEquals, assertMatch } from "@std/assert";
import { REDIS_VERSION } from "../../src/catalog/specification.ts";
import {
  clientMemoryLines,
  clientsLines,
  formatInfo,
  processLines,
  type RoleFacts,
  serverLines,
  statsLines,
} from "../../src/role/info_text.ts";
import { VERSION } from "../../src/role/version.ts";

const SECTIONS = {
  first: (facts: { count: number }) => ({ count: facts.count, word: "x" }),
  second: () => ({}),
  third: () => ({ ratio: "1.00" }),
};
const ALL = "# First\r\ncount:3\r\nword:x\r\n\r\n# Second\r\n\r\n# Third\r\nratio:1.00\r\n";

const FACTS: RoleFacts = {
  role: "server",
  runId: "0123456789abcdef0123456789abcdef01234567",
  address: { transport: "tcp", hostname: "127.0.0.1", port: 9443 },
  uptimeMs: 61_999,
  clients: { count: 1, accepted: 7, rejected: 2, handshakeFailures: 3, lost: 4 },
  maxClients: 100,
  clientMemory: {
    limitBytes: 1000,
    usedBytes: 300,
    heapBytes: 20,
    peakBytes: 400,
    heldByKind: { request: 280, objects: 20 },
    largest: { bytes: 250, owner: { id: 5 } },
    refusals: 6,
    closed: 2,
  },
  commands: 42,
  cutClients: 5,
  failedLogins: 6,
};

Deno.test("formatInfo() writes all sections in order when none or all are requested", () => {
  for (const wanted of [[], ["all"], ["default"], ["everything"], ["third", "all"]]) {
    assertEquals(formatInfo(SECTIONS, { count: 3 }, wanted), ALL, wanted.join());
  }
});

Deno.test("formatInfo() writes each requested section once, in its own order, and ignores unknown ones", () => {
  const some = "# First\r\ncount:3\r\nword:x\r\n\r\n# Third\r\nratio:1.00\r\n";
  assertEquals(formatInfo(SECTIONS, { count: 3 }, ["third", "nosuch", "first", "third"]), some);
  assertEquals(formatInfo(SECTIONS, { count: 3 }, ["nosuch"]), "");
  assertEquals(formatInfo(SECTIONS, { count: 3 }, ["constructor"]), "");
});

Deno.test("formatInfo() makes only the requested sections", () => {
  const fail = () => {
    throw new Error("not asked for");
  };
  assertEquals(formatInfo({ ...SECTIONS, first: fail }, { count: 3 }, ["second"]), "# Second\r\n");
});

Deno.test("the lines that every role reports are its facts under the names of Redis", () => {
  const { os, process_id, ...server } = serverLines(FACTS);
  assertMatch(String(os), /^[a-z]+ [a-z0-9_]+$/);
  assertEquals(process_id, Deno.pid);
  assertEquals(server, {
    inmem_version: VERSION,
    redis_version: REDIS_VERSION,
    redis_mode: "standalone",
    role: "server",
    run_id: FACTS.runId,
    tcp_port: 9443,
    uptime_in_seconds: 61,
  });
  assertEquals(clientsLines(FACTS), {
    connected_clients: 1,
    maxclients: 100,
    largest_client_id: 5,
    largest_client_memory: 250,
    clients_closed_for_memory: 2,
    requests_refused_for_memory: 6,
  });
  const memory = clientMemoryLines(FACTS);
  assertEquals([memory.mem_clients_normal, memory.maxmemory_clients, memory.mem_clients_peak], [300, 1000, 400]);
  assertEquals([memory.mem_clients_request, memory.mem_clients_objects, memory.mem_clients_heap], [280, 20, 20]);
  assertEquals(statsLines(FACTS), {
    total_connections_received: 7,
    rejected_connections: 2,
    handshake_failures: 3,
    connections_lost_before_accept: 4,
    evicted_clients: 2,
    total_commands_processed: 42,
    client_output_buffer_limit_disconnections: 5,
    acl_access_denied_auth: 6,
  });
  for (const bytes of Object.values(processLines())) assertMatch(String(bytes), /^[1-9][0-9]*$/);
});
