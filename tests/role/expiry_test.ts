import { assert, assertEquals, assertMatch } from "@std/assert";
import { EXPIRY_CHECK_INTERVAL_MS } from "../../src/limits.ts";
import { daysUntil, ExpiryWatch, formatMoment } from "../../src/role/expiry.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 0, 1);

/** A watch whose clock and timer the test controls. */
class Watched {
  readonly warnings: string[] = [];
  nowMs = START_MS;
  renews: boolean | undefined;
  renewals = 0;
  readonly #watch: ExpiryWatch;
  #timer: { run: () => void; atMs: number } | undefined;

  constructor(expiresMs: number | undefined, renews?: boolean) {
    this.renews = renews;
    this.#watch = new ExpiryWatch({
      what: "The certificate",
      expiresMs,
      warn: (sentence) => this.warnings.push(`${daysUntil(this.nowMs, START_MS)}: ${sentence}`),
      renew: renews === undefined ? undefined : () => {
        this.renewals++;
        return Promise.resolve(this.renews!);
      },
      now: () => this.nowMs,
      later: (run, delayMs) => {
        assert(delayMs > 0 && delayMs <= EXPIRY_CHECK_INTERVAL_MS, `${delayMs}`);
        const timer = this.#timer = { run, atMs: this.nowMs + delayMs };
        return () => this.#timer === timer && (this.#timer = undefined);
      },
    });
  }

  replace(expiresMs: number | undefined): void {
    this.#watch.replace(expiresMs);
  }

  close(): void {
    this.#watch.close();
    assertEquals(this.#timer, undefined);
  }

  /** Advances the time, by at most an hour at a time. */
  async pass(days: number): Promise<void> {
    const endMs = this.nowMs + days * DAY_MS;
    await settle();
    while (this.#timer !== undefined && this.#timer.atMs <= endMs) {
      const { run, atMs } = this.#timer;
      this.#timer = undefined;
      // The clock may have been set meanwhile.
      this.nowMs = Math.max(this.nowMs, atMs);
      run();
      await settle();
    }
    this.nowMs = endMs;
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await Promise.resolve();
}

Deno.test("ExpiryWatch warns 30, 7 and 1 days before, and at the end, once each", async () => {
  const watched = new Watched(START_MS + 40 * DAY_MS);
  await watched.pass(50);
  assertEquals(watched.warnings, [
    "10: The certificate expires in 30 days, on 2026-02-10T00:00:00Z",
    "33: The certificate expires in 7 days, on 2026-02-10T00:00:00Z",
    "39: The certificate expires in 24 hours, on 2026-02-10T00:00:00Z",
    "40: The certificate expired on 2026-02-10T00:00:00Z: clients refuse it",
  ]);
  watched.close();
});

Deno.test("ExpiryWatch warns immediately of a certificate near its end, with the nearest warning only", async () => {
  for (
    const [days, pattern] of [[20, /20 days/], [7, /7 days/], [1, /24 hours/], [0.06, /1 hour,/], [
      -3,
      /expired on/,
    ]] as const
  ) {
    const watched = new Watched(START_MS + days * DAY_MS);
    await settle();
    assertEquals(watched.warnings.length, 1);
    assertMatch(watched.warnings[0]!, pattern);
    watched.close();
  }
});

Deno.test("ExpiryWatch warns again after a replacement, and not of a certificate that is valid for long or unknown", async () => {
  const watched = new Watched(START_MS + 5 * DAY_MS);
  await settle();
  watched.replace(START_MS + 5 * DAY_MS);
  watched.replace(START_MS + 500 * DAY_MS);
  await watched.pass(100);
  watched.replace(undefined);
  await watched.pass(1000);
  assertEquals(watched.warnings.length, 1);
  watched.replace(watched.nowMs + DAY_MS);
  await settle();
  assertEquals(watched.warnings.length, 2);
  watched.close();
});

Deno.test("ExpiryWatch notices within an hour that the clock was set", async () => {
  const watched = new Watched(START_MS + 400 * DAY_MS);
  await watched.pass(1);
  watched.nowMs += 395 * DAY_MS;
  const setMs = watched.nowMs;
  await watched.pass(0.1);
  assertEquals(watched.warnings.length, 1);
  assert(watched.nowMs - setMs <= 0.1 * DAY_MS);
  watched.close();
});

Deno.test("ExpiryWatch warns only of a certificate that cannot be renewed", async () => {
  const watched = new Watched(START_MS + 31 * DAY_MS, true);
  await watched.pass(2);
  assertEquals(watched.warnings, []);
  assert(watched.renewals > 0);
  watched.replace(START_MS + 700 * DAY_MS);
  const { renewals } = watched;
  await watched.pass(100);
  assertEquals(watched.renewals, renewals);
  watched.renews = false;
  await watched.pass(600);
  assertEquals(watched.warnings.length, 4);
  assertEquals(watched.renewals, renewals + 4);
  watched.close();
});

Deno.test("formatMoment() and daysUntil() show when a certificate expires", () => {
  assertEquals(formatMoment(START_MS + 1500), "2026-01-01T00:00:01Z");
  assertEquals([0, 0.5, 1, 29.9, -0.1].map((days) => daysUntil(START_MS + days * DAY_MS, START_MS)), [0, 0, 1, 29, -1]);
});
