import { assert, assertEquals } from "@std/assert";
import type { MemoryClient, Readable } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const NOT_INTEGER = "ERR value is not an integer or out of range";
const NOT_POSITIVE = "ERR value is out of range, must be positive";

/** Makes a set of members `m0`, `m1` and so on. */
function fill(client: MemoryClient, count: number): string[] {
  const members = Array.from({ length: count }, (_, i) => `m${i}`);
  for (let i = 0; i < count; i += 500) client.call("sadd", "a", ...members.slice(i, i + 500));
  return members;
}

testCommands("srandmember replies with one of the members, and with each of them at times", (makeClient) => {
  const client = makeClient();
  for (const count of [3, 300]) {
    const members = new Set(fill(client, count));
    const found = new Set<Readable>();
    for (let i = 0; i < 60 * count && found.size < count; i++) found.add(client.text("srandmember", "a"));
    assertEquals(found, members as Set<Readable>);
  }
  assertEquals(client.text("srandmember", "absent"), null);
});

testCommands("srandmember with a count replies with different members, or with repeated ones", (makeClient) => {
  const client = makeClient();
  for (const total of [5, 2_000]) {
    const members = new Set(fill(client, total));
    for (const count of [1, 2, 5, 40, 700, 1_999, 2_000, 100_000]) {
      const found = client.text("srandmember", "a", count) as string[];
      assertEquals(found.length, Math.min(count, total));
      assertEquals(new Set(found).size, found.length, "a member occurs twice");
      assert(found.every((member) => members.has(member)));
      const repeated = client.text("srandmember", "a", -count) as string[];
      assertEquals(repeated.length, count);
      assert(repeated.every((member) => members.has(member)));
      if (count > total) assert(new Set(repeated).size > total / 2);
    }
    assertEquals(client.text("scard", "a"), total);
  }
  assertEquals([client.text("srandmember", "a", "0"), client.text("srandmember", "absent", "3")], [[], []]);
});

testCommands("spop removes the members that it replies with", (makeClient) => {
  const client = makeClient();
  for (const total of [6, 1_000]) {
    const left = new Set(fill(client, total));
    for (const count of [undefined, 1, 2, 700, 1_000]) {
      const before = left.size;
      const found = count === undefined ? [client.text("spop", "a")] : client.text("spop", "a", count) as string[];
      assertEquals(found.length, Math.min(count ?? 1, before));
      for (const member of found) assert(left.delete(member as string), `${member} was removed before`);
      assertEquals((client.text("smembers", "a") as string[]).toSorted(), [...left].sort());
      if (left.size === 0) break;
    }
    assertEquals([left.size, client.text("exists", "a")], [0, 0]);
  }
  assertEquals([client.text("spop", "absent"), client.text("spop", "absent", "3")], [null, []]);
});

testCommands("spop and srandmember choose all members about equally often", (makeClient) => {
  const client = makeClient();
  const members = fill(client, 10);
  for (const choose of ["srandmember a 3", "srandmember a -3", "spop a 3"]) {
    const times = new Map<string, number>();
    for (let i = 0; i < 2_000; i++) {
      for (const member of client.text(...choose.split(" ")) as string[]) {
        times.set(member, (times.get(member) ?? 0) + 1);
      }
      if (choose.startsWith("spop")) client.call("sadd", "a", ...members);
    }
    // The average is 600, and a difference of eight standard deviations practically never occurs.
    for (const [member, found] of times) assert(Math.abs(found - 600) < 200, `${choose}, ${member}: ${found}`);
    assertEquals(times.size, 10);
  }
});

testCommands("spop and srandmember refuse wrong counts", (makeClient) => {
  const client = makeClient();
  fill(client, 2);
  for (const count of ["x", "1.5", "", "9223372036854775808"]) {
    assertEquals(client.refusal("srandmember", "a", count), NOT_INTEGER);
    assertEquals(client.refusal("spop", "a", count), NOT_POSITIVE);
  }
  assertEquals(client.refusal("spop", "a", "-1"), NOT_POSITIVE);
  assertEquals(
    client.refusal("srandmember", "a", "-9223372036854775808"),
    "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
  );
  for (const name of ["spop", "srandmember"]) assertEquals(client.refusal(name, "a", "1", "x"), "ERR syntax error");
});
