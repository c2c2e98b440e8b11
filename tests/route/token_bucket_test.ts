import { assertEquals } from "@std/assert";
import { TokenBucket } from "../../src/route/token_bucket.ts";

Deno.test("TokenBucket take() grants a burst, then one token after each interval", () => {
  const bucket = new TokenBucket(3, 100);
  const granted = (moments: number[]) => moments.filter((nowMs) => bucket.take(nowMs));
  assertEquals(granted([0, 1, 2, 3, 99, 100, 101, 150, 199, 200]), [0, 1, 2, 100, 200]);
});

Deno.test("TokenBucket take() earns no more tokens than its size, however long it is unused", () => {
  const bucket = new TokenBucket(2, 100);
  const granted = (moments: number[]) => moments.filter((nowMs) => bucket.take(nowMs));
  assertEquals(granted([0, 0, 0, 150, 150, 200, 10_000, 10_000, 10_000, 10_099, 10_100]), [
    0,
    0,
    150,
    200,
    10_000,
    10_000,
    10_100,
  ]);
});
