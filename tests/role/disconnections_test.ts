import { assertEquals } from "@std/assert";
import { CUT_REPORTS_MAX_COUNT } from "../../src/limits.ts";
import { Disconnections } from "../../src/role/disconnections.ts";
import type { LogFields } from "../../src/role/logger.ts";

Deno.test("Disconnections counts all disconnections and logs some of them", () => {
  const lines: [string, LogFields | undefined][] = [];
  const disconnections = new Disconnections({
    info() {},
    warn: (message, fields) => void lines.push([message, fields]),
    error() {},
  });
  const client = { id: 7, address: "127.0.0.1:5000", name: "slow" };
  for (let i = 0; i < CUT_REPORTS_MAX_COUNT + 5; i++) disconnections.note(client, 123, "more than 100 bytes wait");
  assertEquals(disconnections.count, CUT_REPORTS_MAX_COUNT + 5);
  assertEquals(lines.length, CUT_REPORTS_MAX_COUNT);
  assertEquals(lines[0], ["Disconnected a client that does not read its messages", {
    client: "127.0.0.1:5000",
    id: 7,
    name: "slow",
    waiting_bytes: 123,
    reason: "more than 100 bytes wait",
  }]);
  // The others are reported when a line may be logged again.
  disconnections.reportOthers();
  assertEquals(lines.length, CUT_REPORTS_MAX_COUNT);
});
