import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { parseServerUrl, withoutPassword } from "../../src/role/server_url.ts";

const PLAIN = { plaintext: undefined, user: undefined, password: undefined };

Deno.test("parseServerUrl() adds the default port and understands a port alone", () => {
  const cases: [text: string, hostname: string, port: number][] = [
    ["127.0.0.1:9450", "127.0.0.1", 9450],
    ["localhost", "localhost", 9443],
    ["Cache.Example", "cache.example", 9443],
    ["9450", "127.0.0.1", 9450],
    [":9450", "0.0.0.0", 9450],
    ["[::1]", "::1", 9443],
    ["[0:0::1]:1", "::1", 1],
    ["10.0.0.1", "10.0.0.1", 9443],
  ];
  for (const [text, hostname, port] of cases) assertEquals(parseServerUrl(text), { hostname, port, ...PLAIN }, text);
});

Deno.test("parseServerUrl() reads URLs of each scheme, with and without the other parts", () => {
  for (const scheme of ["inmems", "rediss", "valkeys", "REDISS"]) {
    for (const end of ["", "/", "/0", "/00"]) {
      const expected = { hostname: "h", port: 9443, plaintext: false, user: undefined, password: undefined };
      assertEquals(parseServerUrl(`${scheme}://h${end}`), expected);
    }
  }
  for (const scheme of ["inmem", "redis", "valkey", "Redis"]) {
    const expected = { hostname: "::1", port: 7, plaintext: true, user: undefined, password: undefined };
    assertEquals(parseServerUrl(`${scheme}://[::1]:7/0`), expected);
  }
  const credentials: [text: string, user: string | undefined, password: string | undefined][] = [
    ["default:secret", "default", "secret"],
    [":p%40ss%3A%2f%25", undefined, "p@ss:/%"],
    [":%E6%97%A5%0a", undefined, "日\n"],
    [":a:b@c", undefined, "a:b@c"],
    ["bob:", "bob", undefined],
    [":", undefined, undefined],
    ["", undefined, undefined],
  ];
  for (const [text, user, password] of credentials) {
    assertEquals(
      parseServerUrl(`rediss://${text}@h:1`),
      { hostname: "h", port: 1, plaintext: false, user, password },
      text,
    );
  }
});

Deno.test("parseServerUrl() refuses everything else with one line that says what was expected", () => {
  const cases: [text: string, message: RegExp][] = [
    ["", /expected host:port/],
    ["0", /expected 1 to 65535/],
    ["h:0", /Cannot parse port "0" of "h:0": expected 1 to 65535/],
    ["99999", /expected 0 to 65535|expected 1 to 65535/],
    ["h:99999", /expected [01] to 65535/],
    ["h:1:2", /brackets around an IPv6 address/],
    ["::1", /brackets around an IPv6 address/],
    ["::1:9443", /brackets around an IPv6 address/],
    ["[::1", /expected host:port/],
    ["[x]", /expected an IPv6 address/],
    ["a b", /is not a host name/],
    ["1.2.3", /is not a host name/],
    ["host/0", /is not a host name/],
    ["https://h", /Cannot use the URL "https:\/\/h": expected inmems:\/\//],
    ["unix:///tmp/s", /expected inmems/],
    ["://h", /expected inmems/],
    ["rediss://", /it has no host/],
    ["rediss:///0", /it has no host/],
    ["rediss://:9443", /it has no host/],
    ["rediss://u:p@", /it has no host/],
    ["rediss://u:p@:1", /it has no host/],
    ["rediss://h/1", /there is one database/],
    ["rediss://h/x", /there is one database/],
    ["rediss://h/0/", /there is one database/],
    ["rediss://h?db=0", /expected no "\?"/],
    ["rediss://h/0#x", /expected no "\?"/],
    ["rediss://:a%@h", /two hexadecimal digits/],
    ["rediss://:%ff@h", /two hexadecimal digits/],
    ["rediss://word@h", /expected USER:PASSWORD/],
    ["rediss://h:0", /expected 1 to 65535/],
    ["rediss://h%20x", /is not a host name/],
    ["rediss://h\n:1", /is not a host name/],
  ];
  for (const [text, message] of cases) {
    const error = assertThrows(() => parseServerUrl(text), UsageError, undefined, text);
    assertMatch(error.message, message);
    assert(!error.message.includes("\n"), error.message);
  }
});

Deno.test("no message of parseServerUrl() repeats a password", () => {
  for (
    const text of [
      "https://u:hunter2@h",
      "rediss://u:hunter2@",
      "rediss://hunter2@h",
      "rediss://u:hunter2@h/1",
      "rediss://u:hunter2%@h",
      "rediss://u:hunter2/x@h",
      "rediss://u:x#hunter2@h",
      "rediss://u:a@hunter2@h:0",
      "rediss://u:hunter2@h:99999",
      "rediss://u:hunter2@::1",
      "rediss://u:\nhunter2@h/1",
    ]
  ) {
    const { message } = assertThrows(() => parseServerUrl(text), UsageError, undefined, text);
    assert(!message.includes("hunter2"), message);
  }
  assertEquals(withoutPassword("rediss://u:p@h:1/0"), "rediss://***@h:1/0");
  assertEquals(withoutPassword("h:1"), "h:1");
});
