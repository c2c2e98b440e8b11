import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertRejects } from "@std/assert";
import { ADDRESSES_OF_NAME_MAX_COUNT, CONNECT_ATTEMPT_DELAY_MS, CONNECT_FAMILY_DELAY_MS } from "../../src/limits.ts";
import { AddressRace } from "../../src/net/happy_eyeballs.ts";
import type { FoundAddresses } from "../../src/net/system_lookup.ts";
import { until } from "../support/until.ts";

/** The outcomes of the attempts at an address, one after another. The last repeats. */
type Fate = "connects" | "refuses" | "is silent";

/** Addresses with the outcomes of a test, and a log of what was done with them. */
class Addresses {
  /** The actions in order: `dial ADDRESS`, `hang up ADDRESS`, `give up ADDRESS`. */
  readonly log: string[] = [];
  readonly dialedMs = new Map<string, number>();
  /** The functions that let a silent attempt succeed later, by address. */
  readonly succeed = new Map<string, (connection: string) => void>();
  readonly #fates: Record<string, Fate[]>;

  constructor(fates: Record<string, Fate[]>) {
    this.#fates = fates;
  }

  dial(address: string, signal: AbortSignal): Promise<string> {
    this.log.push(`dial ${address}`);
    this.dialedMs.set(address, performance.now());
    const fates = this.#fates[address] ?? ["refuses"];
    const fate = fates.length > 1 ? fates.shift()! : fates[0]!;
    if (fate === "connects") return Promise.resolve(address);
    if (fate === "refuses") return Promise.reject(new Error(`${address} refuses`));
    const { promise, resolve } = Promise.withResolvers<string>();
    this.succeed.set(address, resolve);
    signal.addEventListener("abort", () => this.log.push(`give up ${address}`));
    return promise;
  }

  hangUp(connection: string): void {
    this.log.push(`hang up ${connection}`);
  }
}

function found(...addresses: string[]): Promise<FoundAddresses> {
  return Promise.resolve({ addresses, problem: "" });
}

const NEVER = new Promise<never>(() => {});

/** Creates a race between addresses that are known immediately, in the order of the lookup. */
function raceOf(addresses: Addresses, known: string[], signal = new AbortController().signal): AddressRace<string> {
  const race = new AddressRace(addresses, signal);
  race.addLookup({ all: found(...known), ipv4: NEVER });
  return race;
}

Deno.test("AddressRace tries the families alternately, IPv6 first, and immediately after each failure", async () => {
  const addresses = new Addresses({ "10.0.0.3": ["connects"] });
  const race = raceOf(addresses, ["10.0.0.1", "10.0.0.2", "::1", "::2", "::3", "10.0.0.3"]);
  const begunMs = performance.now();
  assertEquals(await race.next(), { address: "10.0.0.3", connection: "10.0.0.3" });
  assertLess(performance.now() - begunMs, CONNECT_ATTEMPT_DELAY_MS);
  assertEquals(addresses.log.map((line) => line.slice(5)), ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3", "10.0.0.3"]);
  assertEquals(race.failures.map(({ address }) => address), ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"]);
});

Deno.test("AddressRace waits 250 ms for a silent address before the next, and closes it when that wins", async () => {
  const addresses = new Addresses({ "::1": ["is silent"], "10.0.0.1": ["connects"] });
  const race = raceOf(addresses, ["::1", "10.0.0.1"]);
  assertEquals((await race.next())?.address, "10.0.0.1");
  const waitedMs = addresses.dialedMs.get("10.0.0.1")! - addresses.dialedMs.get("::1")!;
  assertGreaterOrEqual(waitedMs, CONNECT_ATTEMPT_DELAY_MS - 5);
  addresses.succeed.get("::1")!("late");
  await Promise.resolve();
  assertEquals(addresses.log, ["dial ::1", "dial 10.0.0.1", "give up ::1", "hang up late"]);
});

Deno.test("AddressRace lets a slow address win if it connects first", async () => {
  const addresses = new Addresses({ "::1": ["is silent"], "10.0.0.1": ["is silent"] });
  const race = raceOf(addresses, ["::1", "10.0.0.1"]);
  const winner = race.next();
  await until(() => addresses.succeed.size === 2, "both addresses are dialled");
  addresses.succeed.get("::1")!("slow");
  assertEquals(await winner, { address: "::1", connection: "slow" });
  assertEquals(addresses.log.at(-1), "give up 10.0.0.1");
});

Deno.test("AddressRace continues after an unusable connection, with the addresses whose attempts were closed for it", async () => {
  const addresses = new Addresses({
    "::1": ["is silent", "connects"],
    "10.0.0.1": ["connects"],
    "10.0.0.2": ["connects"],
  });
  const race = raceOf(addresses, ["::1", "10.0.0.1", "10.0.0.2"]);
  assertEquals((await race.next())?.address, "10.0.0.1");
  assert(race.hasMore);
  race.failed("10.0.0.1", new Error("no TLS"));
  assertEquals((await race.next())?.address, "::1");
  race.failed("::1", new Error("no TLS"));
  assertEquals((await race.next())?.address, "10.0.0.2");
  assert(!race.hasMore);
  race.failed("10.0.0.2", new Error("no TLS"));
  assertEquals(await race.next(), undefined);
  assertEquals(race.failures.length, 3);
});

Deno.test("AddressRace ends with its signal, and closes connections that succeed later", async () => {
  const addresses = new Addresses({ "::1": ["is silent"] });
  const aborter = new AbortController();
  const race = raceOf(addresses, ["::1"], aborter.signal);
  const failing = assertRejects(() => race.next(), Error, "time is over");
  while (addresses.succeed.size === 0) await Promise.resolve();
  aborter.abort(new Error("time is over"));
  // The connection succeeds in the same tick: no code has seen the end yet.
  addresses.succeed.get("::1")!("late");
  await failing;
  await Promise.resolve();
  assertEquals(addresses.log, ["dial ::1", "give up ::1", "hang up late"]);
  await assertRejects(() => race.next(), Error, "time is over");
});

Deno.test("AddressRace ends with its signal while nothing is known about the name", async () => {
  const aborter = new AbortController();
  const race = new AddressRace(new Addresses({}), aborter.signal);
  race.addLookup({ all: NEVER, ipv4: NEVER });
  const failing = assertRejects(() => race.next(), Error, "time is over");
  aborter.abort(new Error("time is over"));
  await failing;
  assert(race.isLookingUp);
});

Deno.test("AddressRace lets IPv4 wait for all addresses, but not for long", async () => {
  const fates: Record<string, Fate[]> = { "::1": ["connects"], "10.0.0.1": ["connects"] };
  const all = Promise.withResolvers<FoundAddresses>();
  for (const isInTime of [true, false]) {
    const addresses = new Addresses(fates);
    const race = new AddressRace(addresses, new AbortController().signal);
    race.addLookup({ all: isInTime ? all.promise : NEVER, ipv4: found("10.0.0.1") });
    const begunMs = performance.now();
    const winner = race.next();
    await Promise.resolve();
    if (isInTime) all.resolve({ addresses: ["::1", "10.0.0.1"], problem: "" });
    assertEquals((await winner)?.address, isInTime ? "::1" : "10.0.0.1");
    assertEquals(addresses.log.length, 1);
    if (!isInTime) assertGreaterOrEqual(performance.now() - begunMs, CONNECT_FAMILY_DELAY_MS - 5);
  }
});

Deno.test("AddressRace uses the complete list of addresses when it is known", async () => {
  const addresses = new Addresses({});
  const race = new AddressRace(addresses, new AbortController().signal);
  const all = Promise.withResolvers<FoundAddresses>();
  race.addLookup({ all: all.promise, ipv4: found("127.0.0.1", "10.0.0.1") });
  const outcome = race.next();
  await Promise.resolve();
  all.resolve({ addresses: ["::1", "10.0.0.1"], problem: "" });
  assertEquals(await outcome, undefined);
  assertEquals(addresses.log, ["dial ::1", "dial 10.0.0.1"]);
});

Deno.test("AddressRace distinguishes a name without an address from a failed lookup", async () => {
  const none = raceOf(new Addresses({}), []);
  assertEquals([await none.next(), none.lookupProblem, none.failures], [undefined, "", []]);
  const unknown = new AddressRace(new Addresses({}), new AbortController().signal);
  const problem = "no name server has replied";
  unknown.addLookup({ all: Promise.resolve({ addresses: [], problem }), ipv4: found() });
  assertEquals([await unknown.next(), unknown.lookupProblem], [undefined, problem]);
});

Deno.test("AddressRace tries a limited number of addresses of a name, each once", async () => {
  const addresses = new Addresses({});
  const many = Array.from({ length: 2 * ADDRESSES_OF_NAME_MAX_COUNT }, (_, i) => `10.0.0.${i}`);
  const race = new AddressRace(addresses, new AbortController().signal);
  race.addLookup({ all: found(...many), ipv4: found(...many.slice(0, 3)) });
  assertEquals(await race.next(), undefined);
  assertEquals(race.failures.length, ADDRESSES_OF_NAME_MAX_COUNT);
  assertEquals(new Set(addresses.log).size, ADDRESSES_OF_NAME_MAX_COUNT);
});

Deno.test("AddressRace keeps the order of addresses that need no lookup", async () => {
  const addresses = new Addresses({});
  const race = new AddressRace(addresses, new AbortController().signal);
  race.addKnown(["127.0.0.1", "::1"]);
  assertEquals(await race.next(), undefined);
  assertEquals(addresses.log, ["dial 127.0.0.1", "dial ::1"]);
});
