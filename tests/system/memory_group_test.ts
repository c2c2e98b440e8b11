/**
 * Tests servers and proxies in control groups that limit memory: they derive their limits from the group and stay
 * within it when they are full, or they refuse to start.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inmemCommand } from "../../cluster/role_process.ts";
import { parseAddress } from "../../src/address.ts";
import { connect } from "../../src/client/client.ts";
import { longOnly } from "../support/amount.ts";
import { MemoryGroup, memoryGroupsMissing } from "../support/control_group.ts";
import { type Launcher, type Role, run, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

const MB = 1024 * 1024;

const missing = await memoryGroupsMissing();

function groupTest(
  name: string,
  body: (launcher: Launcher) => Promise<void>,
  { ignore: isIgnored = false }: Pick<Deno.TestDefinition, "ignore"> = {},
): void {
  const ignore = missing !== undefined || isIgnored;
  systemTest(missing === undefined ? name : `${name} (left out: ${missing})`, { ignore }, body);
}

/** Waits for the line of the log that reports the memory for data. */
async function memoryLine({ process }: Role): Promise<string> {
  let line: string | undefined;
  await until(() => (line = process.lines.find((each) => each.includes("Memory for data"))) !== undefined, "the line");
  return line!;
}

groupTest("a server takes its limit from its own control group, or from one above", async (launcher) => {
  await using group = await MemoryGroup.make(256 * MB);
  const own = await launcher.server([], {}, group.enter());
  assertStringIncludes(await memoryLine(own), "Memory for data: 124mb");
  assertStringIncludes(await memoryLine(own), "the container's 256mb");
  await using inner = await MemoryGroup.make(Infinity, group.folder);
  const below = await launcher.server([], {}, inner.enter());
  assertStringIncludes(await memoryLine(below), "the container's 256mb");
  const client = await launcher.connect(own);
  assertMatch(new TextDecoder().decode(await client.send(["info"]) as Uint8Array), /^maxmemory:130023424\r$/m);
  await Promise.all([own, below].map(({ process }) => process.stop()));
});

groupTest("a server finds its group where the group itself is mounted, as in a container", async (launcher) => {
  await using group = await MemoryGroup.make(200 * MB);
  const mount = `mount --bind ${group.folder} /sys/fs/cgroup/memory && `;
  const [sh, ...rest] = group.enter(mount);
  const role = await launcher.server([], {}, ["unshare", "-m", sh!, ...rest]);
  assertStringIncludes(await memoryLine(role), "the container's 200mb");
  await role.process.stop();
});

groupTest("a server finds its group at the top of the mount in a separate namespace", async (launcher) => {
  await using group = await MemoryGroup.make(220 * MB);
  const mount = 'umount /sys/fs/cgroup/memory && mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory && exec "$@"';
  const role = await launcher.server([], {}, [...group.enter(), "unshare", "-C", "-m", "sh", "-c", mount, "sh"]);
  assertStringIncludes(await memoryLine(role), "the container's 220mb");
  await role.process.stop();
});

groupTest(
  "a container that is too small is refused with advice; --max-memory is obeyed with a warning",
  async (launcher) => {
    for (const megabytes of [64, 96]) {
      await using group = await MemoryGroup.make(megabytes * MB);
      const command = inmemCommand("server", "--addr", "127.0.0.1:0", "--no-persist", ...launcher.identity);
      const { code, stderr } = await run([...group.enter(), ...command]);
      assertEquals(code, 1, stderr);
      assertMatch(
        stderr,
        new RegExp(`^inmem: Cannot choose a memory limit: the container's ${megabytes}mb leave no room `),
      );
      assertStringIncludes(stderr, "expected 119mb or more, or --max-memory SIZE");
    }
    await using group = await MemoryGroup.make(96 * MB);
    const role = await launcher.server(["--max-memory", "4mb"], {}, group.enter());
    assert(role.process.lines.some((line) => line.includes(" warn The container's 96mb may not be enough")));
    await (await launcher.connect(role)).ping();
    await role.process.stop();
  },
);

/** Fills a server, and saves meanwhile. */
async function fill(launcher: Launcher, role: Role, sizeBytes: number, count: number): Promise<void> {
  const clients = await Promise.all(Array.from({ length: 4 }, () => launcher.connect(role)));
  const value = crypto.getRandomValues(new Uint8Array(sizeBytes));
  const batch = Math.max(4, Math.min(500, Math.floor(200_000 / sizeBytes)));
  await Promise.all(clients.map(async (client, writer) => {
    for (let at = 0; at < count / clients.length; at += batch) {
      const keys = Array.from({ length: batch }, (_, index) => `${sizeBytes}:${writer}:${at + index}`);
      await Promise.all(keys.map((key) => client.send(["set", key, value])));
      if (writer === 0 && at === batch * 4) await client.send(["bgsave"]);
    }
  }));
  await clients[0]!.send(["save"]);
}

groupTest("a container of 128 MB that is filled with defaults survives, and so do its clients", async (launcher) => {
  await using group = await MemoryGroup.make(128 * MB);
  const role = await launcher.server(["--data", launcher.newFolder()], {}, group.enter());
  await fill(launcher, role, 30_000, 1_500);
  await fill(launcher, role, 100, 200_000);
  const more = await Promise.all(Array.from({ length: 100 }, () => launcher.connect(role)));
  await Promise.all(more.map((client) => client.send(["get", "100:0:0"])));
  // Uploads and replies that do not fit are refused, or end the connections of the largest clients. No others are
  // affected.
  const big = new Uint8Array(3 * MB);
  const outcomes = await Promise.allSettled(
    more.slice(0, 30).map((client, index) => client.send(["set", `big:${index}`, big])),
  );
  assert(outcomes.length === 30);
  await fill(launcher, role, 30_000, 400);
  assertEquals(await group.kills(), 0);
  await (await launcher.connect(role)).ping();
  await role.process.stop();
}, longOnly);

groupTest("a proxy is refused in 64 MB, and survives in 128 MB with clients that use much memory", async (launcher) => {
  const server = await launcher.server(["--max-memory", "64mb"]);
  const file = await launcher.serversFile([server.address]);
  await using small = await MemoryGroup.make(64 * MB);
  const words = ["proxy", "--addr", "127.0.0.1:0", ...launcher.identity, "--servers", file];
  const { code, stderr } = await run([...small.enter(), ...inmemCommand(...words)]);
  assertEquals(code, 1, stderr);
  assertMatch(stderr, /^inmem: Cannot run in the container's 64mb of memory: expected 120mb or more/);
  await using group = await MemoryGroup.make(128 * MB);
  const proxy = await launcher.proxy(file, [], {}, group.enter());
  const client = await launcher.connect(proxy);
  await client.send(["set", "value", new Uint8Array(500_000)]);
  const readers = await Promise.all(Array.from({ length: 40 }, () => launcher.connect(proxy)));
  await Promise.allSettled(readers.flatMap((reader) => [1, 2, 3].map(() => reader.send(["get", "value"]))));
  const big = new Uint8Array(2 * MB);
  await Promise.allSettled(readers.map((reader, index) => reader.send(["set", `big:${index}`, big])));
  assertEquals(await group.kills(), 0);
  await using last = await connect({ addr: proxy.address, caFile: launcher.certificates.authority });
  await last.ping();
  await proxy.process.stop();
}, longOnly);

groupTest("a proxy in 128 MB survives clients that do not read the replies to their pipelines", async (launcher) => {
  const server = await launcher.server(["--max-memory", "64mb"]);
  const file = await launcher.serversFile([server.address]);
  await using group = await MemoryGroup.make(128 * MB);
  const proxy = await launcher.proxy(file, ["--plaintext"], {}, group.enter());
  const writer = await launcher.connect(server);
  for (const size of [20_000, 60_000, 100_000]) await writer.send(["set", `value:${size}`, new Uint8Array(size)]);
  const sockets: Deno.TcpConn[] = [];
  try {
    for (let index = 0; index < 60; index++) {
      const request = `get value:${[20_000, 60_000, 100_000][index % 3]}\r\n`;
      const socket = await Deno.connect(parseAddress(proxy.address));
      sockets.push(socket);
      await socket.write(new TextEncoder().encode(request.repeat(200)));
    }
    await until(
      async () => (await proxyInfo(proxy, "mem_clients_peak")) > 2 * MB || (await group.kills()) > 0,
      "replies",
    );
  } finally {
    for (const socket of sockets) socket.close();
  }
  assertEquals(await group.kills(), 0);
  await until(() => proxyInfo(proxy, "mem_clients_peak").then((peak) => peak > 0, () => false), "a reply", 60_000);
  await proxy.process.stop();
}, longOnly);

/** Returns a number of `info` from a role in plaintext. */
async function proxyInfo(role: Role, name: string): Promise<number> {
  using socket = await Deno.connect(parseAddress(role.address));
  await socket.write(new TextEncoder().encode("info\r\n"));
  const pattern = new RegExp(`^${name}:([0-9]+)$`, "m");
  const buffer = new Uint8Array(65_536);
  for (let text = "";;) {
    const count = await socket.read(buffer);
    if (count === null) return 0;
    text += new TextDecoder().decode(buffer.subarray(0, count));
    const found = pattern.exec(text);
    if (found) return Number(found[1]);
  }
}
