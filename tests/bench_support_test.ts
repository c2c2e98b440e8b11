/** Tests parts of the benches on which figures depend, and whose errors a run would not show. */

import { assertEquals } from "@std/assert";
import { atLeast, atMost } from "../bench/support/bound_row.ts";
import { CommandCounter } from "../bench/support/ceiling.ts";
import { compare } from "../bench/support/comparison_report.ts";
import { lastRequestsPerSecond } from "../bench/support/redis_benchmark.ts";
import { encodeCommands } from "../bench/support/resp_connection.ts";

Deno.test("CommandCounter count() is the same for any pieces in which the bytes are read", () => {
  const bytes = encodeCommands([["SET", "a*b", "c*"], ["GET", "d**"], ["PING"]]);
  for (let size = 1; size <= bytes.length; size++) {
    const counter = new CommandCounter();
    let count = 0;
    for (let start = 0; start < bytes.length; start += size) {
      count += counter.count(bytes.subarray(start, start + size));
    }
    assertEquals(count, 3, `reads of ${size} bytes`);
  }
});

Deno.test("CommandCounter count() of no bytes keeps the start of the line", () => {
  const counter = new CommandCounter();
  assertEquals([counter.count(encodeCommands([["PING"]])), counter.count(new Uint8Array())], [1, 0]);
  assertEquals(counter.count(encodeCommands([["PING"]])), 1);
});

Deno.test("lastRequestsPerSecond() reads the last test, and ignores headings and messages", () => {
  const headings = `"test","rps","avg_latency_ms"`;
  assertEquals(lastRequestsPerSecond(`${headings}\n"LPUSH","1000.5","0.6"\n"LPOP","869565.19","0.7"\n`), 869_565.19);
  assertEquals(lastRequestsPerSecond(`${headings}\n"MSET (10 keys)","12.00","0.6"\n`), 12);
  for (const text of ["", `${headings}\n`, "Error from server: ERR unknown command\n", `"SET","inf","0"\n`]) {
    assertEquals(lastRequestsPerSecond(text), undefined, text);
  }
});

Deno.test("compare() returns the median of the rounds' ratios, and whether it is as required", () => {
  assertEquals(compare([2, 9, 4], [1, 3, 4]), { ratio: 2, rounds: [2, 3, 1] });
  assertEquals(compare([2, 9, 4], [1, 3, 4], atLeast(2)).met, true);
  assertEquals(compare([2, 9, 4], [1, 3, 4], atLeast(2.1)).met, false);
  assertEquals(compare([2, 9, 4], [1, 3, 4], atMost(1.5)).met, false);
});
