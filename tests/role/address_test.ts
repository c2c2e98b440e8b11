import { assert, assertEquals, assertThrows } from "@std/assert";
import { formatAddress, isHostname, isIpAddress, isLoopback, parseAddress } from "../../src/role/address.ts";
import { UsageError } from "../../src/errors.ts";

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

Deno.test("parseAddress() refuses anything else and says what was expected", () => {
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

Deno.test("formatAddress() writes what parseAddress() reads", () => {
  for (const text of ["127.0.0.1:9443", "[::1]:9443", "cache.example:1"]) {
    assertEquals(formatAddress(parseAddress(text)), text);
  }
});

Deno.test("isLoopback() holds for addresses that only this machine can reach", () => {
  const loopback = ["127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"];
  for (const host of loopback) assert(isLoopback(host), host);
  const others = ["0.0.0.0", "::", "192.0.2.1", "128.0.0.1", "127.example", "127.0.0.1.example", "::2", "1::", "1::1"];
  for (const host of [...others, "::ffff:192.0.2.1", "localhost.example", "10:1", ""]) assert(!isLoopback(host), host);
});

Deno.test("isIpAddress() tells addresses from names", () => {
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
