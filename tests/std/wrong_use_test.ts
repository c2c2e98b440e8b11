/**
 * Tests that each npm package without types has the types of `src/std/` attached. Without them, any use of such a
 * package would compile. `deno task check` verifies this file: each expected error must appear.
 */

import { X509CertificateGenerator } from "@peculiar/x509";
import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { parseArgs } from "@std/cli/parse-args";
import { decode, encode } from "@std/msgpack";
import { join } from "@std/path";
import { parse } from "@std/yaml";
import { Registry } from "prom-client";

/** Contains wrong uses. It is compiled and never run. */
export function wrongUses(): void {
  // @ts-expect-error: the two differ in type
  assertEquals(1, "1");
  // @ts-expect-error: an order needs one type
  assertGreater(1, "0");
  // @ts-expect-error: no such option of parseArgs
  parseArgs([], { strings: ["addr"] });
  // @ts-expect-error: no such option was declared
  parseArgs([], { string: ["addr"] }).address;
  // @ts-expect-error: an option without a default may be missing
  parseArgs([], { string: ["addr"] }).addr.length;
  // @ts-expect-error: a function has no encoding
  encode(() => 1);
  // @ts-expect-error: only bytes decode
  decode("text");
  // @ts-expect-error: a path is text
  join(1);
  // @ts-expect-error: what was parsed may be anything
  parse("a: 1").a;
  // @ts-expect-error: a metric has a function that returns its values
  new Registry().registerMetric({ name: "a" });
  // @ts-expect-error: no such function
  X509CertificateGenerator.make();
}

Deno.test("parseArgs() gives each option the type that was declared", () => {
  const found = parseArgs(["--addr", "127.0.0.1:1", "--host", "a", "--host", "b", "-h", "42"], {
    alias: { help: "h" },
    boolean: ["help"],
    collect: ["host"],
    default: { data: "./data" },
    string: ["_", "addr", "data", "host"],
  });
  const address: string | undefined = found.addr;
  const hosts: string[] = found.host;
  const help: boolean = found.help;
  const data: string = found.data;
  const rest: string[] = found._;
  assertEquals({ address, hosts, help, data, rest }, {
    address: "127.0.0.1:1",
    hosts: ["a", "b"],
    help: true,
    data: "./data",
    rest: ["42"],
  });
});

Deno.test("decode() reverses encode(), and accepts nothing shorter or longer", () => {
  const bytes = encode([0, "text", new Uint8Array([0, 1]), null]);
  assertEquals(decode(bytes), [0, "text", new Uint8Array([0, 1]), null]);
  assertThrows(() => decode(bytes.subarray(1)), EvalError);
  assertThrows(() => decode(bytes.subarray(0, -1)), EvalError);
});
