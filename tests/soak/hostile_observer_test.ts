/** Tests the observer of the attacks with servers whose faults are known. */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl } from "@std/path";
import { type Observation, Observer } from "./hostile/observer.ts";
import { pause } from "../support/pause.ts";

const PROGRAM = fromFileUrl(new URL("hostile/faulty_program.ts", import.meta.url));
const ROUNDS_COUNT = 45;
const TIMEOUT_MS = 60_000;

/** Observes a server with a fault, until it has received enough requests. */
async function observe(fault: string, guardBytes = Number.MAX_SAFE_INTEGER): Promise<Observation> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-lock", "--allow-net", PROGRAM, fault],
    stdout: "piped",
  }).spawn();
  try {
    const port = Number(await firstLine(child.stdout));
    await using observer = new Observer();
    await observer.begin({ hostname: "127.0.0.1", port, pids: [child.pid], guardBytes });
    const endsMs = performance.now() + TIMEOUT_MS;
    for (;;) {
      const seen = await observer.take();
      if (seen.rounds + seen.errors >= ROUNDS_COUNT || seen.killed) return seen;
      assert(performance.now() < endsMs, JSON.stringify(seen));
      await pause(20);
    }
  } finally {
    try {
      child.kill("SIGKILL");
    } catch {
      // The process has already ended.
    }
    await child.status;
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  await reader.cancel();
  return text.trim();
}

Deno.test("Observer measures a long step of the main thread by its processor time", async () => {
  const seen = await observe("burn:300");
  assert(seen.longestStepMs > 250, JSON.stringify(seen));
  assert(seen.longestWaitMs >= seen.longestStepMs, JSON.stringify(seen));
  assert(seen.cpuMs[0]! > 500, "two such steps in these rounds");
  assertEquals([seen.wrong, seen.errors, seen.killed], [0, 0, false]);
});

Deno.test("Observer distinguishes a server that is idle from one that computes", async () => {
  const seen = await observe("sleep:600");
  assert(seen.longestStillMs > 200, JSON.stringify(seen));
  assert(seen.longestStepMs < 100, JSON.stringify(seen));
  assertEquals([seen.wrong, seen.errors], [0, 0]);
});

Deno.test("Observer counts wrong replies, refusals and lost connections", async () => {
  const [wrong, refused, closed] = await Promise.all(["wrong", "error", "close"].map((fault) => observe(fault)));
  assert(wrong!.wrong > 0 && wrong!.errors === 0, JSON.stringify(wrong));
  assert(refused!.errors > 0 && refused!.wrong === 0, JSON.stringify(refused));
  assert(closed!.errors > 0 && closed!.wrong === 0, JSON.stringify(closed));
});

Deno.test("Observer kills a process that uses more memory than the guard allows", async () => {
  const seen = await observe("none", 1024 * 1024);
  assert(seen.killed);
  assert(seen.peakBytes[0]! > 1024 * 1024);
});
