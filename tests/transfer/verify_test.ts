import { assertEquals, assertThrows } from "@std/assert";
import { DATABASES_NAMED_MAX_COUNT } from "../../src/limits.ts";
import { InputError } from "../../src/transfer/entry_reader.ts";
import { describeDatabases, refuseAbsentDatabase } from "../../src/transfer/verify.ts";

Deno.test("describeDatabases() names databases in order, up to a bound", () => {
  assertEquals(describeDatabases({ keys: new Map([[2, 1_000], [0, 1]]) }), "1 in database 0, 1,000 in database 2");
  const keys = new Map(Array.from({ length: DATABASES_NAMED_MAX_COUNT + 3 }, (_, database) => [database, 1] as const));
  const text = describeDatabases({ keys });
  assertEquals(text.split(", ").length, DATABASES_NAMED_MAX_COUNT + 1);
  assertEquals(text.split(", ").at(-1), "and some in 3 others");
});

Deno.test("refuseAbsentDatabase() names what there is, and accepts database 0 of a file without keys", () => {
  const keys = new Map([[3, 7]]);
  refuseAbsentDatabase(0, new Map(), "a.rdb");
  assertThrows(() => refuseAbsentDatabase(0, keys, "a.rdb"), InputError, "there are 7 in database 3");
  assertThrows(() => refuseAbsentDatabase(1, new Map(), "a.rdb"), InputError, "there are no keys");
});
