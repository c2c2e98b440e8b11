import { assertEquals } from "@std/assert";
import { connect } from "../../src/client/client.ts";
import { KEEP_ALIVE_IDLE_S } from "../../src/limits.ts";
import { probeOften } from "../../src/net/keep_alive.ts";
import { SystemSockets } from "../../src/net/system_socket.ts";
import { FakeServer } from "../support/fake_server.ts";
import { until } from "../support/until.ts";

const ignore = Deno.build.os !== "linux";

/** Returns the number of seconds after which the peers of connections to `port` are probed. */
function idleSeconds(port: number): (number | undefined)[] {
  using sockets = SystemSockets.open();
  const found: (number | undefined)[] = [];
  for (let descriptor = 0; descriptor < 1000; descriptor++) {
    if (sockets.peerPort(descriptor) === port) found.push(sockets.getOption(descriptor, "TCP_KEEPIDLE"));
  }
  return found;
}

Deno.test({
  name: "probeOften() sets the times of one connection only",
  ignore,
  fn: async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    using one = await Deno.connect({ hostname: "127.0.0.1", port });
    using _other = await Deno.connect({ hostname: "127.0.0.1", port });
    const [before] = idleSeconds(port);
    assertEquals(probeOften(one), true);
    assertEquals(idleSeconds(port), [KEEP_ALIVE_IDLE_S, before]);
    for (let i = 0; i < 2; i++) (await listener.accept()).close();
  },
});

Deno.test({
  name: "Client makes the system probe its server while a command waits, also after connecting again",
  ignore,
  fn: async () => {
    await using server = new FakeServer((request, peer) => {
      if (request[0] === "quit") peer.close();
      else if (request[0] === "ping") peer.reply("PONG");
    });
    const { port } = server;
    await using client = await connect({ addr: `127.0.0.1:${port}`, plaintext: true });
    await client.send(["ping"]);
    assertEquals(idleSeconds(port).includes(KEEP_ALIVE_IDLE_S), false);
    for (let i = 0; i < 2; i++) {
      const waiting = client.send(["blpop", "queue", "0"]).catch(() => {});
      await until(() => idleSeconds(port).includes(KEEP_ALIVE_IDLE_S), "the server is probed");
      client.disconnect();
      await waiting;
      await until(() => idleSeconds(port).length === 0, "the connection is closed");
    }
  },
});
