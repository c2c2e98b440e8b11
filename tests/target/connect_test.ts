import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { UsageError } from "../../src/errors.ts";
import { clientOptions } from "../../src/role/option_tables.ts";
import { parseOptions } from "../../src/role/options.ts";
import { connectAs, dialTo, resolveTarget } from "../../src/target/connect.ts";
import { FakeServer } from "../support/fake_server.ts";

function valuesOf(...argv: string[]) {
  return parseOptions(clientOptions, argv).values;
}

Deno.test("resolveTarget() takes TLS and the password from the URL", () => {
  const target = resolveTarget(valuesOf("-u", "rediss://default:p%20w@cache.example:1", "--ca", "ca.pem"));
  assertEquals(target, {
    address: "cache.example:1",
    plaintext: false,
    insecure: false,
    caFile: "ca.pem",
    user: "default",
    passwords: ["p w"],
    timeoutMs: 10_000,
  });
  for (const argv of [["--addr", "redis://localhost"], ["--url=localhost", "--plaintext"]]) {
    const { plaintext, address } = resolveTarget(valuesOf(...argv));
    assertEquals([plaintext, address], [true, "localhost:9443"]);
  }
});

Deno.test("resolveTarget() refuses contradictions, and plain text beyond this machine", () => {
  assertThrows(() => resolveTarget(valuesOf("-u", "rediss://h", "--plaintext")), UsageError, "requires TLS");
  assertThrows(() => resolveTarget(valuesOf("-u", "redis://h")), UsageError, "inmems:// and rediss:// use TLS");
  assertThrows(() => resolveTarget(valuesOf("-u", "h", "--plaintext")), UsageError, "expected a loopback address");
});

Deno.test("connectAs() sends the password of the URL, and dialTo() opens sockets without it", async () => {
  await using server = new FakeServer((_request, peer) => peer.reply("OK"));
  const url = `redis://:secret@127.0.0.1:${server.port}/0`;
  await using client = await connectAs(valuesOf("-u", url));
  assertEquals(await client.send(["ping"]), "OK");
  assertEquals(server.requests, [["auth", "secret"], ["ping"]]);
  const dialer = await dialTo(resolveTarget(valuesOf("-u", url)));
  assertEquals(dialer.address, `127.0.0.1:${server.port}`);
  const socket = await dialer.open();
  socket.close();
  assertEquals(server.requests.length, 2);
  await assertRejects(() => connectAs(valuesOf("-u", url.replace(":secret", "bob:x"))), UsageError, 'user "bob"');
});
