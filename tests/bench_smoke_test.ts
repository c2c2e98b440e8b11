/**
 * Runs every bench once, so that none breaks unnoticed: its module loads, and each function that it registers returns
 * without an error. Nothing is measured. `Deno.bench` does nothing under `deno test`, so a collector replaces it while
 * a module loads.
 */

import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join, toFileUrl } from "@std/path";

const benchFolder = fromFileUrl(new URL("../bench/", import.meta.url));

async function listBenches(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of Deno.readDir(benchFolder)) {
    // bench_scripts_test.ts runs the scripts.
    const isBench = name.endsWith("_bench.ts") &&
      !(await Deno.readTextFile(join(benchFolder, name))).includes("import.meta.main");
    if (isBench) names.push(name);
  }
  return names.sort();
}

/** Returns the benches that a module registers while it loads, in any of the forms that `Deno.bench` accepts. */
async function collect(path: string): Promise<Deno.BenchDefinition[]> {
  const found: Deno.BenchDefinition[] = [];
  function register(...parts: (string | Partial<Deno.BenchDefinition> | Deno.BenchDefinition["fn"])[]): void {
    const definition: Partial<Deno.BenchDefinition> = {};
    for (const part of parts) {
      if (typeof part === "string") definition.name = part;
      else if (typeof part === "function") Object.assign(definition, { name: definition.name ?? part.name, fn: part });
      else Object.assign(definition, part);
    }
    const { name, fn } = definition;
    assert(name !== undefined && fn !== undefined, `${path}: expected a bench with a name and a function`);
    found.push({ ...definition, name, fn });
  }
  const original = Object.getOwnPropertyDescriptor(Deno, "bench");
  assert(original !== undefined);
  Object.defineProperty(Deno, "bench", { ...original, value: register });
  try {
    await import(toFileUrl(path).href);
  } finally {
    Object.defineProperty(Deno, "bench", original);
  }
  return found;
}

Deno.test("every bench runs", async (t) => {
  Deno.env.set("INMEM_BENCH_SCALE", "0.001");
  const names = await listBenches();
  assert(names.length > 0, "expected benches under bench/");
  for (const name of names) {
    const definitions = await collect(join(benchFolder, name));
    assert(definitions.length > 0, `${name}: expected a bench`);
    assertEquals(
      new Set(definitions.map((bench) => `${bench.group} ${bench.name}`)).size,
      definitions.length,
      `${name}: names repeat`,
    );
    for (const bench of definitions) {
      if (bench.ignore) continue;
      await t.step(`${name}: ${bench.name}`, async () => {
        await bench.fn({ name: bench.name, origin: name, start() {}, end() {} });
      });
    }
  }
});
