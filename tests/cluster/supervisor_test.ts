import { assertEquals, assertRejects } from "@std/assert";
import { RestartDelay, Supervisor } from "../../cluster/supervisor.ts";
import type { StartedRole, SupervisorClock } from "../../cluster/supervisor.ts";
import { pause } from "../support/pause.ts";

/** A process that the test lets listen and end. */
class FakeRole implements StartedRole {
  readonly ended = Promise.withResolvers<Deno.CommandStatus>();
  readonly listening = Promise.withResolvers<string>();
  readonly status = this.ended.promise;
  stopsCount = 0;

  constructor(readonly pid: number, readonly asked: string) {
    this.listening.promise.catch(() => {});
  }

  address(): Promise<string> {
    return this.listening.promise;
  }

  stop(): Promise<Deno.CommandStatus> {
    this.stopsCount++;
    return this.status;
  }

  /** Ends the process. */
  async end(code: number, signal: Deno.Signal | null = null): Promise<void> {
    this.listening.reject(new Error(`ended with ${code}`));
    this.ended.resolve({ success: code === 0, code, signal });
    await settled();
  }
}

/** A clock that the test controls. */
class FakeClock implements SupervisorClock {
  ms = 0;
  /** The scheduled start. */
  next: { atMs: number; run: () => void } | undefined;

  nowMs(): number {
    return this.ms;
  }

  after(delayMs: number, run: () => void): () => void {
    this.next = { atMs: this.ms + delayMs, run };
    return () => this.next = undefined;
  }

  /** Advances the time to the next start, and returns how long that took. */
  async start(): Promise<number> {
    const { atMs, run } = this.next!;
    const waitedMs = atMs - this.ms;
    this.next = undefined;
    this.ms = atMs;
    run();
    await settled();
    return waitedMs;
  }
}

/** Resolves when all pending promises have been handled. */
function settled(): Promise<void> {
  return pause(0);
}

function supervise(address = "127.0.0.1:7") {
  const roles: FakeRole[] = [];
  const reports: string[] = [];
  const clock = new FakeClock();
  let failure: Error | undefined;
  const supervisor = new Supervisor({
    name: "server1",
    address,
    start: (asked) => {
      if (failure !== undefined) throw failure;
      roles.push(new FakeRole(100 + roles.length, asked));
      return roles.at(-1)!;
    },
    report: (text) => reports.push(text),
    clock,
  });
  return { supervisor, roles, reports, clock, failWith: (error?: Error) => failure = error };
}

Deno.test("RestartDelay grows up to a bound, and begins again after a long run", () => {
  const delay = new RestartDelay();
  const delays = Array.from({ length: 9 }, () => delay.next(100));
  assertEquals(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  for (let i = 0; i < 2_000; i++) assertEquals(delay.next(9_999), 30_000);
  assertEquals([delay.next(10_000), delay.next(0), delay.next(1e9), delay.next(1e9)], [500, 1_000, 500, 500]);
});

Deno.test("Supervisor starts a process again that has ended, at its address", async () => {
  const { supervisor, roles, reports, clock } = supervise("127.0.0.1:0");
  roles[0]!.listening.resolve("127.0.0.1:4242");
  assertEquals(await supervisor.listening(), "127.0.0.1:4242");
  clock.ms = 60_000;
  await roles[0]!.end(137, "SIGKILL");
  assertEquals(roles.length, 1);
  assertEquals(await clock.start(), 500);
  roles[1]!.listening.resolve("127.0.0.1:4242");
  await settled();
  assertEquals(roles.map(({ asked }) => asked), ["127.0.0.1:0", "127.0.0.1:4242"]);
  assertEquals(supervisor.pid, 101);
  clock.ms += 60_000;
  await roles[1]!.end(0);
  assertEquals(reports, [
    "server1 ended with signal SIGKILL; it is started again in 0.5 s",
    "server1 listens on 127.0.0.1:4242 again",
    "server1 ended with exit status 0; it is started again in 0.5 s",
  ]);
  assertEquals(await clock.start(), 500);
});

Deno.test("Supervisor repeats a start that fails, at growing intervals", async () => {
  const { supervisor, roles, reports, clock, failWith } = supervise();
  roles[0]!.listening.resolve("127.0.0.1:7");
  await supervisor.listening();
  await roles[0]!.end(1);
  const waits: number[] = [];
  for (let i = 1; i <= 5; i++) {
    waits.push(await clock.start());
    await roles[i]!.end(1);
  }
  failWith(new Error("no such program"));
  for (let i = 0; i < 3; i++) waits.push(await clock.start());
  assertEquals(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assertEquals(reports.length, 9);
  assertEquals(reports.at(-1), "Cannot start server1: no such program; it is started again in 30 s");
  failWith();
  await clock.start();
  roles.at(-1)!.listening.resolve("127.0.0.1:7");
  await settled();
  assertEquals(reports.at(-1), "server1 listens on 127.0.0.1:7 again");
});

Deno.test("Supervisor does not start again what failed at its first start", async () => {
  const { supervisor, roles, reports, clock } = supervise();
  await roles[0]!.end(1);
  await assertRejects(() => supervisor.listening(), Error, "ended with 1");
  assertEquals([roles.length, reports, clock.next], [1, [], undefined]);
  assertEquals(await supervisor.stop(), false);
});

Deno.test("Supervisor stop() ends the process, and starts no other one", async () => {
  const { supervisor, roles, reports, clock } = supervise();
  roles[0]!.listening.resolve("127.0.0.1:7");
  await supervisor.listening();
  const stopping = supervisor.stop();
  await roles[0]!.end(0);
  assertEquals(await stopping, true);
  assertEquals([roles[0]!.stopsCount, roles.length, reports, clock.next], [1, 1, [], undefined]);

  const other = supervise();
  other.roles[0]!.listening.resolve("127.0.0.1:7");
  await other.supervisor.listening();
  const killing = other.supervisor.stop();
  await other.roles[0]!.end(137, "SIGKILL");
  assertEquals(await killing, false);
});

Deno.test("Supervisor stop() works while no process runs, and while one is starting", async () => {
  const { supervisor, roles, clock } = supervise();
  roles[0]!.listening.resolve("127.0.0.1:7");
  await supervisor.listening();
  await roles[0]!.end(1);
  assertEquals(await supervisor.stop(), true);
  assertEquals([clock.next, roles[0]!.stopsCount], [undefined, 0]);

  const other = supervise();
  other.roles[0]!.listening.resolve("127.0.0.1:7");
  await other.supervisor.listening();
  await other.roles[0]!.end(1);
  await other.clock.start();
  const stopping = other.supervisor.stop();
  await other.roles[1]!.end(143, "SIGTERM");
  assertEquals(await stopping, true);
});
