/** Tests wrong passwords: how long their refusals are delayed, what is remembered, and what is logged. */

import { assertEquals, assertLessOrEqual } from "@std/assert";
import {
  FAILED_LOGIN_DELAY_MAX_MS,
  FAILED_LOGIN_HALF_LIFE_MS,
  FAILED_LOGIN_REPORT_INTERVAL_MS,
  FAILED_LOGIN_REPORTS_MAX_COUNT,
  FAILING_ADDRESSES_MAX_COUNT,
} from "../../src/limits.ts";
import { addressKey, FailedLogins } from "../../src/role/failed_logins.ts";

/** Failed logins with their own clock, and the lines that they log. */
function fixture() {
  const clock = { nowMs: 1_000_000 };
  const lines: string[] = [];
  const warn = (message: string, fields = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logins = new FailedLogins({ info() {}, warn, error() {} }, () => clock.nowMs);
  const client = (address: string) => ({ id: 7, address, failedLogins: 0, closing: false });
  return { clock, lines, logins, client };
}

Deno.test("FailedLogins delays refusals for longer and longer, by address, and forgets", () => {
  const { clock, logins, client } = fixture();
  const delays = () => Array.from({ length: 10 }, () => logins.note(client("10.0.0.1:4000")));
  assertEquals(delays(), [0, 0, 0, 50, 100, 200, 400, 800, 1000, 1000]);
  // Another port belongs to the same host.
  assertEquals(logins.note(client("10.0.0.1:4001")), FAILED_LOGIN_DELAY_MAX_MS);
  assertEquals(logins.note(client("10.0.0.2:4000")), 0);
  clock.nowMs += FAILED_LOGIN_HALF_LIFE_MS * 4;
  assertEquals(logins.note(client("10.0.0.1:4000")), 0);
  clock.nowMs += FAILED_LOGIN_HALF_LIFE_MS * 100;
  assertEquals(delays().slice(0, 4), [0, 0, 0, 50]);
  assertEquals(logins.count, 10 + 1 + 1 + 1 + 10);
});

Deno.test("FailedLogins ends a connection after its tenth wrong password", () => {
  const { logins, client } = fixture();
  const guessing = client("10.0.0.1:4000");
  for (let i = 1; i <= 9; i++) logins.note(guessing);
  assertEquals(guessing.closing, false);
  logins.note(guessing);
  assertEquals(guessing.closing, true);
});

Deno.test("FailedLogins logs a line for each address at intervals, and loses none in the sums", () => {
  const { clock, lines, logins, client } = fixture();
  for (let i = 0; i < 500; i++) logins.note(client(`10.0.0.1:${4000 + i}`));
  assertEquals(lines, ['Wrong password {"client":"10.0.0.1:4000","id":7}']);
  logins.reportOthers();
  assertEquals(lines.length, 1);
  clock.nowMs += FAILED_LOGIN_REPORT_INTERVAL_MS;
  logins.reportOthers();
  assertEquals(lines[1], 'Wrong password {"from":"10.0.0.1","times":499}');
  clock.nowMs += FAILED_LOGIN_REPORT_INTERVAL_MS;
  logins.reportOthers();
  assertEquals(lines.length, 2);
  logins.note(client("10.0.0.1:9"));
  assertEquals(lines[2], 'Wrong password {"client":"10.0.0.1:9","id":7}');
});

Deno.test("FailedLogins bounds addresses and lines for any number of guessing addresses", () => {
  const { clock, lines, logins, client } = fixture();
  for (let i = 0; i < 5 * FAILING_ADDRESSES_MAX_COUNT; i++) logins.note(client(`10.0.${i >> 8}.${i & 255}:1`));
  assertEquals(logins.addresses, FAILING_ADDRESSES_MAX_COUNT);
  assertEquals(lines.length, FAILED_LOGIN_REPORTS_MAX_COUNT);
  for (let i = 0; i < 10; i++) {
    clock.nowMs += FAILED_LOGIN_REPORT_INTERVAL_MS;
    logins.reportOthers();
  }
  assertLessOrEqual(lines.length, FAILED_LOGIN_REPORTS_MAX_COUNT + 10);
});

Deno.test("addressKey() returns an IPv4 address unchanged, and the first 64 bits of IPv6", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["127.0.0.1:9443", "127.0.0.1"],
    ["[::ffff:10.1.2.3]:80", "10.1.2.3"],
    ["[::1]:9443", "0:0:0:0::/64"],
    ["[2001:db8::1]:1", "2001:db8:0:0::/64"],
    ["[2001:DB8:0:0:ffff:1:2:3]:1", "2001:db8:0:0::/64"],
    ["[2001:db8:0:1::]:1", "2001:db8:0:1::/64"],
    ["[2001:0db8:a:b:c:d:e:f]:1", "2001:db8:a:b::/64"],
    ["[fe80::1%eth0]:1", "fe80:0:0:0::/64"],
    ["[::]:1", "0:0:0:0::/64"],
  ];
  for (const [address, key] of cases) assertEquals(addressKey(address), key, address);
});
