import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { encodeText } from "../../../src/bytes.ts";
import { connectionSettings } from "../../../src/client/client.ts";
import { ConnectionError, ReplyError } from "../../../src/errors.ts";
import type { BulkProtocol } from "../../../src/load/bulk_connection.ts";
import { type LoadSettings, Side } from "../../../src/load/bench/side.ts";
import { type Workload, WORKLOADS } from "../../../src/load/bench/workloads.ts";
import { WrongReply } from "../../../src/load/bench/wrong_reply.ts";
import { FakeServer } from "../../support/fake_server.ts";
import type { FakeHandler } from "../../support/fake_server.ts";

const LOAD: LoadSettings = {
  protocol: "resp",
  clients: 2,
  pipeline: 3,
  requests: 12,
  durationMs: Infinity,
  valueSize: 4,
  keysCount: 4,
};

function workload(name: string): Workload {
  return WORKLOADS.find((each) => each.name === name)!;
}

async function withSide(
  handler: FakeHandler,
  body: (side: Side, server: FakeServer) => Promise<void>,
  load: Partial<LoadSettings> = {},
  timeoutMs = 5000,
): Promise<void> {
  await using server = new FakeServer(handler);
  const settings = await connectionSettings({ addr: `127.0.0.1:${server.port}`, plaintext: true, timeoutMs });
  await using side = await Side.open(settings, { ...LOAD, ...load });
  await body(side, server);
}

const good: FakeHandler = (request, peer) => {
  if (request[0] === "ping") peer.reply("PONG");
  else if (request[0] === "info") peer.reply(encodeText("# CPU\r\nused_cpu_sys:1.5\r\nused_cpu_user:2.5\r\n"));
  else if (request[0] === "del") peer.reply(request.length - 1);
  else peer.reply("OK");
};

for (const protocol of ["resp", "native"] as BulkProtocol[]) {
  Deno.test(`a side measures a run, and deletes its keys (${protocol})`, async () => {
    await withSide(good, async (side, server) => {
      await side.clean([workload("set"), workload("mset")]);
      const deleted = server.requests.flatMap(([name, ...keys]) => name === "del" ? keys : []);
      // Four keys, each with the nine others of mset.
      assertEquals(new Set(deleted).size, 40);
      assert(deleted.every((key) => key.startsWith("inmem-bench:string:00000000")));
      let shown = 0;
      const measured = await side.measure(workload("set"), () => shown++);
      assertEquals([measured.requests, shown, measured.serverBusy], [12, 1, 0]);
      assert(measured.requestsPerSecond > 0 && measured.maxMs > 0 && measured.p50Ms <= measured.p999Ms);
      // The warm-up has as many requests at most.
      const sets = server.requests.filter(([name]) => name === "set");
      assertEquals(sets.length, 24);
      assertEquals(server.connectionCount, 3);
    }, { protocol });
  });

  Deno.test(`a side ends with a wrong reply (${protocol})`, async () => {
    const handler: FakeHandler = (request, peer) => request[0] === "set" ? peer.reply("NO") : good(request, peer);
    await withSide(handler, async (side) => {
      await assertRejects(() => side.measure(workload("set"), () => {}), WrongReply, "expected OK, got NO");
      await assertRejects(() => side.measure(workload("ping"), () => {}), ConnectionError, "is closed");
    }, { protocol });
  });

  Deno.test(`a side reports a lost connection, and one that is silent (${protocol})`, async () => {
    const cut: FakeHandler = (request, peer) => request[0] === "set" ? void peer.close() : good(request, peer);
    await withSide(cut, async (side) => {
      const error = await assertRejects(() => side.measure(workload("set"), () => {}), ConnectionError);
      assertMatch(error.message, /^Lost the connection to .*: the other side closed it$/);
    }, { protocol });
    const silent: FakeHandler = (request, peer) => request[0] === "set" ? undefined : good(request, peer);
    await withSide(
      silent,
      async (side) => {
        const error = await assertRejects(() => side.measure(workload("set"), () => {}), ConnectionError);
        assertMatch(error.message, /^No answer from .* in time$/);
      },
      { protocol },
      100,
    );
    const noise: FakeHandler = (request, peer) => {
      if (request[0] === "set") peer.write(encodeText("HTTP/1.1 400 Bad Request\r\n\r\n"));
      else good(request, peer);
    };
    await withSide(noise, async (side) => {
      const error = await assertRejects(() => side.measure(workload("set"), () => {}), ConnectionError);
      assertMatch(error.message, /^Cannot understand /);
    }, { protocol });
  });
}

Deno.test("a side sends more than fits into a socket, and reads meanwhile", async () => {
  await withSide(
    good,
    async (side) => {
      const measured = await side.measure(workload("set"), () => {});
      assertEquals(measured.requests, 4);
    },
    { clients: 1, pipeline: 2, requests: 4, valueSize: 6 * 1024 * 1024, keysCount: 1 },
    30_000,
  );
});

Deno.test("Side.open() passes on why the server refuses, as without a password", async () => {
  const handler: FakeHandler = (_request, peer) => peer.refuse("NOAUTH", "Authentication required.");
  await assertRejects(() => withSide(handler, async () => {}), ReplyError, "Authentication required.");
});

Deno.test("a side works without the server's figures", async () => {
  const handler: FakeHandler = (request, peer) => {
    if (request[0] === "info") peer.refuse("ERR", "not here");
    else good(request, peer);
  };
  await withSide(handler, async (side) => {
    assertEquals((await side.measure(workload("ping"), () => {})).serverBusy, undefined);
  });
});

Deno.test("Side.open() passes on that there is no connection, and leaves none open", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const settings = await connectionSettings({ addr: `127.0.0.1:${port}`, plaintext: true });
  await assertRejects(() => Side.open(settings, LOAD), ConnectionError, "nobody listens");
});
