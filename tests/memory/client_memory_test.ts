import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ReplyError } from "../../src/errors.ts";
import { CLIENT_MEMORY_REPORTS_MAX_COUNT } from "../../src/limits.ts";
import { type ClientAccount, ClientMemory, Held } from "../../src/memory/client_memory.ts";

/** A memory of 1,000 bytes, 500 of them for objects, whose accounts record which connections were closed. */
class Rig {
  readonly killed: string[] = [];
  readonly warnings: [string, Record<string, string | number>][] = [];
  readonly memory = new ClientMemory({
    limitBytes: 1000,
    heapLimitBytes: 500,
    warn: (message, fields) => this.warnings.push([message, fields]),
  });
  #ids = 0;

  open(name: string, isKept = false): ClientAccount {
    const connection = { kill: () => void this.killed.push(name) };
    return this.memory.open({ id: ++this.#ids, address: `${name}:1`, name, isKept, connection });
  }
}

Deno.test("ClientMemory adds up charges and releases, and keeps the peak", () => {
  const { memory, open } = bound(new Rig());
  const [a, b] = [open("a"), open("b")];
  a.charge(Held.Reply, 300);
  b.charge(Held.Objects, 200);
  a.release(Held.Reply, 100);
  assertEquals([memory.usedBytes, memory.heapBytes, memory.peakBytes], [400, 200, 500]);
  assertEquals([memory.heldByKind.replies, memory.heldByKind.objects, memory.largest === a || a.bytes], [
    200,
    200,
    true,
  ]);
  a.set(Held.Messages, 50);
  a.set(Held.Messages, 20);
  assertEquals([a.bytes, a.held], [220, [0, 200, 0, 20, 0, 0]]);
  a.close();
  a.close();
  a.release(Held.Reply, 200);
  assertEquals([memory.usedBytes, memory.largest === b], [200, true]);
  b.close();
  assertEquals([memory.usedBytes, memory.heapBytes, memory.largest], [0, 0, undefined]);
});

Deno.test("ClientMemory refuses the largest client itself and an excessive charge, and closes no connection", () => {
  const rig = bound(new Rig());
  const [large, small] = [rig.open("large"), rig.open("small")];
  large.charge(Held.Transaction, 700);
  small.charge(Held.Reply, 200);
  const error = assertThrows(() => large.charge(Held.Reply, 200), ReplyError, "--max-client-memory");
  assertStringIncludes(error.message, "1000 bytes");
  assertEquals(small.tryCharge(Held.Reply, 801), false);
  assertEquals([rig.killed, rig.memory.usedBytes, rig.memory.refusals, rig.memory.closed], [[], 900, 2, 0]);
  assertEquals(rig.warnings[0]?.[1].held_for, "transaction");
});

Deno.test("ClientMemory closes the largest clients for one with less than half, and no more than needed", () => {
  const rig = bound(new Rig());
  const [first, second, third, small] = [rig.open("350"), rig.open("400"), rig.open("200"), rig.open("small")];
  first.charge(Held.Reply, 350);
  second.charge(Held.Request, 400);
  third.charge(Held.Reply, 200);
  small.charge(Held.Reply, 100);
  assertEquals([rig.killed, rig.memory.usedBytes, second.isClosed], [["400"], 650, true]);
  assertEquals([rig.memory.closed, rig.memory.refusals], [1, 0]);
  assertEquals(rig.warnings[0]?.[1], {
    address: "400:1",
    name: "400",
    held_bytes: 400,
    held_for: "request",
    asked_bytes: 100,
    clients_bytes: 950,
    limit_bytes: 1000,
  });
  assertThrows(() => second.charge(Held.Reply, 1), ReplyError);
});

Deno.test("ClientMemory closes clients that should be kept last, but does close them", () => {
  const rig = bound(new Rig());
  const [kept, other, small] = [rig.open("kept", true), rig.open("other"), rig.open("small")];
  kept.charge(Held.Reply, 600);
  other.charge(Held.Reply, 300);
  small.charge(Held.Reply, 120);
  assertEquals(rig.killed, ["other"]);
  const next = rig.open("next");
  next.charge(Held.Reply, 290);
  assertEquals(rig.killed, ["other", "kept"]);
});

Deno.test("ClientMemory closes no client if that would not free enough memory", () => {
  const rig = bound(new Rig());
  for (let i = 0; i < 9; i++) rig.open(`each${i}`).charge(Held.Reply, 100);
  const asking = rig.open("asking");
  assert(!asking.tryCharge(Held.Reply, 200));
  assertEquals(rig.killed, []);
});

Deno.test("ClientAccount.force() always succeeds: it closes a larger client, or else its own connection", () => {
  const rig = bound(new Rig());
  const [large, other] = [rig.open("large"), rig.open("other")];
  large.charge(Held.Messages, 900);
  other.force(Held.Reply, 150);
  assertEquals([rig.killed, rig.memory.usedBytes], [["large"], 150]);
  other.force(Held.Reply, 900);
  assertEquals([rig.killed, rig.memory.usedBytes, other.isClosed], [["large", "other"], 0, true]);
});

Deno.test("ClientMemory limits objects by the engine's heap, and compares the clients by their objects", () => {
  const rig = bound(new Rig());
  const [objects, bytes, small] = [rig.open("objects"), rig.open("bytes"), rig.open("small")];
  bytes.charge(Held.Reply, 450);
  objects.charge(Held.Objects, 450);
  assertThrows(() => objects.charge(Held.Objects, 60), ReplyError, "500 bytes");
  small.charge(Held.Objects, 60);
  assertEquals([rig.killed, rig.memory.heapBytes, bytes.bytes], [["objects"], 60, 450]);
});

Deno.test("ClientMemory never closes shared accounts, and makes room for them from larger clients", () => {
  const rig = bound(new Rig());
  const shared = rig.memory.openShared();
  shared.charge(Held.Request, 600);
  assert(!rig.open("a").tryCharge(Held.Reply, 500));
  const hoarder = rig.open("hoarder");
  hoarder.charge(Held.Reply, 390);
  shared.charge(Held.Request, 100);
  shared.force(Held.Request, 1000);
  assertEquals([rig.killed, shared.isClosed, shared.bytes], [["hoarder"], false, 1700]);
});

Deno.test("ClientMemory logs a few events per interval, and counts the others", () => {
  const rig = bound(new Rig());
  const account = rig.open("a");
  for (let i = 0; i < CLIENT_MEMORY_REPORTS_MAX_COUNT + 7; i++) account.tryCharge(Held.Reply, 2000);
  assertEquals([rig.warnings.length, rig.memory.refusals], [
    CLIENT_MEMORY_REPORTS_MAX_COUNT,
    CLIENT_MEMORY_REPORTS_MAX_COUNT + 7,
  ]);
});

function bound(rig: Rig): Rig {
  rig.open = rig.open.bind(rig);
  return rig;
}
