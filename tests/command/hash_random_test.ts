import { assert, assertEquals } from "@std/assert";
import type { MemoryClient, Readable } from "../support/memory_client.ts";
import { testCommands } from "../support/test_commands.ts";

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";
const OUT_OF_RANGE = "ERR value is out of range";

/** Sets a hash of fields `f0` … with values `v0` …. */
function fill(client: MemoryClient, count: number): string[] {
  const fields = Array.from({ length: count }, (_, i) => `f${i}`);
  for (let i = 0; i < count; i += 1_000) {
    client.call("hset", "h", ...fields.slice(i, i + 1_000).flatMap((field) => [field, field.replace("f", "v")]));
  }
  return fields;
}

testCommands("hrandfield replies with one of the fields, and with each of them at times", (makeClient) => {
  const client = makeClient();
  for (const count of [3, 300]) {
    const fields = new Set(fill(client, count));
    const found = new Set<Readable>();
    for (let i = 0; i < 60 * count && found.size < count; i++) found.add(client.text("hrandfield", "h"));
    assertEquals(found, fields as Set<Readable>);
  }
  assertEquals(client.text("hrandfield", "absent"), null);
});

testCommands("hrandfield with a count replies with that many different fields", (makeClient) => {
  const client = makeClient();
  for (const total of [5, 2_000]) {
    const fields = fill(client, total);
    for (const count of [1, 2, 5, 40, 700, 1_999, 2_000, 100_000]) {
      const found = client.text("hrandfield", "h", count) as string[];
      assertEquals(found.length, Math.min(count, total));
      assertEquals(new Set(found).size, found.length, "a field occurs twice");
      for (const field of found) assert(fields.includes(field), field);
    }
    assertEquals((client.text("hrandfield", "h", "9223372036854775807") as string[]).toSorted(), fields.toSorted());
  }
  assertEquals(client.text("hrandfield", "h", "0"), []);
  assertEquals(client.text("hrandfield", "absent", "3"), []);
});

testCommands("hrandfield with a negative count replies with that many fields, some of them repeated", (makeClient) => {
  const client = makeClient();
  for (const total of [2, 3_000]) {
    const fields = new Set(fill(client, total));
    for (const count of [1, 10, 500, 6_000]) {
      const found = client.text("hrandfield", "h", -count) as string[];
      assertEquals(found.length, count);
      for (const field of found) assert(fields.has(field), field);
      if (count > total) assert(new Set(found).size > total / 2);
    }
  }
  assertEquals(client.text("hrandfield", "absent", "-3"), []);
});

testCommands("hrandfield with a count chooses all fields about equally often", (makeClient) => {
  const client = makeClient();
  fill(client, 10);
  for (const count of [3, -3]) {
    const times = new Map<string, number>();
    for (let i = 0; i < 2_000; i++) {
      for (const field of client.text("hrandfield", "h", count) as string[]) {
        times.set(field, (times.get(field) ?? 0) + 1);
      }
    }
    // The average is 600, and a difference of eight standard deviations practically never occurs.
    for (const [field, found] of times) assert(Math.abs(found - 600) < 200, `${field}: ${found}`);
    assertEquals(times.size, 10);
  }
});

testCommands("hrandfield WITHVALUES replies with pairs", (makeClient) => {
  const client = makeClient();
  fill(client, 20);
  for (const count of [4, 20, -30]) {
    const pairs = client.text("hrandfield", "h", count, "WithValues") as [string, string][];
    assertEquals(pairs.length, Math.abs(count));
    for (const [field, value] of pairs) assertEquals(value, field.replace("f", "v"));
  }
  assertEquals(client.text("hrandfield", "absent", "4", "withvalues"), []);
});

testCommands("hrandfield refuses wrong counts, options and types", (makeClient) => {
  const client = makeClient();
  client.call("set", "string", "v");
  fill(client, 2);
  for (const count of ["x", "1.5", "", "9223372036854775808"]) {
    assertEquals(client.refusal("hrandfield", "h", count), "ERR value is not an integer or out of range");
  }
  assertEquals(
    client.refusal("hrandfield", "h", "-9223372036854775808"),
    `${OUT_OF_RANGE}, value must between -9223372036854775807 and 9223372036854775807`,
  );
  assertEquals(client.refusal("hrandfield", "h", "9223372036854775807", "withvalues"), OUT_OF_RANGE);
  assertEquals(client.refusal("hrandfield", "h", "-9223372036854775807", "withvalues"), OUT_OF_RANGE);
  assertEquals(client.refusal("hrandfield", "h", "2", "nope"), "ERR syntax error");
  assertEquals(client.refusal("hrandfield", "h", "2", "withvalues", "x"), "ERR syntax error");
  assertEquals(client.refusal("hrandfield", "string"), WRONG_TYPE);
  assertEquals(client.refusal("hrandfield", "string", "0"), WRONG_TYPE);
});
