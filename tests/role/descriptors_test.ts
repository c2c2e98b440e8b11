/** Tests how descriptors are divided. */

import { assert, assertEquals, assertGreaterOrEqual, assertLessOrEqual, assertThrows } from "@std/assert";
import { StartError } from "../../src/errors.ts";
import { OWN_DESCRIPTORS_COUNT, SERVER_EXTRA_CONNECTIONS_COUNT } from "../../src/limits.ts";
import { planProxyDescriptors, planServerDescriptors } from "../../src/role/descriptors.ts";

Deno.test("planServerDescriptors() does not change --max-clients when there are enough", () => {
  for (const limit of [1_048_576, Infinity]) {
    const { maxClients, warnings } = planServerDescriptors(10_000, false, limit);
    assertEquals([maxClients, warnings], [10_000, []]);
  }
  assertEquals(planServerDescriptors(10, false, 64).maxClients, 10);
});

Deno.test("planServerDescriptors() lowers --max-clients with a warning, and keeps the rest for the server", () => {
  for (const limit of [48, 64, 100, 256, 1024, 4096]) {
    const { maxClients, maxConnections, warnings } = planServerDescriptors(10_000, false, limit);
    assertGreaterOrEqual(maxClients, 4);
    assertEquals(maxConnections, limit - OWN_DESCRIPTORS_COUNT);
    assertLessOrEqual(maxClients, maxConnections - 4);
    assertEquals(warnings.length, 1);
    assert(
      warnings[0]!.startsWith(
        `--max-clients is ${maxClients} instead of 10000: the system allows ${limit} descriptors`,
      ),
      warnings[0],
    );
  }
  assertEquals(planServerDescriptors(10_000, false, 1024).maxClients, 861);
});

Deno.test("planServerDescriptors() and planProxyDescriptors() refuse where no client fits", () => {
  for (const limit of [0, 24, 40, 44]) {
    const error = assertThrows(() => planServerDescriptors(100, false, limit), StartError);
    assert(error.message.startsWith(`Cannot serve clients with ${limit} descriptors`), error.message);
    assertThrows(() => planProxyDescriptors(100, 3, 10, false, limit), StartError);
  }
});

Deno.test("planProxyDescriptors() keeps connections to servers separate from those of clients", () => {
  for (const limit of [64, 128, 1024, 65_536]) {
    for (const servers of [1, 3, 20]) {
      const plan = planProxyDescriptors(10_000, servers, 10, false, limit);
      assertGreaterOrEqual(plan.maxClients, 1);
      assertGreaterOrEqual(plan.sharedConnections, 1);
      const forServers = servers * (plan.sharedConnections + SERVER_EXTRA_CONNECTIONS_COUNT);
      const sum = OWN_DESCRIPTORS_COUNT + plan.dedicatedConnections + plan.maxConnections;
      assertLessOrEqual(sum, limit);
      // If there are too few for this many servers, each has at least one connection.
      if (plan.sharedConnections > 1) assertLessOrEqual(sum + forServers, limit);
    }
  }
  const usual = planProxyDescriptors(10_000, 3, 10, false, Infinity);
  assertEquals([usual.maxClients, usual.sharedConnections, usual.warnings], [10_000, 10, []]);
});

Deno.test("both plans keep descriptors for the port of --metrics, at most a quarter", () => {
  for (const limit of [64, 128, 512, 1024, 65_536, Infinity]) {
    for (const plan of [planServerDescriptors(10_000, true, limit), planProxyDescriptors(10_000, 3, 10, true, limit)]) {
      const rest = limit - OWN_DESCRIPTORS_COUNT;
      assertEquals(plan.portConnections, Math.min(96, Math.floor(rest / 4)));
      assertLessOrEqual(plan.maxConnections + plan.portConnections, rest);
      assertGreaterOrEqual(plan.maxClients, 1);
    }
  }
  assertEquals(planServerDescriptors(10_000, false, 1024).portConnections, 0);
});

Deno.test("planServerDescriptors() asks the system", () => {
  assertGreaterOrEqual(planServerDescriptors(1).maxClients, 1);
});
