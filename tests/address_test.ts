import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  formatAddress,
  isHostname,
  isIpAddress,
  isLoopback,
  parseAddress,
  parseHost,
  parseServerAddress,
  sameServerKey,
} from "../src/address.ts";
import { UsageError } from "../src/errors.ts";
import { BAD_SERVER_ADDRESSES } from "./support/bad_addresses.ts";

Deno.test("parseAddress() reads names, IPv4, IPv6 and every address", () => {
  const cases: [text: string, hostname: string, port: number][] = [
    ["127.0.0.1:9443", "127.0.0.1", 9443],
    [":9443", "0.0.0.0", 9443],
    ["[::1]:9443", "::1", 9443],
    ["[2001:DB8::7]:1", "2001:db8::7", 1],
    ["Cache.Example:65535", "cache.example", 65535],
    ["server_1:0", "server_1", 0],
    ["localhost:00080", "localhost", 80],
  ];
  for (const [text, hostname, port] of cases) assertEquals(parseAddress(text), { hostname, port }, text);
});

Deno.test("parseAddress() refuses anything else with what was expected", () => {
  const cases: [text: string, message: string][] = [
    ["", "expected host:port"],
    ["9443", "expected host:port"],
    ["127.0.0.1", "expected host:port"],
    ["::1:9443", "expected host:port"],
    ["[::1]", "expected host:port"],
    ["[::1]9443", "expected host:port"],
    ["127.0.0.1:", 'Cannot parse port "" of "127.0.0.1:": expected 0 to 65535'],
    ["127.0.0.1:x", "expected 0 to 65535"],
    ["127.0.0.1:65536", "expected 0 to 65535"],
    ["127.0.0.1:70000", "expected 0 to 65535"],
    ["127.0.0.1:-1", "expected 0 to 65535"],
    ["127.0.0.1:1e3", "expected 0 to 65535"],
    ["127.0.0.1: 80", "expected 0 to 65535"],
    ["[127.0.0.1]:80", "expected an IPv6 address between the brackets"],
    ["[::g]:80", "expected an IPv6 address between the brackets"],
    ["[]:80", "expected an IPv6 address between the brackets"],
    ["1.2.3:80", '"1.2.3" is not a host name'],
    ["1.2.3.256:80", '"1.2.3.256" is not a host name'],
    ["a b:80", '"a b" is not a host name'],
    ["a..b:80", '"a..b" is not a host name'],
    ["-a:80", '"-a" is not a host name'],
    ["http://a:80", "expected host:port"],
    ["a/b:80", '"a/b" is not a host name'],
  ];
  for (const [text, message] of cases) assertThrows(() => parseAddress(text), UsageError, message);
});

Deno.test("parseAddress() returns the canonical spelling of every address", () => {
  const cases: [text: string, own: string][] = [
    ["LocalHost:09443", "localhost:9443"],
    ["[0:0:0:0:0:0:0:1]:1", "[::1]:1"],
    ["[2001:DB8:0:0::0001]:1", "[2001:db8::1]:1"],
    ["[::FFFF:127.0.0.1]:1", "127.0.0.1:1"],
    ["[::ffff:7f00:1]:1", "127.0.0.1:1"],
    ["[0:0:0:0:0:ffff:10.0.0.9]:1", "10.0.0.9:1"],
    ["[FE80::1%eth0]:0", "[fe80::1%eth0]:0"],
    ["cache.example.:1", "cache.example.:1"],
    ["0.0.0.0:0", "0.0.0.0:0"],
    ["[::]:1", "[::]:1"],
  ];
  for (const [text, own] of cases) assertEquals(formatAddress(parseAddress(text)), own, text);
});

Deno.test("parseServerAddress() refuses an address that cannot be connected to, in one line", () => {
  for (const text of BAD_SERVER_ADDRESSES) {
    const error = assertThrows(() => parseServerAddress(text), UsageError);
    assert(/^[^\n]{10,500}$/.test(error.message), error.message);
  }
});

Deno.test("parseServerAddress() accepts an address that can be connected to", () => {
  const good = [
    "a:1",
    "A-b.example:65535",
    "redis_1:7001",
    "x--y:1",
    "a.:1",
    "10.0.0.1:00080",
    "[::1]:1",
    "xn--bcher-kva.de:1",
  ];
  const label = "x".repeat(63);
  good.push(
    `${label}:1`,
    `${label}.${label}.${label}.${"y".repeat(61)}:1`,
    "0.0.0.1:1",
    "240.0.0.1:1",
    "1a:1",
    "0x7g:1",
  );
  for (const text of good) assertEquals(parseServerAddress(text), parseAddress(text), text);
});

Deno.test("sameServerKey() is equal for all spellings of an address", () => {
  const same = [
    ["a:1", "A:1", "a.:01", "A.:00001"],
    ["[::1]:7001", "[0:0:0:0:0:0:0:1]:07001", "[0::0:1]:7001"],
    ["127.0.0.1:1", "[::ffff:127.0.0.1]:1", "[::FFFF:7F00:1]:1"],
  ];
  const keys = same.map((texts) => [...new Set(texts.map((text) => sameServerKey(parseServerAddress(text))))]);
  assertEquals(keys.map((each) => each.length), [1, 1, 1]);
  assertEquals(new Set(keys.flat()).size, 3);
});

Deno.test("parseHost() accepts a host without a port", () => {
  assertEquals(["Cache.example", "0:0::1", "127.0.0.1"].map(parseHost), ["cache.example", "::1", "127.0.0.1"]);
  for (const text of ["", "127.1", "a:1", "[::1]", "-a", "a b"]) assertThrows(() => parseHost(text), UsageError);
});

Deno.test("formatAddress() writes what parseAddress() reads", () => {
  for (const text of ["127.0.0.1:9443", "[::1]:9443", "cache.example:1"]) {
    assertEquals(formatAddress(parseAddress(text)), text);
  }
});

Deno.test("isLoopback() is true for addresses that only this machine can reach", () => {
  const loopback = ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"];
  for (const host of loopback) assert(isLoopback(host), host);
  const others = ["0.0.0.0", "::", "192.0.2.1", "128.0.0.1", "127.example", "127.0.0.1.example", "::2", "1::", "1::1"];
  for (const host of [...others, "::ffff:192.0.2.1", "localhost.example", "10:1", ""]) assert(!isLoopback(host), host);
});

Deno.test("isIpAddress() distinguishes addresses from names", () => {
  for (const host of ["1.2.3.4", "::", "2001:db8::1", "fe80::1%eth0", "::ffff:1.2.3.4"]) {
    assert(isIpAddress(host), host);
  }
  for (
    const host of ["1.2.3", "1.2.3.4.5", "1.2.3.400", "a", "", ":", ":::", "1::2::3", "[::1]", "fe80::1%", "12345::"]
  ) {
    assert(!isIpAddress(host), host);
  }
});

Deno.test("isHostname() accepts names of DNS and of containers", () => {
  for (const host of ["a", "a.example", "a.example.", "server_1", "x--y", "4u"]) assert(isHostname(host), host);
  for (const host of ["", ".", "a..b", "-a", "a b", "é", "a:b", "x".repeat(64), `${"a.".repeat(127)}aa`]) {
    assert(!isHostname(host), host);
  }
});
