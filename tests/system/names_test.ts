/** Tests names and addresses with the real programs: failing name servers, wrong lists, and servers with two names. */

import { assert, assertEquals, assertLess, assertMatch } from "@std/assert";
import { certificatePaths, makeCertificates } from "../../src/role/certs.ts";
import { longOnly } from "../support/amount.ts";
import { Launcher, type Role, runInmem, serversJson, systemTest } from "../support/launcher.ts";
import { NameServer } from "../support/name_server.ts";
import { NAME_SERVER_HOST, NamesSpace } from "../support/names_space.ts";
import { until } from "../support/until.ts";

const space = NamesSpace.enter(import.meta.url);
const portOf = ({ address }: Role) => address.split(":").at(-1)!;
const linesWith = (role: Role, text: string) => role.process.lines.filter((line) => line.includes(text));

/** Far less than the 10 s that the system waits for name servers, and enough to start a client on a busy machine. */
const SOON_MS = 7_000;

/** Sends `set` of many keys, and returns the replies and the longest time of one. */
async function setKeys(client: Awaited<ReturnType<Launcher["connect"]>>, count: number) {
  const replies: string[] = [];
  let longestMs = 0;
  for (let i = 0; i < count; i++) {
    const begunMs = performance.now();
    const sent = client.send(["set", `k${i}`, "x"]);
    replies.push(await sent.then(String, (error) => `${error.code} ${error.message}`));
    longestMs = Math.max(longestMs, performance.now() - begunMs);
  }
  return { replies, longestMs };
}

if (space === undefined) {
  systemTest(
    "a list with an impossible address is refused as a whole: at the start, by plan, and at run time",
    longOnly,
    async (launcher) => {
      const server = await launcher.server();
      const file = await launcher.serversFile([server.address]);
      const proxy = await launcher.proxy(file);
      const client = await launcher.connect(proxy);
      for (const addr of ["127.1:7001", "-bad:7001", "[:::::]:1"]) {
        const bad = await launcher.serversFile([server.address, addr], launcher.path("bad.json"));
        for (
          const words of [["proxy", "plan", "--servers", bad], ["proxy", "--servers", bad, "--addr", "127.0.0.1:0"]]
        ) {
          const { code, stderr } = await runInmem(words);
          assertEquals(code, 2, words.join(" "));
          assertMatch(stderr, /^[^\n]*server 2 of the list: expected "addr" to be "host:port"[^\n]*\n$/);
        }
        await Deno.writeTextFile(file, serversJson([server.address, addr]));
        await until(() => linesWith(proxy, JSON.stringify(addr).slice(1, -1)).length === 1, `${addr} is reported`);
        assertMatch(linesWith(proxy, "stays in use").at(-1)!, /warn Cannot use ".*servers\.json"/);
        assertEquals(await client.send(["set", addr, "x"]), "OK");
        await Deno.writeTextFile(file, serversJson([server.address]));
        await until(() => linesWith(proxy, "is valid again").length > 0, "the list is valid again");
        proxy.process.lines.length = 0;
      }
      for (const addr of ["127.1:9443", "127.0.0.1:0", "[fe80::1]:1"]) {
        assertEquals((await runInmem(["client", "--addr", addr, "ping"])).code, 2, addr);
      }
    },
  );

  systemTest(
    "a proxy accepts neither itself nor another proxy as a server, and no server twice",
    longOnly,
    async (launcher) => {
      const server = await launcher.server();
      const files = [launcher.path("a.json"), launcher.path("b.json")];
      for (const file of files) await launcher.serversFile([server.address], file);
      const [a, b] = await Promise.all(files.map((file) => launcher.proxy(file))) as [Role, Role];
      const alias = `localhost:${portOf(server)}`;
      const itself = `localhost:${portOf(a)}`;
      await launcher.serversFile([server.address, alias, itself, a.address, b.address], files[0]!);
      await launcher.serversFile([server.address, a.address], files[1]!);
      // When its alias connects first, the server has to connect once more, so it is down for a moment.
      const isUp = (role: Role, { address }: Role) =>
        linesWith(role, `"${address}" is down`).length === linesWith(role, `"${address}" is up again`).length;
      const isDown = (role: Role, address: string) => linesWith(role, `"${address}" is down`).length === 1;
      const areDown = (role: Role, ...addresses: string[]) => addresses.every((address) => isDown(role, address));
      await until(
        () => areDown(a, alias, itself, a.address, b.address) && areDown(b, a.address) && isUp(a, server),
        () => `all is noticed: ${[a, b].map(({ process }) => process.lines.join("\n")).join("\n\n")}`,
      );
      const told = (address: string, reason: string, role = a) =>
        assertMatch(
          linesWith(role, `"${address}" is down`)[0]!.replaceAll('\\"', '"'),
          new RegExp(`error Server "${address}" is down reason="${reason}`),
        );
      told(alias, `it is the same server as "${server.address}"`);
      told(itself, "it is this proxy itself");
      told(a.address, "it is this proxy itself");
      told(b.address, "it is a proxy: expected a server");
      told(a.address, "it is a proxy: expected a server", b);
      for (const role of [a, b]) {
        const client = await launcher.connect(role);
        const { replies, longestMs } = await setKeys(client, 100);
        assert(replies.includes("OK"));
        assert(
          replies.every((reply) => /^(OK|UNAVAILABLE .*(same server|a proxy|itself).*)$/.test(reply)),
          `${replies}`,
        );
        assertLess(longestMs, SOON_MS);
        for (const words of [["dbsize"], ["keys", "*"]]) {
          const reply = await client.send(words).then(() => "OK", (error) => error.code);
          assertEquals(reply, "UNAVAILABLE");
        }
      }
      const { stdout } = await launcher.client(a, ["cluster"]);
      assertMatch(stdout, new RegExp(`${alias} is down: it is the same server as "${server.address}"`));
      assertMatch(stdout, new RegExp(`${itself} is down: it is this proxy itself`));
      for (const file of files) await launcher.serversFile([server.address], file);
      const client = await launcher.connect(a);
      await until(async () => (await setKeys(client, 20)).replies.every((reply) => reply === "OK"), "all keys work");
      const others = [a, b].flatMap((role) => linesWith(role, "up again"))
        .filter((line) => !line.includes(`"${server.address}"`));
      assertEquals(others, []);
    },
  );
}

/** Defines a test with a name server, and a server whose certificate is for some names. */
function namesTest(
  title: string,
  body: (launcher: Launcher, names: NameServer, start: Started) => Promise<void>,
): void {
  if (space === undefined) return;
  systemTest(title, { sanitizeOps: false, sanitizeResources: false }, async (launcher) => {
    using names = new NameServer(NAME_SERVER_HOST);
    await space.writeHosts();
    const folder = launcher.path("names");
    await makeCertificates(folder, ["one.test", "two.test", "127.0.0.2"]);
    const { authority, cert, key } = certificatePaths(folder);
    await body(launcher, names, {
      authority,
      server: (addr) => launcher.server(["--cert", cert, "--key", key, "--addr", addr]),
      proxy: async (file, words = []) => {
        const all = ["--servers", file, "--ca", authority, "--cert", cert, "--key", key, "--addr", "127.0.0.1:0"];
        const process = launcher.start("proxy", ["proxy", ...all, ...words]);
        return { process, address: await process.address() };
      },
    });
  });
}

interface Started {
  readonly authority: string;
  server(addr: string): Promise<Role>;
  proxy(file: string, words?: readonly string[]): Promise<Role>;
}

namesTest("time limits hold while no name server replies", async (launcher, names, start) => {
  const server = await start.server("127.0.0.2:0");
  names.isSilent = true;
  for (const words of [[], ["--insecure"]]) {
    const begunMs = performance.now();
    const { code, stderr } = await runInmem([
      "client",
      "--timeout",
      "1s",
      "--addr",
      "slow.test:9443",
      ...words,
      "ping",
    ]);
    assertLess(performance.now() - begunMs, SOON_MS);
    assertEquals(code, 3);
    assertMatch(stderr, /no answer within 1000 ms; the lookup of its name has not ended/);
  }
  const slow = Array.from({ length: 5 }, (_, i) => `slow${i}.test:9443`);
  const file = await launcher.serversFile([server.address, ...slow]);
  const proxy = await start.proxy(file, ["--connect-timeout", "500ms", "--timeout", "1s"]);
  const client = await launcher.connect(proxy, { caFile: start.authority });
  const { replies, longestMs } = await setKeys(client, 60);
  assert(replies.includes("OK"));
  assert(
    replies.every((reply) => /^(OK|UNAVAILABLE server "slow\d.test:9443": .*no answer within 500 ms)/.test(reply)),
  );
  assertLess(longestMs, SOON_MS);
  // The list is still followed, although reading it takes a thread, as lookups do.
  await launcher.serversFile([server.address]);
  await until(() => linesWith(proxy, "The list of servers has changed").length === 1, "the list is followed");
  const begunMs = performance.now();
  assertEquals((await launcher.stop(proxy)).code, 0);
  assertLess(performance.now() - begunMs, SOON_MS);
});

namesTest("a proxy reaches a server by any working address of its name, and follows changes", async (
  launcher,
  names,
  start,
) => {
  const first = await start.server("127.0.0.2:0");
  const port = portOf(first);
  await space!.writeHosts("::1 one.test", "127.0.0.3 one.test", "127.0.0.2 one.test");
  const file = await launcher.serversFile([`one.test:${port}`]);
  const proxy = await start.proxy(file);
  const client = await launcher.connect(proxy, { caFile: start.authority });
  assertEquals(await client.send(["set", "a", "x"]), "OK");
  const { stdout } = await runInmem(["client", "--addr", `one.test:${port}`, "--ca", start.authority, "get", "a"]);
  assertEquals(stdout, "x\n");
  // The server moves to another address of the same name.
  await launcher.stop(first);
  await start.server(`127.0.0.3:${port}`);
  await until(() => client.send(["set", "b", "x"]).then(() => true, () => false), "the server is found again");
  // The name then gets that address, too.
  const second = await start.server("[::1]:0");
  await space!.writeHosts();
  names.addresses.set("two.test", []);
  await launcher.serversFile([`two.test:${portOf(second)}`]);
  await until(() => linesWith(proxy, "that name has no address").length > 0, "the name is missed");
  names.addresses.set("two.test", ["127.0.0.9", "::1"]);
  await until(() => client.send(["set", "c", "x"]).then(() => true, () => false), "the name has healed");
});

namesTest(
  "two names of one server are one server, until one of them moves",
  async (launcher, names, start) => {
    const server = await start.server("127.0.0.2:0");
    const port = portOf(server);
    const other = await start.server(`127.0.0.3:${port}`);
    names.addresses.set("one.test", ["127.0.0.2"]);
    names.addresses.set("two.test", ["127.0.0.2"]);
    const file = await launcher.serversFile([`one.test:${port}`, `two.test:${port}`]);
    const proxy = await start.proxy(file);
    await until(() => linesWith(proxy, `"two.test:${port}" is down`).length === 1, "the second name is refused");
    assertMatch(
      linesWith(proxy, "is down")[0]!.replaceAll('\\"', '"'),
      new RegExp(`the same server as "one.test:${port}"`),
    );
    names.addresses.set("two.test", ["127.0.0.3"]);
    await until(
      () => linesWith(proxy, `"two.test:${port}" is up again`).length === 1,
      "the second name is another server",
    );
    const client = await launcher.connect(proxy, { caFile: start.authority });
    assertEquals((await setKeys(client, 40)).replies, Array.from({ length: 40 }, () => "OK"));
    assertEquals(await client.send(["dbsize"]), 40);
    await launcher.stop(other);
    await until(() => linesWith(proxy, `"two.test:${port}" is down`).length === 2, "the other server has ended");
  },
);
