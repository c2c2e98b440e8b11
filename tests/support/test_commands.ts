/**
 * Tests of commands that run twice: against the real store, and against the model, which verifies that the command
 * layer uses references and cursors only while they are valid.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { MemoryClient } from "./memory_client.ts";
import type { MemoryClientOptions } from "./memory_client.ts";
import { ModelStore } from "./model_store.ts";

/** Creates a client of the store under test. */
export type MakeClient = (options?: MemoryClientOptions) => MemoryClient;

/** Registers a test of commands. It also fails when a command throws an unexpected exception. */
export function testCommands(name: string, body: (makeClient: MakeClient) => void | Promise<void>): void {
  register(name, body, () => undefined);
  register(`${name} (model store)`, body, () => new ModelStore().asStore());
}

function register(
  name: string,
  body: (makeClient: MakeClient) => void | Promise<void>,
  make: () => MemoryClientOptions["store"],
): void {
  Deno.test(name, async () => {
    const clients: MemoryClient[] = [];
    await body((options) => {
      const client = new MemoryClient({ store: make(), ...options });
      clients.push(client);
      return client;
    });
    for (const client of clients) assertEquals(client.bugs, []);
  });
}
