import { assert, assertEquals } from "@std/assert";
import { NotifySocket } from "../../src/role/notify_socket.ts";
import { NotifyReceiver } from "../support/notify_receiver.ts";

const isLinux = Deno.build.os === "linux";

/** Returns a name in the abstract namespace that no other test has. */
function abstractName(bytes = 40): string {
  return `@${crypto.randomUUID()}`.padEnd(bytes, "x");
}

Deno.test("NotifySocket send() reaches a path and an abstract name of any length", { ignore: !isLinux }, async () => {
  const folder = await Deno.makeTempDir();
  try {
    // 107 bytes and a NUL, or 108 without one, fill the address of a socket.
    const names = [`${folder}/notify`, `${folder}/`.padEnd(107, "n"), abstractName(), abstractName(108)];
    for (const name of names) {
      using receiver = new NotifyReceiver(name);
      using socket = NotifySocket.open(name)!;
      assert(socket.send("READY=1\nSTATUS=Zoë\n"), name);
      assert(socket.send("WATCHDOG=1\n"), name);
      assertEquals(receiver.read(), ["READY=1", "STATUS=Zoë", "WATCHDOG=1"]);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("NotifySocket open() refuses what is not a local socket", () => {
  for (const path of ["", "/", "@", "notify", "vsock:2:1234", "/".padEnd(108, "n"), `@${"n".repeat(108)}`]) {
    assertEquals(NotifySocket.open(path), undefined, path);
  }
});

Deno.test("NotifySocket send() reports a manager that is gone or does not read", { ignore: !isLinux }, () => {
  const name = abstractName();
  using socket = NotifySocket.open(name)!;
  assert(!socket.send("READY=1\n"));
  {
    using receiver = new NotifyReceiver(name);
    let sent = 0;
    while (socket.send("WATCHDOG=1\n")) sent++;
    assert(sent > 0);
    assertEquals(receiver.read().length, sent);
    assert(socket.send("WATCHDOG=1\n"));
  }
  assert(!socket.send("STOPPING=1\n"));
});

Deno.test("NotifySocket monotonicUs() is the system's monotonic time", { ignore: !isLinux }, async () => {
  using socket = NotifySocket.open("@unused")!;
  const before = socket.monotonicUs();
  // The time since the system started differs from it by the time for which it was suspended.
  const uptime = BigInt(Math.floor(Deno.osUptime())) * 1_000_000n;
  assert(before > 0n && before < uptime + 2_000_000n);
  await new Promise((resolve) => setTimeout(resolve, 2));
  assert(socket.monotonicUs() > before);
});
