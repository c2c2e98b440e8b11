import { assert, assertEquals } from "@std/assert";
import { setImmediate } from "node:timers";
import { InputRound } from "../../src/net/input_round.ts";

/** Runs task after task in the event loop until it is stopped, so that the loop always has work. */
function keepBusy(): { turns: number; stop(): void } {
  let isStopped = false;
  const busy = { turns: 0, stop: () => isStopped = true };
  const again = () => {
    busy.turns++;
    if (!isStopped) setImmediate(again);
  };
  again();
  return busy;
}

Deno.test("InputRound pass() resolves after the available input, although the event loop always has work", async () => {
  using input = await InputRound.open();
  assert(input !== undefined);
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  using client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  using socket = await listener.accept();
  const busy = keepBusy();
  for (let round = 0; round < 20; round++) {
    let isRead = false;
    const reading = socket.read(new Uint8Array(8)).then(() => isRead = true);
    await client.write(new Uint8Array(8));
    await input.pass();
    assert(isRead, `round ${round}`);
    await reading;
  }
  assert(busy.turns > 0);
  busy.stop();
});

Deno.test("InputRound pass() is one round for all concurrent callers", async () => {
  using input = await InputRound.open();
  assert(input !== undefined);
  const first = input.pass();
  assertEquals(input.pass(), first);
  await first;
  assert(input.pass() !== first);
});

Deno.test("InputRound pass() resolves after disposal, in progress or not", async () => {
  const input = await InputRound.open();
  assert(input !== undefined);
  const under = input.pass();
  input[Symbol.dispose]();
  await under;
  await input.pass();
  input[Symbol.dispose]();
});

Deno.test("InputRound open() returns nothing if it may not connect", async () => {
  const { listen } = Deno;
  Object.defineProperty(Deno, "listen", {
    configurable: true,
    value: () => {
      throw new Deno.errors.AddrNotAvailable("no loopback");
    },
  });
  try {
    assertEquals(await InputRound.open(), undefined);
  } finally {
    Object.defineProperty(Deno, "listen", { configurable: true, value: listen });
  }
});
