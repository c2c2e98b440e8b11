/** Tests password guessing and administrative commands: how the server and the proxy react, and what they log. */

import { assert, assertEquals, assertGreater, assertGreaterOrEqual, assertLess } from "@std/assert";
import { parseAddress } from "../../src/address.ts";
import { longOnly } from "../support/amount.ts";
import { type Launcher, type Role, systemTest } from "../support/launcher.ts";
import { until } from "../support/until.ts";

const PASSWORD = "right horse";
const WRONG = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const AS_PASSWORD = { INMEM_PASSWORD: PASSWORD };

/** Sends text to a role in plaintext, and reads until `enough` is true or the role ends the connection. */
async function talk(role: Role, text: string, enough: (received: string) => boolean): Promise<string> {
  const socket = await Deno.connect({ ...parseAddress(role.address) });
  try {
    await socket.write(new TextEncoder().encode(text));
    let received = "";
    const buffer = new Uint8Array(65_536);
    while (!enough(received)) {
      const count = await socket.read(buffer).catch(() => null);
      if (count === null) return `${received}<end>`;
      received += new TextDecoder().decode(buffer.subarray(0, count));
    }
    return received;
  } finally {
    socket.close();
  }
}

/** Returns one field of `info`. */
async function field(role: Role, name: string): Promise<string> {
  const text = await talk(role, `auth "${PASSWORD}"\r\ninfo\r\n`, (received) => received.includes(`\n${name}:`));
  return new RegExp(`^${name}:(.*)\r$`, "m").exec(text)?.[1] ?? "";
}

function logOf({ process }: Role): string {
  return process.lines.join("\n");
}

/** Starts a server, or a proxy in front of one, in plaintext. Every role requires the password. */
async function start(launcher: Launcher, role: "server" | "proxy"): Promise<Role> {
  const server = await launcher.server(["--plaintext"], AS_PASSWORD);
  if (role === "server") return server;
  const file = launcher.path("servers.json");
  await Deno.writeTextFile(file, JSON.stringify([{ addr: server.address }]));
  const words = ["proxy", "--addr", "127.0.0.1:0", "--plaintext", "--servers", file, "--servers-plaintext"];
  const process = launcher.start("proxy", words, AS_PASSWORD);
  return { process, address: await process.address() };
}

for (const kind of ["server", "proxy"] as const) {
  systemTest(
    `${kind}: wrong passwords are counted, logged once, refused late, and end the connection`,
    async (launcher) => {
      const role = await start(launcher, kind);
      const beganMs = performance.now();
      // The client sends more guesses than it gets replies for: the connection ends with the tenth reply.
      const guesses = "auth s3cret-guess\r\n".repeat(500);
      assertEquals(await talk(role, guesses, () => false), `${WRONG.repeat(10)}<end>`);
      assertGreater(performance.now() - beganMs, 3_000, "0, 0, 0, 50, 100, 200, 400, 800, 1000 and 1000 ms");
      assertEquals(await field(role, "acl_access_denied_auth"), "10");
      // A correct password is not delayed, although its address has guessed.
      const rightMs = performance.now();
      assertEquals(await talk(role, `auth "${PASSWORD}"\r\n`, (text) => text.length >= 5), "+OK\r\n");
      assertLess(performance.now() - rightMs, 500);
      const lines = role.process.lines.filter((line) => line.includes("Wrong password"));
      assertEquals(lines.length, 1, logOf(role));
      assert(/warn Wrong password client=127\.0\.0\.1:[0-9]+ id=[0-9]+$/.test(lines[0]!), lines[0]);
      assert(!logOf(role).includes("s3cret"));
    },
  );

  systemTest(`${kind}: hello with a wrong password or user also counts, with the errors of Redis`, async (launcher) => {
    const role = await start(launcher, kind);
    const text =
      `hello 3 auth default nope\r\nhello 2 auth other "${PASSWORD}"\r\nauth other "${PASSWORD}"\r\nauth nope\r\n` +
      `hello 3 auth default "${PASSWORD}"\r\nping\r\n`;
    const received = await talk(role, text, (each) => each.endsWith("+PONG\r\n"));
    assert(received.startsWith(`${WRONG.repeat(4)}%7\r\n`), received);
    assertEquals(await field(role, "acl_access_denied_auth"), "4");
  });

  systemTest(
    `${kind}: guessing on four connections at full speed does not delay others`,
    longOnly,
    async (launcher) => {
      const role = await start(launcher, kind);
      const good = await Deno.connect({ ...parseAddress(role.address) });
      const buffer = new Uint8Array(64);
      await good.write(new TextEncoder().encode(`auth "${PASSWORD}"\r\n`));
      await good.read(buffer);
      let isOver = false;
      const guesses = "auth x\r\n".repeat(500);
      const guessers = Array.from({ length: 4 }, async () => {
        while (!isOver) await talk(role, guesses, () => isOver);
      });
      const endsMs = performance.now() + 3_000;
      let pings = 0;
      while (performance.now() < endsMs) {
        await good.write(new TextEncoder().encode("ping\r\n"));
        await good.read(buffer);
        pings++;
      }
      isOver = true;
      const counted = Number(await field(role, "acl_access_denied_auth"));
      await Promise.all(guessers);
      good.close();
      assertGreater(pings, 300);
      // At full speed the number would be more than 30,000. The good client has the same address.
      assertLess(counted, 100);
      assertGreaterOrEqual(counted, 10);
    },
  );
}

systemTest("a wrong password over the native protocol is counted and refused", async (launcher) => {
  const role = await launcher.server([], AS_PASSWORD);
  const { code, stderr } = await launcher.client(role, ["ping"], { env: { INMEM_PASSWORD: "no" } });
  assertEquals(code, 1, stderr);
  assert(stderr.includes("WRONGPASS") || stderr.includes("password"), stderr);
  await until(() => logOf(role).includes("Wrong password"), "the line");
});

systemTest(
  "admin commands are logged with their client, by a server and by a proxy, without secrets",
  async (launcher) => {
    const server = await launcher.server(["--plaintext", "--data", launcher.newFolder()]);
    const text =
      "client setname ops\r\nset a 1\r\nconfig get maxmemory\r\nconfig set requirepass s3cret\r\nflushall async\r\n" +
      'config set s3cret\r\nconfig set "requirepass s3cret" x\r\nconfig set s3cret= requirepass\r\n' +
      "save\r\nclient kill id 999\r\nclient list\r\ndebug sleep 0\r\nbgrewriteaof\r\nmulti\r\nflushdb\r\nexec\r\necho end\r\n";
    await talk(server, text, (received) => received.endsWith("end\r\n"));
    const commands = () => [
      ...logOf(server).matchAll(/ info Admin command command=("[^"]*"|[^ ]+) client=127[^ ]* id=[0-9]+ name=ops/g),
    ];
    assertEquals(commands().map(([, command]) => command!.replaceAll('"', "")), [
      "config set requirepass …",
      "flushall async",
      "config set …",
      "config set …",
      "config set …",
      "save",
      "client kill id 999",
      "debug sleep 0",
      "bgrewriteaof",
      "flushdb",
    ]);
    assert(!logOf(server).includes("s3cret"));
    const proxyWords = ["--plaintext", "--servers-plaintext"];
    const file = await launcher.serversFile([server.address]);
    const process = launcher.start("proxy", ["proxy", "--addr", "127.0.0.1:0", "--servers", file, ...proxyWords]);
    const proxy = { process, address: await process.address() };
    await talk(
      proxy,
      "flushall\r\nconfig set requirepass s3cret\r\nget a\r\necho end\r\n",
      (each) => each.endsWith("end\r\n"),
    );
    assert(/info Admin command command=flushall client=127/.test(logOf(proxy)), logOf(proxy));
    assert(/info Admin command command="config set requirepass …" client=127/.test(logOf(proxy)), logOf(proxy));
    assert(!logOf(proxy).includes("s3cret"));
  },
);
