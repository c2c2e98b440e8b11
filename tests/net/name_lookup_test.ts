import { assertEquals, assertMatch } from "@std/assert";
import { LOOKUP_SLOW_MS, LOOKUPS_MAX_COUNT, LOOKUPS_WAITING_MAX_COUNT } from "../../src/limits.ts";
import { NameLookups } from "../../src/net/name_lookup.ts";
import { type FoundAddresses, lookUpInSystem } from "../../src/net/system_lookup.ts";
import { pause } from "../support/pause.ts";

/** The number of names that are looked up at the same time. Each takes two lookups. */
const NAMES_MAX_COUNT = LOOKUPS_MAX_COUNT / 2;

/** Lookups that the test ends. */
class HeldLookups {
  /** The names that are being looked up, in the order of their beginning. */
  readonly running: string[] = [];
  readonly #resolvers = new Map<string, PromiseWithResolvers<FoundAddresses>>();
  readonly names: NameLookups = new NameLookups((name, kind) => {
    if (kind === "all") {
      this.running.push(name);
      this.#resolvers.set(name, Promise.withResolvers());
    }
    return this.#resolvers.get(name)!.promise;
  });

  async end(name: string): Promise<void> {
    this.running.splice(this.running.indexOf(name), 1);
    this.#resolvers.get(name)!.resolve({ addresses: [`address of ${name}`], problem: "" });
    await pause(0);
  }
}

Deno.test("NameLookups looks a name up once for all concurrent callers, and keeps no result", async () => {
  const held = new HeldLookups();
  const first = held.names.find("a");
  assertEquals(held.names.find("a"), first);
  assertEquals(held.running, ["a"]);
  await held.end("a");
  assertEquals((await first.all).addresses, ["address of a"]);
  held.names.find("a");
  assertEquals(held.running, ["a"]);
  await held.end("a");
});

Deno.test("NameLookups limits concurrent lookups, and keeps the order of the calls", async () => {
  const held = new HeldLookups();
  const names = Array.from({ length: NAMES_MAX_COUNT + 3 }, (_, i) => `n${i}`);
  for (const name of names) held.names.find(name);
  assertEquals(held.running, names.slice(0, NAMES_MAX_COUNT));
  await held.end("n2");
  await held.end("n0");
  assertEquals(held.running.slice(-2), names.slice(NAMES_MAX_COUNT, NAMES_MAX_COUNT + 2));
  for (const name of names) if (held.running.includes(name)) await held.end(name);
  assertEquals(held.running, []);
});

Deno.test("NameLookups reserves half of the places for names that are not slow", async () => {
  const held = new HeldLookups();
  const slow = Array.from({ length: NAMES_MAX_COUNT }, (_, i) => `slow${i}`);
  for (const name of slow) held.names.find(name);
  await pause(LOOKUP_SLOW_MS + 50);
  for (const name of slow) await held.end(name);
  for (const name of slow) held.names.find(name);
  assertEquals(held.running, slow.slice(0, NAMES_MAX_COUNT / 2));
  const quick = held.names.find("quick");
  assertEquals(held.running.at(-1), "quick");
  await held.end("quick");
  assertEquals((await quick.all).addresses, ["address of quick"]);
  // A name that was quick this time is not slow any more.
  await held.end(slow[0]!);
  held.names.find(slow[0]!);
  assertEquals(held.running.at(-1), slow[0]);
  for (const name of slow) while (held.running.includes(name)) await held.end(name);
});

Deno.test("NameLookups limits the number of waiting names, and refuses more immediately", async () => {
  const held = new HeldLookups();
  for (let i = 0; i < NAMES_MAX_COUNT + LOOKUPS_WAITING_MAX_COUNT; i++) held.names.find(`n${i}`);
  const { addresses, problem } = await held.names.find("one more").all;
  assertEquals(addresses, []);
  assertMatch(problem, /too many names/);
});

Deno.test("lookUpInSystem() reads /etc/hosts, and reports a name without an address", async () => {
  assertEquals((await lookUpInSystem("localhost", "ipv4")).addresses, ["127.0.0.1"]);
  const { addresses, problem } = await lookUpInSystem("localhost", "all");
  assertEquals(problem, "");
  assertEquals(addresses.includes("127.0.0.1"), true);
  assertEquals(addresses.every((address) => address === "127.0.0.1" || address === "::1"), true);
  assertEquals((await lookUpInSystem("no.invalid", "all")).addresses, []);
});
