/** Tests what a supervisor of the process sees: systemd by a fake of its socket, and a health check by its file. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type Launcher, type Role, runInmem, systemTest } from "../support/launcher.ts";
import { NotifyReceiver } from "../support/notify_receiver.ts";
import { pause } from "../support/pause.ts";
import { until } from "../support/until.ts";

const isLinux = Deno.build.os === "linux";
/** The time that the watchdog waits in the tests. A role calls three times as often, and checks its readiness then. */
const WATCHDOG_MS = 60;

function environmentOf(receiver: NotifyReceiver): Record<string, string> {
  return { NOTIFY_SOCKET: receiver.path, WATCHDOG_USEC: String(WATCHDOG_MS * 1000) };
}

/** Runs the check of the container image, and returns whether the role is healthy. */
async function isHealthy(path: string): Promise<boolean> {
  const test = `test -n "$(find ${path} -newermt '-30 seconds')"`;
  return (await new Deno.Command("sh", { args: ["-c", test], stderr: "null" }).output()).success;
}

/** Follows the whole life of a role that a manager supervises. */
async function followLife(receiver: NotifyReceiver, health: string, start: () => Promise<Role>): Promise<void> {
  assert(!(await isHealthy(health)));
  const { process, address } = await start();
  let at = await receiver.after("READY=1");
  at = await receiver.after(`STATUS=Listening on ${address}`, at);
  at = await receiver.after("WATCHDOG=1", at);
  await until(() => isHealthy(health), "the file says that the role is healthy");

  // A process that hangs does not call the watchdog.
  process.signal("SIGSTOP");
  await until(async () => {
    const seen = receiver.read().length;
    await pause(WATCHDOG_MS * 2);
    return receiver.read().length === seen;
  }, "the calls cease");
  at = receiver.lines.length;
  process.signal("SIGCONT");
  at = await receiver.after("WATCHDOG=1", at);

  process.signal("SIGHUP");
  at = await receiver.after("RELOADING=1", at);
  at = await receiver.after("READY=1", at);
  const reload = receiver.lines.slice(receiver.lines.indexOf("RELOADING=1"), at);
  assertMatch(reload[1]!, /^MONOTONIC_USEC=[0-9]+$/);

  assert((await process.stop()).success);
  at = await receiver.after("STOPPING=1", at);
  at = await receiver.after("STATUS=Stopping", at);
  assertEquals(receiver.lines.slice(at).filter((line) => line !== "WATCHDOG=1"), []);
  assert(!(await isHealthy(health)));
}

const sockets = {
  "a path": (launcher: Launcher) => launcher.path("notify"),
  "an abstract name": () => `@${crypto.randomUUID()}`,
};

for (const [kind, makeName] of Object.entries(sockets)) {
  systemTest(`server and proxy tell systemd about their life, by ${kind}`, { ignore: !isLinux }, async (launcher) => {
    const health = launcher.path("health");
    {
      using receiver = new NotifyReceiver(makeName(launcher));
      await followLife(receiver, health, () => launcher.server(["--health-file", health], environmentOf(receiver)));
    }
    await Deno.remove(launcher.path("notify")).catch(() => {});
    using receiver = new NotifyReceiver(makeName(launcher));
    const server = await launcher.server();
    const file = await launcher.serversFile([server.address]);
    await followLife(receiver, health, () => launcher.proxy(file, ["--health-file", health], environmentOf(receiver)));
  });
}

systemTest("a proxy without servers is running, but not healthy", { ignore: !isLinux }, async (launcher) => {
  using receiver = new NotifyReceiver(launcher.path("notify"));
  const folder = launcher.newFolder("health");
  await Deno.mkdir(folder);
  const health = `${folder}/health`;
  const server = await launcher.server();
  const file = await launcher.serversFile([server.address]);
  const proxy = await launcher.proxy(file, ["--health-file", health], environmentOf(receiver));
  await until(() => isHealthy(health), "the proxy is healthy");
  await launcher.stop(server);
  const at = await receiver.after("STATUS=Not ready: no server is up");
  await until(async () => !(await isHealthy(health)), "the proxy is not healthy");
  await launcher.server(["--addr", server.address]);
  await receiver.after(`STATUS=Listening on ${proxy.address}`, at);
  await until(() => isHealthy(health), "the proxy is healthy again");
  // Somebody removes the file by mistake, and then its folder.
  await Deno.remove(health);
  await until(() => isHealthy(health), "the file is there again");
  await Deno.remove(folder, { recursive: true });
  const reports = () => proxy.process.lines.map((line) => / (warn|info) .*health file/.exec(line)?.[1]).filter(Boolean);
  await until(() => reports().length === 1, "the log reports the missing folder");
  await Deno.mkdir(folder);
  await until(() => isHealthy(health), "the file is there once more");
  await until(() => reports().length === 2, "the log reports that the file is written");
  assertEquals(reports(), ["warn", "info"]);
});

systemTest("a server says what it loads, and is ready after it", { ignore: !isLinux }, async (launcher) => {
  const data = launcher.newFolder();
  const first = await launcher.server(["--data", data]);
  const client = await launcher.connect(first);
  await client.set("a", "x".repeat(100_000));
  await launcher.stop(first);
  using receiver = new NotifyReceiver(launcher.path("notify"));
  // The watchdog waits for another process.
  const environment = { ...environmentOf(receiver), WATCHDOG_PID: "1" };
  const { process } = await launcher.server(["--data", data], environment);
  await receiver.after("READY=1");
  const [loading, more, ready] = receiver.lines;
  assertMatch(loading!, /^STATUS=Loading: [0-9]+ %$/);
  assertEquals([more, ready], ["EXTEND_TIMEOUT_USEC=60000000", "READY=1"]);
  assert((await process.stop()).success);
  await receiver.after("STOPPING=1");
  assert(!receiver.lines.includes("WATCHDOG=1"));
});

systemTest("a role works when its manager is gone, and says once when it cannot notify", async (launcher) => {
  for (const NOTIFY_SOCKET of [launcher.path("gone"), "vsock:2:99", "relative"]) {
    const { process, address } = await launcher.server([], { NOTIFY_SOCKET, WATCHDOG_USEC: "30000" });
    const client = await launcher.connect({ address });
    assertEquals(await client.set("a", "1"), true);
    assert((await process.stop()).success);
    const warnings = process.lines.filter((line) => line.includes("gets no notifications"));
    assertEquals(warnings.length, NOTIFY_SOCKET.startsWith("/") ? 0 : 1, process.lines.join("\n"));
  }
});

systemTest("every role refuses a health file that is something else", async (launcher) => {
  const path = launcher.path("precious");
  await Deno.writeTextFile(path, "data");
  const file = await launcher.serversFile(["127.0.0.1:1"]);
  for (const words of [["server", "--no-persist"], ["proxy", "--servers", file]]) {
    const all = [...words, "--addr", "127.0.0.1:0", ...launcher.identity, "--health-file"];
    const { code, stderr } = await runInmem([...all, path]);
    assertEquals(code, 1);
    assertStringIncludes(stderr, `Cannot use "${path}" as --health-file: it has 4 bytes`);
    assertEquals(await Deno.readTextFile(path), "data");
  }
});
