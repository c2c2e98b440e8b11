/** Tests how memory is divided for containers and machines of all sizes. */

import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import {
  CONNECTION_MEMORY_BYTES,
  HTTP_MEMORY_BYTES,
  MEMORY_LIMIT_MAX_BYTES,
  MEMORY_LIMIT_MIN_BYTES,
  PROXY_MEMORY_MIN_BYTES,
  RUNTIME_MEMORY_BYTES,
} from "../../src/limits.ts";
import { planProxyMemory, planServerMemory } from "../../src/role/memory_limit.ts";

const MB = 1024 * 1024;
const GB = 1024 * MB;
const MACHINE = 16 * GB;
const USUAL = { connections: 10_000 };

function container(megabytes: number) {
  return { machine: MACHINE, group: megabytes * MB };
}

Deno.test("planServerMemory() assigns data three quarters of the container, or of the machine", () => {
  const machine = planServerMemory(USUAL, { machine: MACHINE, group: Infinity });
  assertEquals([machine.data, machine.reason], [12 * GB, "75 % of the machine's 16gb"]);
  assertEquals([machine.clients, machine.connections, machine.warnings], [GB, 10_000, []]);
  // The first limit is the number of version 1 for no limit, and the second container is larger than its machine.
  assertEquals(planServerMemory(USUAL, { machine: MACHINE, group: 9223372036854771712 }), machine);
  assertEquals(planServerMemory(USUAL, { machine: MACHINE, group: 20 * GB }), machine);
  const { data, reason } = planServerMemory(USUAL, container(2048));
  assertEquals([data, reason], [1.5 * GB, "75 % of the container's 2gb"]);
  const large = planServerMemory(USUAL, { machine: 1024 * GB, group: Infinity });
  assertEquals([large.data, large.reason], [MEMORY_LIMIT_MAX_BYTES, "the most possible; the machine has 1024gb"]);
});

Deno.test("planServerMemory() fits everything into containers of all sizes, or refuses", () => {
  let leastMegabytes = 0;
  for (let megabytes = 16; megabytes <= 8192; megabytes = Math.ceil(megabytes * 1.07)) {
    let plan;
    try {
      plan = planServerMemory(USUAL, container(megabytes));
    } catch (error) {
      assert(error instanceof StartError, String(error));
      assertEquals(leastMegabytes, 0, "whatever is larger than a container that will do, does as well");
      continue;
    }
    leastMegabytes ||= megabytes;
    const { data, clients, connections, snapshotQueue } = plan;
    assertGreaterOrEqual(data, MEMORY_LIMIT_MIN_BYTES);
    assertLessOrEqual(data, megabytes * MB * 0.75);
    const sum = data + clients + connections * CONNECTION_MEMORY_BYTES + RUNTIME_MEMORY_BYTES;
    assertLessOrEqual(sum, megabytes * MB, `${megabytes} MB`);
    assertGreaterOrEqual(connections, 100);
    assertLessOrEqual(snapshotQueue, megabytes * MB / 16);
    assertEquals(plan.warnings.length, connections < USUAL.connections ? 1 : 0);
  }
  assertGreaterOrEqual(leastMegabytes, 100);
  assertLessOrEqual(leastMegabytes, 128);
});

Deno.test("planServerMemory() refuses a container without room for data, with advice", () => {
  for (const megabytes of [1, 64, 96, 118]) {
    const error = assertThrows(() => planServerMemory(USUAL, container(megabytes)), StartError);
    assert(error.message.includes(`the container's ${megabytes}mb leave no room for data`), error.message);
    assert(error.message.includes("expected 119mb or more, or --max-memory SIZE"), error.message);
  }
  assertEquals(planServerMemory(USUAL, container(119)).data >= MEMORY_LIMIT_MIN_BYTES, true);
  const error = assertThrows(() => planServerMemory({ ...USUAL, clients: 60 * MB }, container(128)), StartError);
  assert(error.message.includes("clients (60mb): expected 164mb or more"), error.message);
});

Deno.test("planServerMemory() obeys --max-memory, and warns when it does not fit", () => {
  const tight = planServerMemory({ ...USUAL, data: 200 * MB }, container(256));
  assertEquals([tight.data, tight.reason], [200 * MB, "--max-memory"]);
  assert(
    tight.warnings[0]!.startsWith("The container's 256mb may not be enough: --max-memory takes 200mb"),
    tight.warnings[0],
  );
  assertLessOrEqual(tight.clients, 32 * MB);
  const small = planServerMemory({ ...USUAL, data: 8 * MB }, container(64));
  assertEquals(small.data, 8 * MB);
  assert(small.warnings[0]!.includes("may not be enough"));
  const fits = planServerMemory({ ...USUAL, data: 64 * MB }, { machine: MACHINE, group: Infinity });
  assertEquals([fits.clients, fits.connections, fits.warnings], [64 * MB, 10_000, []]);
});

Deno.test("planServerMemory() leaves what --max-client-memory requests", () => {
  const plan = planServerMemory({ ...USUAL, clients: 100 * MB }, container(512));
  assertEquals([plan.clients, plan.data], [100 * MB, 312 * MB]);
  const fewer = planServerMemory({ connections: 50 }, container(256));
  assertEquals([fewer.connections, fewer.warnings], [50, []]);
});

Deno.test("planProxyMemory() divides the container between clients and the runtime, or refuses", () => {
  const machine = planProxyMemory(USUAL, { machine: MACHINE, group: Infinity });
  assertEquals([machine.clients, machine.connections, machine.warnings], [GB, 10_000, []]);
  const error = assertThrows(() => planProxyMemory(USUAL, container(64)), StartError);
  assert(error.message.includes("the container's 64mb"), error.message);
  const { clients, connections, warnings } = planProxyMemory(USUAL, container(128));
  assertLessOrEqual(clients + connections * CONNECTION_MEMORY_BYTES + RUNTIME_MEMORY_BYTES, 128 * MB);
  assert(warnings[0]!.startsWith(`--max-clients is ${connections} instead of 10000`), warnings[0]);
  const greedy = planProxyMemory({ ...USUAL, clients: 100 * MB }, container(128));
  assert(greedy.warnings[0]!.includes("--max-client-memory takes 100mb"), greedy.warnings[0]);
});

Deno.test("planServerMemory() uses the memory that this process really has", () => {
  assertLessOrEqual(planServerMemory(USUAL).data, Deno.systemMemoryInfo().total);
});

Deno.test("both plans keep memory for the port of --metrics", () => {
  const wishes = { ...USUAL, hasPort: true };
  const [without, server] = [planServerMemory(USUAL, container(256)), planServerMemory(wishes, container(256))];
  assertEquals(without.data - server.data, HTTP_MEMORY_BYTES);
  for (const megabytes of [150, 200, 256, 1024]) {
    const { clients, connections } = planProxyMemory(wishes, container(megabytes));
    const rest = megabytes * MB - RUNTIME_MEMORY_BYTES - HTTP_MEMORY_BYTES;
    assertLessOrEqual(clients + connections * CONNECTION_MEMORY_BYTES, rest);
  }
  assertThrows(
    () => planProxyMemory(wishes, container(PROXY_MEMORY_MIN_BYTES / 1024 / 1024 + 10)),
    StartError,
    "Cannot run",
  );
});
