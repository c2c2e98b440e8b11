/** Tests what the log says about admin commands. */

import { assertEquals } from "@std/assert";
import { ADMIN_REPORT_INTERVAL_MS, ADMIN_REPORTS_MAX_COUNT } from "../../src/limits.ts";
import { AdminCommands } from "../../src/role/admin_commands.ts";

Deno.test("AdminCommands logs each command with its client, and sums up frequent ones", () => {
  let nowMs = 1_000;
  const lines: string[] = [];
  const info = (message: string, fields = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const commands = new AdminCommands({ info, warn() {}, error() {} }, () => nowMs);
  const client = { id: 3, address: "10.0.0.1:4000", name: "ops" };
  commands.note(client, "flush", "flushall async");
  commands.note({ ...client, name: "" }, "save", "save x.inmem");
  assertEquals(lines.splice(0), [
    'Admin command {"command":"flushall async","client":"10.0.0.1:4000","id":3,"name":"ops"}',
    'Admin command {"command":"save x.inmem","client":"10.0.0.1:4000","id":3}',
  ]);
  for (let i = 0; i < 1_000; i++) commands.note(client, "flushslots", "flushslots …");
  assertEquals(lines.splice(0).length, ADMIN_REPORTS_MAX_COUNT);
  // Other commands are logged nevertheless.
  commands.note(client, "flush", "flush");
  assertEquals(lines.splice(0).length, 1);
  commands.reportOthers();
  assertEquals(lines, []);
  nowMs += ADMIN_REPORT_INTERVAL_MS;
  commands.reportOthers();
  assertEquals(lines.splice(0), [`Admin commands {"command":"flushslots","times":${1_000 - ADMIN_REPORTS_MAX_COUNT}}`]);
  nowMs += ADMIN_REPORT_INTERVAL_MS;
  commands.reportOthers();
  assertEquals(lines, []);
});
