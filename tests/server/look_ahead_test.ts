/**
 * With many keys a session looks ahead, and commands use the hashes that it computes then. Each request has to find its
 * own key, regardless of its form, its protocol, and how the bytes are cut.
 */

import { assertEquals } from "@std/assert";
import { Random } from "../../bench/support/random.ts";
import { encodeText } from "../../src/bytes.ts";
import { PREFETCH_KEYS_MIN_COUNT } from "../../src/limits.ts";
import { framesOf } from "../support/raw_client.ts";
import type { RawClient } from "../support/raw_client.ts";
import { TestHost } from "../support/session_host.ts";

const KEYS_COUNT = PREFETCH_KEYS_MIN_COUNT + 5_000;

/** One request, and its expected reply in RESP and in the native protocol. */
interface Step {
  readonly request: string[];
  readonly resp: string;
  readonly native: unknown;
}

/** A generator of requests, with a model of the strings. */
class Steps {
  readonly values = new Map<string, string>();
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  #key(): string {
    const number = this.#random.below(KEYS_COUNT * 1.2 | 0);
    // Keys have several lengths, so that requests begin at different places each time.
    return `key:${number}${"x".repeat(number % 5)}`;
  }

  next(): Step {
    const key = this.#key();
    const value = this.values.get(key);
    const bulk = (text: string | undefined) => text === undefined ? "$-1\r\n" : `$${text.length}\r\n${text}\r\n`;
    switch (this.#random.below(7)) {
      case 0: {
        const text = `value ${this.#random.below(1000)}`;
        this.values.set(key, text);
        return { request: ["set", key, text], resp: "+OK\r\n", native: "OK" };
      }
      case 1:
        this.values.delete(key);
        return {
          request: ["del", key],
          resp: `:${value === undefined ? 0 : 1}\r\n`,
          native: value === undefined ? 0 : 1,
        };
      case 2:
        return { request: ["ping"], resp: "+PONG\r\n", native: "PONG" };
      case 3: {
        const keys = Array.from({ length: 1 + this.#random.below(4) }, () => this.#key());
        const values = keys.map((each) => this.values.get(each));
        const resp = `*${keys.length}\r\n${values.map(bulk).join("")}`;
        return { request: ["mget", ...keys], resp, native: values.map((each) => each ?? null) };
      }
      case 4: {
        const other = this.#key();
        if (value === undefined || other === key) break;
        this.values.delete(key);
        this.values.set(other, value);
        return { request: ["rename", key, other], resp: "+OK\r\n", native: "OK" };
      }
    }
    return { request: ["get", key], resp: bulk(value), native: value ?? null };
  }
}

Deno.test("Session finds the key of each request among many, in both protocols", async () => {
  const random = new Random(Number(Deno.env.get("SEED") ?? Math.trunc(Math.random() * 2 ** 31)));
  console.log(`seed ${random.seed}`);
  const host = new TestHost();
  const steps = new Steps(random);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const running: Promise<void>[] = [];
  const connect = async () => {
    const { client, running: ends } = await host.connect(listener);
    running.push(ends);
    return client;
  };
  using resp = await connect();
  using native = await connect();
  for (let i = 0; i < KEYS_COUNT; i += 1000) {
    const pairs = Array.from({ length: 1000 }, (_, j) => [`key:${i + j}${"x".repeat((i + j) % 5)}`, `first ${i + j}`]);
    for (const [key, value] of pairs) steps.values.set(key!, value!);
    assertEquals(await native.call("mset", ...pairs.flat()), "OK");
  }
  assertEquals(host.store.isLarge, true);
  for (let round = 0; round < 300; round++) {
    const batch = Array.from({ length: 1 + random.below(150) }, () => steps.next());
    if (random.chance(0.5)) {
      const text = batch.map(({ request }) => {
        if (random.chance(0.1) && request[0] !== "set") return `${request.join(" ")}\r\n`;
        return `*${request.length}\r\n${request.map((each) => `$${each.length}\r\n${each}\r\n`).join("")}`;
      }).join("");
      await inPieces(resp, encodeText(text), random);
      await resp.expect(batch.map((step) => step.resp).join(""));
    } else {
      await inPieces(native, framesOf(...batch.map(({ request }) => request)), random);
      assertEquals(await native.replies(batch.length), batch.map((step) => step.native));
    }
  }
  assertEquals(host.store.size, steps.values.size);
  assertEquals(host.bugs, []);
  resp.close();
  native.close();
  await Promise.all(running);
  listener.close();
});

/** Sends bytes in one piece or in two. */
async function inPieces(client: RawClient, bytes: Uint8Array, random: Random): Promise<void> {
  const cut = random.chance(0.5) ? bytes.length : random.below(bytes.length);
  await client.send(bytes.subarray(0, cut));
  await client.send(bytes.subarray(cut));
}
